"""The meter beside what else nginx does."""

import gzip
import json
import os
import subprocess
import time

import pytest

import calls
from client import Client
from fake.provider import Fake
from servers import Loc, Site

pytestmark = pytest.mark.only("nginx", "features of nginx")

CHAT = "/v1/chat/completions"
ON = ("llm", "on")
KEEPALIVE = 'proxy_http_version 1.1; proxy_set_header Connection "";'


def site(server, locs, **more):
    return Site(locs, [("llm_log", server.log, "flush=0"),
                       ("llm_prices", server.prices)], **more)


def test_variables_work_in_log_format_map_and_header(server, fake):
    server.meter(fake, nginx="""
            access_log %s llm;
            add_header X-Model $llm_model;
            add_header X-Class $class;
""" % server.path("log", "own.log"), nginx_http="""
    map $llm_model $class { default other; ~^gpt gpt; }
    log_format llm "$llm_call_id|$llm_model|$llm_provider|$llm_operation|"
                   "$llm_input_tokens|$llm_output_tokens|$llm_cost_usd|"
                   "$llm_usage_source|$llm_finish_reason|$llm_total_tokens";
""")
    r = server.client.post(CHAT, calls.chat())
    assert r.header("X-Model") == "gpt-4o-mini"
    assert r.header("X-Class") == "gpt"
    line = server.line()
    server.wait_until(lambda: os.path.getsize(server.path("log", "own.log")))
    with open(server.path("log", "own.log")) as f:
        assert f.read().strip() == "|".join([
            line["llm.call_id"], "gpt-4o-mini", "openai", "chat", "4", "5",
            "0.0000036", "reported", "stop", "9"])


def test_variables_are_empty_where_llm_is_off(server, fake):
    server.start(site(server, [Loc("/", [], fake, nginx='''
            add_header X-Model "[$llm_model$llm_cost_usd]" always;''')]))
    assert server.client.post(CHAT, calls.chat()).header("X-Model") == "[]"


def test_model_variable_can_choose_the_upstream(server, fake, fake2):
    server.start(site(server, [Loc("/", [ON], None, nginx='''
            proxy_pass http://$backend;''')], nginx_http="""
    upstream cheap { server 127.0.0.1:%d; }
    upstream dear { server 127.0.0.1:%d; }
    map $llm_request_model $backend { default cheap; gpt-4o dear; }
""" % (fake.port, fake2.port)))
    for model in ("gpt-4o-mini", "gpt-4o", "gpt-4o-mini"):
        assert server.client.post(CHAT, calls.chat(model)).status == 200
    assert (len(fake.requests), len(fake2.requests)) == (2, 1)
    lines = server.lines(3)
    assert [line["server.address"] for line in lines] \
        == ["cheap", "dear", "cheap"]


def test_mirror_is_not_a_call(server, fake, fake2):
    server.start(site(server, [
        Loc("/", [ON], fake, nginx="mirror /mirror;"),
        Loc("= /mirror", [], fake2, "mirror.local",
            nginx="internal;")]))
    body = json.dumps(calls.chat()).encode()
    for _ in range(3):
        assert server.client.post(CHAT, body).status == 200
    fake2.wait(3)
    assert all(r.body == body for r in fake.requests + fake2.requests)
    server.lines(3)


def test_mirror_that_inherits_is_not_a_call(server, fake, fake2):
    server.start(site(server, [
        Loc("/", [], fake, nginx="mirror /mirror;"),
        Loc("= /mirror", [], fake2, "mirror.local", nginx="internal;")],
        server_llm=[ON]))
    assert server.client.post(CHAT, calls.chat(stream=True)).status == 200
    fake2.wait(1)
    time.sleep(0.1)
    server.line()


