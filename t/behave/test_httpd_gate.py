"""Keys and quotas as only httpd has them: its TLS, its balancers, its MPMs."""

import os
import signal
import subprocess

import pytest

import calls
import httpd
from fake.provider import Fake
from keys import SECRETS, bearer, gated, key, keys
from pki import secure
from servers import Loc, Site
from test_keys import leaks

pytestmark = pytest.mark.only("httpd", "features of httpd")

CHAT = "/v1/chat/completions"
REAL = "sk-the-providers-own-0123456789"
OURS = "llm: the provider's key goes over verified TLS only"
ON = ("llm", "on")
KILLED = ("exit signal Killed", "AH00052")


def verified(pki, *more):
    return "\n".join(("SSLProxyEngine on", "SSLProxyVerify require",
                      "SSLProxyCACertificateFile %s" % (pki / "ca.pem"),
                      *more, ""))


def own_key(server, tmp_path, url="https://localhost", *more):
    path = tmp_path / "provider.key"
    path.write_text(REAL + "\n")
    path.chmod(0o600)

    return ("llm_provider", "own", "url=" + url, "key=file:%s" % path, *more)


def start(server, tmp_path, text, provider=None, records=(key("ann"),),
          **more):
    """text: how one gets to the provider."""
    server.start(Site([Loc("/v1", [ON]), Loc("/v1beta", [ON])], [
        ("llm_log", server.log, "flush=0"), ("llm_prices", server.prices),
        provider or own_key(server, tmp_path),
        *gated(server, text=keys(*records))], httpd_server=text, **more))


def post(server, headers=None, **more):
    return server.client.post(CHAT, calls.chat(max_tokens=8),
                              bearer("ann") if headers is None else headers,
                              **more)


# the provider's key


@pytest.mark.parametrize("how", ["direct", "balancer", "member by address"])
def test_providers_key_takes_the_callers_place(server, pki, tmp_path, how):
    with secure(pki) as up:
        text = {
            "direct": "ProxyPass / https://localhost:{0}/",
            "balancer": "<Proxy balancer://localhost>\n"
            "BalancerMember https://localhost:{0}\n</Proxy>\n"
            "ProxyPass / balancer://localhost/",
            # mod_ssl itself does not compare addresses
            "member by address": "SSLProxyCheckPeerName off\n"
            "SSLProxyCheckPeerCN off\n<Proxy balancer://localhost>\n"
            "BalancerMember https://127.0.0.1:{0}\n</Proxy>\n"
            "ProxyPass / balancer://localhost/"}[how].format(up.port)
        start(server, tmp_path, verified(pki) + text, httpd_main=(
            'LogFormat "%%{Authorization}i|%%{Authorization}e|%%r" all\n'
            "CustomLog %s all\n" % server.path("log", "all.log")))
        for _ in range(3):
            assert post(server).status == 200
        assert [r.header("Authorization") for r in up.requests] \
            == ["Bearer " + REAL] * 3
        server.lines(3)
        assert leaks(server, up, SECRETS["ann"]) == []
        assert leaks(server, Fake(), REAL) == []


@pytest.mark.parametrize("path,body,dialect,name", [
    ("/v1/messages", calls.CLAUDE, "anthropic", "x-api-key"),
    (calls.GEMINI + "generateContent", {"contents": calls.CONTENTS},
     "gcp.gemini", "x-goog-api-key"),
    (CHAT, calls.chat(), "openai", "authorization")])
def test_providers_key_has_the_providers_form(server, pki, tmp_path, path,
                                              body, dialect, name):
    with secure(pki) as up:
        start(server, tmp_path, verified(pki)
              + "ProxyPass / https://localhost:%d/" % up.port,
              own_key(server, tmp_path, "https://localhost",
                      "dialect=" + dialect))
        assert server.client.post(path, body, bearer("ann")).status == 200
        sent = up.requests[0]
        assert sent.header(name).endswith(REAL)
        assert repr(sent.headers).count(REAL) == 1
        server.line()


@pytest.mark.parametrize("member", ["direct", "balancer"])
@pytest.mark.parametrize("cert,tls", [
    ("good", "SSLProxyVerify none"), ("good", ""),
    ("self", "SSLProxyVerify optional_no_ca\nSSLProxyCACertificateFile {0}"),
    ("self", "SSLProxyVerify require\nSSLProxyCACertificateFile {0}"),
    ("other", "SSLProxyVerify require\nSSLProxyCACertificateFile {0}\n"
              "SSLProxyCheckPeerName off\nSSLProxyCheckPeerCN off")])
