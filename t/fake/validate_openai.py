"""Chat completions:
https://platform.openai.com/docs/api-reference/chat/create
"""

import json

from .schema import (Invalid, anything, array, between, boolean, by, closed,
                     data_url, either, encoded, integer, mapping, members,
                     optional, pattern, show, string, text, values_of, word)

NAME = pattern(r"[A-Za-z0-9_-]{1,64}")
BREAKPOINT = members({"mode": word("explicit")}, {"ttl": word("30m", "12h")})


def words(e):
    at = show(e.path)

    return {
        "unknown": "Unknown parameter: '%s'.",
        "missing": "Missing required parameter: '%s'.",
        "type": "Invalid type for '%s': " + e.message + ".",
    }.get(e.kind, "Invalid value for '%s': " + e.message + ".") % at


def part(**inner):
    return members({"type": string, **inner},
                   {"prompt_cache_breakpoint": BREAKPOINT})


def image_url(value, path):
    string(value, path)

    if not value.startswith(("http://", "https://")):
        data_url("image/png", "image/jpeg", "image/gif", "image/webp")(
            value, path)


TEXT = part(text=string)
PARTS = {
    "text": TEXT,
    "image_url": part(image_url=members(
        {"url": image_url},
        {"detail": word("auto", "low", "high", "original")})),
    "input_audio": part(input_audio=members(
        {"data": encoded, "format": word("wav", "mp3")})),
    "file": part(file=members({}, {
        "file_data": data_url("application/pdf"), "file_id": string,
        "filename": string})),
}
REFUSAL = members({"type": string, "refusal": string})

texts = either(string, array(by("type", {"text": TEXT}), 1))
parts = either(string, array(by("type", PARTS), 1))
said = optional(either(string, array(
    by("type", {"text": TEXT, "refusal": REFUSAL}), 1)))


def arguments(value, path):
    string(value, path)

    try:
        if isinstance(json.loads(value), dict):
            return
    except ValueError:
        pass

    raise Invalid(path, "value", "must be an object of JSON")


CALL = by("type", {
    "function": members({"id": text, "type": string, "function": members(
        {"name": NAME, "arguments": arguments})}),
    "custom": members({"id": text, "type": string, "custom": members(
        {"name": NAME, "input": string})}),
})

MESSAGE = by("role", {
    "system": members({"role": string, "content": texts}, {"name": string}),
    "developer": members({"role": string, "content": texts},
                         {"name": string}),
    "user": members({"role": string, "content": parts}, {"name": string}),
    "assistant": members({"role": string}, {
        "content": said, "name": string, "refusal": optional(string),
        "audio": optional(members({"id": string})),
        "tool_calls": array(CALL, 1), "annotations": array(anything),
        "function_call": optional(members(
            {"name": string, "arguments": string}))}),
    "tool": members({"role": string, "content": texts,
                     "tool_call_id": string}),
    "function": members({"role": string, "content": optional(string),
                         "name": string}),
})

FUNCTION = members({"name": NAME}, {
    "description": string, "parameters": mapping,
    "strict": optional(boolean)})

TOOL = by("type", {
    "function": members({"type": string, "function": FUNCTION}),
    "custom": members({"type": string, "custom": mapping}),
})

CHOICE = either(word("none", "auto", "required"), by("type", {
    "function": members({"type": string,
                         "function": members({"name": string})}),
    "custom": members({"type": string, "custom": members({"name": string})}),
    "allowed_tools": members({"type": string, "allowed_tools": members(
        {"mode": word("auto", "required"), "tools": array(mapping)})}),
}))

FORMAT = by("type", {
    "text": members({"type": string}),
    "json_object": members({"type": string}),
    "json_schema": members({"type": string, "json_schema": members(
        {"name": NAME}, {"description": string, "schema": mapping,
                         "strict": optional(boolean)})}),
})