def test_mirror_with_its_own_switch_is_a_call(server, fake, fake2):
    server.start(site(server, [
        Loc("/", [ON], fake, nginx="mirror /mirror;"),
        Loc("= /mirror", [ON], fake2, "mirror.local",
            nginx="internal; proxy_pass_request_headers on;")]))
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert len(server.lines(2)) == 2


AUTH = "internal; proxy_pass_request_body off; " \
    'proxy_set_header Content-Length ""; proxy_set_header X-Uri $request_uri;'


def test_auth_request_is_not_a_call(server, fake, fake2):
    server.start(site(server, [
        Loc("/", [], fake, nginx="auth_request /auth;"),
        Loc("= /auth", [], fake2, "auth.local", nginx=AUTH)],
        server_llm=[ON]))
    body = json.dumps(calls.chat()).encode()
    r = server.client.post(CHAT, body, fake={"body": "{}"})
    assert r.status == 200
    assert fake.requests[0].body == body
    assert len(fake2.requests) == 1
    server.line()


def test_auth_request_that_refuses_comes_before_the_call(server, fake, fake2):
    server.expect_errors("auth request unexpected status")
    server.start(site(server, [
        Loc("/", [], fake, nginx="auth_request /auth;"),
        Loc("= /auth", [], fake2, "auth.local", nginx=AUTH)],
        server_llm=[ON]))
    r = server.client.post(CHAT, calls.chat(), fake={"status": 401})
    assert r.status == 401
    assert fake.requests == []
    server.lines(0)


def test_identity_from_auth_request_is_a_tag(server, fake, fake2):
    started = site(server, [
        Loc("/", [ON], fake, nginx="auth_request /auth; "
            "auth_request_set $who $upstream_http_x_user;"),
        Loc("= /auth", [], fake2, "auth.local", nginx=AUTH)])
    started.llm.append(("llm_tag", "user", "from=$who"))
    server.start(started)
    server.client.post(CHAT, calls.chat(), fake={
        "headers": {"X-User": "alice"}, "body": "{}"})
    assert server.line()["user.id"] == "alice"


def test_error_page_for_an_upstream_error(server, fake):
    server.start(site(server, [
        Loc("/", [ON], fake, nginx="proxy_intercept_errors on; "
            "error_page 500 502 503 = @sorry;"),
        Loc("@sorry", [], None, nginx='''default_type application/json;
            return 503 '{"error":{"message":"later"}}';''')]))
    r = server.client.post(CHAT, calls.chat("error-500"))
    assert r.status == 503
    assert r.json["error"]["message"] == "later"
    line = server.line()
    assert line["gen_ai.request.model"] == "gpt-4o-mini" or \
        line["gen_ai.request.model"] == "error-500"
    assert line.nusd == 0
    assert line["event.outcome"] == "failure"


def test_error_page_that_tries_another_upstream(server, fake, fake2):
    server.start(site(server, [
        Loc("/", [ON], fake, nginx="proxy_intercept_errors on; "
            "error_page 500 503 = @other;"),
        Loc("@other", [ON], fake2, "other.local")]))
    r = server.client.post(CHAT, calls.chat(), fake={
        "fail_first": {"times": 1, "status": 500}})
    assert len(fake.requests) == 1 and len(fake2.requests) == 1
    assert r.status == 500                  # the other's own first
    r = server.client.post(CHAT, calls.chat(), fake={
        "fail_first": {"times": 1, "status": 500}})
    assert r.status == 200
    lines = server.lines(2)
    assert sum(line.nusd for line in lines) == 4 * 150 + 5 * 600


