"""The meter beside what else httpd does."""

import gzip
import json
import os
import subprocess
import time

import pytest

import calls
import httpd
from costlines import parse
from servers import Loc, Site, rss

pytestmark = pytest.mark.only("httpd", "features of httpd")

CHAT = "/v1/chat/completions"
ON = ("llm", "on")


def site(server, locs, *llm, **more):
    return Site(locs, [("llm_log", server.log, "flush=0"),
                       ("llm_prices", server.prices), *llm], **more)


PROXIES = {
    "ProxyPass": "ProxyPass / http://{0}/",
    "ProxyPassMatch": "ProxyPassMatch ^/(v1/.*)$ http://{0}/$1",
    "RewriteRule": "RewriteEngine On\n"
                   "RewriteRule ^/(v1/.*)$ http://{0}/$1 [P]",
    "Location": "<Location /v1/>\nProxyPass http://{0}/v1/\n</Location>",
    "RewriteRule in a Location": "<Location /v1/>\nRewriteEngine On\n"
    "RewriteRule .*(/v1/.*)$ http://{0}$1 [P]\n</Location>",
    "balancer": "<Proxy balancer://pool>\nBalancerMember http://{0}\n"
                "</Proxy>\nProxyPass / balancer://pool/",
}


@pytest.mark.parametrize("text", PROXIES.values(), ids=PROXIES.keys())
def test_every_way_to_a_proxy_is_metered(server, fake, text):
    text = text.format("127.0.0.1:%d" % fake.port)
    server.start(site(server, [], ON, (
        "llm_provider", "default", "dialect=openai"), httpd_server=text))
    for body in (calls.chat(), calls.chat(stream=True),
                 calls.asked_stream(text="abc " * 100000)):
        r = server.client.post(CHAT, body)
        assert r.status == 200, r.body
    assert [line.output for line in server.lines(3)] == [5, 5, 5]
    assert {line["server.address"] for line in server.lines(3)} <= {
        "127.0.0.1", "pool"}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("size", [20, 30000, 800000])
