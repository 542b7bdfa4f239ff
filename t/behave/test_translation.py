"""Requests that are translated are what the upstream documents.

The cases are those of the unit test (t/translate/*.json), and many requests put
together of them; the judge is the validator that the fake provider has.
"""

import http.client
import json
import os
import random
import subprocess

import pytest

from fake import validate
from fake.provider import Fake

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOOL = os.path.join(ROOT, "build", "translate")
PAIRS = (("chat", "anthropic"), ("chat", "gemini"), ("anthropic", "chat"))
API = {"chat": "openai", "anthropic": "anthropic", "gemini": "gemini"}
SEED = 20261122


def cases(source, target):
    """Those that are translated, by name."""
    path = os.path.join(ROOT, "t", "translate",
                        "%s-%s.json" % (source, target))

    with open(path) as f:
        return {c["name"]: c for c in json.load(f) if "expect" in c}


def translate(source, target, model, request):
    """(the translation or None, the reason)"""
    done = subprocess.run([TOOL, source, target, model], timeout=300,
                          input=json.dumps(request).encode(),
                          capture_output=True)
    assert done.returncode in (0, 3), done.stderr

    return done.stdout if done.returncode == 0 else None, done.stderr.decode()


def model_of(case):
    return case.get("ask", {}).get("model", "target-1")


@pytest.mark.parametrize("source, target", PAIRS)
def test_cases_are_what_the_upstream_documents(source, target):
    for name, case in cases(source, target).items():
        wrong = validate.reason(API[source], case["request"])
        assert (wrong is None) != bool(case.get("loose")), (name, wrong)

        out, why = translate(source, target, model_of(case), case["request"])
        assert out is not None, (name, why)

        wrong = validate.reason(API[target], out,
                                model_of(case).replace("models/", ""))
        assert wrong is None, (name, wrong, out)


def rest(case):
    return {key: value for key, value in case["request"].items()
            if key not in ("model", "messages")}


def mixed(chance, strict):
    """A request with one case's messages and some cases' other members."""
    request = dict(chance.choice(strict)["request"])

    for case in chance.sample(strict, 4):
        if not set(rest(case)) & set(request):
            request.update(rest(case))

    return request


@pytest.mark.parametrize("source, target", PAIRS)
def test_mixtures_are_what_the_upstream_documents(source, target):
    chance = random.Random(SEED)
    strict = [c for c in cases(source, target).values()
              if not c.get("loose") and "model" not in c.get("ask", {})]
    translated = refused = 0

    for _ in range(250):
        request = mixed(chance, strict)

        if validate.reason(API[source], request):
            continue

        out, why = translate(source, target, "target-1", request)

        if out is None:
            assert ": " in why, request
            refused += 1
            continue

        wrong = validate.reason(API[target], out, "target-1")
        assert wrong is None, (request, wrong, out)
        translated += 1

    assert translated > 100 and refused < translated


def test_there_and_back_is_a_request_again():
    """What was made for Anthropic is a request that OpenAI takes."""
    for name, case in cases("chat", "anthropic").items():
        there, _ = translate("chat", "anthropic", "m", case["request"])
        back, why = translate("anthropic", "chat", "m", json.loads(there))

        if back is not None:
            assert validate.reason("openai", back) is None, (name, back)
        else:
            assert "stop_sequences" in why or "thinking" in why, (name, why)


def post(fake, path, body, **headers):
    connection = http.client.HTTPConnection(fake.host, fake.port, timeout=10)
    connection.request("POST", path, json.dumps(body), {
        "Content-Type": "application/json",
        **{name.replace("_", "-"): v for name, v in headers.items()}})
    answer = connection.getresponse()

    try:
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
MESSAGES = {**CHAT, "max_tokens": 9}
CONTENTS = {"contents": [{"parts": [{"text": "Hi"}]}]}
STRICT = (
    ("/v1/chat/completions", CHAT, {},
     "Unknown parameter: 'colour'.", ("error", "message")),
    ("/v1/messages", MESSAGES, {"anthropic_version": "2023-06-01"},
     "colour: Extra inputs are not permitted", ("error", "message")),
    ("/v1beta/models/gemini-x:generateContent", CONTENTS, {},
     'Unknown name "colour"', ("error", "message")),
)