def test_unverified_upstream_never_sees_the_key(server, pki, tmp_path, cert,
                                                tls, member):
    server.expect_errors(OURS, "AH0", "proxy", "ssl:error")
    target = {"direct": "ProxyPass / https://localhost:{0}/",
              "balancer": "<Proxy balancer://localhost>\nBalancerMember"
              " https://localhost:{0} retry=0\n</Proxy>\n"
              "ProxyPass / balancer://localhost/"}[member]
    with secure(pki, cert) as up:
        start(server, tmp_path, "SSLProxyEngine on\n%s\n%s" % (
            tls.format(pki / "ca.pem"), target.format(up.port)))
        for _ in range(2):
            assert post(server).status >= 500
        assert up.requests == []
        assert server.lines(2)[0].nusd == 0
        assert leaks(server, up, REAL, SECRETS["ann"]) == []
    if "require" not in tls or cert == "other":
        assert OURS in server.messages()


@pytest.mark.parametrize("text", [
    "ProxyPass / http://localhost:{0}/",
    "<Proxy balancer://localhost>\nBalancerMember http://localhost:{0} retry=0"
    "\n</Proxy>\nProxyPass / balancer://localhost/",
    "RewriteEngine On\nRewriteRule ^/(.*)$ http://localhost:{0}/$1 [P]"],
    ids=["direct", "balancer", "rewrite"])
def test_plain_upstream_never_sees_the_key(server, fake, pki, tmp_path, text):
    server.expect_errors(OURS, "AH0", "proxy")
    start(server, tmp_path, verified(pki) + text.format(fake.port))
    assert post(server).status >= 500
    assert fake.requests == []
    assert "it is not encrypted" in server.messages()
    server.line()


def test_kept_connection_of_another_location_is_looked_at(server, pki,
                                                          tmp_path):
    """It was made without a call, and nobody looked at its certificate."""
    server.expect_errors(OURS, "AH0", "proxy")
    with secure(pki) as up:
        start(server, tmp_path, "SSLProxyEngine on\nSSLProxyVerify none\n"
              "ProxyPass / https://localhost:%d/ max=1" % up.port)
        assert server.client.get("/open").status == 404
        assert post(server).status >= 500
        assert len(up.requests) == 1
        server.line()


def test_dead_member_is_followed_by_a_verified_one(server, pki, tmp_path):
    server.expect_errors("AH0", "proxy")
    with secure(pki) as up:
        start(server, tmp_path, verified(pki) + """
    <Proxy balancer://localhost>
        BalancerMember https://localhost:1 loadfactor=100
        BalancerMember https://localhost:%d
    </Proxy>
    ProxyPass / balancer://localhost/""" % up.port)
        assert post(server).status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        server.line()


def test_header_of_the_configuration_wins(server, pki, tmp_path):
    with secure(pki) as up:
        start(server, tmp_path, verified(pki)
              + 'RequestHeader set Authorization "Bearer mine"\n'
              "ProxyPass / https://localhost:%d/" % up.port)
        assert post(server).status == 200
        assert [v for n, v in up.requests[0].headers
                if n.lower() == "authorization"] == ["Bearer mine"]
        server.line()


def test_module_loads_without_mod_ssl(server, fake, monkeypatch, tmp_path):
    """Then no connection is good enough for a key, and others are fine."""
    server.expect_errors(OURS, "AH0", "proxy")
    monkeypatch.setattr(httpd, "LOADED", tuple(
        n for n in httpd.LOADED if n not in ("ssl", "http2")))
    start(server, tmp_path, "ProxyPass /v1/ http://localhost:%d/v1/\n"
          "ProxyPass /v1beta/ http://127.0.0.1:%d/v1beta/"
          % (fake.port, fake.port))
    assert post(server).status >= 500
    assert fake.requests == []
    assert server.client.post(calls.GEMINI + "generateContent",
                              {"contents": calls.CONTENTS},
                              bearer("ann")).status == 200
    server.lines(2)


# the configuration


