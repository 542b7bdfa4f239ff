"""The official SDKs with virtual keys: refusals are their own typed errors, and
waits are what they were told."""

import json

import pytest

import calls
from keys import SECRETS, CARRIERS, gated, key, keys
from test_sdk import TEXT, pytestmark, run          # noqa: F401

NAMES = {"good": "ann", "model": "bob", "spent": "old", "fast": "eve",
         "today": "dan"}
RECORDS = (key("ann"), key("bob", models=["some-other-model"]),
           key("old", budgets=["requests=1/total"]),
           key("eve", rates=["requests=1/second"]),
           key("dan", budgets=["requests=1/day"]))
TYPED = {401: "AuthenticationError", 403: "PermissionDeniedError",
         429: "RateLimitError"}
SDKS = {
    "openai": ("api.openai.com", TYPED, {
        401: "invalid_request_error", 403: "invalid_request_error",
        429: "rate_limit_error"}),
    "anthropic": ("api.anthropic.com", TYPED, {
        401: "authentication_error", 403: "permission_error",
        429: "rate_limit_error"}),
    "genai": (calls.GOOGLE, dict.fromkeys(TYPED, "ApiError"), {
        401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
        429: "RESOURCE_EXHAUSTED"}),
}


def check(told, status, name, kind, code, why):
    assert told["own"], told
    assert (told["status"], told["name"], told["type"]) \
        == (status, name, kind)
    assert told.get("code") in (code, None)
    assert why in told["message"]


@pytest.mark.parametrize("sdk", SDKS)
def test_keys_and_quotas(server, fake, sdk):
    host, names, types = SDKS[sdk]
    server.meter(fake, *gated(server, text=keys(*RECORDS)), host=host,
                 keepalive=True)
    got = run("keys.mjs", server, sdk,
              json.dumps({role: SECRETS[name]
                          for role, name in NAMES.items()}))

    assert got["plain"] == got["stream"] == TEXT
    assert got["fast"] == [TEXT] * 4

    for step, status, code, why in (
            ("unknown", 401, "invalid_api_key", "not known"),
            ("unknown_stream", 401, "invalid_api_key", "not known"),
            ("model", 403, "model_not_allowed", "some-other-model"),
            ("spent", 429, "key", "1 of 1 requests used in all"),
            ("spent_stream", 429, "key", "1 of 1 requests used in all"),
            ("today", 429, "key", "1 of 1 requests used today")):
        check(got[step], status, names[status], types[status], code, why)
        assert got[step]["waited"] < 10000

    log = server.log_of()
    server.wait_until(lambda: [line.status for line in log.read()].count(200)
                      == 8, what="the last line")
    lines = log.wait(14, exact=False)
    by_key = {name: [line for line in lines
                     if line.get("llm.key_id") == "key_" + name]
              for name in NAMES.values()}
    assert len([line for line in lines if "llm.key_id" not in line]) == 2
    assert len(by_key["ann"]) == 2
    assert [line.status for line in by_key["bob"]] == [403]
    assert [line.status for line in by_key["old"]] == [200, 429, 429]
    assert [line.status for line in by_key["dan"]] == [200, 429]

    status = [line.status for line in by_key["eve"]]
    assert status.count(200) == 4 and 429 in status

    if sdk != "genai":              # its retries go by its own clock
        again = [line for line in by_key["eve"] if "llm.retry_count" in line]
        assert [line.status for line in again] == [200] * status.count(429)
        assert all(line["llm.retry_count"] == 1 for line in again)

    assert fake.requests
    assert not any(sent.header(name) for sent in fake.requests
                   for name in CARRIERS)
