"""The official SDKs in long conversations with the other provider, which looks at
each request as the provider itself would."""

import dataclasses
import json

import pytest

from fake.api_gemini import SIGNATURE
from fake.provider import Fake
from test_sdk import CLASSES, pytestmark, run           # noqa: F401

PRICES = {
    "claude-sonnet-4-5": {
        "litellm_provider": "anthropic", "mode": "chat",
        "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
        "cache_read_input_token_cost": 3e-07,
        "cache_creation_input_token_cost": 3.75e-06},
    "gpt-4o-mini": {
        "litellm_provider": "openai", "mode": "chat",
        "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
        "cache_read_input_token_cost": 7.5e-08},
}

for gemini in ("gemini-2.5-flash", "gemini-3-pro-preview"):
    PRICES["gemini/" + gemini] = {
        "litellm_provider": "gemini", "mode": "chat",
        "input_cost_per_token": 3e-07, "output_cost_per_token": 2.5e-06,
        "cache_read_input_token_cost": 3e-08}

TEXT = "word1 word2 word3 word4 word5"
LONG = " ".join("word%d" % i for i in range(1, 41))
PARIS = {"city": "Paris"}
BOTH = [["weather", PARIS], ["tides", PARIS]]
REPORT = {"city": "Paris", "days": [{"sunny": True, "degrees": 1.5}]}
STEPS = ("plain", "stream", "chunks", "picture", "pictures", "calls",
         "answer", "call", "answer_again", "runs", "runs", "schema",
         "schema_stream", "cut", "counted")
AT = {step: i for i, step in enumerate(STEPS)}
STREAMS = ("stream", "chunks", "pictures", "calls", "answer",
           "schema_stream", "counted")
RUNNER = {"openai": ("runs",), "anthropic": ()}     # as the script asks it to
STATUSES = (400, 401, 403, 404, 413, 429, 500, 529)


@dataclasses.dataclass
class Pair:
    sdk: str
    api: str                        # of the provider that answers
    model: str
    counted: dict                   # knobs of the fake's usage
    asked: str = "gpt-4o-mini"


PAIRS = {
    "openai-anthropic": Pair("openai", "anthropic", "claude-sonnet-4-5",
                             {"cached": 1000, "cache_write": 30}),
    "openai-gemini2": Pair("openai", "gemini", "gemini-2.5-flash",
                           {"cached": 4, "reasoning": 70}),
    "openai-gemini3": Pair("openai", "gemini", "gemini-3-pro-preview",
                           {"cached": 4, "reasoning": 70}),
    "anthropic-openai": Pair("anthropic", "openai", "gpt-4o-mini",
                             {"cached": 4, "reasoning": 7},
                             "claude-sonnet-4-5"),
}


@pytest.fixture
def strict():
    with Fake(strict=True) as made:
        yield made
        assert not made.malformed, made.malformed


@pytest.fixture(params=PAIRS)
def pair(request):
    return PAIRS[request.param]


def script(pair):
    return "route_%s.mjs" % pair.sdk


def start(server, fake, pair):
    server.write("etc/prices.json", json.dumps(PRICES))
    server.route([("other", fake, "dialect=" + pair.api)],
                 ("llm_route", "across", "to=other/" + pair.model))


def documents(req):
    """The fake's answer, as its provider sends it."""
    if not req.answer.startswith((b"data:", b"event:")):
        return [json.loads(req.answer)]

    return [json.loads(line[5:]) for line in req.answer.decode().splitlines()
            if line.startswith("data:") and line.strip() != "data: [DONE]"]


def told(req):
    """The usage that the provider told of in the end."""
    seen = {}

    for doc in documents(req):
        doc = {**doc, **doc.get("message", {})}
        seen.update(doc.get("usageMetadata") or doc.get("usage") or {})

    return seen


def nested(seen, name, inner):
    return (seen.get(name) or {}).get(inner, 0)


def used(api, seen):
    """(input that was not cached, read, written, output)"""
    if api == "anthropic":
        return (seen["input_tokens"], seen["cache_read_input_tokens"],
                seen["cache_creation_input_tokens"], seen["output_tokens"])

    if api == "openai":
        cached = nested(seen, "prompt_tokens_details", "cached_tokens")
        return (seen["prompt_tokens"] - cached, cached, 0,
                seen["completion_tokens"])

    cached = seen.get("cachedContentTokenCount", 0)

    return (seen["promptTokenCount"] - cached, cached, 0,
            seen["candidatesTokenCount"] + seen.get("thoughtsTokenCount", 0))


RATES = {"anthropic": (3000, 300, 3750, 15000), "openai": (150, 75, 0, 600),
         "gemini": (300, 30, 0, 2500)}          # nano-dollars a token


