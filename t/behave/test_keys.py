"""Who may call: virtual keys."""

import os

import calls
import pytest

from keys import CARRIERS, SECRETS, bearer, gated, key, keys

CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/gemini-2.5-flash:generateContent"


def start(server, fake, *records, allow=(), enable=("on",), host=None,
          subjects=None, **more):
    text = keys(*records, **(subjects or {}))
    server.meter(fake, *gated(server, text=text, allow=allow), enable=enable,
                 host=host or "api.openai.com", **more)


def leaks(server, fake, *secrets):
    """Where a secret is found that should be nowhere."""
    found = []

    for folder, _, names in os.walk(server.dir):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                text = f.read()
            found += [name for s in secrets if s.encode() in text]

    return found + ["upstream" for s in secrets for r in fake.requests
                    if s in repr((r.target, r.headers, r.body))]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_key_lets_pass_and_goes_no_further(server, fake, carrier):
    start(server, fake, key("ann", team="search", user="ann",
                            tags={"cost": "4711"}))
    r = server.client.post(CHAT, calls.chat(),
                           CARRIERS[carrier](SECRETS["ann"]))
    assert r.status == 200
    line = server.line()
    assert line["llm.key_id"] == "key_ann"
    assert line["llm.team"] == "search"
    assert line["user.id"] == "ann"
    assert line["llm.tags.cost"] == "4711"
    sent = fake.requests[0]
    assert not any(sent.header(name) for name in CARRIERS)
    assert leaks(server, fake, SECRETS["ann"]) == []


def test_key_in_a_query_goes_no_further(server, fake):
    start(server, fake, key("ann"),
          host="generativelanguage.googleapis.com")
    for query, left in (("?key=%s", ""), ("?alt=json&key=%s", "?alt=json"),
                        ("?key=%s&alt=json", "?alt=json"),
                        ("?%%6bey=%s&x=1", "?x=1")):
        r = server.client.post(GEMINI + query % SECRETS["ann"],
                               {"contents": calls.CONTENTS})
        assert r.status == 200
        assert fake.requests[-1].target == GEMINI + left
    server.lines(4)
    assert leaks(server, fake, SECRETS["ann"]) == []


def test_refused_key_in_a_query_is_in_no_log(server, fake):
    start(server, fake, key("ann"), key("bob", disabled=True),
          host="generativelanguage.googleapis.com")
    for secret in ("unknown-0123456789abcdef", SECRETS["bob"]):
        r = server.client.post(GEMINI + "?x=1&key=" + secret,
                               {"contents": calls.CONTENTS})
        assert r.status == 401
    r = server.client.get("/v1beta/models?key=" + SECRETS["ann"])
    assert r.status == 200
    server.lines(3)
    assert leaks(server, fake, "unknown-0123456789abcdef", SECRETS["bob"],
                 SECRETS["ann"]) == []


@pytest.mark.parametrize("headers,why", [
    ({}, "carries no key"),
    ({"Authorization": "Bearer sk-unknown-0123456789abcdef"}, "not known"),
    ({"Authorization": "Basic c2stdGctYW5u"}, "carries no key"),
    ({"Authorization": "Bearer " + SECRETS["ann"],
      "x-api-key": SECRETS["bob"]}, "different"),
    ({"Authorization": "Bearer " + SECRETS["old"]}, "expired"),
    ({"Authorization": "Bearer " + SECRETS["bob"]}, "disabled"),
])
def test_without_a_good_key_nothing_passes(server, fake, headers, why):
    start(server, fake, key("ann"), key("bob", disabled=True),
          key("old", expires="2026-01-01T00:00:00Z"))
    r = server.client.post(CHAT, calls.chat(), headers)
    assert r.status == 401
    assert r.header("WWW-Authenticate") == "Bearer"
    message = r.json["error"]["message"]
    assert why in message
    assert message.startswith("Incorrect API key provided: ") \
        == (why in ("not known", "expired", "disabled"))
    assert fake.requests == []
    line = server.line()
    assert line["llm.decision"] == "refuse"
    assert line["llm.rule"] == "invalid_api_key"
    assert "llm.key_id" not in line
    assert leaks(server, fake, *SECRETS.values(), "sk-unknown") == []


