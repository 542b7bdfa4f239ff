"""A target that fails before its answer's first byte: the next one answers."""

import json
import socket
import threading
import time

import pytest

import calls
from fake.provider import Fake
from servers import free_port

CHAT = "/v1/chat/completions"
NOISE = ("AH0", "proxy", "upstream", "connect\\(\\) failed", "recv\\(\\) failed")
FAILING = {"script": "as told"}


@pytest.fixture
def first():
    with Fake() as made:
        yield made
        assert not made.malformed, made.malformed


@pytest.fixture
def second():
    with Fake() as made:
        made.scripts["as told"] = {"words": 3}
        yield made
        assert not made.malformed, made.malformed


def start(server, *fakes, to=None, quick=False, more=(), **named):
    """One route over all of them, tried in order.  quick: nobody waits long."""
    server.expect_errors(*NOISE)
    names = ["p%d" % i for i in range(len(fakes))]

    if quick:
        named.setdefault("nginx", "proxy_read_timeout 1s;")
        named.setdefault("httpd_server", "ProxyTimeout 1")

    server.route([(name, to) for name, to in zip(names, fakes)],
                 ("llm_route", "all", "to=" + (to or ",".join(names))), *more,
                 **named)


def post(server, body=None, **more):
    return server.client.post(CHAT, body or calls.chat(), fake=FAILING, **more)


def closed():
    return "http://127.0.0.1:%d" % free_port()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
def test_next_target_answers_for_a_status(server, first, second, status):
    first.scripts["as told"] = {"status": status,
                                "headers": {"x-of-the-first": "1"}}
    start(server, first, second)
    r = post(server)
    assert r.status == 200
    assert r.header("x-of-the-first") is None
    assert r.json["usage"]["completion_tokens"] == 3
    assert len(first.requests) == len(second.requests) == 1
    assert first.requests[0].body == second.requests[0].body
    line = server.line()
    assert (line.status, line.output, line["llm.attempt"]) == (200, 3, 2)
    assert line["llm.provider"] == "p1"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_an_error_of_the_caller_is_his(server, first, second, status):
    first.scripts["as told"] = {"status": status,
                                "headers": {"x-of-the-first": "1"}}
    start(server, first, second)
    r = post(server)
    assert (r.status, r.header("x-of-the-first")) == (status, "1")
    assert second.requests == []
    assert server.line()["llm.attempt"] == 1


def test_next_target_answers_where_nobody_listens(server, second):
    start(server, closed(), second)
    assert post(server).status == 200
    line = server.lines(1)[-1]
    assert (line["llm.provider"], line.output) == ("p1", 3)


@pytest.mark.parametrize("knobs", [
    {"drop": True}, {"drop": True, "reset": True},
    {"raw": "HTTP/1.1 200 OK\r\nContent-Ty"}, {"raw": "\0\1\2\3"}],
    ids=["closed", "reset", "cut head", "garbage"])
def test_next_target_answers_for_a_broken_one(server, first, second, knobs):
    first.scripts["as told"] = knobs
    start(server, first, second)
    assert post(server).status == 200
    line = server.lines(2)[-1]
    assert (line["llm.provider"], line.output) == ("p1", 3)


def test_next_target_answers_where_one_is_silent(server, first, second):
    first.scripts["as told"] = {"hang": "headers"}
    start(server, first, second, quick=True)
    began = time.monotonic()
    assert post(server).status == 200
    assert time.monotonic() - began < 30
    assert server.lines(2)[-1]["llm.provider"] == "p1"


@pytest.mark.parametrize("knobs", [{"hang": "headers"}, {"drop": True}],
                         ids=["silent", "closed"])
def test_prompt_of_an_attempt_may_have_been_billed(server, first, second,
                                                   knobs):
    """Its own line says so, once, before that of the answer."""
    first.scripts["as told"] = knobs
    start(server, first, second, quick=True)
    assert post(server).status == 200
    attempt, final = server.lines(2)
    assert attempt["llm.call_id"] == final["llm.call_id"]
    assert (attempt["llm.attempt"], final["llm.attempt"]) == (1, 2)
    assert (attempt["llm.final"], final["llm.final"]) == (False, True)
    assert attempt["llm.provider"] == "p0" and attempt.output == 0
    assert final.output == 3


