"""OpenAI's Responses API, plain and as a stream of typed events."""

import re

from . import words
from .answer import as_json, sse, error

CREATED = 1750000000


def route(req):
    if req.method == "POST" and re.search(r"/responses$", req.path):
        return create

    if req.method == "GET" and re.search(r"/responses/[^/]+$", req.path):
        return retrieve

    return None


def usage(body, completion, knobs):
    if "usage" in knobs:
        return knobs["usage"]

    prompt = words.count_all(body.get("instructions"), body.get("input"))
    completion += knobs.get("reasoning", 0)

    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": knobs.get("cached", 0)},
        "output_tokens": completion,
        "output_tokens_details": {
            "reasoning_tokens": knobs.get("reasoning", 0)},
        "total_tokens": prompt + completion,
    }


def calls_tool(body):
    items = body.get("input")
    last = items[-1] if isinstance(items, list) and items else {}

    return bool(body.get("tools")) and \
        last.get("type") != "function_call_output"


def output_item(body, text):
    if calls_tool(body):
        tool = body["tools"][0]
        return {"id": "fc_fake", "type": "function_call",
                "status": "completed", "call_id": "call_fake",
                "name": tool.get("name", "tool"),
                "arguments": words.compact(
                    words.arguments(tool.get("parameters")))}

    return {"id": "msg_fake", "type": "message", "status": "completed",
            "role": "assistant", "content": [{
                "type": "output_text", "text": text, "annotations": []}]}


def response(req, item, used, status="completed"):
    body = req.json

    return {
        "id": "resp_" + req.id, "object": "response", "created_at": CREATED,
        "status": status, "background": bool(body.get("background")),
        "error": None, "incomplete_details": None, "instructions": None,
        "max_output_tokens": body.get("max_output_tokens"),
        "model": req.knobs.get("model", body.get("model")),
        "output": [item] if item else [], "parallel_tool_calls": True,
        "previous_response_id": None, "service_tier": "default",
        "store": True, "temperature": 1.0, "text": {
            "format": {"type": "text"}}, "tool_choice": "auto",
        "tools": body.get("tools") or [], "top_p": 1.0,
        "truncation": "disabled", "usage": used,
        "user": None, "metadata": body.get("metadata") or {},
    }


def create(req):
    body, knobs = req.json, req.knobs
    cap = min(body.get("max_output_tokens") or 1 << 30, knobs.get("words", 5))
    text = words.answer(cap)
    item = output_item(body, text)
    used = usage(body, cap, knobs)

    if body.get("background"):
        answer = response(req, None, None, "queued")
        req.fake.background[answer["id"]] = response(req, item, used)
        return as_json(answer)

    if body.get("stream"):
        return stream(req, item, used)

    return as_json(response(req, item, used))


def retrieve(req):
    found = req.fake.background.get(req.path.rsplit("/", 1)[1])

    if found is None:
        return error("openai", 404, "Response not found.")

    return as_json(found)


def stream(req, item, used):
    events = []

    def event(kind, **more):
        events.append((kind, words.compact(
            {"type": kind, "sequence_number": len(events), **more})))

    begun = response(req, None, None, "in_progress")
    event("response.created", response=begun)
    event("response.in_progress", response=begun)

    if item["type"] == "message":
        stream_text(event, item)
    else:
        stream_call(event, item)

    event("response.output_item.done", output_index=0, item=item)
    event("response.completed", response=response(req, item, used))

    return sse(events)


def stream_text(event, item):
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    part = item["content"][0]
    event("response.output_item.added", output_index=0,
          item={**item, "status": "in_progress", "content": []})
    event("response.content_part.added", **at, part={**part, "text": ""})

    for piece in words.pieces(part["text"]):
        event("response.output_text.delta", **at, delta=piece, logprobs=[])

    event("response.output_text.done", **at, text=part["text"], logprobs=[])
    event("response.content_part.done", **at, part=part)


def stream_call(event, item):
    at = {"item_id": item["id"], "output_index": 0}
    event("response.output_item.added", output_index=0,
          item={**item, "status": "in_progress", "arguments": ""})

    for i in range(0, len(item["arguments"]), 8):
        event("response.function_call_arguments.delta", **at,
              delta=item["arguments"][i:i + 8])

    event("response.function_call_arguments.done", **at,
          arguments=item["arguments"])
