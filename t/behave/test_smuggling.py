"""What is inspected is what goes on, and nothing else does."""

import contextlib
import json
import socket
import time

import pytest

import calls
from rawup import RawUpstream
from servers import DEADLINE, at_rest, free_port, unacked
from smuggling import BODY, SMUGGLED, request, shapes, spoofed


GONE = "http://127.0.0.1:%d" % free_port()


@pytest.fixture
def raw():
    with contextlib.closing(RawUpstream()) as up:
        yield up


@pytest.fixture(params=["static", "routed"])
def begin(request, server, raw):
    """Starts the server: the location has its upstream, or a route chooses it,
    by what a client might say as well as by what he may not."""
    def start(*llm):
        if not start.routed:
            return server.meter(raw, *llm, keepalive=True)

        return server.route(
            [("up", raw, "dialect=openai"), ("none", GONE, "dialect=openai")],
            *llm,
            ("llm_route", "spoofed", 'when=header("x-llm-route") != ""',
             "to=none"),
            ("llm_route", "usual", "to=up"))

    start.routed = request.param == "routed"

    return start


def talk(server, raw, data):
    """All that comes back on a connection that says this and no more: until it is
    closed, or all wait for one another."""
    out = b""

    def done(sock):
        return unacked(sock) == 0 and raw.at_rest() \
            and at_rest(server.workers()) and raw.at_rest()

    with socket.create_connection(("127.0.0.1", server.port),
                                  DEADLINE) as sock:
        try:
            sock.sendall(data)
            began = time.monotonic()
            end = began + DEADLINE
            while True:
                assert time.monotonic() < end, "they never come to rest"
                sock.settimeout(0.05)
                try:
                    got = sock.recv(65536)
                    if not got:
                        break
                    out += got
                except TimeoutError:
                    if done(sock):      # packets may be on their way, for all that
                        if time.monotonic() - began > (0.1 if out else 0.4):
                            break
                        continue
                began = time.monotonic()
        except ConnectionError:
            pass

    return out


def seen(server):
    """All lines of a server that has stopped."""
    return server.lines(server.log_of().count())


def forwarded(lines):
    """Calls that went to the upstream: nobody refused them, here or before."""
    return [line for line in lines
            if line["llm.decision"] == "allow" and line.status < 400]


def test_one_request_in_is_one_request_out(server, raw, begin):
    """Whatever a client says about the end of its body: each request that the
    upstream reads is one that was metered, and all that it reads are requests."""
    server.expect_errors(".*")
    begin()
    n = 0

    for name, data in shapes():
        before = len(raw.requests)
        talk(server, raw, data)
        n += 1
        assert raw.wrong == [], name
        assert all(r.line.startswith((b"POST", b"GET"))
                   for r in raw.requests[before:]), name
        assert len(raw.requests) - before <= 2, name

    assert n >= 60
    assert server.client.post("/v1/chat/completions",
                              calls.chat()).status == 200
    server.terminate()
    sent = forwarded(seen(server))
    assert len(sent) == len(raw.requests)
    assert raw.wrong == []

    # Of each, the very length that was inspected; a GET is no call, but one
    # that is routed all the same.

    assert sorted(line["http.request.body.bytes"] for line in sent
                  if not line.get("gen_ai.request.stream")) == sorted(
        len(r.body) if r.line.startswith(b"POST") or begin.routed else 0
        for r in raw.requests if b"stream" not in r.body)
    assert all(json.loads(r.body)["stream_options"] == {"include_usage": True}
               for r in raw.requests if b"stream" in r.body)


def test_headers_of_ours_are_nobodys_to_send(server, raw, begin):
    """They reach neither a route, nor the upstream, a line, or the client."""
    server.expect_errors(".*")
    begin(("llm_tag", "team", "from=header:x-team"))
    n = 0

    for name, header in spoofed():
        answer = talk(server, raw, request(
            header, b"Content-Length: %d" % len(BODY), b"Connection: close",
            body=BODY))
        assert b"canary" not in answer, name
        n += 1

    assert n >= 40
    assert b"canary" not in raw.bytes
    server.terminate()
    assert b"canary" not in server.log_of().raw()
    assert len(raw.requests) == len(forwarded(seen(server))) >= 30


def test_a_refused_body_is_not_the_next_request(server, raw):
    server.expect_errors(".*")
    server.meter(raw)
    talk(server, raw, request(b"Content-Length: %d" % len(b"{" + SMUGGLED),
                         body=b"{" + SMUGGLED))
    server.terminate()
    assert raw.requests == []
    assert [line.status for line in seen(server)] == [400]