def check_line(line, req, pair):
    tokens = used(pair.api, told(req))
    assert line.status == 200 and line.source == "reported"
    assert line["gen_ai.request.model"] == pair.asked
    assert line.model == pair.model
    assert line["llm.route"] == "across" and line["llm.provider"] == "other"
    assert (line.input, line.output) == (sum(tokens[:3]), tokens[3])
    assert line.nusd == sum(n * rate for n, rate
                            in zip(tokens, RATES[pair.api]))


def check_usage(seen, req, pair):
    """What the SDK's caller is told."""
    fresh, read, written, output = used(pair.api, told(req))

    if pair.sdk == "anthropic":
        assert (seen["input_tokens"], seen["output_tokens"]) \
            == (fresh, output)
        assert seen["cache_read_input_tokens"] == read
        return

    assert seen["prompt_tokens"] == fresh + read + written
    assert seen["completion_tokens"] == output
    assert seen["total_tokens"] == fresh + read + written + output
    assert nested(seen, "prompt_tokens_details", "cached_tokens") == read


def words_of(pair):
    """What the SDK calls the reasons to stop."""
    return {"openai": ("stop", "tool_calls", "length"),
            "anthropic": ("end_turn", "tool_use", "max_tokens")}[pair.sdk]


def check_answers(got, pair):
    stop, tool, cut = words_of(pair)
    want = {"plain": (TEXT, []), "stream": (LONG, []), "picture": (TEXT, []),
            "pictures": (TEXT, []), "calls": ("let me see", BOTH),
            "answer": (TEXT, []), "call": (None, [["tides", PARIS]]),
            "answer_again": (TEXT, []), "cut": ("word1 word2 word3", []),
            "counted": (TEXT, [])}

    for step, (text, calls) in want.items():
        r = got[step]
        assert isinstance(r, dict), (step, r)
        assert (r["text"], r["calls"]) == (text, calls), step
        assert r["model"] == pair.model
        assert r["stop"] == (tool if calls else cut if step == "cut"
                             else stop), step

    assert got["chunks"]["text"] == TEXT and got["chunks"]["stop"] == stop
    assert got["chunks"]["models"] == [pair.model]
    assert got["runs"]["text"] == TEXT and got["runs"]["asked"] == BOTH
    assert got["schema"]["parsed"] == got["schema_stream"]["parsed"] == REPORT


def check_heads(heads, pair):
    """Anthropic's tool runner asks for a thread, and goes on without."""
    refused = [head for head in heads if head["status"] != 200]
    assert [head["status"] for head in refused] \
        == [400] * (pair.sdk == "anthropic")

    heads = [head for head in heads if head["status"] == 200]
    assert len(heads) == len(STEPS)

    for step, head in zip(STEPS, heads):
        assert (head["route"], head["target"]) \
            == ("across", "other/" + pair.model)
        if step != "runs":
            assert head["type"] == ("text/event-stream" if step in STREAMS
                                    else "application/json"), step


PICTURE = "https://example.com/pictures/cat.png?size=1"
DATA = "iVBORw0KGgo"                            # it begins with that
SENT = {
    "anthropic": {"max_tokens": 3, "temperature": 0.5, "top_p": 0.9,
                  "stop_sequences": ["END"], "model": "claude-sonnet-4-5"},
    "openai": {"max_completion_tokens": 3, "temperature": 0.5, "top_p": 0.9,
               "stop": ["END"], "model": "gpt-4o-mini"},
    "gemini": {"maxOutputTokens": 3, "temperature": 0.5, "topP": 0.9,
               "stopSequences": ["END"]},
}


