"""Anthropic's messages and token counting."""

import re

from . import words
from .answer import as_json, sse


def route(req):
    if req.method == "POST" and re.search(r"/messages$", req.path):
        return messages

    if req.method == "POST" and req.path.endswith("/messages/count_tokens"):
        return count_tokens

    return None


def prompt_tokens(body):
    return words.count_all(body.get("system"), body.get("messages"))


def count_tokens(req):
    return as_json({"input_tokens": prompt_tokens(req.json)})


def usage(body, completion, knobs):
    if "usage" in knobs:
        return knobs["usage"]

    return {
        "input_tokens": prompt_tokens(body),
        "cache_creation_input_tokens": knobs.get("cache_write", 0),
        "cache_read_input_tokens": knobs.get("cached", 0),
        "cache_creation": {
            "ephemeral_5m_input_tokens": knobs.get("cache_write", 0),
            "ephemeral_1h_input_tokens": 0},
        "output_tokens": completion, "service_tier": "standard",
    }


def calls_tool(body):
    last = (body.get("messages") or [{}])[-1].get("content")
    answered = isinstance(last, list) and any(
        block.get("type") == "tool_result" for block in last)

    return bool(body.get("tools")) and not answered


def messages(req):
    body, knobs = req.json, req.knobs
    want = knobs.get("words", 5)
    cap = min(body.get("max_tokens") or want, want)
    text = words.answer(cap)
    stop = "max_tokens" if cap < want else "end_turn"
    block = {"type": "text", "text": text}

    if calls_tool(body):
        tool = body["tools"][0]
        stop = "tool_use"
        block = {"type": "tool_use", "id": "toolu_fake", "name": tool["name"],
                 "input": words.arguments(tool.get("input_schema"))}

    message = {
        "id": "msg_" + req.id, "type": "message", "role": "assistant",
        "model": knobs.get("model", body.get("model")), "content": [block],
        "stop_reason": stop, "stop_sequence": None,
        "usage": usage(body, cap, knobs),
    }
    headers = [("request-id", "req_fake"),
               ("anthropic-organization-id", "org-fake")]

    if body.get("stream"):
        return stream(message, headers)

    return as_json(message, headers=headers)


def deltas(block):
    if block["type"] == "text":
        for piece in words.pieces(block["text"]):
            yield {"type": "text_delta", "text": piece}
        return

    text = words.compact(block["input"])

    for i in range(0, len(text), 8):
        yield {"type": "input_json_delta", "partial_json": text[i:i + 8]}


def stream(message, headers):
    block, used = message["content"][0], message["usage"]
    empty = {**block, **({"text": ""} if "text" in block else {"input": {}})}
    events = []

    def event(kind, **more):
        events.append((kind, words.compact({"type": kind, **more})))

    event("message_start", message={
        **message, "content": [], "stop_reason": None,
        "usage": {**used, "output_tokens": 1}})
    event("content_block_start", index=0, content_block=empty)
    event("ping")

    for delta in deltas(block):
        event("content_block_delta", index=0, delta=delta)

    event("content_block_stop", index=0)
    event("message_delta",
          delta={"stop_reason": message["stop_reason"],
                 "stop_sequence": None},
          usage={k: v for k, v in used.items()
                 if k in ("input_tokens", "output_tokens",
                          "cache_creation_input_tokens",
                          "cache_read_input_tokens")})
    event("message_stop")

    return sse(events, headers)
