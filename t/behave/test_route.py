"""Locations whose provider is chosen for each call: where it goes, and what it
looks like there."""

import json
import os

import pytest

import calls
from fake.provider import Fake
from keys import CARRIERS, SECRETS, bearer, gated, key, keys
from pki import secure

CHAT = "/v1/chat/completions"
REAL = "sk-the-providers-own-0123456789"


def two(fake, fake2, *more):
    return [("one", fake, "dialect=openai", "models=gpt-*", *more),
            ("two", fake2, "dialect=openai", "models=own-*", *more)]


def named(up):
    """By a name that its certificate has."""
    return up.url.replace("127.0.0.1", "localhost")


def own_key(tmp_path, name="provider.key", text=REAL):
    path = tmp_path / name
    path.write_text(text + "\n")
    path.chmod(0o600)

    return "key=file:%s" % path


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_call_goes_to_whoever_has_the_model(server, fake, fake2, stream):
    server.route(two(fake, fake2))
    for model, there in (("gpt-4o-mini", fake), ("own-8b", fake2)):
        body = calls.asked_stream(model) if stream else calls.chat(model)
        assert server.client.post(CHAT, body).status == 200
        assert [req.json["model"] for req in there.requests] == [model]
        assert there.requests[0].path == CHAT
        assert there.requests[0].header("Host") == "127.0.0.1:%d" % there.port
    assert [line.model for line in server.lines(2)] \
        == ["gpt-4o-mini", "own-8b"]


def test_logs_can_say_the_route_and_what_was_sent(server, fake, fake2):
    """Of a call that no route takes: nothing, and the model as it was."""
    own = server.path("log", "own.log")
    server.route(
        two(fake, fake2),
        ("llm_route", "small", "when=stream == false", "to=two/own-8b"),
        nginx="            access_log %s routed;\n" % own,
        nginx_http='    log_format routed "$llm_request_model|$llm_route|'
                   '$llm_sent_model";\n',
        httpd_main='LogFormat "%%{llm_request_model}e|%%{llm_route}n|'
                   '%%{llm_sent_model}e" routed\nCustomLog %s routed\n' % own)
    for body in (calls.chat(), calls.asked_stream()):
        assert server.client.post(CHAT, body).status == 200
    server.lines(2)

    def said():
        with open(own) as f:
            return [line.replace("-", "") for line in f.read().split()
                    if "mini" in line]

    server.wait_until(lambda: os.path.exists(own) and len(said()) == 2)
    assert said() == ["gpt4omini|small|own8b", "gpt4omini||gpt4omini"]


def test_model_that_nobody_has_is_told_of(server, fake, fake2):
    server.route(two(fake, fake2))
    r = server.client.post(CHAT, calls.chat("llama3"))
    assert r.status == 404
    assert "gpt-*" in r.json["error"]["message"]
    assert "own-*" in r.json["error"]["message"]
    assert fake.requests == fake2.requests == []
    assert server.line().status == 404


def test_many_calls_on_few_connections(server, fake, fake2):
    """They are kept, each with its own upstream."""
    server.route(two(fake, fake2))
    for model in ("gpt-4o-mini", "own-8b") * 5:
        assert server.client.post(CHAT, calls.chat(model)).status == 200
    for there in (fake, fake2):
        assert len(there.requests) == 5
        if server.one_pool:
            assert len({req.connection for req in there.requests}) == 1
    server.lines(10)


def test_query_and_base_path_reach_the_provider(server, fake):
    server.route([("one", fake.url + "/base/", "dialect=openai")])
    r = server.client.post("/llm" + CHAT + "?trace=a%20b", calls.chat())
    assert r.status in (200, 404)
    assert fake.requests[0].target == "/base" + CHAT + "?trace=a%20b"
    server.line()