def test_retry_sends_the_changed_body_whole(server, fake, fake2):
    """In memory and in a file: what is retried is byte for byte the same."""
    server.expect_errors("upstream prematurely closed|no live upstreams")
    server.start(site(server, [Loc("/", [ON], None, nginx=KEEPALIVE + '''
            proxy_next_upstream error timeout http_500 non_idempotent;
            proxy_pass http://pool;''')], nginx_http="""
    upstream pool {
        server 127.0.0.1:%d max_fails=0;
        server 127.0.0.1:%d max_fails=0;
        keepalive 8;
    }
""" % (fake.port, fake2.port)))
    seen = 0
    for size in (20, 30000, 300000):
        for options in ({}, {"stream_options": {"include_usage": False}}):
            for how in ({"drop": True}, {"status": 500}):
                body = calls.chat(text="abc " * (size // 4), stream=True,
                                  **options)
                knobs = {"fail_first": {"times": 1, **how},
                         "id": "r%d" % seen}
                r = server.client.post(CHAT, body, fake=knobs)
                seen += 1
                assert r.status in (500, 502)
                # each of the two has its own first request of that id
                sent = fake.requests[-1].body, fake2.requests[-1].body
                assert sent[0] == sent[1]
                parsed = json.loads(sent[0])
                assert parsed.pop("stream_options") == {"include_usage": True}
                body.pop("stream_options", None)
                assert parsed == body
    assert fake.malformed == fake2.malformed == []
    lines = server.lines(seen)
    assert all(line["llm.attempt"] >= 2 for line in lines)


def test_retry_that_succeeds_is_one_line(server, fake, fake2):
    server.expect_errors("upstream")
    server.start(site(server, [Loc("/", [ON], None, nginx=KEEPALIVE + '''
            proxy_next_upstream error timeout non_idempotent;
            proxy_pass http://pool;''')], nginx_http="""
    upstream pool {
        server 127.0.0.1:1 max_fails=0;
        server 127.0.0.1:%d max_fails=0;
    }
""" % fake.port))
    for stream in (False, True):
        for _ in range(2):
            r = server.client.post(CHAT, calls.chat(stream=stream))
            assert r.status == 200
    lines = server.lines(4)
    assert [line.output for line in lines] == [5] * 4
    assert sorted(line["llm.attempt"] for line in lines)[-1] == 2


@pytest.mark.parametrize("buffering", ["on", "off"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_gzip_to_the_client(server, fake, buffering, stream):
    server.meter(fake, keepalive=True, nginx='''gzip on; gzip_min_length 1;
            gzip_types *; gzip_proxied any; proxy_buffering %s;''' % buffering)
    r = server.client.post(CHAT, calls.chat(stream=stream), {
        "Accept-Encoding": "gzip"}, fake={"words": 200})
    assert r.header("Content-Encoding") == "gzip"
    text = gzip.decompress(r.body)
    if stream:
        assert text.endswith(b"data: [DONE]\n\n") and b'"usage"' not in text
    else:
        assert text == fake.requests[0].answer
    assert server.line().output == 200


@pytest.mark.parametrize("setting", [
    "proxy_buffering on;", "proxy_buffering off;",
    "proxy_buffering off; proxy_buffer_size 1k;",
    "proxy_buffers 4 1k; proxy_buffer_size 1k; proxy_busy_buffers_size 2k;",
    "proxy_max_temp_file_size 0;", "sendfile on; tcp_nopush on; aio threads;",
    "postpone_output 0;", "chunked_transfer_encoding off;",
    "output_buffers 1 512;"])
def test_buffering_settings_change_nothing(server, fake, setting):
    server.meter(fake, keepalive=True, nginx=setting)
    for body in (calls.chat(), calls.asked_stream(),
                 calls.chat(stream=True)):
        r = server.client.post(CHAT, body, [("Connection", "close")],
                               fake={"words": 2000})
        if body.get("stream") and "stream_options" not in body:
            assert r.body.endswith(b"data: [DONE]\n\n")
            assert r.body.count(b"\n\n") == 2003
        else:
            assert r.body == fake.requests[-1].answer
    assert [line.output for line in server.lines(3)] == [2000] * 3


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_compressed_answer_is_metered_and_passed_as_it_is(server, fake,
                                                          encoding, stream):
    server.meter(fake, keepalive=True)
    body = calls.asked_stream() if stream else calls.chat()
    for chunk in (None, 1):
        knobs = {"encoding": encoding, "words": 300}
        if chunk:
            knobs["chunk"] = chunk
        r = server.client.post(CHAT, body, {"Accept-Encoding": encoding},
                               fake=knobs)
        assert r.header("Content-Encoding") == encoding
        assert r.body == fake.requests[-1].answer
    assert [line.output for line in server.lines(2)] == [300, 300]
    assert server.lines(2)[0].source == "reported"


def test_upstream_is_asked_for_identity(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(), {"Accept-Encoding": "gzip, br"})
    asked = fake.requests[0].header("Accept-Encoding")
    assert asked in (None, "identity")
    server.line()


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08garbage", b"", b"plain",
                                  gzip.compress(b"{}", mtime=0)[:-5]])
def test_broken_compression_passes_untouched(server, fake, body):
    server.meter(fake, keepalive=True)
    r = server.client.post(CHAT, calls.chat(), fake={
        "raw": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)).decode("latin-1")})
    assert r.body == body
    server.line()


