"""Bad input gets a clear error or passes untouched; one line in any case."""

import gzip
import json
import socket
import threading

import pytest

import calls
from client import Broken
from servers import rss

CHAT = "/v1/chat/completions"
BAD = {
    "not json": b"this is not json",
    "cut": b'{"model":"gpt-4o","messages":[{"role":"user"',
    "trailing": b'{"model":"gpt-4o","messages":[]} x',
    "two documents": b'{"model":"gpt-4o"}{"model":"gpt-4o-mini"}',
    "single quotes": b"{'model':'gpt-4o'}",
    "deep": b'{"model":"gpt-4o","messages":' + b"[" * 100000,
    "deep objects": b'{"a":' * 100000,
    "endless string": b'{"model":"gpt-4o","user":"' + b"a" * 3000000,
    "endless key": b'{"' + b"a" * 3000000,
    "endless number": b'{"model":"gpt-4o","n":' + b"1" * 3000000,
    "bad utf-8": b'{"model":"gpt-4o","user":"\xff\xfe"}',
    "bom": b'\xef\xbb\xbf{"model":"gpt-4o"}',
    "nul": b'{"model":"gpt-4o"}\0',
    "control": b'{"model":"gpt\n4o"}',
    "model twice": b'{"model":"gpt-4o-mini","model":"gpt-4o"}',
    "model twice, escaped": b'{"model":"gpt-4o-mini","mod\\u0065l":"gpt-4o"}',
    "stream twice": b'{"model":"gpt-4o","stream":false,"stream":true}',
    "model no string": b'{"model":["gpt-4o"],"messages":[]}',
}
UPSTREAM = (r"upstream|AH01102|AH01084|AH01114|AH00898|AH01097|AH10|AH011|"
            r"proxy")


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_bad_json_is_refused_in_the_dialects_shape(server, fake, body):
    server.meter(fake)
    r = server.client.post(CHAT, body)
    assert r.status == 400
    assert r.header("Content-Type").startswith("application/json")
    error = r.json["error"]
    assert error["message"] and error["type"]
    assert fake.requests == []
    line = server.line()
    assert line.status == 400
    assert line["llm.decision"] == "refuse"
    assert line["event.reason"]
    assert line.nusd == 0
    assert line["http.request.body.bytes"] == len(body)


def test_refusal_is_in_anthropics_shape_for_its_clients(server, fake):
    server.meter(fake, host="api.anthropic.com")
    r = server.client.post("/v1/messages", b"{")
    assert r.status == 400
    assert r.json["type"] == "error"
    assert r.json["error"]["type"] == "invalid_request_error"
    server.line()


def test_refusal_is_in_geminis_shape_for_its_clients(server, fake):
    server.meter(fake, host=calls.GOOGLE)
    r = server.client.post(calls.GEMINI + "generateContent", b"{")
    assert r.status == 400
    assert r.json["error"]["status"] == "INVALID_ARGUMENT"
    assert r.json["error"]["code"] == 400
    server.line()


def test_connection_goes_on_after_a_refusal(server, fake):
    server.meter(fake)
    sock = server.client.connect()
    for body, status in ((b"x" * 300000, 400), (calls.chat(), 200),
                         (b"{", 400), (calls.chat(), 200)):
        r = server.client.post(CHAT, body, sock=sock)
        assert r.status == status
        if r.header("Connection") == "close":   # a rule of httpd for any 400
            assert (server.name, status) == ("httpd", 400)
            sock.close()
            sock = server.client.connect()
    sock.close()
    assert [line.status for line in server.lines(4)] == [400, 200, 400, 200]


def test_dry_run_lets_the_bad_body_through(server, fake):
    server.meter(fake, enable=("dry_run",))
    assert server.client.post(CHAT, b"not json").status == 200
    assert fake.requests[0].body == b"not json"
    assert server.line()["llm.decision"] == "dry_refuse"


