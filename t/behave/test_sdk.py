"""The official SDKs, unmodified, through their base URL alone."""

import json
import os
import shutil
import subprocess

import pytest

import calls

HERE = os.path.dirname(os.path.abspath(__file__))

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="no node"),
    pytest.mark.skipif(not os.path.isdir(os.path.join(HERE, "node_modules")),
                       reason="run npm ci in t/behave"),
]

TEXT = "word1 word2 word3 word4 word5"
WEATHER = ["weather", {"city": "Paris"}]
CLASSES = {"400": "BadRequestError", "401": "AuthenticationError",
           "404": "NotFoundError", "429": "RateLimitError",
           "500": "InternalServerError"}


def run(script, server, *more):
    env = {k: v for k, v in os.environ.items()
           if not k.lower().endswith("_proxy")
           and not k.startswith(("OPENAI_", "ANTHROPIC_", "GOOGLE_",
                                 "GEMINI_"))}
    done = subprocess.run(["node", os.path.join(HERE, "sdk", script),
                           server.url, *more], capture_output=True,
                          text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr

    return json.loads(done.stdout.strip().splitlines()[-1])


def errors(classes):
    return {status: [name, int(status)] for status, name in classes.items()}


def of_model(lines, model):
    return [line for line in lines
            if line.get("gen_ai.request.model") == model]


def test_openai(server, fake):
    server.meter(fake, keepalive=True)
    got = run("openai.mjs", server)
    assert got.pop("errors") == got.pop("stream_errors") == errors(CLASSES)
    assert got == {
        "plain": [TEXT, 9], "stream": [TEXT, 7, 0],
        "stream_with_usage": [0, 9], "tool": [*WEATHER, "stop"],
        "tool_stream": WEATHER, "responses": [TEXT, 9],
        "responses_stream": [TEXT, 9], "embeddings": [0.25, -0.5, 0.125, 1],
        "transcription": "word1 word2 word3", "leaves_early": True,
        "retries": "stop",
    }
    lines = server.lines(13 + 10)
    good = [line for line in lines if line.status == 200]
    assert len(good) == 12
    assert sum(line.source == "reported" for line in good) == 11
    assert all(line.get("gen_ai.request.stream") is True
               for line in lines if line.source == "estimated")
    assert all(line["gen_ai.provider.name"] == "openai" for line in lines)
    assert of_model(lines, "text-embedding-3-small")[0].input == 2
    assert of_model(lines, "error-429")[0].status == 429
    assert sum(line.get("llm.retry_count") == 1 for line in lines) == 1


def test_anthropic(server, fake):
    server.meter(fake, host="api.anthropic.com", keepalive=True)
    got = run("anthropic.mjs", server)
    assert got.pop("errors") == got.pop("stream_errors") == errors(CLASSES)
    assert got == {
        "plain": [TEXT, 5], "stream": [TEXT, "end_turn", 5],
        "raw_stream": ["content_block_delta", "content_block_start",
                       "content_block_stop", "message_delta",
                       "message_start", "message_stop"],
        "tool": [*WEATHER, "end_turn"], "tool_stream": WEATHER, "count": 4,
    }
    lines = server.lines(7 + 10)
    good = [line for line in lines if line.status == 200]
    assert all(line.source == "reported" for line in good)
    assert sum(line["gen_ai.operation.name"] == "count_tokens"
               for line in good) == 1
    assert all(line["gen_ai.provider.name"] == "anthropic" for line in lines)


def test_genai(server, fake):
    server.meter(fake, host=calls.GOOGLE, keepalive=True)
    got = run("genai.mjs", server)
    assert got.pop("errors") == errors({s: "ApiError" for s in CLASSES})
    assert got == {"plain": [TEXT, 9], "stream": [TEXT, 9], "tool": WEATHER,
                   "tool_stream": WEATHER, "count": 4, "embed": [0.25, -0.5]}
    lines = server.lines(6 + 5)
    assert [line.output for line in lines[:4]] == [5, 5, 1, 1]
    assert [bool(line.get("gen_ai.request.stream"))
            for line in lines[:4]] == [False, True, False, True]
    assert all(line.get("gen_ai.request.model") == "gemini-2.5-flash"
               for line in lines[:5])
