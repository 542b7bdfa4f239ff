"""Each call that passes leaves one exact line."""

import datetime

import pytest

import calls
from servers import Loc, Site

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize("call", calls.PLAIN, ids=calls.by_name)
def test_call_leaves_one_line_and_the_answer_untouched(server, fake, call):
    server.meter(fake, host=call.host)
    r = call.send(server.client)
    assert r.status == 200
    assert r.body == fake.requests[0].answer
    calls.check(server.line(), call)


def test_cost_is_exact_to_the_nano_dollar(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(), fake={"words": 1000, "cached": 1})
    line = server.line()
    assert line.nusd == 3 * 150 + 1 * 75 + 1000 * 600
    assert line["llm.cost.total"] == pytest.approx(line.nusd / 1e9, abs=1e-15)
    assert line["llm.cost.source"] == "prices"
    assert line["llm.price_id"] == "gpt-4o-mini"


def test_cache_reads_and_writes_are_classes_of_their_own(server, fake):
    server.meter(fake, host="api.anthropic.com")
    server.client.post("/v1/messages", calls.CLAUDE,
                       fake={"cached": 100, "cache_write": 20})
    line = server.line()
    assert line.input == 4 + 100 + 20
    assert line["gen_ai.usage.cache_read.input_tokens"] == 100
    assert line["gen_ai.usage.cache_creation.input_tokens"] == 20
    assert line["llm.usage.cache_write_5m"] == 20
    assert line.nusd == 4 * 3000 + 100 * 300 + 20 * 3750 + 5 * 15000


def test_reasoning_is_part_of_the_output(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(), fake={"reasoning": 30})
    line = server.line()
    assert line.output == 35
    assert line["gen_ai.usage.reasoning.output_tokens"] == 30


