"""nginx: a provider's own key takes the place of the caller's, over verified TLS
alone."""

import os
import subprocess

import pytest

import calls
from fake.provider import Fake
from keys import CARRIERS, SECRETS, bearer, gated, key, keys
from pki import secure
from test_keys import leaks

pytestmark = pytest.mark.only("nginx", "the directives are nginx's")

CHAT = "/v1/chat/completions"
REAL = "sk-the-providers-own-0123456789"


def own_key(tmp_path, host="api.openai.com", text=REAL + "\n", mode=0o600):
    path = tmp_path / "provider.key"
    path.write_text(text)
    path.chmod(mode)

    return "llm_provider", "own", "url=https://" + host, "key=file:%s" % path


def verified(pki, *more):
    return " ".join(("proxy_ssl_verify on; proxy_ssl_server_name on;",
                     "proxy_ssl_trusted_certificate %s;" % (pki / "ca.pem"),
                     *more))


def site(server, up, provider, nginx, host="api.openai.com", **more):
    return server.metered(up, provider,
                          *gated(server, text=keys(key("ann"))), host=host,
                          nginx=nginx, **more)


def post(server, path=CHAT, body=None, **more):
    return server.client.post(path, body or calls.chat(), bearer("ann"),
                              **more)


@pytest.mark.parametrize("host,path,body,carrier,value", [
    ("api.openai.com", CHAT, calls.chat(), "authorization", "Bearer " + REAL),
    ("api.anthropic.com", "/v1/messages", calls.CLAUDE, "x-api-key", REAL),
    (calls.GOOGLE, calls.GEMINI + "generateContent",
     {"contents": calls.CONTENTS}, "x-goog-api-key", REAL),
    ("unit.openai.azure.com", "/openai/v1/chat/completions", calls.chat(),
     "api-key", REAL),
], ids=["openai", "anthropic", "gemini", "azure"])
def test_key_has_the_providers_form(server, pki, tmp_path, host, path, body,
                                    carrier, value):
    with secure(pki) as up:
        server.start(site(server, up, own_key(tmp_path, host), verified(pki),
                          host, keepalive=True))
        for mine in CARRIERS.values():
            r = server.client.post(path, body, mine(SECRETS["ann"]))
            assert r.status in (200, 404)
        assert len(up.requests) == len(CARRIERS)
        for sent in up.requests:
            assert {name: sent.header(name) for name in CARRIERS
                    if sent.header(name)} == {carrier: value}
            assert repr(sent.headers).count(REAL) == 1
        server.lines(len(CARRIERS))
        assert leaks(server, up, SECRETS["ann"]) == []
        assert leaks(server, Fake(), REAL) == []


def test_streams_have_it_too(server, pki, tmp_path):
    with secure(pki) as up:
        server.start(site(server, up, own_key(tmp_path), verified(pki)))
        r = post(server, body=calls.asked_stream())
        assert r.status == 200 and b"[DONE]" in r.body
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        assert server.line().source == "reported"


@pytest.mark.parametrize("cert", ["self", "other"])
def test_no_key_for_a_certificate_that_does_not_verify(server, pki, tmp_path,
                                                       cert):
    server.expect_errors("upstream SSL certificate")
    with secure(pki, cert) as up:
        server.start(site(server, up, own_key(tmp_path), verified(pki)))
        assert post(server).status == 502
        assert up.requests == []
        assert server.line().nusd == 0


@pytest.mark.parametrize("nginx", ["", "proxy_ssl_verify off;"])
def test_unverified_upstream_is_no_configuration(server, pki, tmp_path,
                                                 nginx):
    with secure(pki) as up:
        good, messages = server.test_config(
            site(server, up, own_key(tmp_path), nginx))
    assert not good
    assert 'the key of provider "own" goes over verified TLS only:' \
        ' "proxy_ssl_verify on" is missing' in messages


