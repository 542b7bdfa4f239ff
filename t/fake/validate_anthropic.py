"""Messages: https://platform.claude.com/docs/en/api/messages"""

from .schema import (Invalid, anything, array, between, boolean, by, closed,
                     either, encoded, integer, mapping, members, optional,
                     pattern, string, text, word)

ID = pattern(r"[A-Za-z0-9_-]+")
NAME = pattern(r"[A-Za-z0-9_-]{1,128}")
CACHE = optional(members({"type": word("ephemeral")},
                         {"ttl": word("5m", "1h")}))


def words(e):
    at = ".".join(str(step) for step in e.path)

    return at + ": " + {"unknown": "Extra inputs are not permitted",
                        "missing": "Field required"}.get(e.kind, e.message)


def block(required, allowed=None):
    return members({"type": string, **required},
                   {"cache_control": CACHE, **(allowed or {})})


def address(value, path):
    string(value, path)

    if not value.startswith(("http://", "https://")):
        raise Invalid(path, "value", "must be an address by HTTP")


FILE = members({"type": string, "file_id": string})
URL = members({"type": string, "url": address})

TEXT = block({"text": text}, {"citations": optional(array(mapping))})
IMAGE = block({"source": by("type", {
    "base64": members({"type": string, "data": encoded,
                       "media_type": word("image/jpeg", "image/png",
                                          "image/gif", "image/webp")}),
    "url": URL, "file": FILE})},
    {"transformations": optional(mapping)})
DOCUMENT = block({"source": by("type", {
    "base64": members({"type": string, "data": encoded,
                       "media_type": word("application/pdf")}),
    "text": members({"type": string, "data": text,
                     "media_type": word("text/plain")}),
    "content": members({"type": string, "content": either(text, array(
        by("type", {"text": TEXT, "image": IMAGE}), 1))}),
    "url": URL, "file": FILE})},
    {"citations": optional(members({}, {"enabled": boolean})),
     "context": optional(string), "title": optional(string)})
USE = block({"id": ID, "name": NAME, "input": mapping},
            {"caller": by("type", {"direct": members({"type": string})}),
             "toolset_name": optional(string)})
RESULT = block({"tool_use_id": ID},
               {"content": either(string, array(by("type", {
                   "text": TEXT, "image": IMAGE, "document": DOCUMENT}))),
                "is_error": boolean, "toolset_name": optional(string)})
THINKING = members({"type": string, "thinking": string, "signature": string})
REDACTED = members({"type": string, "data": string})


def said(**blocks):
    return either(text, array(by("type", blocks), 1))


MESSAGE = by("role", {
    "user": members({"role": string, "content": said(
        text=TEXT, image=IMAGE, document=DOCUMENT, tool_result=RESULT)}),
    "assistant": members({"role": string, "content": said(
        text=TEXT, tool_use=USE, thinking=THINKING,
        redacted_thinking=REDACTED)}),
    "system": members({"role": string, "content": said(text=TEXT)}),
})


def input_schema(value, path):
    mapping(value, path)

    if value.get("type") != "object":
        raise Invalid(path + ("type",), "value", "Input should be 'object'")


TOOL = members({"name": NAME, "input_schema": input_schema}, {
    "type": optional(word("custom")), "description": string,
    "cache_control": CACHE, "strict": boolean, "defer_loading": boolean,
    "eager_input_streaming": optional(boolean),
    "allowed_callers": array(string), "input_examples": array(mapping)})


def any_tool(value, path):
    """Those that Anthropic runs, or knows, have members of their own."""
    mapping(value, path)

    if value.get("type") in (None, "custom"):
        TOOL(value, path)


ONE = {"disable_parallel_tool_use": boolean}
CHOICE = by("type", {
    "auto": members({"type": string}, ONE),
    "any": members({"type": string}, ONE),
    "tool": members({"type": string, "name": string}, ONE),
    "none": members({"type": string}),
})

DISPLAY = {"display": optional(word("summarized", "omitted"))}
THOUGHT = by("type", {
    "enabled": members({"type": string, "budget_tokens": integer(1024)},
                       DISPLAY),
    "adaptive": members({"type": string}, DISPLAY),
    "disabled": members({"type": string}),
    "between_tools": members({"type": string}),
})

FORMAT = by("type", {
    "json_schema": members({"type": string, "schema": mapping})})
