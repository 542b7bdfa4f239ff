"""llm_me: a key sees what it has spent, and what limits it is under."""

import json
import re
from decimal import Decimal

import calls
import keys
import pytest
from servers import Loc

CHAT = "/v1/chat/completions"
ME = "/llm/me"


def site(server, fake, text, *quotas, **more):
    made = server.metered(fake, *keys.gated(server, *quotas, text=text),
                          **more)
    made.locs.append(Loc(ME, [("llm_me",)]))

    return made


def me(server, who, status=200):
    r = server.client.get(ME, tuple(keys.bearer(who).items()))
    assert r.status == status, r.text
    assert r.header("Content-Type") == "application/json"
    assert r.header("Cache-Control") == "no-store"

    return json.loads(r.text, parse_float=Decimal)


def limit(told, **what):
    found = [one for one in told["limits"] if what.items() <= one.items()]
    assert len(found) == 1, told

    return found[0]


TEXT = keys.keys(
    keys.key("ann", team="search", user="ann", owner="Ann",
             models=["gpt-4o-mini"]),
    keys.key("bob", team="ads"))


def test_a_key_sees_what_its_lines_say(server, fake):
    server.start(site(server, fake, TEXT, "money per=team usd=2/month",
                      "pace per=key requests=5/day",
                      "talk per=key+session tokens=1M/day",
                      "model per=model tokens=9M/day"))
    told = me(server, "ann")
    assert told["key_id"] == "key_ann" and told["team"] == "search"
    assert told["models"] == ["gpt-4o-mini"]
    assert told["spend"]["today_nusd"] == 0
    assert told["spend"]["zone"] == "UTC"
    assert limit(told, quota="pace")["used"] == 0

    for who in ("ann", "ann", "bob"):
        r = server.client.post(CHAT, calls.chat(max_tokens=8),
                               tuple(keys.bearer(who).items()))
        assert r.status == 200

    lines = server.lines(3)
    own = sum(line["llm.cost.total_nusd"] for line in lines
              if line["llm.key_id"] == "key_ann")
    told = me(server, "ann")
    assert told["spend"]["today_nusd"] == told["spend"]["month_nusd"] == own
    assert Decimal(str(told["spend"]["month_usd"])) == Decimal(own) / 10 ** 9
    assert told["spend"]["today_calls"] == told["spend"]["month_calls"] == 2

    money = limit(told, quota="money", measure="usd", window="month")
    assert money["subject"] == "team search"
    assert Decimal(str(money["used"])) == Decimal(own) / 10 ** 9
    assert money["held"] == 0 and money["cap"] == money["stops_at"] == 2
    assert Decimal(str(money["left"])) == 2 - Decimal(own) / 10 ** 9
    assert money["reset"].endswith("-01T00:00:00.000Z")
    pace = limit(told, quota="pace", subject="key key_ann")
    assert pace["used"] == 2 and pace["left"] == 3 and pace["refused"] == 0
    assert {one["quota"] for one in told["limits"]} == {"money", "pace"}
    assert "bob" not in json.dumps(told, default=str)


def test_what_is_refused_and_held_is_told(server, fake):
    server.start(site(server, fake, TEXT, "pace per=key requests=1/day",
                      "pair per=key concurrent=2"))
    head = tuple(keys.bearer("ann").items())
    exchange = server.client.open("POST", CHAT,
                                  calls.asked_stream(max_tokens=8), head,
                                  fake={"gate": 1})
    fake.wait(1)
    told = me(server, "ann")
    assert limit(told, quota="pair")["held"] == 1
    assert limit(told, quota="pair")["left"] == 1
    assert limit(told, quota="pace")["held"] == 1
    assert limit(told, quota="pace")["left"] == 0
    fake.release()
    exchange.read()
    assert server.client.post(CHAT, calls.chat(), head).status == 429
    server.lines(2)
    assert limit(me(server, "ann"), quota="pace")["refused"] == 1


@pytest.mark.parametrize("carrier", sorted(keys.CARRIERS))
def test_the_key_is_sent_as_calls_send_it(server, fake, carrier):
    server.start(site(server, fake, TEXT))
    head = keys.CARRIERS[carrier](keys.SECRETS["bob"])
    r = server.client.get(ME, tuple(head.items()))
    assert r.status == 200 and r.json["key_id"] == "key_bob"
    assert r.json["limits"] == []


def test_who_may_not_call_may_not_look(server, fake):
    text = keys.keys(keys.key("ann"), keys.key("eve", disabled=True),
                     keys.key("old", expires="2020-01-01T00:00:00Z"))
    server.start(site(server, fake, text))

    for head, says in (((), "no key is sent"),
                       (keys.bearer("eve").items(), "disabled"),
                       (keys.bearer("old").items(), "expired"),
                       (keys.bearer("dan").items(), "not known"),
                       ((("x-api-key", keys.SECRETS["ann"]),
                         ("api-key", keys.SECRETS["eve"])), "")):
        r = server.client.get(ME, tuple(head))
        assert r.status == 401 and r.header("WWW-Authenticate") == "Bearer"
        assert says in r.json["error"]["message"]
        assert r.json["error"]["code"] == "invalid_api_key", r.text

    r = server.client.post(ME, {}, tuple(keys.bearer("ann").items()))
    assert r.status == 405 and re.match("GET", r.header("Allow"))
    assert "GET" in r.json["error"]["message"]
    r = server.client.send("HEAD", ME, None, tuple(keys.bearer("ann").items()))
    assert r.status == 200 and not r.body
    assert server.log_of().count() == 0


def test_a_look_is_no_call_wherever_llm_is_on(server, fake):
    made = site(server, fake, TEXT)
    made.server_llm.append(("llm", "on"))
    server.start(made)
    me(server, "ann")
    server.client.post(CHAT, calls.chat(), tuple(keys.bearer("ann").items()))
    server.lines(1)


def test_without_keys_there_is_nobody_to_ask(server, fake):
    made = server.metered(fake)
    made.locs.append(Loc(ME, [("llm_me",)]))
    accepted, messages = server.test_config(made)
    assert not accepted and "llm_keys" in messages
    made = site(server, fake, TEXT)
    made.locs[-1].llm.append(("llm_status",))
    accepted, messages = server.test_config(made)
    assert not accepted and "another directive" in messages
