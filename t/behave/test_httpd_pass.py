"""Providers that are chosen for each call, as only httpd has them: its own TLS,
its balancers and sections, what its other modules do."""

import subprocess

import pytest

import calls
import httpd
from keys import SECRETS, bearer, gated, key, keys
from pki import secure
from servers import Loc, Site

pytestmark = pytest.mark.only("httpd", "features of httpd")

CHAT = "/v1/chat/completions"
REAL = "sk-the-providers-own-0123456789"


def own_key(tmp_path):
    path = tmp_path / "provider.key"
    path.write_text(REAL + "\n")
    path.chmod(0o600)

    return "key=file:%s" % path


def post(server, *more, **named):
    return server.client.post(CHAT, calls.chat(), *more, **named)


def test_host_is_the_providers_whatever_is_preserved(server, fake):
    server.route([("one", fake)], httpd="ProxyPreserveHost On")
    assert post(server, {"Host": "gateway.test"}).status == 200
    assert fake.requests[0].header("Host") == "127.0.0.1:%d" % fake.port
    server.line()


def test_tls_name_is_the_providers_whatever_is_preserved(server, pki,
                                                         tmp_path):
    with secure(pki) as up:
        server.route([("one", "https://localhost:%d" % up.port,
                       own_key(tmp_path))],
                     httpd="ProxyPreserveHost On", ca=pki / "ca.pem")
        assert post(server, {"Host": "gateway.test"}).status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        server.line()


def test_provider_is_not_told_who_calls(server, fake):
    server.route([("one", fake)])
    assert post(server, {"X-Forwarded-For": "10.1.2.3"}).status == 200
    assert not any(name.lower().startswith("x-forwarded")
                   for name, _ in fake.requests[0].headers)
    server.line()


def test_provider_is_told_who_calls_where_that_is_said(server, fake):
    server.route([("one", fake)], httpd="ProxyAddHeaders On")
    assert post(server).status == 200
    assert fake.requests[0].header("X-Forwarded-For") == "127.0.0.1"
    server.line()


def test_balancer_by_the_providers_host(server, fake, fake2):
    server.route([("one", "http://gpus")], httpd_server=(
        "<Proxy balancer://gpus>\nBalancerMember %s\nBalancerMember %s\n"
        "</Proxy>" % (fake.url, fake2.url)))
    for _ in range(4):
        assert post(server).status == 200
    assert len(fake.requests) == len(fake2.requests) == 2
    assert server.lines(4)[0]["server.address"] == "gpus"


def test_settings_of_a_providers_own_section_hold(server, pki, tmp_path):
    """One authority for this provider, none for the virtual host."""
    with secure(pki) as up:
        server.start(Site([Loc("/", [("llm", "on"), ("llm_pass", "on")])], [
            ("llm_log", server.log, "flush=0"),
            ("llm_prices", server.prices),
            ("llm_provider", "one", "url=https://localhost:%d" % up.port,
             own_key(tmp_path))], httpd_server=(
                 '<Proxy "https://localhost:%d/">\nSSLProxyEngine On\n'
                 "SSLProxyVerify require\nSSLProxyCACertificateFile %s\n"
                 "</Proxy>") % (up.port, pki / "ca.pem")))
        assert "LLMPass" not in server.messages()
        for _ in range(2):
            assert post(server).status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        server.lines(2)


@pytest.mark.parametrize("text,more,said", [
    ("", (), "no call can go there without SSLProxyEngine On"),
    ("SSLProxyEngine Off", (), "no call can go there"),
    ("SSLProxyEngine On", (), "nobody knows who answers there"),
    ("SSLProxyEngine On", ("key",), "its key goes nowhere without"),
    ("SSLProxyEngine On\nSSLProxyVerify optional", (), "nobody knows")])
def test_configuration_test_misses_tls(server, tmp_path, text, more, said):
    more = [own_key(tmp_path)] if more else []
    ok, told = server.test_config(Site(
        [Loc("/", [("llm", "on"), ("llm_pass", "on")])],
        [("llm_provider", "one", "url=https://api.openai.com", *more)],
        httpd_server=text))
    assert ok and said in told and "LLMProvider one is https" in told


def test_configuration_test_is_content_with_tls(server, pki, tmp_path):
    ok, told = server.test_config(server.routed(
        [("one", "https://api.openai.com", own_key(tmp_path))],
        ca=pki / "ca.pem"))
    assert ok and "LLMPass" not in told


def test_files_of_the_same_name_are_not_looked_at(server, fake):
    """No <Directory>, no alias, no index: the location is the provider's."""
    server.write("www/v1", "a file")
    server.route([("one", fake)], httpd_server=(
        'DocumentRoot "%s"\n<Directory />\nRequire all denied\n</Directory>'
        % server.path("www")))
    assert post(server).status == 200
    server.line()


def test_request_line_in_the_log_stays_the_clients(server, fake):
    server.route([("one", fake.url + "/base")])
    assert server.client.post(CHAT + "?x=1", calls.chat()).status == 200
    assert fake.requests[0].target == "/base" + CHAT + "?x=1"
    server.line()
    with open(server.access_log) as f:
        assert '"POST %s?x=1 HTTP/1.1" 200' % CHAT in f.read()