@pytest.mark.parametrize("call", calls.PLAIN, ids=calls.by_name)
def test_refusal_has_the_shape_of_the_api(server, fake, call):
    start(server, fake, key("ann"), host=call.host)
    r = call.send(server.client)
    assert r.status == 401
    error = r.json["error"]
    assert "key" in (error if isinstance(error, str) else error["message"])
    server.line()


def test_a_refused_body_is_not_waited_for(server, fake):
    start(server, fake, key("ann"))
    exchange = server.client.open(
        "POST", CHAT, b"{", [("Content-Length", "100000000")])
    assert exchange.head().status == 401
    exchange.close()
    server.line()


@pytest.mark.parametrize("path,body", [
    (CHAT, dict(calls.chat(), models=["gpt-4o"])),
    (CHAT, dict(calls.chat(), fallbacks=[{"model": "gpt-4o"}])),
    ("/openai/deployments/gpt-4o/chat/completions", calls.chat()),
    ("/v1/messages", dict(calls.CLAUDE, model="gpt-4o-mini", tools=[
        {"type": "advisor_20260301", "name": "x", "model": "gpt-4o"}])),
], ids=["models", "fallbacks", "path", "advisor"])
def test_every_model_is_one_of_the_keys(server, fake, path, body):
    start(server, fake, key("ann", models=["gpt-4o-mini"]))
    r = server.client.post(path, body, bearer("ann"))
    assert r.status == 403
    assert "may not call model gpt-4o;" in str(r.json)
    assert server.line()["llm.rule"] == "model_not_allowed"
    assert fake.requests == []


def test_models_are_those_of_the_key(server, fake):
    start(server, fake, key("ann", models=["gpt-4o*", "claude-*"]))
    post = server.client.post
    assert post(CHAT, calls.chat("gpt-4o-mini"), bearer("ann")).status == 200
    r = post(CHAT, calls.chat("gpt-3.5-turbo"), bearer("ann"))
    assert r.status == 403
    assert "gpt-4o*, claude-*" in r.json["error"]["message"]
    assert post(CHAT, {"messages": []}, bearer("ann")).status == 403
    _, refused, nameless = server.lines(3)
    assert refused["llm.rule"] == nameless["llm.rule"] == "model_not_allowed"
    assert refused["llm.key_id"] == "key_ann"
    assert len(fake.requests) == 1


def test_only_what_can_be_priced_passes(server, fake):
    start(server, fake, key("ann"))
    for path in ("/v1/files", "/v1/batches", "/v1/fine_tuning/jobs",
                 "/v1/organization/users"):
        assert server.client.post(path, {}, bearer("ann")).status == 403
    assert all(line["llm.rule"] == "operation_not_allowed"
               for line in server.lines(4))
    assert fake.requests == []


def test_exceptions_are_allowed_by_name(server, fake):
    start(server, fake, key("ann"), allow=("allow=batch",))
    assert server.client.post("/v1/batches", {}, bearer("ann")).status != 403
    assert server.client.post("/v1/files", {}, bearer("ann")).status == 403
    server.lines(2)


def test_file_is_picked_up_without_a_reload(server, fake):
    start(server, fake, key("ann"))
    post = server.client.post
    assert post(CHAT, calls.chat(), bearer("bob")).status == 401
    server.write("etc/keys.json", keys(key("bob")))
    server.await_everywhere("1 keys are read anew")
    assert post(CHAT, calls.chat(), bearer("bob")).status == 200
    assert post(CHAT, calls.chat(), bearer("ann")).status == 401
    server.expect_errors("llm_keys: .*keys.json:1: ")
    server.write("etc/keys.json", '{"tollgate_keys": 1, "kyes": []}')
    server.await_message("the keys before stay in use")
    assert post(CHAT, calls.chat(), bearer("bob")).status == 200
    server.lines(4)


