"""Gemini's generateContent in its three framings, and embeddings."""

import json
import re

from . import words
from .answer import Answer, as_json, error, sse


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


def calls_tool(body):
    declared = [d for tool in body.get("tools") or []
                for d in tool.get("functionDeclarations") or []]
    last = (body.get("contents") or [{}])[-1]
    answered = any("functionResponse" in part
                   for part in last.get("parts") or [])

    return declared[0] if declared and not answered else None


def chunk(req, parts, said, finish=None):
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}

    if finish:
        candidate["finishReason"] = finish

    return {"candidates": [candidate], "usageMetadata": usage(req, said),
            "modelVersion": model_of(req), "responseId": "fake" + req.id}


def parts_of(req):
    """The answer's parts, and why it ended."""
    tool = calls_tool(req.json)

    if tool:
        schema = tool.get("parameters") or tool.get("parametersJsonSchema")
        call = {"name": tool["name"], "args": words.arguments(schema)}
        return [{"functionCall": call}], "STOP"

    config = req.json.get("generationConfig") or {}
    want = req.knobs.get("words", 5)
    cap = min(config.get("maxOutputTokens") or want, want)

    return ([{"text": piece} for piece in words.pieces(words.answer(cap))],
            "MAX_TOKENS" if cap < want else "STOP")


def generate(req):
    parts, finish = parts_of(req)
    said = len(parts)

    if "text" in parts[0]:
        parts = [{"text": "".join(part["text"] for part in parts)}]

    return as_json(chunk(req, parts, said, finish), indent=2)


def stream(req):
    parts, finish = parts_of(req)
    last = len(parts) - 1
    chunks = [chunk(req, [part], i + 1, finish if i == last else None)
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