def leaves(value):
    """The strings of a document, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else value.values():
            yield from leaves(item)


def in_order(body, *wanted):
    """Are they there, one behind the other?"""
    strings = leaves(body)

    return all(any(text in s for s in strings) for text in wanted)


def check_requests(requests, pair):
    """What was said came there, in order; the fake has judged the form."""
    last = requests[-1].json
    turns = last.get("messages") or last["contents"]
    assert "You are brief." in list(leaves(last))
    assert in_order(turns, "one two three four", TEXT, "five six", LONG,
                    "what is this", DATA, PICTURE, "and this", DATA,
                    "let me see", "weather", "tides",
                    "It is fine for weather", "It is fine for tides", TEXT,
                    "tides again", "tides", "It is fine for tides",
                    "once more", "a report", '{"city": "Paris"', "at last")

    sent = requests[AT["cut"]].json
    sent = sent.get("generationConfig", sent)
    assert SENT[pair.api].items() <= sent.items()

    for step, req in zip(STEPS, requests):
        if pair.api == "gemini":
            assert (":streamGenerateContent?alt=sse" in req.target) \
                == (step in STREAMS + RUNNER[pair.sdk])
        assert pair.asked not in req.target
        assert pair.asked not in req.body.decode()

    if pair.model.startswith("gemini-3"):
        calls = [part for turn in last["contents"] for part in turn["parts"]
                 if "functionCall" in part]
        assert [part.get("thoughtSignature") for part in calls] \
            == [SIGNATURE, None, SIGNATURE]


def test_conversation(server, strict, pair):
    start(server, strict, pair)
    got = run(script(pair), server, "talk", json.dumps(pair.counted))
    assert not [r for r in got.values() if isinstance(r, str)], got
    check_answers(got, pair)
    check_heads(got["heads"], pair)

    lines = server.lines(len(got["heads"]))
    lines = [line for line in lines if line.status == 200]
    assert len(lines) == len(strict.requests) == len(STEPS)

    for step, line, req in zip(STEPS, lines, strict.requests):
        check_line(line, req, pair)
        if step not in ("runs", "chunks"):
            check_usage(got[step]["usage"], req, pair)

    check_requests(strict.requests, pair)


OWN = {"openai": {403: "PermissionDeniedError", 413: "APIError"},
       "anthropic": {403: "PermissionDeniedError",
                     413: "ContentTooLargeError", 529: "OverloadedError"}}


def named(sdk, status):
    """The SDK's class of an error."""
    return OWN[sdk].get(status,
                        CLASSES.get(str(status), "InternalServerError"))


def start_failing(server, fake, pair):
    """Its script is with test_errors..."""
    start(server, fake, pair)
    server.expect_errors("prematurely closed", "AH0")

    return run(script(pair), server, "fail", json.dumps(ODD[pair.api]))


IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
ODD = {                                         # answers nobody can translate
    "anthropic": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "container_upload", "file_id": "f"}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4}},
    "openai": {
        "id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": None, "images": [IMAGE]}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4,
                  "total_tokens": 7}},
    "gemini": {
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {
            "role": "model", "parts": [{"inlineData": {
                "mimeType": "image/png", "data": "AAAA"}}]}}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4,
                          "totalTokenCount": 7}},
}
TAKEN = {"anthropic": (), "openai": (), "gemini": ("n", "input_audio")}
NAMED = {"anthropic": "container_upload", "openai": "images",
         "gemini": "inlineData"}


def check_errors(errors, pair):
    for status in STATUSES:
        shown = 503 if (pair.sdk, status) == ("openai", 529) else status

        for told in (errors["%d" % status], errors["%d stream" % status]):
            assert told["own"], told
            assert (told["status"], told["name"]) == (shown, named(pair.sdk, shown))
            assert "as asked for" in told["message"]
            assert told["after"] == ("1" if status == 429 else None)


def check_refused(refused, pair):
    """Each names what it is about."""
    where = {"prefill": "messages[1]", "web_search": "tools[0]",
             "custom": "tools[0]"}

    for name, told in refused.items():
        if name in TAKEN[pair.api]:
            assert told == "no error", (name, told)
            continue

        assert told["own"], (name, told)
        assert (told["status"], told["name"]) == (400, "BadRequestError")
        assert where.get(name, name) in told["message"], (name, told)
        assert told["waited"] < 5000


def test_errors(server, strict, pair):
    got = start_failing(server, strict, pair)
    assert not [r for r in got.values() if isinstance(r, str)], got
    check_errors(got["errors"], pair)
    check_refused(got["refused"], pair)
    check_refused({"no_such_field": got["refused_stream"]}, pair)

    stop, waited = got["retries"]
    assert stop == words_of(pair)[0] and 1000 <= waited < 10000

    assert got["broken"]["own"], got["broken"]
    assert "the upstream's answer" in got["broken"]["message"]
    assert got["broken"]["text"].startswith("word1 word2 ")

    odd = got["untranslatable"]
    assert (odd["own"], odd["status"], odd["name"]) \
        == (True, 502, "InternalServerError")
    assert NAMED[pair.api] in odd["message"]

    taken = len(TAKEN[pair.api])
    assert len(strict.requests) == 2 * len(STATUSES) + taken + 2 + 1 + 1
    lines = server.lines(len(strict.requests) + len(got["refused"]) - taken
                         + 1)
    assert [line.status for line in lines[:2 * len(STATUSES)]] \
        == [got["errors"][str(s)]["status"] for s in STATUSES for _ in "12"]
    assert not any(line.nusd for line in lines[:-2] if line.status != 200)
    assert lines[-2].nusd > 0 and lines[-2].output > 1
    assert (lines[-1].status, lines[-1].input, lines[-1].output) == (502, 3, 4)
    assert lines[-1].nusd == 3 * RATES[pair.api][0] + 4 * RATES[pair.api][3]