def test_last_failure_is_the_answer(server, first, second):
    first.scripts["as told"] = {"status": 503}
    second.scripts["as told"] = {"status": 429,
                                 "headers": {"x-of-the-last": "7"}}
    start(server, first, second)
    r = post(server)
    assert (r.status, r.header("x-of-the-last")) == (429, "7")
    assert b"as asked for" in r.body
    line = server.line()
    assert (line.status, line["llm.attempt"], line.nusd) == (429, 2, 0)


def test_nobody_listens_anywhere(server):
    start(server, closed(), closed())
    assert post(server).status in (502, 503)
    assert server.line().nusd == 0


def test_third_target_answers(server, first, second, fake):
    first.scripts["as told"] = {"status": 500}
    second.scripts["as told"] = {"status": 503}
    fake.scripts["as told"] = {}
    start(server, first, second, fake)
    assert post(server).status == 200
    assert [len(f.requests) for f in (first, second, fake)] == [1, 1, 1]
    assert server.line()["llm.attempt"] == 3


@pytest.mark.parametrize("size", [100, 20000, 900000])
def test_each_target_gets_the_body_as_it_is_for_it(server, first, second,
                                                   size):
    """A short one in memory, a long one in a file."""
    first.scripts["as told"] = {"status": 503}
    start(server, first, second, to="p0/gpt-4o,p1/gpt-4.1-nano",
          nginx="client_max_body_size 2m; client_body_buffer_size 8k;")
    text = "a b " * (size // 4)
    for _ in range(2):
        r = post(server, calls.chat("gpt-4o-mini", text, seed=1,
                                    metadata={"a": "b"}))
        assert r.status == 200
    for fake, model in ((first, "gpt-4o"), (second, "gpt-4.1-nano")):
        assert len(fake.requests) == 2
        for sent in fake.requests:
            assert int(sent.header("Content-Length")) == len(sent.body)
            assert json.loads(sent.body) == calls.chat(
                model, text, seed=1, metadata={"a": "b"})
    assert [line.model for line in server.lines(2)] == ["gpt-4.1-nano"] * 2


def test_chunked_body_goes_again(server, first, second):
    first.scripts["as told"] = {"status": 503}
    start(server, first, second)
    assert post(server, chunked=True).status == 200
    assert json.loads(second.requests[0].body) == calls.chat()
    server.line()


def test_stream_comes_from_the_next_target(server, first, second):
    first.scripts["as told"] = {"status": 529}
    start(server, first, second)
    r = post(server, calls.asked_stream())
    assert r.status == 200 and r.body.count(b"data: [DONE]") == 1
    assert r.header("Content-Type").startswith("text/event-stream")
    assert server.line().output == 3


def test_answer_that_breaks_off_is_not_begun_again(server, first, second):
    first.scripts["as told"] = {"cut": 200, "framing": "chunked"}
    start(server, first, second)
    with pytest.raises(Exception):
        post(server)
    assert second.requests == []
    assert server.line()["llm.attempt"] == 1


@pytest.mark.parametrize("knobs", [
    {"status": 503, "hang": "body", "framing": "chunked"},
    {"status": 503, "body": "x" * 3000000}], ids=["slow", "long"])
def test_failed_answer_is_not_waited_for(server, first, second, knobs):
    first.scripts["as told"] = knobs
    start(server, first, second)
    began = time.monotonic()
    for _ in range(2):
        assert post(server).status == 200
    assert time.monotonic() - began < 30
    server.lines(2)


def test_kept_connections_have_no_bytes_of_others(server, first, second):
    """On the client's side and on both upstreams'."""
    first.scripts["as told"] = {"status": 503, "body": "no" * 500}
    start(server, first, second)
    with server.client.connect() as sock:
        for i in range(6):
            r = post(server, calls.chat(text="number %d" % i), sock=sock)
            assert r.status == 200 and r.complete
            assert r.json["usage"]["completion_tokens"] == 3
    for fake in (first, second):
        assert [r.json["messages"][0]["content"] for r in fake.requests] \
            == ["number %d" % i for i in range(6)][:len(fake.requests)]
    assert len(second.requests) == 6
    server.lines(6)


@pytest.mark.parametrize("calls_before", [0, 2])
def test_kept_client_sees_nothing_of_a_target_that_closes(server, first,
                                                          second,
                                                          calls_before):
    first.scripts["as told"] = {}
    start(server, first, second)
    with server.client.connect() as sock:
        for _ in range(calls_before):
            assert post(server, sock=sock).status == 200
        first.scripts["as told"] = {"drop": True}
        r = post(server, sock=sock)
        assert r.status == 200 and r.complete
        assert post(server, sock=sock).status == 200
    assert len(second.requests) == 2
    server.lines(calls_before + 2 * 2)


def test_client_that_leaves_is_not_tried_for(server, first, second):
    first.scripts["as told"] = {"hang": "headers"}
    start(server, first, second)
    exchange = server.client.open("POST", CHAT, calls.chat(), fake=FAILING)
    first.wait(1)
    exchange.close()
    line = server.line()
    assert line.status == 499
    assert second.requests == []


def test_expectation_of_the_client_is_met_once(server, first, second):
    first.scripts["as told"] = {"status": 503}
    start(server, first, second)
    body = json.dumps(calls.chat()).encode()
    with server.client.connect() as sock:
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: "
                     b"application/json\r\nContent-Length: %d\r\nExpect: "
                     b"100-continue\r\nx-fake: %s\r\nConnection: close\r\n\r\n"
                     % (CHAT.encode(), len(body),
                        json.dumps(FAILING).encode()))
        sock.settimeout(60)
        assert sock.recv(4096).startswith(b"HTTP/1.1 100 ")
        sock.sendall(body)
        got = b""
        while True:
            part = sock.recv(65536)
            if not part:
                break
            got += part
    assert got.count(b"HTTP/1.1 ") == 1 and got.startswith(b"HTTP/1.1 200 ")
    server.line()


