"""Anthropic's messages and token counting."""

import re

from . import plan, words
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


def said(body, knobs):
    last = (body.get("messages") or [{}])[-1].get("content")
    answered = isinstance(last, list) and any(
        block.get("type") == "tool_result" for block in last)
    tools = [(tool["name"], tool.get("input_schema"))
             for tool in body.get("tools") or []]
    choice = plan.at(body, "tool_choice", "name") \
        or plan.at(body, "tool_choice", "type")

    return plan.plan(knobs, tools, choice,
                     answered,
                     plan.at(body, "output_config", "format", "schema"),
                     body.get("max_tokens") or None)


def blocks(req, what):
    out = [{"type": "text", "text": what.text}] if what.text else []

    return out + [{"type": "tool_use", "id": "toolu_%s_%d" % (req.id, i),
                   "name": name, "input": args}
                  for i, (name, args) in enumerate(what.calls)]


def messages(req):
    body, knobs = req.json, req.knobs
    what = said(body, knobs)
    stop = "tool_use" if what.calls else "max_tokens" if what.cut \
        else "end_turn"
    message = {
        "id": "msg_" + req.id, "type": "message", "role": "assistant",
        "model": knobs.get("model", body.get("model")),
        "content": blocks(req, what),
        "stop_reason": stop, "stop_sequence": None,
        "usage": usage(body, plan.tokens(what), knobs),
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
    used, events = message["usage"], []

    def event(kind, **more):
        events.append((kind, words.compact({"type": kind, **more})))

    event("message_start", message={
        **message, "content": [], "stop_reason": None,
        "usage": {**used, "output_tokens": 1}})

    for i, block in enumerate(message["content"]):
        empty = {"text": ""} if block["type"] == "text" else {"input": {}}
        event("content_block_start", index=i, content_block={**block, **empty})

        if i == 0:
            event("ping")

        for delta in deltas(block):
            event("content_block_delta", index=i, delta=delta)

        event("content_block_stop", index=i)

    event("message_delta",
          delta={"stop_reason": message["stop_reason"],
                 "stop_sequence": None},
          usage={k: v for k, v in used.items()
                 if k in ("input_tokens", "output_tokens",
                          "cache_creation_input_tokens",
                          "cache_read_input_tokens")})
    event("message_stop")

    return sse(events, headers)