def test_headers_of_the_provider_replace_the_clients(server, fake):
    server.route([("one", fake, "dialect=openai", "header=X-Team:platform",
                   "header=X-New:1")])
    r = server.client.post(CHAT, calls.chat(),
                           [("x-team", "mine"), ("X-Kept", "yes")])
    assert r.status == 200
    req = fake.requests[0]
    assert [v for n, v in req.headers if n.lower() == "x-team"] \
        == ["platform"]
    assert req.header("X-New") == "1" and req.header("X-Kept") == "yes"
    server.line()


@pytest.mark.parametrize("size", [10, 200000], ids=["memory", "file"])
def test_body_arrives_as_it_was_sent(server, fake, size):
    server.route([("one", fake, "dialect=openai")])
    body = json.dumps(calls.chat(text="abc " * (size // 4))).encode()
    for _ in range(2):
        assert server.client.post(CHAT, body).status == 200
    assert [req.body for req in fake.requests] == [body] * 2
    assert fake.malformed == []
    server.lines(2)


@pytest.mark.parametrize("size", [10, 200000], ids=["memory", "file"])
def test_stream_asks_for_its_usage(server, fake, size):
    server.route([("one", fake, "dialect=openai")])
    text = "abc " * (size // 4)
    for _ in range(2):
        r = server.client.post(CHAT, calls.chat(text=text, stream=True))
        assert r.status == 200 and b"usage" not in r.body
    for req in fake.requests:
        assert req.json == {**calls.chat(text=text, stream=True),
                            "stream_options": {"include_usage": True}}
    assert fake.malformed == []
    assert [line.source for line in server.lines(2)] == ["reported"] * 2


def test_provider_behind_tls_gets_its_key_and_no_other(server, pki, tmp_path):
    with secure(pki) as up, Fake() as plain:
        server.route(
            [("own", named(up), "dialect=openai", "models=gpt-*",
              own_key(tmp_path)),
             ("free", plain, "dialect=openai")],
            *gated(server, text=keys(key("ann"))), ca=pki / "ca.pem")
        for _ in range(2):
            r = server.client.post(CHAT, calls.chat(), bearer("ann"))
            assert r.status == 200
        r = server.client.post(CHAT, calls.chat("own-8b"), bearer("ann"))
        assert r.status == 200
        for req in up.requests:
            assert req.header("Authorization") == "Bearer " + REAL
            assert req.header("Host") == "localhost:%d" % up.port
        assert not any(plain.requests[0].header(name) for name in CARRIERS)
        assert len({req.connection for req in up.requests}) == 1
    lines = server.lines(3)
    assert SECRETS["ann"] not in str(lines) and REAL not in str(lines)
    assert REAL not in server.messages()


@pytest.mark.parametrize("cert", ["self", "other"])
def test_provider_that_does_not_verify_gets_nothing(server, pki, tmp_path,
                                                    cert):
    server.expect_errors("SSL", "AH0", "proxy")
    with secure(pki, cert) as up:
        server.route([("own", named(up), "dialect=openai",
                       own_key(tmp_path))],
                     *gated(server, text=keys(key("ann"))),
                     ca=pki / "ca.pem")
        r = server.client.post(CHAT, calls.chat(), bearer("ann"))
        assert r.status in (500, 502)
        assert up.requests == []
        assert server.line().nusd == 0


def test_logs_have_the_clients_line(server, fake):
    """Not the path that the provider was asked for."""
    server.route([("one", fake.url + "/base", "dialect=openai")])
    server.client.post("/llm" + CHAT + "?q=1", calls.chat())
    server.line()
    server.wait_until(lambda: os.path.getsize(server.access_log))
    with open(server.access_log) as f:
        line = f.read()
    assert '"POST /llm%s?q=1 HTTP/1.1"' % CHAT in line
    assert "/base" not in line


def test_provider_that_is_not_there(server, fake):
    server.expect_errors("Connection refused", "AH0", "proxy")
    with Fake() as gone:
        url = gone.url
    server.route([("one", url, "dialect=openai")])
    assert server.client.post(CHAT, calls.chat()).status in (502, 503)
    assert server.line().nusd == 0
