"""What ties lines together: traces, the prefix's hash; and what a call takes of
us, and calls in flight."""

import os
import re
import signal

import calls
import pytest
from servers import Loc

CHAT = "/v1/chat/completions"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SYSTEM = {"role": "system", "content": "You are terse. \"Very\" \u00e9."}
USER = {"role": "user", "content": "Hello"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}


def sent(fake, n=-1):
    found = [value for name, value in fake.requests[n].headers
             if name.lower() == "traceparent"]
    assert len(found) < 2

    return found[0] if found else None


def test_a_trace_goes_on_as_it_came(server, fake):
    server.meter(fake, ("llm_trace", "on"))
    server.client.post(CHAT, calls.chat(), (("traceparent", PARENT),
                                            ("tracestate", "a=b")))
    line = server.line()
    assert sent(fake) == PARENT
    assert line["trace.id"] == PARENT[3:35]
    assert line["span.id"] == PARENT[36:52]


@pytest.mark.parametrize("given", [None, "nonsense", "00-" + "0" * 32
                                   + "-b7ad6b7169203331-01"])
def test_a_trace_begins_where_there_is_none(server, fake, given):
    server.meter(fake, ("llm_trace", "on"))
    server.client.post(CHAT, calls.chat(),
                       (("traceparent", given),) if given else ())
    line = server.line()
    name = line["llm.call_id"].replace("-", "")
    assert line["trace.id"] == name and line["span.id"] == name[16:]
    assert sent(fake) == "00-%s-%s-01" % (name, name[16:])


def test_a_trace_begins_where_the_provider_is_ours_to_choose(server, fake,
                                                             fake2):
    """And is the same for all that the call is sent to."""
    server.route([("one", fake, "dialect=openai"),
                  ("two", fake2, "dialect=openai")],
                 ("llm_route", "pair", "to=one,two"), ("llm_trace", "on"))
    server.expect_errors("proxy", "AH0")
    r = server.client.post(CHAT, calls.chat("error-500"))
    assert r.status == 500
    final = [line for line in server.lines(2, exact=False)
             if line["llm.final"]][0] if server.log_of().count() > 1 \
        else server.line()
    name = final["llm.call_id"].replace("-", "")
    assert sent(fake) == sent(fake2) == "00-%s-%s-01" % (name, name[16:])


def test_no_trace_is_made_unasked(server, fake):
    site = server.metered(fake)
    site.locs.insert(0, Loc("/dry", [("llm", "dry_run"), ("llm_trace", "on")],
                            fake))
    server.start(site)
    server.client.post(CHAT, calls.chat())
    assert sent(fake) is None
    server.client.post("/dry" + CHAT, calls.chat())
    assert sent(fake) is None

    for line in server.lines(2):
        assert "trace.id" not in line


def test_wrong_words_are_named(server, fake):
    secret = server.write("etc/short", "too short\n")
    os.chmod(secret, 0o600)

    for words, says in (
            (("llm_trace", "yes"), "takes on or off"),
            (("llm_prefix_hash", "maybe"), "maybe"),
            (("llm_prefix_hash", "on", "key=letmein"), "takes file:"),
            (("llm_prefix_hash", "on", "key=file:/none"), "/none"),
            (("llm_prefix_hash", "on", "key=file:" + secret), "16 bytes")):
        accepted, messages = server.test_config(server.metered(fake, words))
        assert not accepted and says in messages, messages


def prefix(server, body, n):
    assert server.client.post(CHAT, body).status == 200

    return server.lines(n)[-1].get("llm.prefix_hash")


def test_calls_of_one_application_hash_alike(server, fake):
    server.meter(fake)
    chat = {"model": "gpt-4o-mini"}
    one = prefix(server, {**chat, "messages": [SYSTEM, USER]}, 1)
    assert re.fullmatch("[0-9a-f]{16}", one)
    assert one == prefix(server, {**chat, "messages": [
        SYSTEM, {"role": "user", "content": "Another question"},
        {"role": "assistant", "content": "Yes"}, USER], "user": "u1"}, 2)
    assert one == prefix(server, {"messages": [SYSTEM, USER], **chat}, 3)
    other = prefix(server, {**chat, "messages": [
        {"role": "system", "content": "You are wordy."}, USER]}, 4)
    tools = prefix(server, {**chat, "messages": [SYSTEM, USER],
                            "tools": [TOOL]}, 5)
    only = prefix(server, {**chat, "messages": [USER], "tools": [TOOL]}, 6)
    late = prefix(server, {**chat, "messages": [SYSTEM, USER, SYSTEM]}, 7)
    assert late == one and len({one, other, tools, only}) == 4
    assert prefix(server, {**chat, "messages": [USER]}, 8) is None


