"""Gemini's generateContent in its three framings, and embeddings."""

import json
import re

from . import plan, words
from .answer import Answer, as_json, error, sse


SIGNATURE = "c2lnbmVkIGJ5IHRoZSBmYWtl"


def route(req):
    match = re.search(r"/models/([^/:]+):([A-Za-z]+)$", req.path)

    if match is None or req.method != "POST":
        return None

    return {
        "generateContent": generate,
        "streamGenerateContent": stream,
        "countTokens": count,
        "embedContent": embed,
        "batchEmbedContents": embed_batch,
    }.get(match.group(2))


def model_of(req):
    return re.search(r"/models/([^/:]+):", req.path).group(1)


def prompt_tokens(body):
    system = body.get("systemInstruction") or body.get("system_instruction")

    return words.count_all(system, body.get("contents"))


def usage(req, completion):
    if "usage" in req.knobs:
        return req.knobs["usage"]

    prompt = prompt_tokens(req.json)
    thoughts = req.knobs.get("reasoning", 0)
    used = {"promptTokenCount": prompt, "candidatesTokenCount": completion,
            "totalTokenCount": prompt + completion + thoughts,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": prompt}]}

    if thoughts:
        used["thoughtsTokenCount"] = thoughts

    if req.knobs.get("cached"):
        used["cachedContentTokenCount"] = req.knobs["cached"]

    return used


def said(req):
    body = req.json
    tools = [(d["name"], d.get("parameters") or d.get("parametersJsonSchema"))
             for tool in body.get("tools") or []
             for d in tool.get("functionDeclarations") or []]
    calling = plan.at(body, "toolConfig", "functionCallingConfig") or {}
    choice = (calling.get("allowedFunctionNames")
              or [calling.get("mode", "AUTO").lower()])[0]
    last = (body.get("contents") or [{}])[-1]
    answered = any("functionResponse" in part
                   for part in last.get("parts") or [])
    config = body.get("generationConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")

    return plan.plan(req.knobs, tools, choice, answered, schema,
                     config.get("maxOutputTokens") or None)


def chunk(req, parts, said, finish=None):
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}

    if finish:
        candidate["finishReason"] = finish

    return {"candidates": [candidate], "usageMetadata": usage(req, said),
            "modelVersion": model_of(req), "responseId": "fake" + req.id}


def parts_of(req):
    """The answer's parts, what was said with each, and why it ended."""
    what = said(req)
    parts = [{"text": piece} for piece in words.pieces(what.text)
             if what.text or not what.calls]
    parts += [{"functionCall": {"name": name, "args": args}}
              for name, args in what.calls]
    calls = [part for part in parts if "functionCall" in part]

    if calls and not re.match(r"gemini-[12]", model_of(req)):
        calls[0]["thoughtSignature"] = SIGNATURE

    counts = [min(i + 1, plan.tokens(what)) for i in range(len(parts))]
    counts[-1] = plan.tokens(what)

    return parts, counts, "MAX_TOKENS" if what.cut else "STOP"


def joined(parts):
    """Texts in a row as one."""
    out = []

    for part in parts:
        if out and "text" in part and "text" in out[-1]:
            out[-1] = {"text": out[-1]["text"] + part["text"]}
        else:
            out.append(part)

    return out


def generate(req):
    parts, counts, finish = parts_of(req)

    return as_json(chunk(req, joined(parts), counts[-1], finish), indent=2)


def stream(req):
    parts, counts, finish = parts_of(req)
    last = len(parts) - 1
    chunks = [chunk(req, [part], counts[i], finish if i == last else None)
              for i, part in enumerate(parts)]

    if re.search(r"(^|&)alt=sse(&|$)", req.query):
        return sse([(None, words.compact(c)) for c in chunks], eol="\r\n")

    pieces = []

    for i, part in enumerate(chunks):
        text = "[" if i == 0 else ",\r\n"
        pieces.append((text + json.dumps(part, indent=2)).encode())

    pieces.append(b"\n]\n")

    return Answer(200, [("Content-Type", "application/json; charset=UTF-8")],
                  pieces, True)


def count(req):
    tokens = prompt_tokens(req.json)

    return as_json({"totalTokens": tokens, "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": tokens}]})


def embed(req):
    return as_json({"embedding": {"values": [0.25, -0.5]}})


def embed_batch(req):
    wanted = req.json.get("requests") or []

    if not wanted:
        return error("gemini", 400, "requests must not be empty")

    return as_json({"embeddings": [{"values": [0.25, -0.5]}
                                   for _ in wanted]})
