"""Token counts that a test can compute: one word is one token."""

import json


def count(text):
    return len(text.split())


def texts(value):
    """Every text that a model would be shown, in any of the APIs' shapes."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for key in ("text", "content", "parts", "system", "input", "output"):
            if key in value:
                yield from texts(value[key])


def count_all(*values):
    return sum(count(t) for v in values for t in texts(v))


def answer(n):
    """A text of n words."""
    return " ".join("word%d" % i for i in range(1, n + 1))


def pieces(text):
    """The text as a model streams it: word by word, blanks in front."""
    out = []

    for i, word in enumerate(text.split(" ")):
        out.append(word if i == 0 else " " + word)

    return out


def example(schema):
    """A value that satisfies a JSON schema (OpenAPI's types, too), more or
    less."""
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = (kind if isinstance(kind, str) else kind[0]).lower()

    if kind == "object":
        return arguments(schema)

    if kind == "array":
        return [example(schema["items"])] if "items" in schema else []

    return {"number": 1.5, "integer": 1, "boolean": True, "null": None}.get(
        kind, (schema.get("enum") or ["Paris"])[0])


def arguments(schema):
    """Those of a tool."""
    return {name: example(inner) for name, inner
            in (schema or {}).get("properties", {}).items()}


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
