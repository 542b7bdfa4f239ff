"""Near the cap: calls that are lowered rather than refused."""

import json

import calls
import pytest

from keys import gated

CHAT = "/v1/chat/completions"


def start(server, fake, quota, host="api.openai.com", **more):
    server.meter(fake, *gated(server, quota), host=host, **more)


def spend(server, **more):
    """Calls of 5 tokens, until one is refused."""
    answers = []

    while not answers or answers[-1].status == 200:
        answers.append(server.client.post(CHAT, calls.chat(**more)))
        assert len(answers) < 300

    return answers


def ordered(lines):
    """As the calls came: httpd's processes write their lines on their own."""
    return sorted(lines, key=lambda line: line["@timestamp"])


def spent(server, n):
    lines = ordered(server.lines(n))

    return lines, sum(line.output for line in lines[:-1])


def test_without_it_a_call_is_refused(server, fake):
    start(server, fake, "out per=all output_tokens=200/total wait=2s")
    answers = spend(server, max_tokens=100)
    lines, used = spent(server, len(answers))
    assert used == 105
    assert all("llm.sent_max_tokens" not in line for line in lines)


def test_more_of_the_cap_is_spent_with_it(server, fake):
    start(server, fake,
          "out per=all output_tokens=200/total wait=2s clamp=min:10")
    answers = spend(server, max_tokens=100)
    lines, used = spent(server, len(answers))
    assert 180 <= used <= 200
    left = 200
    for answer, line, sent in zip(answers, lines, fake.requests):
        assert line["gen_ai.request.max_tokens"] == 100
        if left >= 100:
            assert sent.json["max_tokens"] == 100
            assert answer.header("x-llm-clamped") is None
            assert "llm.sent_max_tokens" not in line
        else:
            assert sent.json["max_tokens"] == left // 2 >= 10
            assert answer.header("x-llm-clamped") == str(left // 2)
            assert line["llm.sent_max_tokens"] == left // 2
        left -= 5
    assert left // 2 < 10
    assert answers[-1].header("x-llm-clamped") is None
    assert "llm.sent_max_tokens" not in lines[-1]


def test_dollars_are_what_fits(server, fake):
    start(server, fake, "usd per=all usd=0.0005/total wait=2s clamp=min:8")
    answers = spend(server)                 # no maximum: 16384 tokens
    lines = ordered(server.lines(len(answers)))
    cost = sum(line["llm.cost.total_nusd"] for line in lines)
    assert cost <= 500000
    assert cost > 400000
    for line, sent in zip(lines, fake.requests):
        assert sent.json["max_completion_tokens"] \
            == line["llm.sent_max_tokens"]
        assert 0 < line["llm.hold"] <= 0.0005 / 2


def test_tokens_leave_room_for_the_prompt(server, fake):
    start(server, fake, "all per=all tokens=3000/total wait=2s clamp=min:8")
    r = server.client.post(CHAT, calls.chat(max_tokens=5000))
    assert r.status == 200, r.text
    line = server.line()
    assert line["llm.sent_max_tokens"] == fake.requests[0].json["max_tokens"]
    assert 1000 < line["llm.sent_max_tokens"] < 1500


def test_other_quotas_are_in_the_way(server, fake):
    server.meter(fake, *gated(
        server, "a per=all output_tokens=200/total wait=2s clamp=min:10",
        "b per=all output_tokens=80/total wait=2s"))
    assert server.client.post(CHAT, calls.chat(max_tokens=100)).status == 429
    assert server.line()["llm.rule"] == "b"


def test_it_waits_before(server, fake):
    start(server, fake,
          "out per=all output_tokens=150/total wait=1s clamp=min:10")
    first = server.client.open("POST", CHAT,
                               calls.asked_stream(max_tokens=100),
                               fake={"gate": 1})
    fake.wait(1)
    r = server.client.post(CHAT, calls.chat(max_tokens=100))
    assert r.status == 200, r.text
    assert r.header("x-llm-clamped") == "25"
    fake.release()
    assert first.read().status == 200
    lines = server.lines(2)
    assert max(line.get("llm.waited_ms", 0) for line in lines) >= 900


def test_thinking_has_room(server, fake):
    start(server, fake,
          "out per=all output_tokens=4000/total wait=2s clamp=min:10",
          host="api.anthropic.com")
    body = {**calls.CLAUDE, "max_tokens": 8000,
            "thinking": {"type": "enabled", "budget_tokens": 1900}}
    assert server.client.post("/v1/messages", body).status == 200
    assert fake.requests[0].json["max_tokens"] == 2000
    body["thinking"]["budget_tokens"] = 2100
    assert server.client.post("/v1/messages", body).status == 429
    server.lines(2)


def test_dry_run_changes_nothing(server, fake):
    start(server, fake,
          "out per=all output_tokens=50/total wait=2s clamp=min:10",
          enable=("dry_run",))
    raw = json.dumps(calls.chat(max_tokens=100)).encode()
    r = server.client.post(CHAT, raw)
    assert fake.requests[0].body == raw
    assert r.header("x-llm-clamped") is None
    assert server.line()["llm.decision"] == "dry_refuse"


GEMINI = calls.GEMINI + "generateContent"
CLAUDE = {k: v for k, v in calls.CLAUDE.items() if k != "max_tokens"}
OLLAMA = {"model": "llama3", "stream": False, "messages": calls.messages()}


@pytest.mark.parametrize("host,path,body,where", [
    ("api.openai.com", CHAT, calls.chat(), ["max_completion_tokens"]),
    ("api.openai.com", CHAT, calls.chat(max_completion_tokens=900),
     ["max_completion_tokens"]),
    ("vllm.local", CHAT, calls.chat(), ["max_tokens"]),
    ("api.openai.com", "/v1/completions",
     {"model": "gpt-3.5-turbo-instruct", "prompt": "a"}, ["max_tokens"]),
    ("api.openai.com", "/v1/responses", {"model": "gpt-4o", "input": "a"},
     ["max_output_tokens"]),
    ("api.openai.com", "/v1/responses",
     {"model": "gpt-4o", "max_output_tokens": 4000, "input": "a"},
     ["max_output_tokens"]),
    ("api.anthropic.com", "/v1/messages", {**CLAUDE, "max_tokens": 4096},
     ["max_tokens"]),
    (calls.GOOGLE, GEMINI, {"contents": calls.CONTENTS},
     ["generationConfig", "maxOutputTokens"]),
    (calls.GOOGLE, GEMINI,
     {"generationConfig": {"temperature": 0.1}, "contents": calls.CONTENTS},
     ["generationConfig", "maxOutputTokens"]),
    (calls.GOOGLE, GEMINI,
     {"generationConfig": {"maxOutputTokens": 8192, "temperature": 0.1},
      "contents": calls.CONTENTS}, ["generationConfig", "maxOutputTokens"]),
    ("ollama.local", "/api/chat", OLLAMA, ["options", "num_predict"]),
    ("ollama.local", "/api/chat", {**OLLAMA, "options": {"seed": 1}},
     ["options", "num_predict"]),
    ("ollama.local", "/api/chat",
     {**OLLAMA, "options": {"num_predict": 1000}},
     ["options", "num_predict"]),
])
def test_each_api_gets_its_member(server, fake, host, path, body, where):
    start(server, fake,
          "out per=all output_tokens=400/total wait=2s clamp=min:10",
          host=host)
    r = server.client.post(path, body)
    assert r.status == 200, r.text
    assert r.header("x-llm-clamped") == "200"
    sent = fake.requests[0].json
    want = json.loads(json.dumps(body))
    place = want
    for name in where[:-1]:
        place = place.setdefault(name, {})
    place[where[-1]] = 200
    assert sent == want
    assert server.line()["llm.sent_max_tokens"] == 200


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("limit", [None, 1000], ids=["added", "lowered"])
def test_a_body_in_a_file_is_changed_right(server, fake, stream, limit):
    start(server, fake,
          "out per=all output_tokens=400/total wait=2s clamp=min:10",
          nginx="client_body_buffer_size 1k;")
    for size in (3000, 300000):
        body = calls.chat(text="abc " * (size // 4))
        if stream:
            body = {"stream_options": {"include_obfuscation": False}, **body,
                    "stream": True}
        if limit:
            body = {"max_completion_tokens": limit, **body}
        r = server.client.post(CHAT, body)
        assert r.status == 200, r.text
        sent = fake.requests[-1].json
        max_tokens = int(r.header("x-llm-clamped"))
        assert sent.pop("max_completion_tokens") == max_tokens
        body.pop("max_completion_tokens", None)
        if stream:
            assert sent.pop("stream_options") == {
                "include_obfuscation": False, "include_usage": True}
            body.pop("stream_options")
        assert sent == body
    server.lines(2)


def test_client_can_not_say_that_it_was(server, fake):
    start(server, fake,
          "out per=all output_tokens=400/total wait=2s clamp=min:10")
    r = server.client.post(CHAT, calls.chat(max_tokens=8),
                           {"x-llm-clamped": "1"})
    assert fake.requests[0].header("x-llm-clamped") is None
    assert r.header("x-llm-clamped") is None
    server.line()