def test_failing_member_is_followed_by_the_next(server, fake, size, stream):
    """The body is still whole then, and the line is one."""
    server.expect_errors("AH00957|AH01114|AH00959|AH10", "proxy")
    server.start(site(server, [Loc("/", [ON])], httpd_server="""
    <Proxy balancer://api.openai.com>
        BalancerMember http://127.0.0.1:1 loadfactor=100
        BalancerMember http://127.0.0.1:%d
    </Proxy>
    ProxyPass / balancer://api.openai.com/
""" % fake.port))
    body = calls.chat(text="abc " * (size // 4), stream=stream)
    assert server.client.post(CHAT, body).status == 200
    sent = fake.requests[-1].json
    sent.pop("stream_options", None)
    assert sent == body
    assert server.line().output == 5


def test_sections_are_merged_as_httpd_does(server, fake):
    """An own log in a section does not switch the engine off."""
    own = server.path("log", "own.jsonl")
    server.start(site(server, [
        Loc("/v1/", [("llm_log", own, "flush=0")], None),
        Loc("/v1/chat/", [], fake, httpd="SetEnv a b")], ON))
    assert server.client.post(CHAT, calls.chat()).status in (200, 404)
    server.line(own)
    server.lines(0)


def test_virtual_host_has_its_own_switch(server, fake):
    server.start(site(server, [Loc("/", [], fake)], server_llm=[ON]))
    server.client.post(CHAT, calls.chat())
    server.line()


@pytest.mark.parametrize("name", ["LLMPrices x", "LLMTag a from=header:b",
                                  "LLMProvider default"])
def test_global_directive_in_a_virtual_host_is_refused(server, fake, name):
    ok, messages = server.test_config(site(
        server, [Loc("/", [ON], fake)], httpd_server="    %s\n" % name))
    assert not ok
    assert name.split()[0] in messages and "VirtualHost" in messages


def test_nothing_is_taken_from_htaccess(server, fake):
    server.expect_errors("htaccess")
    www = server.path("www")
    with open(os.path.join(www, ".htaccess"), "w") as f:
        f.write("LLMEngine On\n")
    server.start(site(server, [], httpd_server="""
    DocumentRoot %s
    <Directory %s>
        AllowOverride All
        Require all granted
    </Directory>
""" % (www, www)))
    assert server.client.get("/").status == 500
    server.lines(0)


def test_module_may_be_loaded_before_mod_proxy(server, fake):
    server.port = server.port or 1
    text = server.render(server.metered(fake))
    load = [line for line in text.splitlines() if "llm_module" in line][0]
    text = load + "\n" + text.replace(load + "\n", "")
    path = server.write("etc/early.conf", text)
    done = subprocess.run([httpd.BINARY, "-f", path, "-t"], text=True,
                          capture_output=True, env=server.environment())
    assert done.returncode == 0, done.stderr


def test_module_works_without_mod_proxy(server, fake):
    www = server.path("www")
    with open(os.path.join(www, "models"), "w") as f:
        f.write('{"data":[]}')
    server.start(site(server, [Loc("/v1/", [ON])], httpd_server="""
    Alias /v1/ %s/
    <Directory %s>
        Require all granted
    </Directory>
""" % (www, www)))
    assert server.client.get("/v1/models").body == b'{"data":[]}'
    assert server.line().operation == "models"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_deflate_to_the_client(server, fake, stream):
    server.meter(fake, keepalive=True, httpd="SetOutputFilter DEFLATE")
    r = server.client.post(CHAT, calls.chat(stream=stream), {
        "Accept-Encoding": "gzip"}, fake={"words": 200})
    assert r.header("Content-Encoding") == "gzip"
    text = gzip.decompress(r.body)
    if stream:
        assert text.endswith(b"data: [DONE]\n\n") and b'"usage"' not in text
    else:
        assert text == fake.requests[0].answer
    assert fake.requests[0].header("Accept-Encoding") == "identity"
    assert server.line().output == 200


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


def test_piped_log_gets_each_line(server, fake):
    out = server.path("log", "piped.jsonl")
    script = server.write("etc/pipe.sh", "#!/bin/sh\nexec cat >> %s\n" % out)
    os.chmod(script, 0o755)
    server.start(Site([Loc("/", [ON], fake)], [
        ("llm_log", "|" + script, "flush=0"),
        ("llm_tag", "n", "from=header:x-n")], workers=2))
    for i in range(20):
        server.client.post(CHAT, calls.chat(), {"x-n": "%d-" % i + "y" * 100})
    lines = server.lines(20, out)
    assert len({line["llm.tags.n"] for line in lines}) == 20


def test_log_through_rotatelogs(server, fake):
    out = server.path("log", "rotated")
    server.start(Site([Loc("/", [ON], fake)], [
        ("llm_log", "|/usr/bin/rotatelogs %s 86400" % out, "flush=0")]))
    server.client.post(CHAT, calls.chat())

    def found():
        return [n for n in os.listdir(server.path("log"))
                if n.startswith("rotated")
                and os.path.getsize(server.path("log", n))]

    server.wait_until(found)
    with open(server.path("log", found()[0]), "rb") as f:
        assert parse(f.read().rstrip(b"\n")).output == 5


@pytest.mark.parametrize("size", [10, 100000])
def test_filter_of_the_content_has_the_body_too(server, fake, size):
    server.meter(fake, httpd="SetInputFilter DEFLATE")
    body = json.dumps(calls.chat(text=os.urandom(size).hex())).encode()
    r = server.client.post(CHAT, gzip.compress(body),
                           [("Content-Encoding", "gzip")])
    assert r.status == 200
    assert fake.requests[0].body == body
    assert server.line().status == 200


def test_condition_leaves_lines_out(server, fake):
    server.meter(fake, log=("flush=0", "if=%{HTTP:x-log} == 'yes'"))
    for value in ("yes", "no", "yes"):
        server.client.post(CHAT, calls.chat(), {"x-log": value})
    server.lines(2)


def test_condition_can_be_what_the_call_was(server, fake):
    server.meter(fake, log=("flush=0", "if=%{ENV:llm_model} == 'gpt-4o'"))
    for model in ("gpt-4o-mini", "gpt-4o"):
        server.client.post(CHAT, calls.chat(model))
    assert server.line().model == "gpt-4o"


def test_condition_that_is_none_is_refused(server, fake):
    ok, messages = server.test_config(server.metered(
        fake, ("llm_log", server.log, "if=what?")))
    assert not ok and "if=" in messages and "on line" in messages


@pytest.mark.parametrize("source,value", [
    ("env:REQUEST_METHOD", "POST"), ("$REMOTE_ADDR", "127.0.0.1"),
    ("env:TEAM", "blue"), ("$TEAM", "blue"), ("env:NONE", None)])
def test_tag_may_be_what_httpd_knows(server, fake, source, value):
    server.meter(fake, ("llm_tag", "t", "from=" + source),
                 httpd="SetEnvIf Request_URI . TEAM=blue")
    server.client.post(CHAT, calls.chat())
    assert server.line().get("llm.tags.t") == value


def test_error_document_is_one_line(server, fake):
    server.expect_errors("proxy")
    www = server.path("www")
    with open(os.path.join(www, "sorry.json"), "w") as f:
        f.write('{"error":{"message":"later"}}')
    server.start(site(server, [Loc("/v1/", [ON])], httpd_server="""
    Alias /sorry/ %s/
    <Directory %s>
        Require all granted
    </Directory>
    ErrorDocument 503 /sorry/sorry.json
    ProxyPass /v1/ http://127.0.0.1:1/v1/
""" % (www, www)))
    r = server.client.post(CHAT, calls.chat())
    assert r.status == 503
    assert r.json["error"]["message"] == "later"
    line = server.line()
    assert r.header("x-llm-request-id") == line["llm.call_id"]
    assert line.status == 503
    assert line["event.outcome"] == "failure"
    assert line.nusd == 0


def curl(*args):
    done = subprocess.run(["curl", "-sS", "-k", "--max-time", "60", *args],
                          capture_output=True)
    assert done.returncode == 0, done.stderr

    return done.stdout


@pytest.mark.parametrize("version", [
    pytest.param("--http2", marks=pytest.mark.skipif(
        httpd.MPM == "prefork", reason="mod_http2 refuses to work in it")),
    "--http1.1"])
def test_tls_and_http2(server, fake, tls, version):
    server.meter(fake, tls=True, keepalive=True)
    url = "https://localhost:%d%s" % (server.tls_port, CHAT)
    head = ("-H", "Content-Type: application/json", "-w",
            "%{http_version}", "-N")
    big = server.write("etc/big.json", json.dumps(calls.chat(
        text="abc " * 50000, stream=True)))
    huge = server.write("etc/huge.json", json.dumps(calls.chat(
        text="abc " * 500000, stream=True)))
    curl(version, *head, "-d", json.dumps(calls.chat()), url)
    out = curl(version, *head, "-d", json.dumps(calls.chat(stream=True)), url)
    assert b"data: [DONE]\n\n" in out and b'"usage"' not in out
    assert out.endswith(b"2" if version == "--http2" else b"1.1")
    for name in (big, huge):
        out = curl(version, *head, "--data-binary", "@" + name, url)
        assert b"data: [DONE]\n\n" in out
    out = curl(version, *head, "-d", "no json", url)
    assert b"invalid_request" in out
    assert [line.input for line in server.lines(5)] \
        == [4, 4, 50000, 500000, 0]
    assert fake.requests[2].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("end", ["abort", "drain:60s"])
def test_http2_stream_left_by_its_client(server, fake, tls, end):
    server.meter(fake, tls=True, keepalive=True,
                 enable=("on", "on_disconnect=" + end))
    url = "https://localhost:%d%s" % (server.tls_port, CHAT)
    process = subprocess.Popen(
        ["curl", "-sS", "-k", "-N", "--http2", "-H", 'x-fake: {"words": 50, '
         '"gate": 10}', "-d", json.dumps(calls.asked_stream()), url],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while b"word5" not in process.stdout.readline():
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    if end == "abort":
        fake.wait_for(lambda: fake.requests[0].left)
    else:
        server.await_message("its answer is drained")
        fake.release()
    line = server.line()
    assert line["error.type"] == "client_closed"
    assert line.source == ("estimated" if end == "abort" else "reported")


def test_bomb_is_not_inflated_into_memory(server, fake):
    server.meter(fake, keepalive=True,
                 httpd_main="LimitRequestFieldSize 200000\n")
    server.client.post(CHAT, calls.chat())
    pid = server.workers()[0]
    before = rss(pid)
    bomb = gzip.compress(b'{"a":"' + b"x" * (50 << 20) + b'"}')
    r = server.client.post(CHAT, calls.chat(), fake={
        "raw": (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
                % (len(bomb), bomb)).decode("latin-1")})
    assert r.body == bomb
    assert rss(pid) - before < (2 << 20)
    server.lines(2)


def test_limit_of_bodies_is_kept(server, fake):
    server.expect_errors("AH01588|AH01587|AH10|LimitRequestBody|larger than")
    server.meter(fake, httpd="LimitRequestBody 1000")
    assert server.client.post(CHAT, calls.chat(text="abc " * 400)).status \
        == 413
    assert fake.requests == []
    line = server.line()
    assert line.status == 413
    assert line["event.outcome"] == "failure"


@pytest.mark.parametrize("mpm", ["worker", "prefork"])
def test_other_mpms(server, fake, mpm, monkeypatch):
    monkeypatch.setattr(httpd, "MPM", mpm)
    server.meter(fake, workers=2, keepalive=True)
    for body in (calls.chat(), calls.chat(stream=True), calls.asked_stream(),
                 calls.chat("error-429")):
        for _ in range(3):
            server.client.post(CHAT, body)
    begun = server.client.open("POST", CHAT, calls.asked_stream(),
                               fake={"words": 50, "gate": 20})
    begun.read_until(b"word1")
    server.reload()
    fake.release()
    assert begun.read_rest().complete
    begun.close()
    assert server.client.post(CHAT, calls.chat()).status == 200
    lines = server.lines(14)
    assert sum(line.output for line in lines) == 9 * 5 + 50 + 5

