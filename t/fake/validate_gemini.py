"""generateContent: https://ai.google.dev/api/generate-content"""

import re

from .schema import (Invalid, anything, array, between, boolean, encoded,
                     integer, mapping, members, number, pattern, show, string,
                     text, values_of, word)


def words(e):
    if e.kind == "unknown":
        return ('Invalid JSON payload received. Unknown name "%s" at \'%s\':'
                ' Cannot find field.' % (e.path[-1], show(e.path[:-1])))

    return "* GenerateContentRequest.%s: %s" % (show(e.path), e.message)


def camel(value, free=False):
    """Names may be written in_this_way, too; within schemas and arguments they
    are the caller's own."""
    own = ("args", "response", "parameters", "parametersJsonSchema",
           "responseSchema", "responseJsonSchema", "labels")

    if isinstance(value, list):
        return [camel(item, free) for item in value]

    if not isinstance(value, dict):
        return value

    out = {}

    for name, item in value.items():
        if not free:
            name = re.sub(r"_([a-z])", lambda m: m.group(1).upper(), name)
        out[name] = camel(item, free or name in own)

    return out


FUNCTION = pattern(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
TYPE = pattern(r"[a-z]+/[\w.+-]+")

# https://ai.google.dev/gemini-api/docs/thought-signatures
UNSIGNED = ("skip_thought_signature_validator",
            "context_engineering_is_the_way_to_go")


def signature(value, path):
    if value not in UNSIGNED:
        encoded(value, path)


DATA = {
    "text": string,
    "inlineData": members({"mimeType": TYPE, "data": encoded},
                          {"displayName": string}),
    "fileData": members({"fileUri": text, "mimeType": TYPE},
                        {"displayName": string}),
    "functionCall": members({"name": FUNCTION},
                            {"id": string, "args": mapping}),
    "functionResponse": members({"name": FUNCTION, "response": mapping}, {
        "id": string, "parts": array(mapping), "scheduling": string,
        "willContinue": boolean}),
    "executableCode": mapping, "codeExecutionResult": mapping,
    "toolCall": mapping, "toolResponse": mapping,
}
BESIDE = {
    "thought": boolean, "thoughtSignature": signature,
    "mediaResolution": mapping, "mediaProcessing": mapping,
    "videoMetadata": mapping, "partMetadata": mapping,
    "speechMetadata": mapping,
}


def part(value, path):
    members({}, {**DATA, **BESIDE})(value, path)
    data = [name for name in value if name in DATA]

    if len(data) != 1:
        raise Invalid(path + ("data",), "value", "required oneof field 'data'"
                      " must have one initialized field")


CONTENT = members({"parts": array(part, 1)}, {"role": word("user", "model")})

DECLARATION = members({"name": FUNCTION}, {
    "description": string, "parameters": mapping,
    "parametersJsonSchema": mapping, "response": mapping,
    "responseJsonSchema": mapping, "behavior": string})

TOOL = members({}, {
    "functionDeclarations": array(DECLARATION, 1), "googleSearch": mapping,
    "googleSearchRetrieval": mapping, "codeExecution": mapping,
    "urlContext": mapping, "computerUse": mapping, "fileSearch": mapping,
    "googleMaps": mapping, "mcpServers": array(mapping)})

CALLING = members({}, {
    "mode": word("AUTO", "ANY", "NONE", "VALIDATED"),
    "allowedFunctionNames": array(string, 1)})

THINKING = members({}, {
    "includeThoughts": boolean, "thinkingBudget": integer(-1, 32768),
    "thinkingLevel": word("MINIMAL", "LOW", "MEDIUM", "HIGH", "minimal",
                          "low", "medium", "high")})

CONFIG = members({}, {
    "candidateCount": integer(1, 8), "stopSequences": array(string, 0, 5),
    "maxOutputTokens": integer(1), "temperature": between(0, 2),
    "topP": between(0, 1), "topK": number,
    "seed": integer(-2 ** 31, 2 ** 31 - 1),
    "presencePenalty": between(-2, 2), "frequencyPenalty": between(-2, 2),
    "responseMimeType": word("text/plain", "application/json", "text/x.enum"),
    "responseSchema": mapping, "responseJsonSchema": mapping,
    "responseFormat": anything, "responseLogprobs": boolean,
    "logprobs": integer(0, 20), "responseModalities": array(string),
    "thinkingConfig": THINKING, "mediaResolution": string,
    "speechConfig": mapping, "imageConfig": mapping,
    "enableEnhancedCivicAnswers": boolean, "translationConfig": mapping,
    "audioTranscriptionConfig": mapping, "modelSelectionConfig": mapping,
})

REQUEST = members({"contents": array(CONTENT, 1)}, {
    "systemInstruction": members({"parts": array(part, 1)},
                                 {"role": string}),
    "tools": array(TOOL),
    "toolConfig": members({}, {
        "functionCallingConfig": CALLING, "retrievalConfig": mapping,
        "includeServerSideToolInvocations": boolean}),
    "generationConfig": CONFIG,
    "safetySettings": array(members(
        {"category": string, "threshold": string})),
    "cachedContent": string, "serviceTier": word(
        "unspecified", "standard", "flex", "priority"),
    "store": boolean, "labels": values_of(string), "model": string,
})


def named(content, name):
    return [p[name] for p in content["parts"] if name in p]


def pairs(contents):
    """Calls follow a user's turn, and are answered by the next one."""
    due, before = [], None

    for i, content in enumerate(contents):
        at = ("contents", i)
        role = content.get("role", "user")
        calls = named(content, "functionCall")
        answers = named(content, "functionResponse")

        if calls and (role != "model" or before != "user"):
            raise Invalid(at, "value", "Please ensure that function call turn"
                          " comes immediately after a user turn or after a"
                          " function response turn.")

        if (answers or due) and role != "user" or len(answers) != len(due):
            raise Invalid(at, "value", "Please ensure that the number of"
                          " function response parts is equal to the number of"
                          " function call parts of the function call turn.")

        if sorted(c["name"] for c in due) \
                != sorted(a["name"] for a in answers):
            raise Invalid(at, "value", "the responses' names are not those of"
                          " the calls")

        if sorted(c.get("id", "") for c in due) \
                != sorted(a.get("id", "") for a in answers):
            raise Invalid(at, "value", "the responses' ids are not those of"
                          " the calls")

        due, before = calls, role

    if due:
        raise Invalid(("contents",), "value", "a function call without a"
                      " response")

    if before != "user":
        raise Invalid(("contents",), "value", "Please ensure that single turn"
                      " requests end with a user role or the role field is"
                      " empty.")


def asks(content):
    return content.get("role", "user") == "user" \
        and not named(content, "functionResponse")


def signatures(contents):
    """Newer models want theirs back on each step's first call, since the user
    last asked for something."""
    first = max([i for i, c in enumerate(contents) if asks(c)], default=0)

    for i, content in enumerate(contents[first:], first):
        calls = [p for p in content["parts"] if "functionCall" in p]

        if calls and "thoughtSignature" not in calls[0]:
            raise Invalid(("contents", i), "value", "Function call is missing"
                          " a thought_signature in functionCall parts.")


def tools(body):
    declared = [f for tool in body.get("tools") or ()
                for f in tool.get("functionDeclarations") or ()]
    names = [f["name"] for f in declared]
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}

    if len(set(names)) != len(names):
        raise Invalid(("tools",), "value", "Duplicate function declaration")

    for f in declared:
        if "parameters" in f and "parametersJsonSchema" in f:
            raise Invalid(("tools",), "value", "parameters and"
                          " parameters_json_schema are mutually exclusive")

    for name in calling.get("allowedFunctionNames") or ():
        if name not in names or calling.get("mode") not in ("ANY",
                                                            "VALIDATED"):
            raise Invalid(("toolConfig",), "value", "allowed_function_names"
                          " must be declared, and the mode ANY")

    if calling.get("mode") in ("ANY", "VALIDATED") and not names:
        raise Invalid(("toolConfig",), "value", "Function calling mode is"
                      " set without function_declarations")


def config(body, old):
    c = body.get("generationConfig") or {}
    thinking = c.get("thinkingConfig") or {}

    if "responseJsonSchema" in c or "responseSchema" in c:
        if c.get("responseMimeType") != "application/json":
            raise Invalid(("generationConfig", "responseMimeType"), "value",
                          "must be application/json with a schema")

    if "responseJsonSchema" in c and "responseSchema" in c:
        raise Invalid(("generationConfig",), "value", "two schemas")

    if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
        raise Invalid(("generationConfig", "thinkingConfig"), "value",
                      "You can only set only one of thinking budget and"
                      " thinking level.")

    if "thinkingLevel" in thinking and old:
        raise Invalid(("generationConfig", "thinkingConfig"), "value",
                      "Thinking level is not supported for this model.")

    if thinking.get("thinkingBudget") == 0 and not old:
        raise Invalid(("generationConfig", "thinkingConfig"), "value",
                      "This model only works in thinking mode.")


def check(body, model):
    body = camel(body)
    old = re.match(r"gemini-[12]", model or "gemini-1") is not None
    REQUEST(body, ())
    pairs(body["contents"])
    tools(body)
    config(body, old)

    if not old:
        signatures(body["contents"])