@pytest.mark.memory
def test_bomb_is_not_inflated_into_memory(server, fake):
    from servers import rss
    server.meter(fake, keepalive=True)
    server.client.post(CHAT, calls.chat())
    before = rss(server.workers()[0])
    bomb = gzip.compress(b'{"a":"' + b"x" * (50 << 20) + b'"}')
    fake.scripts["bomb"] = {
        "raw": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
                % (len(bomb), bomb)).decode("latin-1")}
    r = server.client.post(CHAT, calls.chat(), fake={"script": "bomb"})
    assert r.body == bomb
    assert rss(server.workers()[0]) - before < (2 << 20)
    server.lines(2)


def curl(*args):
    done = subprocess.run(["curl", "-sS", "-k", "--max-time", "60", *args],
                          capture_output=True)
    assert done.returncode == 0, done.stderr

    return done.stdout


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
def test_tls_and_http2(server, fake, tls, version):
    server.meter(fake, tls=True, keepalive=True)
    url = "https://localhost:%d%s" % (server.tls_port, CHAT)
    head = ("-H", "Content-Type: application/json", "-w",
            "%{http_version}", "-N")
    big = server.write("etc/big.json", json.dumps(calls.chat(
        text="abc " * 50000, stream=True)))
    plain = curl(version, *head, "-d", json.dumps(calls.chat()), url)
    assert plain[:-1].endswith(b"}") or plain.rstrip(b"0123456789.") \
        == fake.requests[0].answer
    out = curl(version, *head, "-d", json.dumps(calls.chat(stream=True)), url)
    assert b"data: [DONE]\n\n" in out and b'"usage"' not in out
    assert out.endswith(b"2" if version == "--http2" else b"1.1")
    out = curl(version, *head, "--data-binary", "@" + big, url)
    assert b"data: [DONE]\n\n" in out
    assert [line.input for line in server.lines(3)] == [4, 4, 50000]
    assert fake.requests[2].json["stream_options"] == {"include_usage": True}