REQUEST = members({"model": text, "messages": array(MESSAGE, 1)}, {
    "audio": optional(mapping),
    "frequency_penalty": optional(between(-2, 2)),
    "function_call": either(word("none", "auto"), members({"name": string})),
    "functions": array(members(
        {"name": NAME}, {"description": string, "parameters": mapping}), 1),
    "logit_bias": optional(values_of(between(-100, 100))),
    "logprobs": optional(boolean),
    "max_completion_tokens": optional(integer(1)),
    "max_tokens": optional(integer(1)),
    "metadata": optional(values_of(string)),
    "modalities": optional(array(word("text", "audio"))),
    "moderation": optional(mapping),
    "n": optional(integer(1, 128)),
    "parallel_tool_calls": boolean,
    "prediction": optional(mapping),
    "presence_penalty": optional(between(-2, 2)),
    "prompt_cache_key": optional(string),
    "prompt_cache_options": mapping,
    "prompt_cache_retention": optional(word("in_memory", "24h")),
    "reasoning_effort": optional(word("none", "minimal", "low", "medium",
                                      "high", "xhigh", "max")),
    "response_format": FORMAT,
    "safety_identifier": optional(string),
    "seed": optional(integer()),
    "service_tier": optional(word("auto", "default", "flex", "scale",
                                  "priority", "fast")),
    "stop": optional(either(string, array(string, 1, 4))),
    "store": optional(boolean),
    "stream": optional(boolean),
    "stream_options": optional(members({}, {
        "include_usage": boolean, "include_obfuscation": boolean})),
    "temperature": optional(between(0, 2)),
    "tool_choice": CHOICE,
    "tools": array(TOOL, 1, 128),
    "top_logprobs": optional(integer(0, 20)),
    "top_p": optional(between(0, 1)),
    "user": string,
    "verbosity": optional(word("low", "medium", "high")),
    "web_search_options": mapping,
})


def pairs(messages):
    """A call's results come right behind it, all of them, and no others."""
    due = {}

    for i, message in enumerate(messages):
        at = ("messages", i)

        if message["role"] == "tool":
            if due.pop(message["tool_call_id"], None) is None:
                raise Invalid(at, "value", "messages with role 'tool' must be"
                              " a response to a preceding message with"
                              " 'tool_calls'")
            continue

        if due:
            raise Invalid(at, "value", "An assistant message with 'tool_calls'"
                          " must be followed by tool messages responding to"
                          " each 'tool_call_id': " + ", ".join(due))

        due = {call["id"]: i for call in message.get("tool_calls") or ()}

        if message["role"] == "assistant" and message.get("content") is None \
                and not due and not message.get("function_call") \
                and message.get("refusal") is None:
            raise Invalid(at + ("content",), "type", "expected a string")

    if due:
        raise Invalid(("messages",), "value",
                      "no tool message for: " + ", ".join(due))


def tools(body):
    names = [tool.get("function", tool.get("custom"))["name"]
             for tool in body.get("tools") or ()]

    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and not names:
            raise Invalid((name,), "value",
                          "only allowed when 'tools' are specified")

    if len(set(names)) != len(names):
        raise Invalid(("tools",), "value", "a name is there twice")

    choice = body.get("tool_choice")

    if isinstance(choice, dict) and choice["type"] == "function" \
            and choice["function"]["name"] not in names:
        raise Invalid(("tool_choice",), "value", "no such tool")

    for i, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function") or {}
        if function.get("strict"):
            closed(function.get("parameters"),
                   ("tools", i, "function", "parameters"), True)


def check(body, model):
    REQUEST(body, ())
    pairs(body["messages"])
    tools(body)

    if body.get("max_tokens") and body.get("max_completion_tokens"):
        raise Invalid(("max_tokens",), "value",
                      "max_completion_tokens is there, too")

    if body.get("stream_options") and not body.get("stream"):
        raise Invalid(("stream_options",), "value",
                      "only allowed when 'stream' is enabled")

    if body.get("top_logprobs") and not body.get("logprobs"):
        raise Invalid(("top_logprobs",), "value", "needs 'logprobs'")

    schema = (body.get("response_format") or {}).get("json_schema") or {}

    if schema.get("strict"):
        closed(schema.get("schema"),
               ("response_format", "json_schema", "schema"), True)
