"""Which models there are, for whom."""

import json

import calls
import pytest

from keys import bearer, gated, key, keys

CHAT = "/v1/chat/completions"
GOOGLE = calls.GOOGLE

PRICES = {name: {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}
          for name in ("gpt-4o", "gpt-4o-mini", "gpt-5", "o3", "azure/gpt-4o",
                       "azure/gpt-4-eu", "claude-sonnet-4-5", "command-r",
                       "gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro",
                       "ollama/llama3", "anthropic.claude-v2:1")}


def start(server, fake, *records, host="api.openai.com", models=None,
          vendor=None, allow=(), **more):
    server.write("etc/prices.json", json.dumps(PRICES))
    llm = list(gated(server, text=keys(*records), allow=allow)) \
        if records else []

    if models or vendor:
        llm.append(("llm_provider", "here", "url=http://" + host,
                    *(["models=" + models] if models else []),
                    *(["dialect=" + vendor] if vendor else [])))

    server.meter(fake, *llm, host=host, **more)


def listed(server, path="/v1/models", name="ann", **headers):
    r = server.client.get(path, {**bearer(name), **headers})
    assert r.status == 200
    assert r.header("Content-Type") == "application/json"

    return r.json


def ids(answer):
    return [m["id"] for m in answer["data"]]


def test_list_is_of_what_the_key_may_call(server, fake):
    start(server, fake, key("ann", models=["gpt-4o*", "my-own", "claude-*"]),
          key("bob"), models="gpt-*,o*,my-own")
    answer = listed(server)
    assert answer["object"] == "list"
    assert ids(answer) == ["gpt-4o", "gpt-4o-mini", "my-own"]
    assert all(m["owned_by"] == "openai" for m in answer["data"])
    assert ids(listed(server, name="bob")) == ["gpt-4o", "gpt-4o-mini",
                                               "gpt-5", "my-own", "o3"]
    assert fake.requests == []
    for line in server.lines(2):
        assert line["llm.decision"] == "allow"
        assert line["llm.served"] is True
        assert line["gen_ai.operation.name"] == "models"
        assert line.status == 200
        assert line["event.outcome"] == "success"
        assert line["llm.cost.total_nusd"] == 0


def test_without_models_it_is_the_vendor_s_own(server, fake):
    start(server, fake, key("ann", models=["gpt-*", "extra"]),
          vendor="azure.ai.openai")
    assert ids(listed(server)) == ["extra", "gpt-4-eu", "gpt-4o"]
    server.line()


@pytest.mark.parametrize("host,path,headers,models,want", [
    ("api.anthropic.com", "/v1/models", {}, "claude-*",
     lambda a: [m["id"] for m in a["data"]] == ["claude-sonnet-4-5"]
     and a["first_id"] == a["last_id"] == "claude-sonnet-4-5"
     and a["has_more"] is False and a["data"][0]["type"] == "model"),
    ("gateway.local", "/v1/models", {"anthropic-version": "2023-06-01"},
     "claude-*", lambda a: a["first_id"] == "claude-sonnet-4-5"),
    (GOOGLE, "/v1beta/models", {}, None,
     lambda a: [m["name"] for m in a["models"]]
     == ["models/gemini-2.5-flash", "models/gemini-2.5-pro"]),
    (GOOGLE, "/v1beta/openai/models", {}, None,
     lambda a: ids(a) == ["gemini-2.5-flash", "gemini-2.5-pro"]),
    ("api.cohere.com", "/v1/models", {}, "command-*",
     lambda a: a["models"] == [{"name": "command-r"}]),
    ("ollama.local", "/api/tags", {}, None,
     lambda a: a["models"][0]["model"] == "llama3"),
    ("bedrock.us-east-1.amazonaws.com", "/foundation-models", {},
     "anthropic.*",
     lambda a: a["modelSummaries"][0]["modelId"] == "anthropic.claude-v2:1"),
], ids=["anthropic", "header", "gemini", "gemini-openai", "cohere", "ollama",
        "bedrock"])
def test_each_api_has_its_list(server, fake, host, path, headers, models,
                               want):
    start(server, fake, key("ann"), host=host, models=models)
    answer = listed(server, path, **headers)
    assert want(answer), answer
    server.line()
    assert fake.requests == []


def test_one_model_by_its_id(server, fake):
    start(server, fake, key("ann", models=["gpt-4o*"]), models="gpt-*")
    assert listed(server, "/v1/models/gpt-4o")["id"] == "gpt-4o"
    for name in ("gpt-5", "claude-sonnet-4-5", "nonsense"):
        r = server.client.get("/v1/models/" + name, bearer("ann"))
        assert r.status == 404
        assert name in r.json["error"]["message"]
    assert {line["gen_ai.request.model"]: line.get("llm.rule")
            for line in server.lines(4)} == {
        "gpt-4o": None, "gpt-5": "model_not_found",
        "claude-sonnet-4-5": "model_not_found",
        "nonsense": "model_not_found"}
    assert fake.requests == []


@pytest.mark.parametrize("host,path", [
    ("api.anthropic.com", "/v1/models/nonsense"),
    (GOOGLE, "/v1beta/models/nonsense")])
def test_unknown_model_has_the_shape_of_the_api(server, fake, host, path):
    start(server, fake, key("ann"), host=host)
    r = server.client.get(path, bearer("ann"))
    assert r.status == 404
    if "anthropic" in host:
        assert r.json["type"] == "error"
        assert r.json["error"]["type"] == "not_found_error"
    else:
        assert r.json["error"]["status"] == "NOT_FOUND"
    server.line()


def test_list_needs_a_key(server, fake):
    start(server, fake, key("ann"))
    assert server.client.get("/v1/models").status == 401
    assert server.line()["llm.rule"] == "invalid_api_key"


@pytest.mark.parametrize("how", ["allow", "dry_run"])
def test_list_is_handed_on_where_it_is_said(server, fake, how):
    start(server, fake, key("ann"), models="gpt-*",
          allow=("allow=models",) if how == "allow" else (),
          enable=("dry_run",) if how == "dry_run" else ("on",))
    server.client.get("/v1/models", bearer("ann"))
    assert len(fake.requests) == 1
    assert "llm.served" not in server.line()


@pytest.mark.parametrize("keyed", [True, False], ids=["keys", "no keys"])
def test_model_that_the_provider_lacks_is_not_found(server, fake, keyed):
    start(server, fake, *([key("ann")] if keyed else []), models="gpt-*,o*")
    headers = bearer("ann") if keyed else {}
    assert server.client.post(CHAT, calls.chat(), headers).status == 200
    r = server.client.post(CHAT, calls.chat("claude-sonnet-4-5"), headers)
    assert r.status == 404
    error = r.json["error"]
    assert "claude-sonnet-4-5" in error["message"]
    assert "here, which has gpt-*, o*" in error["message"]
    assert len(fake.requests) == 1
    assert {line.status: line.get("llm.rule") for line in server.lines(2)} \
        == {200: None, 404: "model_not_found"}


def test_key_s_word_comes_before_the_provider_s(server, fake):
    start(server, fake, key("ann", models=["gpt-4o"]), models="gpt-*")
    r = server.client.post(CHAT, calls.chat("claude-x"), bearer("ann"))
    assert r.status == 403
    server.line()


@pytest.mark.parametrize("models", ["", "gpt-*,,o*", "a b", "x," * 64 + "x"])
def test_bad_patterns_are_told(server, fake, models):
    site = server.metered(fake, ("llm_provider", "p", "url=http://a.b",
                                 "models=" + models))
    good, messages = server.test_config(site)
    assert not good
    assert "models=" in messages