def test_http2_stream_left_by_its_client(server, fake, tls):
    server.meter(fake, tls=True, keepalive=True,
                 enable=("on", "on_disconnect=drain:60s"))
    url = "https://localhost:%d%s" % (server.tls_port, CHAT)
    process = subprocess.Popen(
        ["curl", "-sS", "-k", "-N", "--http2", "-H", 'x-fake: {"words": 50, '
         '"gate": 10}', "-d", json.dumps(calls.asked_stream()), url],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    got = b""
    while b"word3" not in got:
        got += os.read(process.stdout.fileno(), 65536)
    process.kill()
    process.wait()
    process.stdout.close()
    time.sleep(0.2)
    fake.release()
    line = server.line()
    assert (line.source, line.output) == ("reported", 50)


def test_upstream_over_tls(server, certificate):
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with Fake(tls=context) as fake:
        server.meter("https://localhost:%d" % fake.port, nginx='''
            proxy_ssl_verify on; proxy_ssl_server_name on;
            proxy_ssl_name localhost;
            proxy_ssl_trusted_certificate %s;''' % certificate[0])
        for body in (calls.chat(), calls.chat(stream=True)):
            assert server.client.post(CHAT, body).status == 200
        assert [line.output for line in server.lines(2)] == [5, 5]


def test_answer_of_a_cache_costs_nothing(server, fake):
    server.meter(fake, nginx='''
            proxy_cache llm; proxy_cache_methods POST;
            proxy_cache_key $request_body; proxy_cache_valid 200 1m;''',
                 nginx_http="    proxy_cache_path %s keys_zone=llm:1m;\n"
                 % server.mkdir("cache"))
    first = server.client.post(CHAT, calls.chat())
    second = server.client.post(CHAT, calls.chat())
    assert first.body == second.body
    assert len(fake.requests) == 1
    paid, cached = server.lines(2)
    assert paid.nusd == 4 * 150 + 5 * 600
    assert cached.nusd == 0
    assert cached.source == "cached"


def test_sub_filter_and_the_meter_do_not_disturb_each_other(server, fake):
    server.meter(fake, keepalive=True, nginx='''sub_filter word2 WORD;
            sub_filter_types *; sub_filter_once off;''')
    r = server.client.post(CHAT, calls.chat())
    assert "word1 WORD word3" in r.text
    assert server.line().output == 5


def test_rewritten_path_is_recognised_as_sent_by_the_client(server, fake):
    server.start(site(server, [
        Loc("/openai/", [ON], None, nginx="""
            proxy_pass %s/;""" % fake.url)]))
    r = server.client.post("/openai" + CHAT, calls.chat())
    assert r.status == 200
    assert fake.requests[0].path == CHAT
    assert server.line().operation == "chat"


def test_call_refused_by_a_limit_is_not_a_call_upstream(server, fake):
    server.expect_errors("limiting requests")
    server.meter(fake, nginx="limit_req zone=one; limit_req_status 429;",
                 nginx_http="    limit_req_zone $host zone=one:1m rate=1r/m;"
                 "\n")
    got = [server.client.post(CHAT, calls.chat()).status for _ in range(3)]
    assert got == [200, 429, 429]
    assert len(fake.requests) == 1
    n = len(server.log_of().read())
    assert sum(line.nusd for line in server.lines(n)) == 3600


def test_location_that_answers_itself_is_passed(server, fake):
    server.start(site(server, [Loc("/", [ON], None, nginx="return 204;")]))
    assert server.client.post(CHAT, calls.chat()).status == 204
    n = len(server.log_of().read())
    assert n <= 1
    server.lines(n)


def test_client_limits_itself_by_range_untouched(server, fake):
    server.meter(fake, keepalive=True)
    r = server.client.get("/v1/models", {"Range": "bytes=0-3"})
    assert r.status in (200, 206)
    server.line()


def test_websocket_upgrade_passes(server, fake):
    server.meter(fake, nginx='''proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";''')
    exchange = server.client.open("GET", "/v1/realtime?model=gpt-4o", None, {
        "Upgrade": "websocket", "Connection": "Upgrade"}, fake={
        "raw": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\n\r\nhello"})
    assert b"101" in exchange.sock.recv(4096)
    exchange.close()
    n = 1
    server.lines(n)


def test_graceful_worker_shutdown_with_a_client_gone(server, fake):
    """Drained calls end before an old worker does."""
    server.meter(fake, enable=("on", "on_disconnect=drain:60s"))
    stream = Client(server.port).open(
        "POST", CHAT, calls.asked_stream(), fake={"words": 40, "gate": 20})
    stream.read_until(b"word5")
    server.see_off(stream)
    server.reload()
    fake.release()
    assert server.line().output == 40