def test_compressed_request_passes_untouched(server, fake):
    server.meter(fake)
    body = gzip.compress(json.dumps(calls.chat()).encode())
    r = server.client.post(CHAT, body, [("Content-Encoding", "gzip")])
    assert r.status == 200
    assert fake.requests[0].body == body
    line = server.line()
    assert line.status == 200
    assert line["http.request.body.bytes"] == len(body)


def test_empty_body_gets_an_answer(server, fake):
    server.meter(fake)
    assert server.client.post(CHAT, b"").status in (200, 400)
    assert server.line().status in (200, 400)


@pytest.mark.memory
def test_body_of_64_mib_passes_in_little_memory(server, fake):
    server.meter(fake)
    fake.keep = False
    server.client.post(CHAT, calls.chat())
    text = b"lorem ipsum " * (64 * 1024 * 1024 // 12)
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"' \
        + text + b'"}]}'
    before = max(rss(pid) for pid in server.workers())
    assert server.client.post(CHAT, body).status == 200
    assert max(rss(p) for p in server.workers()) - before < (4 << 20)
    line = server.lines(2)[1]
    assert line["http.request.body.bytes"] == len(body)
    assert line.input == len(text.split())


def test_two_lengths_are_refused(server, fake):
    server.meter(fake)
    answer = server.client.raw(
        b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"0\r\n\r\n" % CHAT.encode())
    if server.name == "nginx":
        assert answer.startswith(b"HTTP/1.1 400")
    assert all("Content-Length" not in dict(r.headers)
               or "Transfer-Encoding" not in dict(r.headers)
               for r in fake.requests)
    server.check_lines = False


# answers

