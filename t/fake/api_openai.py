"""OpenAI's chat completions, completions, embeddings, models, audio."""

import base64
import re
import struct

from . import plan, words
from .answer import as_json, error, sse, Answer

CREATED = 1750000000


def route(req):
    """The handler of a request, or None."""
    path = req.path

    for pattern, method, handler in ROUTES:
        if req.method == method and re.search(pattern, path):
            return handler

    return None


def usage(prompt, completion, knobs):
    if "usage" in knobs:
        return knobs["usage"]

    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": knobs.get("cached", 0), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": knobs.get("reasoning", 0), "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0},
    }


def length(body, knobs, *names):
    """How many words to say, and why it ends there."""
    want = knobs.get("words", 5)

    for name in names:
        cap = body.get(name)
        if isinstance(cap, int) and cap < want:
            return cap, True

    return want, False


def said(body, knobs):
    functions = [tool.get("function") or {}
                 for tool in body.get("tools") or []]
    tools = [(f.get("name", "tool"), f.get("parameters")) for f in functions]
    choice = plan.at(body, "tool_choice", "function", "name") \
        or body.get("tool_choice")
    last = (body.get("messages") or [{}])[-1]
    caps = [body[name] for name in ("max_completion_tokens", "max_tokens")
            if isinstance(body.get(name), int)]

    return plan.plan(knobs, tools, choice, plan.at(last, "role") == "tool",
                     plan.at(body, "response_format", "json_schema", "schema"),
                     min(caps, default=None))


def tool_calls(req, choice, what):
    return [{"id": "call_%s_%d_%d" % (req.id, choice, i), "type": "function",
             "function": {"name": name, "arguments": words.compact(args)}}
            for i, (name, args) in enumerate(what.calls)]


def chat(req):
    body, knobs = req.json, req.knobs
    what = said(body, knobs)
    n = body.get("n") or 1
    used = usage(words.count_all(body.get("messages")),
                 n * plan.tokens(what) + knobs.get("reasoning", 0), knobs)
    head = {
        "id": "chatcmpl-" + req.id, "object": "chat.completion",
        "created": CREATED, "model": knobs.get("model", body.get("model")),
        "service_tier": body.get("service_tier") or "default",
        "system_fingerprint": "fp_fake",
    }
    finish = "tool_calls" if what.calls else "length" if what.cut else "stop"

    if body.get("stream"):
        return chat_stream(req, head, n, what, finish, used)

    choices = []

    for i in range(n):
        message = {"role": "assistant", "content": what.text or None,
                   "refusal": None, "annotations": []}
        if what.calls:
            message["tool_calls"] = tool_calls(req, i, what)
        choices.append({"index": i, "message": message, "logprobs": None,
                        "finish_reason": finish})

    return as_json({**head, "choices": choices, "usage": used}, indent=2)


def chat_deltas(text, calls):
    first = {"role": "assistant", "content": "" if text or not calls else None}

    if text or not calls:
        yield {**first, "refusal": None}
        first = {}

        for piece in words.pieces(text):
            yield {"content": piece}

    for i, call in enumerate(calls):
        function = call["function"]
        yield {**first, "tool_calls": [{
            **call, "index": i, "function": {**function, "arguments": ""}}]}
        first = {}

        for k in range(0, len(function["arguments"]), 8):
            yield {"tool_calls": [{"index": i, "function": {
                "arguments": function["arguments"][k:k + 8]}}]}


def chat_stream(req, head, n, what, finish, used):
    asked = (req.json.get("stream_options") or {}).get("include_usage")
    head = {**head, "object": "chat.completion.chunk"}
    null = {"usage": None} if asked else {}
    events = []

    def chunk(choices, **more):
        events.append((None, words.compact(
            {**head, "choices": choices, **null, **more})))

    for i in range(n):
        for delta in chat_deltas(what.text, tool_calls(req, i, what)):
            chunk([{"index": i, "delta": delta, "logprobs": None,
                    "finish_reason": None}])
        chunk([{"index": i, "delta": {}, "logprobs": None,
                "finish_reason": finish}])

    if asked or req.knobs.get("force_usage"):
        chunk([], usage=used)

    events.append((None, "[DONE]"))

    return sse(events, extra_headers(req.knobs))


