"""Clients that leave are still billed, once."""

import json
import time

import pytest

import calls

CHAT = "/v1/chat/completions"


def begin(server, fake, knobs, body=None):
    """A stream of which the first words have come."""
    stream = server.client.open("POST", CHAT, body or calls.asked_stream(),
                                fake=knobs)
    fake.wait(1)
    stream.read_until(b"word1")

    return stream


def test_stream_cut_by_client_is_still_billed(server, fake):
    server.meter(fake)
    stream = begin(server, fake, {"words": 100, "gate": 50})
    stream.read_until(b"word45")
    stream.close()
    fake.wait_for(lambda: fake.requests[0].left)
    line = server.line()
    assert line.source == "estimated"
    assert 20 < line.output < 200
    assert line.nusd > 0
    assert line["error.type"] == "client_closed"
    assert not fake.requests[0].answered


def test_reset_by_client_is_still_billed(server, fake):
    server.meter(fake)
    stream = begin(server, fake, {"words": 100, "gate": 50})
    stream.reset()
    fake.wait_for(lambda: fake.requests[0].left)
    assert server.line().source == "estimated"


def test_drain_reads_on_for_the_exact_usage(server, fake):
    server.meter(fake, enable=("on", "on_disconnect=drain:60s"))
    stream = begin(server, fake, {"words": 100, "gate": 20})
    server.see_off(stream)
    assert not fake.requests[0].left
    fake.release()
    line = server.line()
    assert fake.requests[0].answered
    assert (line.source, line.input, line.output) == ("reported", 4, 100)
    assert line["error.type"] == "client_closed"


def test_drain_of_a_stream_that_was_asked_for_usage(server, fake):
    server.meter(fake, enable=("on", "on_disconnect=drain:60s"))
    stream = begin(server, fake, {"words": 100, "gate": 20},
                   calls.chat(stream=True))
    server.see_off(stream)
    fake.release()
    line = server.line()
    assert (line.source, line.output) == ("reported", 100)


def test_drain_of_a_plain_answer(server, fake):
    """The client leaves before the first byte."""
    server.meter(fake, enable=("on", "on_disconnect=drain:60s"))
    stream = server.client.open("POST", CHAT, calls.chat(),
                                fake={"first_delay": 0.5, "words": 50})
    fake.wait(1)
    stream.close()
    line = server.line()
    assert (line.source, line.output) == ("reported", 50)


def test_drain_gives_up_in_time(server, fake):
    server.meter(fake, enable=("on", "on_disconnect=drain:1s"))
    stream = begin(server, fake, {"words": 100, "gate": 20})
    began = time.monotonic()
    stream.close()
    fake.wait_for(lambda: fake.requests[0].left)
    assert 0.7 < time.monotonic() - began < 30
    line = server.line()
    assert line.source == "estimated"
    assert line.output < 60


def test_drained_calls_do_not_disturb_the_others(server, fake):
    server.meter(fake, enable=("on", "on_disconnect=drain:60s"),
                 keepalive=True)
    leavers = [begin(server, fake, {"words": 30, "gate": 20})
               for _ in range(5)]
    for stream in leavers:
        stream.close()
    assert server.client.post(CHAT, calls.chat()).status == 200
    fake.release()
    assert sorted(line.output for line in server.lines(6)) == [5] + [30] * 5


def test_client_that_leaves_before_the_answer(server, fake):
    server.meter(fake)
    stream = server.client.open("POST", CHAT, calls.chat(),
                                fake={"hang": "headers"})
    fake.wait(1)
    stream.close()
    fake.wait_for(lambda: fake.requests[0].left)
    line = server.line()
    assert line["error.type"] == "client_closed"
    assert line.status == 499
    assert line.output == 0


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_client_that_leaves_with_its_answer_has_not_left_early(server, fake,
                                                               leave):
    """At once: it does not stay until the server has written its line."""
    server.meter(fake)
    for body in (calls.chat(), calls.asked_stream()) * 5:
        exchange = server.client.open("POST", CHAT, body)
        assert exchange.read().status == 200
        (exchange.reset if leave == "reset" else exchange.sock.close)()
    lines = server.lines(10)
    assert {line["event.outcome"] for line in lines} == {"success"}
    assert not any("error.type" in line for line in lines)


def test_client_that_leaves_in_its_request(server, fake):
    server.meter(fake)
    body = json.dumps(calls.chat()).encode()
    for cut in (1, len(body) - 1):
        sock = server.client.connect()
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d"
                     b"\r\n\r\n%s" % (CHAT.encode(), len(body), body[:cut]))
        time.sleep(0.05)
        sock.close()
    assert server.client.post(CHAT, calls.chat()).status == 200
    lines = server.lines(3)
    assert len(fake.requests) == 1
    assert sum(line.nusd for line in lines) == 4 * 150 + 5 * 600