@pytest.mark.skipif(httpd.MPM == "prefork", reason="mod_http2 needs threads")
def test_http2_client(server, fake, tls):
    site = server.routed([("one", fake)], tls=True)
    server.start(site)
    done = subprocess.run(
        ["curl", "-sk", "--http2", "-w", " %{http_version} %{http_code}",
         "-H", "Content-Type: application/json", "-d",
         '{"model": "gpt-4o-mini", "messages": [{"role": "user",'
         ' "content": "one"}]}',
         "https://127.0.0.1:%d%s" % (server.tls_port, CHAT)],
        capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith(" 2 200")
    server.line()


def test_location_without_the_engine_passes_nothing(server, fake):
    server.start(Site([Loc("/", [("llm_pass", "on")])],
                      [("llm_provider", "one", "url=" + fake.url)]))
    assert post(server).status in (404, 405)
    assert fake.requests == []


def test_virtual_key_goes_no_further(server, fake):
    server.route([("one", fake)], *gated(server, text=keys(key("ann"))))
    assert post(server, bearer("ann")).status == 200
    assert SECRETS["ann"] not in repr(fake.requests[0].headers)
    assert post(server).status == 401
    server.lines(2)


def claude(server, fake, **more):
    server.route([("claude", fake, "dialect=anthropic")],
                 ("llm_route", "all", "to=claude/claude-sonnet-4-5"), **more)


def test_translated_answer_has_a_length(server, fake):
    claude(server, fake)
    r = post(server)
    assert (r.status, r.json["object"]) == (200, "chat.completion")
    assert int(r.header("Content-Length")) == len(r.body)
    server.line()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_packed_answer_is_unpacked_where_it_is_translated(server, fake,
                                                          stream):
    claude(server, fake)
    r = server.client.post(CHAT, calls.chat(stream=stream),
                           fake={"encoding": "gzip"})
    assert r.status == 200 and r.header("Content-Encoding") is None
    assert r.body.count(b"word5") == 1 and b"chat.completion" in r.body
    assert server.line().output == 5


def test_answer_that_cannot_be_unpacked_is_not_handed_on(server, fake):
    server.expect_errors("packed in a way that is not known here")
    claude(server, fake)
    r = post(server, fake={"headers": {"Content-Encoding": "br"}})
    assert r.status == 502 and b"word5" not in r.body
    assert server.line().status == 502


def test_translated_answer_that_breaks_off_is_an_error(server, fake):
    server.expect_errors("AH0", "proxy")
    claude(server, fake)
    r = post(server, fake={"cut": 100, "framing": "chunked"})
    assert r.status == 502 and r.complete
    assert "message" in r.json["error"]
    line = server.line()
    assert (line.status, line["event.outcome"]) == (502, "failure")


def test_error_of_another_api_is_translated(server, fake):
    claude(server, fake)
    r = post(server, fake={"status": 529})
    assert r.status == 503 and "message" in r.json["error"]
    assert r.header("Content-Type") == "application/json"
    assert server.line().status == 503


def test_translated_stream_comes_event_by_event(server, fake):
    claude(server, fake)
    exchange = server.client.open("POST", CHAT, calls.asked_stream(),
                                  fake={"gate": 4})
    exchange.read_until(b"word1")
    assert b"word5" not in exchange.response.body
    fake.release()
    r = exchange.read_rest()
    assert r.body.endswith(b"data: [DONE]\n\n") and r.body.count(b"word5") == 1
    exchange.close()
    server.line()


@pytest.mark.parametrize("status", [429, 503])
def test_pages_of_our_own_do_not_keep_a_call_from_the_next(server, fake, fake2,
                                                           status):
    fake.scripts["so"] = {"status": status}
    fake2.scripts["so"] = {}
    server.route([("a", fake), ("b", fake2)], ("llm_route", "r", "to=a,b"),
                 httpd="ProxyErrorOverride On")
    assert post(server, fake={"script": "so"}).status == 200
    assert len(fake.requests) == len(fake2.requests) == 1
    server.line()


def test_next_target_answers_a_client_of_http2(server, fake, fake2, tls):
    fake.scripts["so"] = {"status": 503}
    fake2.scripts["so"] = {}
    server.start(server.routed([("a", fake), ("b", fake2)],
                               ("llm_route", "r", "to=a,b"), tls=True))
    done = subprocess.run(
        ["curl", "-sk", "--http2", "-w", " %{http_code}", "-H",
         "Content-Type: application/json", "-H", 'x-fake: {"script": "so"}',
         "-d", '{"model": "gpt-4o-mini", "messages": [{"role": "user",'
         ' "content": "one"}]}',
         "https://127.0.0.1:%d%s" % (server.tls_port, CHAT)],
        capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith(" 200")
    assert len(fake.requests) == len(fake2.requests) == 1
    server.line()


def test_balancer_of_a_target_sends_a_call_once(server, fake, fake2):
    """A member that closes without an answer may have been paid for."""
    server.expect_errors("AH0", "proxy")
    for made in (fake, fake2):
        made.scripts["so"] = {"drop": True}
    server.route([("one", "http://gpus")], httpd_server=(
        "<Proxy balancer://gpus>\nBalancerMember %s\nBalancerMember %s\n"
        "ProxySet maxattempts=3\n</Proxy>" % (fake.url, fake2.url)))
    assert post(server, fake={"script": "so"}).status == 502
    assert len(fake.requests) + len(fake2.requests) == 1
    server.lines(len(server.log_of().wait(1, exact=False)))