def extra_headers(knobs):
    return [("x-request-id", "req_fake"), ("openai-processing-ms", "7"),
            ("openai-version", "2020-10-01")]


def completions(req):
    body, knobs = req.json, req.knobs
    cap, cut = length(body, knobs, "max_tokens")
    text = words.answer(cap)
    used = usage(words.count_all(body.get("prompt")), cap, knobs)
    head = {"id": "cmpl-" + req.id, "object": "text_completion",
            "created": CREATED, "model": body.get("model")}
    finish = "length" if cut else "stop"

    if not body.get("stream"):
        choice = {"text": text, "index": 0, "logprobs": None,
                  "finish_reason": finish}
        return as_json({**head, "choices": [choice], "usage": used})

    asked = (body.get("stream_options") or {}).get("include_usage")
    null = {"usage": None} if asked else {}
    events = []

    for piece in words.pieces(text) + [""]:
        choice = {"text": piece, "index": 0, "logprobs": None,
                  "finish_reason": None if piece else finish}
        events.append((None, words.compact(
            {**head, "choices": [choice], **null})))

    if asked:
        events.append((None, words.compact(
            {**head, "choices": [], "usage": used})))

    return sse(events + [(None, "[DONE]")])


def embeddings(req):
    body = req.json
    inputs = body.get("input")
    inputs = inputs if isinstance(inputs, list) else [inputs]
    vector = [0.25, -0.5, 0.125, 1.0]

    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<4f", *vector)).decode()

    used = words.count_all(inputs)
    data = [{"object": "embedding", "index": i, "embedding": vector}
            for i in range(len(inputs))]

    return as_json({"object": "list", "data": data,
                    "model": body.get("model"),
                    "usage": req.knobs.get("usage", {
                        "prompt_tokens": used, "total_tokens": used})})


def moderations(req):
    return as_json({"id": "modr-" + req.id,
                    "model": req.json.get("model", "omni-moderation-latest"),
                    "results": [{"flagged": False, "categories": {},
                                 "category_scores": {}}]})


def images(req):
    used = {"input_tokens": words.count_all(req.json.get("prompt")),
            "output_tokens": 272, "input_tokens_details": {
                "text_tokens": words.count_all(req.json.get("prompt")),
                "image_tokens": 0}}
    used["total_tokens"] = used["input_tokens"] + used["output_tokens"]

    return as_json({"created": CREATED, "data": [{"b64_json": "aW1hZ2U="}],
                    "usage": req.knobs.get("usage", used)})


def form_field(req, name):
    """A short field of a multipart body."""
    match = re.search(rb'name="%s"(?:\r\n[^\r\n]+)*\r\n\r\n([^\r]*)\r\n'
                      % name.encode(), req.body)

    return match.group(1).decode() if match else ""


def transcriptions(req):
    model = form_field(req, "model")

    if not model:
        return error("openai", 400, "you must provide a model parameter")

    if form_field(req, "response_format") == "text":
        return Answer(200, [("Content-Type", "text/plain; charset=utf-8")],
                      [b"word1 word2 word3\n"])

    if model == "whisper-1":
        used = {"type": "duration", "seconds": 9}
    else:
        used = {"type": "tokens", "input_tokens": 14, "output_tokens": 3,
                "total_tokens": 17, "input_token_details": {
                    "text_tokens": 0, "audio_tokens": 14}}

    return as_json({"text": "word1 word2 word3",
                    "usage": req.knobs.get("usage", used)})


def speech(req):
    return Answer(200, [("Content-Type", "audio/mpeg")],
                  [b"\xff\xfb\x90\x00" * 64], True)


def models(req):
    return as_json({"object": "list", "data": [
        {"id": name, "object": "model", "created": CREATED,
         "owned_by": "fake"} for name in ("gpt-4o", "gpt-4o-mini")]})


ROUTES = [
    (r"/chat/completions$", "POST", chat),
    (r"/completions$", "POST", completions),
    (r"/embeddings$", "POST", embeddings),
    (r"/moderations$", "POST", moderations),
    (r"/images/generations$", "POST", images),
    (r"/audio/(transcriptions|translations)$", "POST", transcriptions),
    (r"/audio/speech$", "POST", speech),
    (r"^/v1/models(/[^/]+)?$", "GET", models),
]
