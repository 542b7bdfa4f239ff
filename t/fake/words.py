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


def arguments(schema):
    """Arguments that satisfy a tool's JSON schema, more or less."""
    values = {}

    for name, prop in (schema or {}).get("properties", {}).items():
        kind = str(prop.get("type", "string")).lower()
        values[name] = {
            "number": 1.5, "integer": 1, "boolean": True, "array": [],
            "object": {},
        }.get(kind, (prop.get("enum") or ["Paris"])[0])

    return values


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