def test_reported_zero_is_not_taken_for_missing(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(), fake={"usage": {
        "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}})
    line = server.line()
    assert (line.input, line.output, line.nusd) == (0, 0, 0)
    assert line.source == "reported"


def test_missing_usage_is_estimated_and_flagged(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(text="word " * 400),
                       fake={"usage": None, "words": 200})
    line = server.line()
    assert line.source == "estimated"
    assert 200 < line.input < 1000
    assert 100 < line.output < 800
    assert line.nusd > 0


def test_model_without_a_price_is_said_to_be_unpriced(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat("brand-new-model"))
    line = server.line()
    assert line["llm.cost.unpriced"] is True
    assert line.nusd == 0
    assert "llm.cost.total" not in line


def test_answered_model_is_told_apart_from_the_one_asked_for(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat("gpt-4o"),
                       fake={"model": "gpt-4o-2024-08-06"})
    line = server.line()
    assert line["gen_ai.request.model"] == "gpt-4o"
    assert line["gen_ai.response.model"] == "gpt-4o-2024-08-06"
    assert line.nusd == 4 * 2500 + 5 * 10000


def test_counting_tokens_costs_nothing(server, fake):
    server.meter(fake, host="api.anthropic.com")
    r = server.client.post("/v1/messages/count_tokens", calls.CLAUDE)
    assert r.json == {"input_tokens": 4}
    line = server.line()
    assert line.operation == "count_tokens"
    assert (line.input, line.nusd) == (4, 0)


def test_look_at_a_background_response_is_no_bill(server, fake):
    server.meter(fake)
    r = server.client.post("/v1/responses", {
        "model": "gpt-4o", "input": "a b", "background": True})
    for _ in range(2):
        server.client.get("/v1/responses/" + r.json["id"])
    first, *reads = server.lines(3)
    assert first.operation == "chat"
    assert (first.source, first.nusd) == ("none", 0)
    assert all(line.operation == "retrieve" for line in reads)
    assert sum(line.nusd for line in reads) == 0


def test_list_of_models_is_no_cost(server, fake):
    server.meter(fake)
    assert server.client.get("/v1/models").status == 200
    line = server.line()
    assert line.operation == "models"
    assert line.nusd == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("call", [calls.PLAIN[0], calls.PLAIN[5],
                                  calls.PLAIN[6]], ids=calls.by_name)
def test_error_passes_untouched_and_costs_nothing(server, fake, call, status):
    server.meter(fake, host=call.host)
    r = call.send(server.client, fake={"status": status})
    assert r.status == status
    assert r.body == fake.requests[0].answer
    assert r.header("Retry-After") == ("1" if status == 429 else None)
    line = server.line()
    assert line.status == status
    assert (line.input, line.output, line.nusd) == (0, 0, 0)
    assert line["event.outcome"] == "failure"
    assert line["error.type"]
    assert line["gen_ai.request.model"] == call.model


def test_unknown_path_passes_and_is_logged_as_unknown(server, fake):
    server.meter(fake)
    r = server.client.post("/v1/frobnicate?x=1", {"a": 1},
                           fake={"body": '{"ok":true}'})
    assert r.json == {"ok": True}
    assert fake.requests[0].target == "/v1/frobnicate?x=1"
    assert fake.requests[0].body == b'{"a": 1}'
    assert server.line().operation == "unknown"


def test_path_with_needless_escapes_is_the_same_path(server, fake):
    server.meter(fake)
    server.client.post("/v1/chat/compl%65tions", calls.chat(stream=True))
    assert fake.requests[0].json["stream_options"] == {"include_usage": True}
    assert server.line().operation == "chat"


def test_path_that_servers_read_differently_is_logged_as_unknown(server, fake):
    """Where there is no rule that it could get round."""
    server.meter(fake)
    server.client.post("/V1/Chat/Completions", calls.chat())
    assert len(fake.requests) == 1
    line = server.line()
    assert (line.operation, line["llm.decision"]) == ("unknown", "allow")


def test_unknown_path_can_be_rejected(server, fake):
    server.meter(fake, enable=("on", "unknown=reject"))
    r = server.client.post("/v1/frobnicate", {"a": 1})
    assert r.status == 403
    assert r.json["error"]["message"]
    assert fake.requests == []
    line = server.line()
    assert line["llm.decision"] == "refuse"
    assert line.status == 403


def test_without_llm_on_nothing_is_written(server, fake):
    server.start(Site(
        [Loc("/off/", [("llm", "off")], fake), Loc("/", [], fake)],
        [("llm_log", server.log)]))
    for path in ("/off" + CHAT, CHAT):
        assert server.client.post(path, calls.chat()).status == 200
    assert server.lines(0) == []


def test_location_switches_what_its_server_said(server, fake):
    server.start(Site(
        [Loc("/off/", [("llm", "off")], fake), Loc("/", [], fake)],
        [("llm_log", server.log, "flush=0"), ("llm", "on")]))
    for path in ("/off" + CHAT, CHAT):
        assert server.client.post(path, calls.chat()).status == 200
    assert server.line().input == 4


def test_every_answer_carries_the_id_of_its_line(server, fake):
    server.meter(fake)
    ids = [server.client.post(CHAT, calls.chat(model)).header(
        "x-llm-request-id") for model in ("gpt-4o", "gpt-4o", "error-429")]
    assert len(set(ids)) == 3 and None not in ids
    assert [line["llm.call_id"] for line in server.lines(3)] == ids


def test_line_has_ids_times_and_sizes(server, fake):
    server.meter(fake)
    for _ in range(3):
        r = server.client.post(CHAT, calls.chat(), fake={"first_delay": 0.02})
    lines = server.lines(3)
    seq = [line["llm.seq"] for line in lines]
    assert seq == list(range(seq[0], seq[0] + 3))
    assert len({line["event.id"] for line in lines}) == 3
    line = lines[2]
    at = datetime.datetime.fromisoformat(
        line["@timestamp"].replace("Z", "+00:00"))
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs((now - at).total_seconds()) < 60
    assert line["llm.final"] is True
    assert 15e6 < line["event.duration"] < 60e9
    assert 0.015 < line["gen_ai.response.time_to_first_chunk"] < 60
    assert line["http.response.body.bytes"] == len(r.body)
    assert line["http.request.body.bytes"] == len(fake.requests[2].body)
    assert line["client.address"] == "127.0.0.1"
    assert line["server.address"] == "api.openai.com"
    assert line["llm.prompt.messages"] == 1


def test_neither_prompt_nor_answer_nor_key_is_in_the_log(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat(text="my-secret-prompt"),
                       [("Authorization", "Bearer sk-secret-key")])
    server.line()
    raw = server.log_of().raw()
    for secret in (b"my-secret", b"sk-secret", b"word1"):
        assert secret not in raw


def test_head_and_options_pass(server, fake):
    server.meter(fake)
    for method in ("HEAD", "OPTIONS"):
        assert server.client.send(method, "/v1/models").status in (200, 404)
    assert len(fake.requests) == 2
    assert all(line.nusd == 0 for line in server.lines(2))


def test_many_calls_on_one_connection_leave_a_line_each(server, fake):
    server.meter(fake, keepalive=True)
    sock = server.client.connect()
    for i in range(50):
        r = server.client.post(CHAT, calls.chat(text="x " * (i + 1)),
                               sock=sock)
        assert r.status == 200
    sock.close()
    assert [line.input for line in server.lines(50)] == list(range(1, 51))