@pytest.mark.parametrize("body", [
    "", "not json", '{"usage":', '{"usage":{"prompt_tokens":"many"}}',
    '{"usage":{"prompt_tokens":-5,"completion_tokens":1e300}}',
    '{"usage":{"prompt_tokens":9223372036854775808}}', "[" * 5000,
    '{"model":"' + "x" * 100000 + '"}', '{"usage":[]}', "null", "\0\0\0"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_odd_answer_passes_untouched(server, fake, body, stream):
    server.meter(fake)
    if stream:
        body = "data: %s\n\n" % body
    fake.scripts["odd"] = {"body": body, "type": "text/event-stream" if stream
                           else "application/json"}
    r = server.client.post(
        CHAT, calls.asked_stream() if stream else calls.chat(),
        fake={"script": "odd"})
    assert r.status == 200
    assert r.text == body
    line = server.line()
    assert 0 <= line.input < 1 << 62 and 0 <= line.output < 1 << 62
    assert line.nusd >= 0


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_every_framing_of_an_answer_is_counted(server, fake, framing):
    server.meter(fake, keepalive=True)
    for body in (calls.chat(), calls.asked_stream()):
        r = server.client.post(CHAT, body, fake={"framing": framing})
        assert r.body == fake.requests[-1].answer
    assert [line.output for line in server.lines(2)] == [5, 5]


def test_answer_with_trailers_is_counted(server, fake):
    server.meter(fake, keepalive=True)
    r = server.client.post(CHAT, calls.asked_stream(),
                           fake={"trailers": {"x-sum": "1"}})
    assert r.status == 200
    assert server.line().output == 5


@pytest.mark.parametrize("knobs", [
    {"drop": True}, {"drop": True, "reset": True}])
def test_upstream_that_dies_leaves_one_line(server, fake, knobs):
    server.expect_errors(UPSTREAM)
    server.meter(fake, keepalive=True)
    r = server.client.post(CHAT, calls.chat(), fake=knobs)
    line = server.line()
    assert line.status == r.status == 502
    assert line["event.outcome"] == "failure"
    assert line["error.type"]


def test_upstream_that_speaks_no_http_leaves_one_line(server, fake):
    server.expect_errors(UPSTREAM)
    server.meter(fake, keepalive=True)
    exchange = server.client.open("POST", CHAT, calls.chat(),
                                  [("Connection", "close")],
                                  fake={"raw": "garbage\r\n\r\n"})
    while exchange.fill():              # what comes is the server's choice
        pass
    exchange.close()
    assert server.line().nusd >= 0


@pytest.mark.parametrize("raw", [
    "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-",
    "HTTP/1.1 200 OK\r\nX: " + "a" * 100000 + "\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"])
def test_answer_that_has_no_head_costs_its_prompt(server, fake, raw):
    """The provider had the request, and wrote something."""
    server.expect_errors(UPSTREAM)
    fake.scripts["raw"] = {"raw": raw}
    server.meter(fake, keepalive=True,
                 nginx="proxy_next_upstream off;")
    exchange = server.client.open("POST", CHAT, calls.chat(),
                                  [("Connection", "close")],
                                  fake={"script": "raw"})
    while exchange.fill():              # what comes is the server's choice
        pass
    exchange.close()
    line = server.line()
    assert line.source == "estimated"
    assert line.input > 0 and line.nusd > 0


def test_upstream_that_is_not_there_leaves_one_line(server, fake):
    server.expect_errors(UPSTREAM)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        server.meter("http://127.0.0.1:%d" % s.getsockname()[1])
        r = server.client.post(CHAT, calls.chat())
    line = server.line()
    assert line.status == r.status
    assert r.status in (502, 503)
    assert line.nusd == 0
    assert line["event.outcome"] == "failure"


def test_slow_upstream_times_out_with_a_line(server, fake):
    server.expect_errors(UPSTREAM)
    server.meter(fake, nginx="proxy_read_timeout 300ms;",
                 httpd_server="    ProxyTimeout 1\n")
    r = server.client.post(CHAT, calls.chat(), fake={"hang": "headers"})
    assert r.status == (504 if server.name == "nginx" else 502)
    assert server.line().status == r.status


@pytest.mark.parametrize("cut", [1, 100, 400])
def test_answer_cut_in_its_middle_is_told(server, fake, cut):
    server.expect_errors(UPSTREAM)
    server.meter(fake, keepalive=True)
    exchange = server.client.open("POST", CHAT, calls.chat(),
                                  fake={"cut": cut})
    with pytest.raises((Broken, ConnectionResetError)):
        exchange.read()
    exchange.close()
    line = server.line()
    assert line["event.outcome"] == "failure"
    assert line["error.type"] == "upstream_cut"


@pytest.mark.memory
def test_answer_of_30_mib_in_one_event_takes_little_memory(server, fake):
    server.meter(fake, keepalive=True)
    server.client.post(CHAT, calls.chat())
    pids = server.workers()
    before = max(rss(pid) for pid in pids)
    for body in (calls.asked_stream(), calls.chat(stream=True)):
        stream = server.client.open("POST", CHAT, body, fake={
            "type": "text/event-stream", "framing": "chunked",
            "repeat": 30 << 20})
        size = sum(len(p) for p in stream.pieces())
        stream.close()
        assert size > 30 << 20
    assert max(rss(pid) for pid in pids) - before < (2 << 20)
    server.lines(3)


def test_calls_of_all_kinds_at_once_leave_a_line_each(server, fake):
    server.expect_errors(UPSTREAM)
    server.meter(fake, keepalive=True, workers=2)
    kinds = [calls.chat(), calls.asked_stream(), calls.chat(stream=True),
             b"bad", calls.chat("error-429")]

    def some(offset):
        for i in range(20):
            server.client.post(CHAT, kinds[(i + offset) % len(kinds)])

    threads = [threading.Thread(target=some, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = server.lines(100)
    assert sum(line.status == 200 for line in lines) == 60
    assert sum(line.status == 400 for line in lines) == 20
    assert sum(line.status == 429 for line in lines) == 20