OUTPUT = members({}, {
    "effort": optional(word("low", "medium", "high", "xhigh", "max")),
    "format": optional(FORMAT),
})

REQUEST = members(
    {"model": text, "max_tokens": integer(0),
     "messages": array(MESSAGE, 1, 100000)},
    {"cache_control": CACHE, "container": anything, "diagnostics": anything,
     "inference_geo": optional(string), "output_config": OUTPUT,
     "output_format": optional(FORMAT),
     "metadata": members({}, {"user_id": optional(string)}),
     "service_tier": word("auto", "standard_only"),
     "speed": optional(word("standard", "fast")),
     "stop_sequences": array(text), "stream": boolean,
     "system": either(string, array(by("type", {"text": TEXT}))),
     "thinking": THOUGHT, "tool_choice": CHOICE, "tools": array(any_tool),

     # of models up to Opus 4.6
     "temperature": between(0, 1), "top_p": between(0, 1),
     "top_k": integer(0)})


def blocks(message):
    content = message["content"]

    return content if isinstance(content, list) else []


def turns(messages):
    """Messages of one role in a row are read as one."""
    out = []

    for i, message in enumerate(messages):
        if out and out[-1][1] == message["role"]:
            out[-1][2].extend(blocks(message))
        else:
            out.append((i, message["role"], list(blocks(message))))

    return out


def pairs(messages):
    due = []

    for i, role, content in turns(messages):
        at = ("messages", i)
        results = [b["tool_use_id"] for b in content
                   if b["type"] == "tool_result"]

        if len(set(results)) != len(results):
            raise Invalid(at, "value", "each tool_use must have a single"
                          " result")

        for name in results:
            if name not in due:
                raise Invalid(at, "value", "unexpected `tool_use_id` found in"
                              " `tool_result` blocks: " + name)

        missing = [name for name in due if name not in results]

        if missing:
            raise Invalid(at, "value", "`tool_use` ids were found without"
                          " `tool_result` blocks immediately after: "
                          + ", ".join(missing))

        kinds = [b["type"] == "tool_result" for b in content]

        if kinds != sorted(kinds, reverse=True):
            raise Invalid(at, "value", "`tool_result` blocks must come first")

        due = [b["id"] for b in content if b["type"] == "tool_use"]

        if len(set(due)) != len(due):
            raise Invalid(at, "value", "`tool_use` ids must be unique")

    if due:
        raise Invalid(("messages",), "value", "`tool_use` without a result: "
                      + ", ".join(due))


def last(messages):
    message = messages[-1]

    if message["role"] != "assistant":
        return

    content = blocks(message)
    end = content[-1].get("text", "") if content else message["content"]

    if end != end.rstrip():
        raise Invalid(("messages",), "value", "final assistant content cannot"
                      " end with trailing whitespace")


def tools(body):
    names = [tool.get("name") for tool in body.get("tools") or ()]
    choice = body.get("tool_choice")

    if len(set(names)) != len(names):
        raise Invalid(("tools",), "value", "Tool names must be unique.")

    if choice is not None and not names:
        raise Invalid(("tool_choice",), "value",
                      "may only be specified while providing tools")

    if choice is not None and choice["type"] == "tool" \
            and choice["name"] not in names:
        raise Invalid(("tool_choice", "name"), "value", "no such tool")

    for i, tool in enumerate(body.get("tools") or ()):
        if tool.get("strict"):
            closed(tool["input_schema"], ("tools", i, "input_schema"), False)


def thinking(body):
    config = body.get("thinking") or {"type": "disabled"}

    if config["type"] == "disabled":
        return

    if config.get("budget_tokens", 0) >= body["max_tokens"]:
        raise Invalid(("max_tokens",), "value", "must be greater than"
                      " `thinking.budget_tokens`")

    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Invalid(("tool_choice",), "value", "Thinking may not be enabled"
                      " when tool_choice forces tool use.")

    if body.get("temperature", 1) != 1 or "top_k" in body:
        raise Invalid(("temperature",), "value", "may only be set to 1 when"
                      " thinking is enabled")


def check(body, model):
    REQUEST(body, ())
    pairs(body["messages"])
    last(body["messages"])
    tools(body)
    thinking(body)

    form = (body.get("output_config") or {}).get("format")

    if form:
        closed(form["schema"], ("output_config", "format", "schema"), False)
