"""llm_outcome: what came of a session is told with a key, and logged."""

import json

import calls
import keys
import pytest
from servers import Loc

CHAT = "/v1/chat/completions"
PLACE = "/llm/outcome"
TEXT = keys.keys(keys.key("ann", team="search", user="ann", org="acme",
                          tags={"stage": "live"}),
                 keys.key("eve", disabled=True))
TOLD = {"session": "ticket 4711", "name": "resolved", "value": 12.5}


def started(server, fake, log=("flush=0",), **more):
    made = server.metered(fake, *keys.gated(server, text=TEXT), log=log)
    made.locs.append(Loc(PLACE, [("llm_outcome",), *more.get("llm", ())]))

    return server.start(made)


def tell(server, body, who="ann", **more):
    if isinstance(body, str):
        body = body.encode()

    return server.client.send("POST", PLACE, body,
                              tuple(keys.bearer(who).items()), **more)


def outcome(server, n=1):
    log = server.log_of()
    server.wait_until(lambda: len(log.outcomes()) >= n, what="an outcome")
    lines = log.outcomes()
    assert len(lines) == n

    return lines[-1]


def test_an_outcome_is_a_line(server, fake):
    started(server, fake)
    r = tell(server, TOLD)
    assert r.status == 201, r.text
    line = outcome(server)
    assert line["event.id"] == r.json["event_id"]
    assert line["event.kind"] == "outcome"
    assert line["gen_ai.conversation.id"] == "ticket 4711"
    assert line["llm.outcome.name"] == "resolved"
    assert line["llm.outcome.value"] == 12.5
    assert line["llm.key_id"] == "key_ann" and line["llm.team"] == "search"
    assert line["user.id"] == "ann" and line["organization.id"] == "acme"
    assert line["llm.tags.stage"] == "live"
    assert line["client.address"] == "127.0.0.1"
    assert not [name for name in line if name.startswith("llm.cost")]
    assert "llm.call_id" not in line
    assert server.log_of().count() == 0


@pytest.mark.parametrize("value, written", [
    ("1", "1"), ("-0.5", "-0.5"), ("0", "0"), ("1e3", "1000"),
    ("0.000000001", "0.000000001"), ("null", None)])
def test_values_are_exact(server, fake, value, written):
    started(server, fake)
    r = tell(server, '{"name":"n","session":"s","value":%s}' % value)
    assert r.status == 201, r.text
    outcome(server)
    raw = server.log_of().raw().decode()

    if written is None:
        assert "llm.outcome.value" not in raw
    else:
        assert '"llm.outcome.value":%s,' % written in raw


def test_a_call_can_be_named(server, fake):
    started(server, fake)
    r = server.client.post(CHAT, calls.chat(),
                           tuple(keys.bearer("ann").items()))
    call_id = r.header("x-llm-request-id")
    assert tell(server, {**TOLD, "call_id": call_id}).status == 201
    assert outcome(server)["llm.call_id"] == call_id
    assert server.line()["llm.call_id"] == call_id


def test_any_text_is_escaped(server, fake):
    started(server, fake)
    session = 'a"b\\c\n\u2028é' + "x" * 200
    assert tell(server, {"session": session, "name": "ü\t"}).status == 201
    line = outcome(server)
    assert line["gen_ai.conversation.id"] == session
    assert line["llm.outcome.name"] == "ü\t"


@pytest.mark.parametrize("body, says", [
    (b"", "not valid JSON"), (b"{", "not valid JSON"), (b"[]", "a JSON object"),
    (b"7", "a JSON object"), (b'{"name":"n"}', "session is missing"),
    (b'{"session":"s"}', "name is missing"),
    (b'{"session":7,"name":"n"}', "session is to be a string"),
    (b'{"session":"","name":"n"}', "session is to be a string"),
    (b'{"session":"s","name":"%s"}' % (b"n" * 65), "name is to be a string"),
    (b'{"session":"%s","name":"n"}' % (b"s" * 256), "session is to be"),
    (b'{"session":"s","name":"n","value":"1"}', "value is to be a number"),
    (b'{"session":"s","name":"n","value":1e12}', "value is to be a number"),
    (b'{"session":"s","name":"n","call_id":"x"}', "call_id is to be"),
    (b'{"session":"s","session":"t","name":"n"}', "twice"),
    (b'{"session":"s","name":"\xff"}', "not valid JSON")])
def test_what_is_wrong_is_said(server, fake, body, says):
    started(server, fake)
    r = tell(server, body)
    assert r.status == 400
    assert says in r.json["error"]["message"], r.text
    assert r.header("Content-Type") == "application/json"
    assert not server.log_of().all()


def test_who_may_not_call_may_not_tell(server, fake):
    started(server, fake)
    r = server.client.post(PLACE, TOLD)
    assert r.status == 401 and r.header("WWW-Authenticate") == "Bearer"
    assert tell(server, TOLD, "eve").status == 401
    assert tell(server, TOLD, "dan").status == 401
    r = server.client.get(PLACE, tuple(keys.bearer("ann").items()))
    assert r.status == 405 and r.header("Allow") == "POST"
    assert r.json["error"]["message"]
    assert not server.log_of().all()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_has_an_end(server, fake, chunked):
    started(server, fake)
    body = json.dumps({**TOLD, "more": "x" * 7000})
    assert tell(server, body, chunked=chunked).status == 201
    outcome(server)

    for size in (8192, 100000):
        body = json.dumps({**TOLD, "more": "x" * size})
        r = tell(server, body, chunked=chunked)
        assert r.status == 413 and "8192" in r.json["error"]["message"]

    assert tell(server, TOLD).status == 201
    outcome(server, 2)


def test_without_a_log_it_is_refused(server, fake):
    started(server, fake, llm=[("llm_log", "off")])
    r = tell(server, TOLD)
    assert r.status == 503 and "no log" in r.json["error"]["message"]


def test_underscores_where_the_log_has_them(server, fake):
    started(server, fake, log=("flush=0", "format=underscore"))
    server.check_lines = False
    assert tell(server, TOLD).status == 201
    server.wait_until(lambda: server.log_of().raw(), what="a line")
    line = json.loads(server.log_of().raw())
    assert line["llm_outcome_name"] == "resolved"
    assert line["event_kind"] == "outcome" and line["timestamp"]
