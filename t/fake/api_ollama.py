"""Ollama's own API: streams by default, as lines of JSON."""

from . import words
from .answer import Answer, as_json

AT = "2026-01-02T03:04:05.000000006Z"


def route(req):
    if req.method == "GET" and req.path == "/api/tags":
        return tags

    if req.method != "POST":
        return None

    return {"/api/chat": chat, "/api/generate": generate,
            "/api/embed": embed}.get(req.path)


def tags(req):
    return as_json({"models": [{"name": "llama3:8b", "model": "llama3:8b"}]})


def embed(req):
    inputs = req.json.get("input")

    return as_json({"model": req.json.get("model"),
                    "embeddings": [[0.25, -0.5]],
                    "total_duration": 1, "load_duration": 1,
                    "prompt_eval_count": words.count_all(inputs)})


def say(req, wrap, prompt):
    body = req.json
    cap = req.knobs.get("words", 5)
    done = {"model": body.get("model"), "created_at": AT, **wrap(""),
            "done": True, "done_reason": "stop", "total_duration": 9,
            "load_duration": 1, "prompt_eval_count": prompt,
            "prompt_eval_duration": 3, "eval_count": cap,
            "eval_duration": 5}

    if body.get("stream") is False:
        return as_json({**done, **wrap(words.answer(cap))})

    lines = [{"model": body.get("model"), "created_at": AT, **wrap(piece),
              "done": False} for piece in words.pieces(words.answer(cap))]

    return Answer(200, [("Content-Type", "application/x-ndjson")],
                  [(words.compact(line) + "\n").encode()
                   for line in lines + [done]], True)


def chat(req):
    return say(req, lambda text: {"message": {
        "role": "assistant", "content": text}},
        words.count_all(req.json.get("messages")))


def generate(req):
    return say(req, lambda text: {"response": text},
               words.count_all(req.json.get("prompt")))