def test_names_are_of_the_server_root(server, pki, tmp_path):
    server.write("etc/keys.json", keys(key("ann", budgets=["requests=2/day"])))
    server.mkdir("ledger")
    os.chmod(server.write("etc/own.key", REAL), 0o600)
    with secure(pki) as up:
        server.start(Site([Loc("/v1", [ON])], [
            ("llm_log", "log/llm.jsonl", "flush=0"),
            ("llm_prices", "etc/prices.json"),
            ("llm_keys", "etc/keys.json"),
            ("llm_ledger", "ledger/tollgate", "size=1m"),
            ("llm_provider", "own", "url=https://localhost",
             "key=file:etc/own.key")], httpd_server=verified(pki)
            + "ProxyPass / https://localhost:%d/" % up.port))
        assert [post(server).status for _ in range(3)] == [200, 200, 429]
        server.write("etc/keys.json", keys(key("bob")))
        server.await_everywhere("1 keys are read anew")
        assert post(server, bearer("ann")).status == 401
        assert post(server, bearer("bob")).status == 200
        server.lines(5)


@pytest.mark.parametrize("spoil,why", [
    (lambda p: p.unlink(), "No such file"),
    (lambda p: p.chmod(0o644), "chmod o-rw"),
    (lambda p: p.write_text(""), "has no key"),
    (lambda p: p.write_text("one two"), "more in it")])
def test_bad_key_file_is_told_by_the_configuration_test(server, tmp_path,
                                                        spoil, why):
    provider = own_key(server, tmp_path)
    spoil(tmp_path / "provider.key")
    good, messages = server.test_config(Site([Loc("/", [ON])], [provider]))
    assert not good
    assert "llm_provider: " in messages and why in messages


def test_configuration_test_makes_no_ledger(server, fake):
    good, messages = server.test_config(server.metered(
        fake, *gated(server, "q per=all usd=1/day")))
    assert good, messages
    assert os.listdir(server.path("ledger")) == []


def test_ledger_where_none_can_be_is_told_at_the_start(server, fake):
    server.expect_errors("llm_ledger", "AH0")
    site = server.metered(fake, ("llm_ledger", server.path("none", "ledger")))
    with pytest.raises(Exception, match="did not start.*(?s:.*)llm_ledger"):
        server.start(site)


def test_status_page_does_not_show_the_key(server, fake):
    server.port = server.port or 1
    more = "\n" + "LoadModule status_module %s\nExtendedStatus On\n" \
        % os.path.join(httpd.MODULES, "mod_status.so")
    server.start(Site([Loc("/v1beta", [ON], fake)], [
        ("llm_log", server.log, "flush=0"), ("llm_prices", server.prices),
        *gated(server, text=keys(key("ann")))], httpd_main=more,
        httpd_server="<Location /server-status>\nSetHandler server-status\n"
        "</Location>"))
    call = server.client.open(
        "POST", calls.GEMINI + "streamGenerateContent?alt=sse&key="
        + SECRETS["ann"], {"contents": calls.CONTENTS}, fake={"gate": 1})
    fake.wait(1)
    page = server.client.get("/server-status").body.decode()
    assert "streamGenerateContent" in page
    assert SECRETS["ann"] not in page
    fake.release()
    assert call.read().status == 200
    call.close()
    server.line()


# life


@pytest.fixture(params=["event", "worker", "prefork"])
def mpm(request, monkeypatch):
    monkeypatch.setattr(httpd, "MPM", request.param)

    return request.param


def counted(server, fake, *quotas, log=("flush=0",), workers=2, **more):
    server.meter(fake, *gated(server, *quotas, text=keys(key("ann"))),
                 log=log, workers=workers, **more)


def test_graceful_restarts_keep_counting(server, fake, mpm):
    counted(server, fake, "all per=all requests=5/day")
    status = []
    for _ in range(3):
        status += [post(server).status, post(server).status]
        server.reload()
    assert status == [200] * 5 + [429]
    server.lines(6)


def test_call_of_an_old_child_is_settled_in_the_same_ledger(server, fake,
                                                            mpm):
    counted(server, fake, "out per=all output_tokens=20/day wait=0s")
    stream = server.client.open("POST", CHAT, calls.asked_stream(
        max_tokens=16), bearer("ann"), fake={"gate": 1})
    fake.wait(1)
    server.reload()
    assert post(server).status == 429
    fake.release()
    assert stream.read().status == 200
    stream.close()
    server.lines(2)
    assert post(server).status == 200
    server.lines(3)