def test_however_the_body_comes_the_hash_is_one(server, fake):
    """In many pieces, by a file, with the role behind the text."""
    server.meter(fake)
    long = {"role": "system", "content": "word " * 40000}
    body = {"model": "gpt-4o-mini", "messages": [long, USER],
            "tools": [TOOL]}
    one = prefix(server, body, 1)
    assert server.client.send("POST", CHAT, body, chunked=True).status == 200
    assert server.lines(2)[-1]["llm.prefix_hash"] == one

    turned = {"content": SYSTEM["content"], "role": "system"}
    user = {"content": "word " * 40000, "role": "user"}
    one = prefix(server, {"model": "gpt-4o-mini",
                          "messages": [turned, user]}, 3)
    assert one == prefix(server, {"model": "gpt-4o-mini",
                                  "messages": [turned, USER]}, 4)


def test_the_hash_is_keyed(server, fake):
    """By chance; with a ledger the same after a start; by a file."""
    body = {"model": "gpt-4o-mini", "messages": [SYSTEM, USER]}
    path = server.mkdir("ledger") + "/ledger"
    site = server.metered(fake, ("llm_ledger", path, "size=1m"))
    server.start(site)
    one = prefix(server, body, 1)
    server.terminate()
    server.start(site)
    assert prefix(server, body, 2) == one
    server.terminate()

    secret = server.write("etc/secret", "0123456789abcdef0123456789abcdef\n")
    os.chmod(secret, 0o600)
    server.start(server.metered(fake, ("llm_ledger", path, "size=1m"),
                                ("llm_prefix_hash", "on",
                                 "key=file:" + secret)))
    two = prefix(server, body, 3)
    assert two and two != one
    server.terminate()
    server.start(server.metered(fake, ("llm_prefix_hash", "on",
                                       "key=file:" + secret)))
    assert prefix(server, body, 4) == two
    server.terminate()
    server.start(server.metered(fake, ("llm_prefix_hash", "off")))
    assert prefix(server, body, 5) is None


def test_what_a_call_takes_of_us_is_in_its_line(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat())
    server.client.post(CHAT, calls.asked_stream(max_tokens=50))
    server.client.post(CHAT, b"{")

    for line in server.lines(3):
        assert 0 < line["llm.overhead"] * 1000 <= line["event.duration"]


def in_flight(server):
    found = re.search(r"^llm_requests_in_flight (\d+)$",
                      server.client.get("/metrics").text, re.M)

    return int(found[1])


def flying(server, fake):
    """Three calls whose answers have begun."""
    site = server.metered(fake, workers=2)
    site.locs.append(Loc("/metrics", [("llm_status", "format=prometheus")]))
    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert server.client.post(CHAT, b"{").status == 400
    server.lines(2)
    server.wait_until(lambda: in_flight(server) == 0, what="the end of both")
    open_ones = [server.client.open("POST", CHAT, calls.asked_stream(),
                                    fake={"gate": 1}) for _ in range(3)]
    fake.wait(4)
    assert in_flight(server) == 3

    return open_ones


def test_calls_in_flight_are_told_over_a_reload(server, fake):
    open_ones = flying(server, fake)
    server.reload()
    assert in_flight(server) == 3
    fake.release()

    for exchange in open_ones:
        exchange.read()

    server.lines(5)
    server.wait_until(lambda: in_flight(server) == 0, what="the end of all")


def test_what_the_dead_had_in_flight_is_not(server, fake):
    open_ones = flying(server, fake)
    server.expect_errors("exited on signal 9", "signal Killed",
                         "was not able", "AH00052")

    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)

    for exchange in open_ones:
        exchange.close()

    def over():
        try:
            return in_flight(server) == 0
        except OSError:                 # of one that is just dying
            return False

    server.wait_until(over, what="new processes")
    fake.release()


def test_lines_that_are_lost_are_counted(server, fake):
    site = server.metered(fake)
    site.llm[0] = ("llm_log", "/dev/full", "flush=0")
    site.locs.append(Loc("/metrics", [("llm_status", "format=prometheus")]))
    server.expect_errors("llm_log: writing|LLMLog: writing")
    server.start(site)

    for _ in range(3):
        assert server.client.post(CHAT, calls.chat()).status == 200

    def lost():
        found = re.search(r"^llm_\w*lost\w* (\d+)$",
                          server.client.get("/metrics").text, re.M)
        return int(found[1])

    server.wait_until(lambda: lost() == 3, what="three lost lines")