def test_two_secrets_of_one_key(server, fake):
    record = key("ann", previous={"sha256": key("old")["sha256"],
                                  "expires": "2099-01-01T00:00:00Z"})
    start(server, fake, record)
    for name in ("ann", "old"):
        assert server.client.post(CHAT, calls.chat(),
                                  bearer(name)).status == 200
    assert {line["llm.key_id"] for line in server.lines(2)} == {"key_ann"}


def test_a_keys_word_beats_the_callers(server, fake):
    text = keys(key("ann", team="search"), key("bob"))
    server.meter(fake, ("llm_tag", "team", "from=header:x-team"),
                 *gated(server, text=text))
    for name in ("ann", "bob"):
        server.client.post(CHAT, calls.chat(),
                           {**bearer(name), "x-team": "other"})
    ann, bob = server.lines(2)
    assert ann["llm.team"] == "search"
    assert bob["llm.team"] == "other"


def test_a_tag_may_come_from_the_key_alone(server, fake):
    text = keys(key("ann", team="search", tags={"app": "crawler"}),
                key("bob"))
    server.meter(fake, ("llm_tag", "team", "from=key", "required"),
                 ("llm_tag", "app", "from=key,header:x-app"),
                 *gated(server, text=text))
    assert server.client.post(CHAT, calls.chat(), bearer("ann")).status == 200
    r = server.client.post(CHAT, calls.chat(), {**bearer("bob"),
                                                "x-app": "b"})
    assert r.status == 400
    ann, bob = server.lines(2)
    assert ann["llm.tags.app"] == "crawler"
    assert bob["llm.tags.app"] == "b"


def test_dry_run_lets_the_callers_own_key_through(server, fake):
    start(server, fake, key("ann"), enable=("dry_run",))
    r = server.client.post(CHAT, calls.chat(),
                           {"Authorization": "Bearer sk-own-key"})
    assert r.status == 200
    assert fake.requests[0].header("Authorization") == "Bearer sk-own-key"
    r = server.client.post(CHAT, calls.chat(), bearer("ann"))
    assert r.status == 200
    assert fake.requests[1].header("Authorization") is None
    own, virtual = server.lines(2)
    assert own["llm.decision"] == "dry_refuse"
    assert virtual["llm.decision"] == "allow"


@pytest.mark.parametrize("text,why", [
    ('{"tollgate_keys": 1, "keys": [{"id": "k"}]}', "sha256"),
    ('{"tollgate_keys": 1,\n "keys": [}', "keys.json:2"),
    (keys(key("ann", budgets=["usd=5"])), "usd"),
    (keys(key("ann", team="x"), teams={}), "team"),
])
def test_a_bad_file_is_told_by_the_configuration_test(server, fake, text,
                                                      why):
    site = server.metered(fake, *gated(server, text=text))
    good, messages = server.test_config(site)
    assert not good
    assert "keys.json:" in messages and why in messages


def test_a_missing_file_is_told_by_the_configuration_test(server, fake):
    site = server.metered(fake, ("llm_keys", server.path("etc/none.json")))
    good, messages = server.test_config(site)
    assert not good
    assert "none.json" in messages


PREFLIGHT = {"Origin": "https://app.example",
             "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization"}


def test_preflight_can_be_answered_before_keys_are_asked_for(server, fake):
    """As docs/keys.md has it; a browser sends no key with it."""
    server.meter(fake, *gated(server, text=keys(key("ann"))),
                 nginx="if ($request_method = OPTIONS) { return 204; }",
                 httpd="RewriteEngine On\n"
                       "RewriteCond %{REQUEST_METHOD} =OPTIONS\n"
                       "RewriteRule ^ - [R=204,L]\n")
    r = server.client.open("OPTIONS", CHAT, None, headers=PREFLIGHT).read()
    assert r.status == 204
    assert server.client.post(CHAT, calls.chat()).status == 401
    assert not fake.requests
    server.line()
