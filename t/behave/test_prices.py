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