@pytest.mark.parametrize("path, body, headers, reason, where", STRICT)
def test_strict_provider_names_what_it_does_not_know(path, body, headers,
                                                     reason, where):
    with Fake(strict=True) as fake:
        assert post(fake, path, body, **headers)[0] == 200

        status, answer = post(fake, path, {**body, "colour": 1}, **headers)
        assert status == 400

        for name in where:
            answer = answer[name]
        assert reason in answer

        fake.strict = False
        assert post(fake, path, {**body, "colour": 1}, **headers)[0] == 200


def call(n):
    return {"id": "c%d" % n, "type": "function",
            "function": {"name": "f", "arguments": "{}"}}


def use(n):
    return {"type": "tool_use", "id": "c%d" % n, "name": "f", "input": {}}


def result(n):
    return {"type": "tool_result", "tool_use_id": "c%d" % n}


USER = CHAT["messages"]
WRONG = (
    ("openai", {"messages": USER}, "model"),
    ("openai", {**CHAT, "messages": []}, "messages"),
    ("openai", {**CHAT, "n": "1"}, "n"),
    ("openai", {**CHAT, "temperature": 2.1}, "temperature"),
    ("openai", {**CHAT, "stop": list("abcde")}, "stop"),
    ("openai", {**CHAT, "tool_choice": "auto"}, "tool_choice"),
    ("openai", {**CHAT, "stream_options": {"include_usage": True}},
     "stream_options"),
    ("openai", {**CHAT, "messages": USER + [
        {"role": "assistant", "tool_calls": [call(1)]}]}, "c1"),
    ("openai", {**CHAT, "messages": USER + [
        {"role": "tool", "tool_call_id": "c1", "content": ""}]}, "tool"),
    ("openai", {**CHAT, "messages": USER + [
        {"role": "assistant"}]}, "messages[1].content"),
    ("anthropic", CHAT, "max_tokens: Field required"),
    ("anthropic", {**MESSAGES, "temperature": 1.5}, "temperature"),
    ("anthropic", {**MESSAGES, "messages": [
        {"role": "user", "content": ""}]}, "messages.0.content"),
    ("anthropic", {**MESSAGES, "messages": USER + [
        {"role": "assistant", "content": [use(1), use(2)]},
        {"role": "user", "content": [result(1)]}]}, "c2"),
    ("anthropic", {**MESSAGES, "messages": USER + [
        {"role": "assistant", "content": [use(1)]},
        {"role": "user", "content": [
            {"type": "text", "text": "x"}, result(1)]}]}, "come first"),
    ("anthropic", {**MESSAGES, "messages": [
        {"role": "user", "content": [result(1)]}]}, "unexpected"),
    ("anthropic", {**MESSAGES, "tools": [
        {"name": "f", "input_schema": {}}]}, "input_schema.type"),
    ("anthropic", {**MESSAGES, "thinking": {
        "type": "enabled", "budget_tokens": 1024}}, "budget_tokens"),
    ("gemini", {}, "contents"),
    ("gemini", {"contents": [{"role": "user", "parts": [{}]}]}, "oneof"),
    ("gemini", {"contents": [{"role": "assistant", "parts": [
        {"text": "x"}]}]}, "role"),
    ("gemini", {"contents": CONTENTS["contents"] + [
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [{"text": "x"}]}]}, "number of"),
    ("gemini", {**CONTENTS, "generationConfig": {
        "responseJsonSchema": {}}}, "responseMimeType"),
    ("gemini", {"contents": CONTENTS["contents"] + [
        {"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {}}}]}]},
     "thought_signature"),
)


@pytest.mark.parametrize("api, body, reason", WRONG)
def test_the_judge_refuses(api, body, reason):
    assert reason in (validate.reason(api, body, "gemini-3-pro") or "")
