"""Price lists: read, replaced while running, refused when broken."""

import json
import os
import time

import pytest

import calls
from servers import DEADLINE

CHAT = "/v1/chat/completions"


def price(input_usd, output_usd=0.0):
    return {"gpt-4o-mini": {"litellm_provider": "openai", "mode": "chat",
                            "input_cost_per_token": input_usd,
                            "output_cost_per_token": output_usd}}


def cost(server, seen):
    """The cost of another call, in nano-dollars."""
    server.client.post(CHAT, calls.chat())

    return server.lines(seen + 1)[-1].nusd


def await_cost(server, want):
    """Calls until a call costs that much."""
    end = time.monotonic() + DEADLINE
    seen = len(server.log_of().read())

    while time.monotonic() < end:
        if cost(server, seen) == want:
            return
        seen += 1
        time.sleep(0.1)

    raise AssertionError("no call ever cost %d" % want)


def test_later_file_wins_model_by_model(server, fake):
    contract = server.write("etc/contract.json", json.dumps(price(1e-06)))
    server.meter(fake, ("llm_prices", contract))
    assert cost(server, 0) == 4 * 1000
    server.client.post(CHAT, calls.chat("gpt-4o"))
    assert server.lines(2)[1].nusd == 4 * 2500 + 5 * 10000


def test_changed_file_is_picked_up(server, fake):
    server.meter(fake, workers=2)
    assert cost(server, 0) == 4 * 150 + 5 * 600
    server.write("etc/prices.json", json.dumps(price(2e-06)))
    await_cost(server, 4 * 2000)
    with open(server.prices, "w") as f:         # in place, not by rename
        f.write(json.dumps(price(3e-06, 1e-06)))
    await_cost(server, 4 * 3000 + 5 * 1000)


@pytest.mark.parametrize("text", [
    "{not json", "[]", "", '{"gpt-4o-mini":{"input_cost_per_token":"x"}}',
    '{"gpt-4o-mini":{"input_cost_per_token":-1}}'])
def test_broken_file_is_refused_and_the_old_list_kept(server, fake, text):
    server.expect_errors("prices")
    server.meter(fake)
    first = cost(server, 0)
    server.write("etc/prices.json", text)
    server.await_message(r"\[error\].*prices\.json|:error.*prices\.json")
    assert cost(server, 1) == first
    server.write("etc/prices.json", json.dumps(price(2e-06)))
    await_cost(server, 4 * 2000)


def test_vanished_file_keeps_the_old_list(server, fake):
    server.expect_errors("prices")
    server.meter(fake)
    first = cost(server, 0)
    os.unlink(server.prices)
    time.sleep(2.5)
    assert cost(server, 1) == first
    server.write("etc/prices.json", json.dumps(price(2e-06)))
    await_cost(server, 4 * 2000)


def test_broken_file_is_told_once(server, fake):
    server.expect_errors("prices")
    server.meter(fake)
    server.write("etc/prices.json", "{")
    server.await_message(r"prices\.json")
    time.sleep(3)
    assert server.messages().count("prices.json") <= len(server.workers())


def test_service_tier_has_its_price(server, fake):
    tiers = price(1e-06)
    tiers["gpt-4o-mini"]["input_cost_per_token_flex"] = 5e-07
    tiers["gpt-4o-mini"]["input_cost_per_token_priority"] = 2e-06
    server.write("etc/prices.json", json.dumps(tiers))
    server.meter(fake)
    for tier in ("default", "flex", "priority"):
        server.client.post(CHAT, calls.chat(service_tier=tier))
    lines = server.lines(3)
    assert [line.nusd for line in lines] == [4000, 2000, 8000]
    assert [line["llm.service_tier"] for line in lines] \
        == ["default", "flex", "priority"]


@pytest.mark.parametrize("usage,asked,tier,nusd", [
    ({}, {}, None, 4 * 4000 + 5 * 20000),
    ({"speed": "standard", "inference_geo": "global"},
     {"speed": "fast", "inference_geo": "us"}, "standard",
     4 * 4000 + 5 * 20000),
    ({"inference_geo": "us"}, {}, "standard+us", 4 * 4400 + 5 * 22000),
    ({"speed": "fast"}, {}, "fast", 4 * 8000 + 5 * 40000),
    ({"speed": "fast", "inference_geo": "us"}, {}, "fast+us",
     4 * 8800 + 5 * 44000),
    ({"service_tier": "batch", "inference_geo": "us"}, {}, "batch+us",
     4 * 2200 + 5 * 11000)], ids=str)
@pytest.mark.parametrize("stream", [False, True])
def test_speed_and_place_have_their_price(server, fake, stream, usage, asked,
                                          tier, nusd):
    """https://platform.claude.com/docs/en/manage-claude/data-residency,
    https://platform.claude.com/docs/en/build-with-claude/fast-mode"""
    server.write("etc/prices.json", json.dumps(
        {"tollgate_prices": 1, "models": {"claude-opus-5-5": {
            "input": "4", "output": "20", "us_surcharge": "10%",
            "fast": {"input": "8", "output": "40"},
            "batch": {"input": "2", "output": "10"}}}}))
    server.meter(fake, host="api.anthropic.com")
    said = {"input_tokens": 4, "output_tokens": 5, **usage}
    if usage and "service_tier" not in usage:
        said["service_tier"] = "standard"
    message = {"type": "message", "role": "assistant", "id": "msg_1",
               "model": "claude-opus-5-5", "content": [], "usage": said,
               "stop_reason": "end_turn"}
    events = [{"type": "message_start",
               "message": {**message, "stop_reason": None}},
              {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
               "usage": {"output_tokens": 5}}, {"type": "message_stop"}]
    answer = ({"body": "".join("event: %s\ndata: %s\n\n" % (
                  e["type"], json.dumps(e)) for e in events),
               "content_type": "text/event-stream"}
              if stream else {"body": json.dumps(message)})
    server.client.post("/v1/messages", {**calls.CLAUDE, **asked,
                                        "stream": stream}, fake=answer)
    line = server.line()
    assert line.nusd == nusd
    assert line.get("llm.service_tier") == tier


def test_prices_are_for_the_providers_own_model(server, fake):
    listed = {"gpt-4o-mini": price(1e-06)["gpt-4o-mini"],
              "groq/gpt-4o-mini": {**price(5e-06)["gpt-4o-mini"],
                                   "litellm_provider": "groq"}}
    server.write("etc/prices.json", json.dumps(listed))
    server.meter(fake, host="api.groq.com")
    server.client.post("/openai" + CHAT, calls.chat())
    line = server.line()
    assert line.nusd == 4 * 5000
    assert line["llm.price_id"] == "groq/gpt-4o-mini"