def test_plain_upstream_never_sees_the_key(server, fake, pki, tmp_path):
    server.expect_errors("goes over verified TLS only")
    server.start(site(server, fake, own_key(tmp_path), verified(pki)))
    assert post(server).status == 500
    assert fake.requests == []
    assert server.line().nusd == 0


def test_upstream_of_a_variable_never_sees_the_key(server, pki, tmp_path):
    """Nobody has looked who it is."""
    with secure(pki) as up:
        server.start(site(
            server, None, own_key(tmp_path, "localhost"),
            verified(pki, "set $up https://127.0.0.1:%d;" % up.port,
                     "proxy_ssl_name localhost; proxy_pass $up;")))
        post(server)
        assert not any(up.requests[0].header(name) for name in CARRIERS)
        server.line()


def test_header_of_the_configuration_wins(server, pki, tmp_path):
    with secure(pki) as up:
        server.start(site(server, up, own_key(tmp_path), verified(
            pki, 'proxy_set_header Authorization "Bearer mine";')))
        assert post(server).status == 200
        assert [value for name, value in up.requests[0].headers
                if name.lower() == "authorization"] == ["Bearer mine"]
        server.line()


def test_no_key_without_a_virtual_one(server, pki, tmp_path):
    """A dry run lets anybody pass, with what he brought."""
    with secure(pki) as up:
        server.start(site(server, up, own_key(tmp_path), verified(pki),
                          enable=("dry_run",)))
        assert server.client.post(CHAT, calls.chat()).status == 200
        assert up.requests[0].header("Authorization") is None
        server.line()


@pytest.mark.parametrize("text,mode,why", [
    (REAL, 0o644, "may be read by everybody: chmod o-rw"),
    (REAL, 0o602, "chmod o-rw"),
    ("", 0o600, "has no key"),
    (" \n", 0o600, "has no key"),
    (REAL + " " + REAL, 0o600, "has more in it than one key"),
    (REAL + "\n" + REAL + "\n", 0o600, "has more in it than one key"),
    (REAL + "\n" * 9000, 0o600, "is not a file of at most"),
    (REAL * 200, 0o600, "has no key, or more than that"),
    (None, 0, "No such file"),
])
def test_bad_key_file_is_told(server, fake, tmp_path, text, mode, why):
    provider = own_key(tmp_path, "api.other.test", text or "", mode)
    if text is None:
        (tmp_path / "provider.key").unlink()
    good, messages = server.test_config(server.metered(fake, provider))
    assert not good
    assert "llm_provider: " in messages and why in messages
    assert REAL not in messages


def test_key_itself_is_not_for_the_configuration(server, fake):
    good, messages = server.test_config(server.metered(
        fake, ("llm_provider", "own", "url=https://x.test", "key=" + REAL)))
    assert not good
    assert "key= takes file:<path>" in messages and REAL not in messages


def test_names_are_of_the_configurations_directory(server, pki, tmp_path):
    server.write("etc/keys.json", keys(key("ann", budgets=["requests=1/day"])))
    server.mkdir("etc/ledger")
    os.chmod(server.write("etc/own.key", REAL), 0o600)
    with secure(pki) as up:
        server.start(server.metered(
            up, ("llm_keys", "keys.json"),
            ("llm_ledger", "ledger/tollgate", "size=1m"),
            ("llm_provider", "own", "url=https://api.openai.com",
             "key=file:own.key"), nginx=verified(pki)))
        assert [post(server).status for _ in range(2)] == [200, 429]
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        server.lines(2)


