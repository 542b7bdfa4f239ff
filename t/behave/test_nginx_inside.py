"""Where the module touches what nginx keeps inside: lists of headers, bodies
that nobody has read, answers without a body, what goes on after a client."""

import json
import os
import socket
import subprocess
import time

import pytest

import calls
from servers import Loc, Site, rss

pytestmark = pytest.mark.only("nginx", "insides of nginx")

CHAT = "/v1/chat/completions"
ON = ("llm", "on")
DRAIN = ("on", "on_disconnect=drain:60s")


def site(server, locs, **more):
    return Site(locs, [("llm_log", server.log, "flush=0"),
                       ("llm_prices", server.prices)], **more)


@pytest.mark.parametrize("at", [0, 1, 3, 5])
@pytest.mark.parametrize("n", [1, 2, 25])
def test_own_headers_go_and_the_others_stay(server, fake, at, n):
    server.meter(fake, ("llm_tag", "team", "from=header:x-team"))
    own = [("X-LLM-Thing-%d" % i, "spoofed") for i in range(n)]
    others = [("Authorization", "Bearer k"), ("Accept-Encoding", "gzip"),
              ("Content-Type", "application/json"), ("X-Team", "search"),
              ("User-Agent", "test/1")]
    r = server.client.post(CHAT, calls.chat(), others[:at] + own + others[at:])
    assert r.status == 200
    got = fake.requests[0]
    assert not [k for k, _ in got.headers if k.lower().startswith("x-llm")]
    assert got.header("Authorization") == "Bearer k"
    assert got.header("Content-Type") == "application/json"
    assert got.header("Accept-Encoding") == "identity"
    assert got.header("User-Agent") == "test/1"
    assert got.header("Host") == "api.openai.com"
    assert got.header("Keep-Alive") is None
    assert server.line()["llm.team"] == "search"


def test_every_accept_encoding_becomes_identity(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(), [("Accept-Encoding", "gzip"),
                                            ("Accept-Encoding", "br")])
    asked = [v for k, v in fake.requests[0].headers
             if k.lower() == "accept-encoding"]
    assert set(asked) <= {"identity"}
    server.line()


HIDDEN = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_unread_body_of_a_refused_call_is_no_request(server, fake, chunked):
    server.meter(fake, enable=("on", "unknown=reject"))
    sock = server.client.connect()
    for _ in range(2):
        r = server.client.post("/v9/nothing", HIDDEN * 3, sock=sock,
                               chunked=chunked)
        assert r.status == 403
    assert server.client.get("/v1/models", sock=sock).status == 200
    sock.close()
    assert [line.status for line in server.lines(3)] == [403, 403, 200]
    assert len(fake.requests) == 1


def test_refused_call_over_http2(server, fake, tls):
    server.meter(fake, tls=True, enable=("on", "unknown=reject"))
    url = "https://localhost:%d/v9/nothing" % server.tls_port
    big = server.write("etc/big", b"x" * 300000)
    out = subprocess.run(
        ["curl", "-sS", "-k", "--http2", "--max-time", "60", "-w",
         "%{http_code}", "--data-binary", "@" + big, url, "--next", "-sS",
         "-k", "--http2", "-w", "%{http_code}", "-d", "{}", url],
        capture_output=True)
    assert out.stdout.count(b"403") == 2, out
    server.lines(2)


@pytest.mark.parametrize("method,status", [("HEAD", 200), ("GET", 204),
                                           ("GET", 304)])
def test_answer_without_a_body_is_whole(server, fake, method, status):
    server.meter(fake)
    r = server.client.send(method, "/v1/models", fake={
        "raw": "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s\r\n"
               % (status, "Content-Length: 9\r\n" if method == "HEAD" else "")})
    assert r.status == status
    line = server.line()
    assert line["event.outcome"] == "success"
    assert "error.type" not in line