class Raw:
    """An upstream that keeps the bytes that each connection sends."""

    def __init__(self, answer):
        self.answer = answer
        self.got = []
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.sock.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            at = len(self.got)
            self.got.append(b"")
            threading.Thread(target=self.serve, args=(c, at),
                             daemon=True).start()

    def serve(self, c, at):
        done = 0
        with c:
            while True:
                try:
                    part = c.recv(65536)
                except OSError:
                    return
                if not part:
                    return
                self.got[at] += part
                head, end, body = self.got[at][done:].partition(b"\r\n\r\n")
                for line in head.split(b"\r\n") if end else ():
                    if line.lower().startswith(b"content-length:") \
                            and len(body) >= int(line[15:]):
                        done += len(head) + 4 + int(line[15:])
                        c.sendall(self.answer)

    def requests(self):
        """(head, body) of each, and nothing may be left over."""
        found = []

        for data in self.got:
            while data:
                head, end, data = data.partition(b"\r\n\r\n")
                assert end and head.startswith(b"POST ")
                n = [int(line[15:]) for line in head.split(b"\r\n")
                     if line.lower().startswith(b"content-length:")]
                assert len(n) == 1 and len(data) >= n[0]
                found.append((head, data[:n[0]]))
                data = data[n[0]:]

        return found


@pytest.mark.parametrize("size", [100, 300000])
def test_wire_has_one_request_an_attempt(server, second, size):
    raw = Raw(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
    start(server, raw.url, second, to="p0/gpt-4o,p1/o3-mini",
          nginx="client_max_body_size 2m; client_body_buffer_size 8k;")
    text = "a b " * (size // 4)
    for _ in range(3):
        assert post(server, calls.chat(text=text)).status == 200
    sent = raw.requests()
    assert 1 <= len(sent) <= 3
    for _, body in sent:
        assert json.loads(body) == calls.chat("gpt-4o", text)
    for got in second.requests:
        assert got.json == calls.chat("o3-mini", text)
    server.lines(3)
    raw.sock.close()