def test_killed_child_is_swept_by_the_others(server, fake, mpm):
    """Its call costs what it held, and what was in its buffer is written."""
    server.expect_errors(*KILLED)
    counted(server, fake, "all per=all requests=100/day usd=1/day",
            log=("flush=60s",), workers=1)
    done = [post(server).status for _ in range(4)]
    assert done == [200] * 4
    stream = server.client.open("POST", CHAT, calls.asked_stream(
        max_tokens=8), bearer("ann"), fake={"gate": 1})
    fake.wait(5)
    victims = server.workers()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    stream.close()
    lines = server.lines(5)
    assert len({line["llm.call_id"] for line in lines}) == 5
    billed = [line for line in lines if line.source == "recovered"]
    assert len(billed) == 1 and billed[0].nusd > 0
    assert all(line["llm.key_id"] == "key_ann" for line in lines)


def test_fast_stop_gives_back_what_waits_and_bills_what_was_sent(
        server, fake, mpm):
    """Who waits for it is told of the stop; in another process (prefork) he may
    see first that what it is charged leaves him nothing."""
    if mpm == "prefork":
        server.expect_errors("exit signal Abort")       # see own_noise()
    counted(server, fake, "out per=all output_tokens=20/day wait=120s",
            workers=1)
    stream = server.client.open("POST", CHAT, calls.asked_stream(
        max_tokens=16), bearer("ann"), fake={"words": 100, "gate": 4})
    stream.read_until(b"word2")
    waits = server.client.open("POST", CHAT, calls.chat(max_tokens=10),
                               bearer("ann"))
    server.await_taken(waits)
    site = server.site
    server.terminate()
    stream.close()
    waits.close()
    ended = {line.source: line["error.type"] for line in server.lines(2)}
    assert ended.pop("recovered") == "server_shutdown"
    assert ended in ({"none": "server_shutdown"}, {"none": "out"})
    assert ended["none"] == "server_shutdown" or mpm == "prefork"
    assert len(fake.requests) == 1
    server.start(site)
    assert [server.client.post(CHAT, calls.chat(max_tokens=n),
                               bearer("ann")).status
            for n in (5, 4)] == [429, 200]
    server.lines(4)


@pytest.mark.skipif(httpd.MPM == "prefork", reason="one call a child")
def test_who_waits_is_not_told_that_a_fast_stop_used_it_up(server, fake):
    """What the calls that it cuts are charged is no reason to refuse others."""
    counted(server, fake, "out per=all output_tokens=20/day wait=120s",
            workers=1)
    stream = server.client.open("POST", CHAT, calls.asked_stream(
        max_tokens=16), bearer("ann"), fake={"words": 100, "gate": 4})
    stream.read_until(b"word2")
    waits = [server.client.open("POST", CHAT, calls.chat(max_tokens=10),
                                bearer("ann")) for _ in range(40)]
    server.await_taken(*waits)
    server.terminate()
    for exchange in (stream, *waits):
        exchange.close()
    lines = server.lines(41)
    assert {line["error.type"] for line in lines} == {"server_shutdown"}
    assert len(fake.requests) == 1


def test_http2_client_who_leaves_waits_no_more(server, fake, tls):
    server.meter(fake, *gated(
        server, "out per=all output_tokens=15/day wait=120s"), tls=True)
    first = server.client.open("POST", CHAT, calls.asked_stream(
        max_tokens=10), fake={"gate": 1})
    fake.wait(1)
    curl = subprocess.Popen([
        "curl", "-skv", "--http2", "-H", "Content-Type: application/json",
        "-d", '{"model":"gpt-4o-mini","messages":[],"max_tokens":10}',
        "https://localhost:%d%s" % (server.tls_port, CHAT)],
        stderr=subprocess.PIPE)
    while not curl.stderr.readline().startswith(b"> POST"):
        assert curl.poll() is None
    server.await_stillness(curl.pid)
    curl.kill()
    curl.communicate()
    line = server.line()
    assert line.status == 499
    fake.release()
    assert first.read().status == 200
    first.close()
    server.lines(2)
    assert len(fake.requests) == 1