def test_tunnel_is_no_failure(server, fake):
    server.meter(fake, nginx='''proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";''')
    exchange = server.client.open("GET", "/v1/realtime?model=gpt-4o", None, {
        "Upgrade": "websocket", "Connection": "Upgrade"}, fake={
        "raw": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\n\r\nhello"})
    assert b"101" in exchange.sock.recv(4096)
    exchange.close()
    line = server.line()
    assert line.status == 101
    assert line["event.outcome"] == "success"


def test_call_by_way_of_try_files_knows_its_upstream(server, fake):
    server.start(site(server, [
        Loc("/", [ON], None, nginx="root %s; try_files $uri @llm;"
            % server.path("www")),
        Loc("@llm", [ON], fake, "api.anthropic.com")]))
    assert server.client.post(CHAT, calls.chat(stream=True)).status == 200
    line = server.line()
    assert line["server.address"] == "api.anthropic.com"
    assert line.output == 5


def test_attempts_of_a_fallback_are_counted_once_each(server, fake, fake2):
    server.start(site(server, [
        Loc("/", [ON], fake, nginx="proxy_intercept_errors on; "
            "error_page 500 = @other;"),
        Loc("@other", [ON], fake2, "other.local")]))
    r = server.client.post(CHAT, calls.chat(), fake={
        "fail_first": {"times": 1, "status": 500}})
    assert r.status == 500
    line = server.line()
    assert line["llm.attempt"] == 2
    assert line["server.address"] == "other.local"


def test_cost_is_in_the_log_though_a_header_asked_too_early(server, fake):
    own = server.path("log", "own.log")
    server.meter(fake, nginx="add_header X-Cost [$llm_cost_usd];"
                 " access_log %s llm;" % own,
                 nginx_http='    log_format llm "$llm_cost_usd";\n')
    r = server.client.post(CHAT, calls.chat())
    assert r.header("X-Cost") == "[]"
    server.wait_until(lambda: os.path.getsize(own))
    with open(own) as f:
        assert f.read().strip() == "0.0000036"
    server.line()


def test_helpers_of_the_cache_do_not_watch_prices(server, fake):
    server.meter(fake, nginx_http="    proxy_cache_path %s keys_zone=x:1m;\n"
                 % server.mkdir("cache"))
    with open(server.prices) as f:
        prices = json.load(f)
    time.sleep(0.05)
    server.write("etc/prices.json", json.dumps(prices))
    server.wait_until(lambda: "priced anew" in server.messages())
    time.sleep(1.2)
    assert server.messages().count("priced anew") == 1


def test_single_process(server, fake):
    server.meter(fake, workers=0, nginx_main="master_process off;\n")
    assert server.client.post(CHAT, calls.chat()).status == 200
    server.line()


def leave(server, fake, knobs, body, nginx="", read=b"HTTP", enable=DRAIN,
          **more):
    """A client that reads a little, stops, and leaves."""
    server.meter(fake, enable=enable, nginx=nginx, **more)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    text = json.dumps(body).encode()
    sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nx-fake: %s\r\n"
                 b"Content-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n%s"
                 % (CHAT.encode(), json.dumps(knobs).encode(), len(text),
                    text))
    fake.wait(1)
    got = b""
    while read not in got:
        got += sock.recv(1024)
    return sock


SETTINGS = [
    "", "proxy_buffering off;", "limit_rate 1k;", "gzip on; gzip_types *;",
    "proxy_max_temp_file_size 0;", "proxy_buffers 4 1k; "
    "proxy_buffer_size 1k; proxy_busy_buffers_size 2k;"]


@pytest.mark.parametrize("nginx", SETTINGS)
@pytest.mark.parametrize("body", [calls.chat(), calls.asked_stream(),
                                  calls.chat(stream=True)],
                         ids=["plain", "stream", "asked"])
def test_drain_of_a_client_that_had_stopped_reading(server, fake, nginx,
                                                    body):
    """Whatever was waiting for it inside of nginx does not dam the rest."""
    words = 20000 if body.get("stream") else 500000
    sock = leave(server, fake, {"words": words, "gate": 1100, "chunk": 4000},
                 body, nginx)
    server.await_stillness()
    server.see_off(sock)
    fake.release()
    line = server.line()
    assert (line.source, line.output) == ("reported", words)
    assert line["error.type"] == "client_closed"


@pytest.mark.parametrize("nginx", [SETTINGS[0], SETTINGS[-1]])
@pytest.mark.parametrize("stop", [False, True])
def test_answer_that_is_there_is_metered_though_its_client_left(server, fake,
                                                                nginx, stop):
    """Its end is in a temporary file, which the client has not come to."""
    sock = leave(server, fake, {"words": 60000}, calls.chat(),
                 "limit_rate 1k;" + nginx, enable=("on",))
    fake.wait_for(lambda: fake.requests[0].answered)
    server.await_stillness()
    if stop:
        server.terminate()
    sock.close()
    line = server.line()
    assert (line.source, line.output) == ("reported", 60000)
    assert line["error.type"] == ("server_shutdown" if stop
                                  else "client_closed")


@pytest.mark.memory
def test_drain_needs_no_memory_of_its_own(server, fake):
    sock = leave(server, fake, {"words": 20000, "gate": 50},
                 calls.chat(stream=True), read=b"word20")
    server.see_off(sock)
    before = rss(server.workers()[0])
    fake.release()
    line = server.line()
    assert (line.source, line.output) == ("reported", 20000)
    assert rss(server.workers()[0]) - before < (4 << 20)


def test_drain_leaves_the_cache_its_answer(server, fake):
    sock = leave(server, fake, {"words": 50, "gate": 20}, calls.chat(), '''
            proxy_cache llm; proxy_cache_methods POST;
            proxy_cache_key $request_body; proxy_cache_valid 200 1m;''', b"",
                 nginx_http="    proxy_cache_path %s keys_zone=llm:1m;\n"
                 % server.mkdir("cache"))
    server.await_stillness()
    server.see_off(sock)
    fake.release()
    first = server.line()
    assert (first.source, first.output) == ("reported", 50)
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert server.lines(2)[1].source == "cached"
    assert len(fake.requests) == 1


@pytest.mark.parametrize("knobs", [{"first_delay": 5}, {"gate": 5}])
def test_drain_that_gives_up_leaves_the_worker_well(server, fake, knobs):
    server.meter(fake, enable=("on", "on_disconnect=drain:300ms"), workers=1)
    pid = server.workers()
    for n in range(1, 6):
        stream = server.client.open("POST", CHAT, calls.asked_stream(),
                                    fake={"words": 50, **knobs})
        fake.wait(n)
        server.await_stillness()
        stream.close()
    server.lines(5)
    assert server.workers() == pid


def test_client_that_leaves_between_two_upstreams(server, fake):
    """There is nothing to drain then."""
    server.expect_errors("upstream|no live")
    server.start(site(server, [Loc("/", [("llm", *DRAIN)], None, nginx='''
            proxy_next_upstream error timeout non_idempotent;
            proxy_connect_timeout 2s; proxy_pass http://pool;''')],
                      nginx_http="""
    upstream pool { server 192.0.2.1:9 max_fails=0;
                    server 127.0.0.1:%d max_fails=0; }
""" % fake.port))
    for _ in range(2):
        stream = server.client.open("POST", CHAT, calls.chat())
        time.sleep(0.1)
        stream.close()
    server.lines(2)


def test_tag_is_a_variable_whatever_its_spelling(server, fake):
    server.meter(fake, ("llm_tag", "Cost-Center", "from=header:x-cc"),
                 nginx="add_header X-Tag $llm_tag_cost_center;")
    r = server.client.post(CHAT, calls.chat(), {"X-CC": "42"})
    assert r.header("X-Tag") == "42"
    server.line()


def test_lines_that_are_not_wanted_leave_no_gap(server, fake):
    started = server.metered(fake, log=("flush=0", "if=$http_x_log"))
    server.start(started)
    for wanted in "1", "0", "0", "1":
        server.client.post(CHAT, calls.chat(), {"X-Log": wanted})
    assert [line["llm.seq"] for line in server.lines(2)] == [1, 2]