def test_white_space_around_a_key_is_not_of_it(server, pki, tmp_path):
    with secure(pki) as up:
        server.start(site(server, up, own_key(tmp_path, text="\n %s \r\n\n"
                                              % REAL), verified(pki)))
        assert post(server).status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        server.line()


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_key_in_the_query_of_any_version(server, fake, tls, version):
    server.start(server.metered(
        fake, *gated(server, text=keys(key("ann"))), tls=True))
    done = subprocess.run(
        ["curl", "-sSk", version, "-m", "60", "-w", "%{http_code}", "-o",
         "/dev/null", "-H", "Content-Type: application/json", "-d",
         '{"contents": []}', "https://localhost:%d%s?alt=json&key=%s&a=1" % (
             server.tls_port, calls.GEMINI + "generateContent",
             SECRETS["ann"])], capture_output=True, text=True, timeout=300)
    assert done.stderr == "" and done.stdout in ("200", "404")
    assert fake.requests[0].target.endswith("generateContent?alt=json&a=1")
    server.line()
    assert leaks(server, fake, SECRETS["ann"]) == []


@pytest.mark.parametrize("before,after", [("k=%s", "key=%s"),
                                          ("key=%s", "key=%s&long=" + "x" * 99),
                                          ("", "a=1&key=%s")])
def test_key_in_a_rewritten_query(server, fake, before, after):
    server.start(server.metered(
        fake, *gated(server, text=keys(key("ann"))),
        nginx="set $args '%s';" % (after % SECRETS["ann"])))
    path = calls.GEMINI + "generateContent"
    if before:
        path += "?" + before % SECRETS["ann"]
    r = server.client.post(path, {"contents": calls.CONTENTS})
    assert r.status in (200, 404)
    assert "key=" not in fake.requests[0].target
    assert SECRETS["ann"] not in fake.requests[0].target
    server.line()


FALLBACK = """
        location @other {
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate %s;
            %s
        }
"""


@pytest.mark.parametrize("kind", ["verified", "plain", "variable", "off"])
def test_key_does_not_go_on_to_another_provider(server, pki, tmp_path, kind):
    """An error_page hands the call to an upstream of its own."""
    with secure(pki) as first, secure(pki) as second, Fake() as plain:
        other = plain if kind in ("plain", "off") else second
        up = "%s://localhost:%d" % (
            "http" if other is plain else "https", other.port)
        passes = {"variable": "proxy_ssl_name localhost; set $up %s;"
                  " proxy_pass $up;" % up.replace("localhost", "127.0.0.1"),
                  "off": "llm off; proxy_pass %s;" % up}.get(
                      kind, "proxy_pass %s;" % up)
        server.start(site(
            server, first, own_key(tmp_path), verified(
                pki, "proxy_intercept_errors on; error_page 500 = @other;"),
            nginx_server=FALLBACK % (pki / "ca.pem", passes)))
        r = post(server, fake={"status": 500})
        assert first.requests[0].header("Authorization") == "Bearer " + REAL
        assert r.status == 500
        assert len(other.requests) == 1
        assert not any(other.requests[0].header(name) for name in CARRIERS)
        server.line()


SUB = """
        location = /inner {
            llm on;
            proxy_pass http://127.0.0.1:%d/seen;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }
"""


def test_mirrored_call_waits_by_itself(server, fake):
    server.start(server.metered(
        fake, *gated(server, "q per=all requests=1/second wait=60s"),
        nginx="mirror /inner; mirror_request_body off;",
        nginx_server=SUB % fake.port))
    assert server.client.post(CHAT, calls.chat()).status == 200
    fake.wait_for(lambda: len(fake.requests) == 2)
    server.lines(2)


def test_subrequest_has_headers_of_its_own(server, pki, tmp_path):
    """What it is let in by is not for the request that it is part of."""
    with secure(pki) as up, Fake() as plain:
        inner = SUB.replace("http://127.0.0.1:%d/seen",
                            "https://localhost:%d/v1/models; "
                            + verified(pki).rstrip(";"))
        server.start(server.metered(
            plain, own_key(tmp_path, "localhost"),
            *gated(server, text=keys(key("ann")), allow=("allow=unknown",)),
            nginx="auth_request /inner;", nginx_server=inner % up.port))
        assert post(server).status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        assert REAL not in repr(plain.requests[0].headers)
        server.lines(2)
