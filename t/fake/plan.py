"""What the model that is not there says to a request, before an API gives it its
form: calls of tools, an answer of the schema asked for, or so many words."""

import dataclasses
import json

from . import words

NONE = "none"


@dataclasses.dataclass
class Plan:
    text: str                           # said, before the calls if there are any
    calls: list                         # (name, arguments)
    cut: bool                           # the maximum came first


def at(value, *names):
    """What is there in objects of objects, or None: bodies come as they like."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None

    return value


def chosen(knobs, tools, choice, answered):
    """The tools that are called: as many as the knob says of those offered, by
    default the first; none once there are results, or where none may be."""
    if answered or choice == NONE:
        return []

    named = [tool for tool in tools if tool[0] == choice]

    return named or tools[:knobs.get("calls", 1)]


def plan(knobs, tools, choice, answered, schema, cap):
    """tools: (name, schema of its input).  choice: NONE, a tool's name, or
    whatever.  answered: the prompt ends with results.  schema: of the answer, or
    None.  cap: words that may be said, or None."""
    want = knobs.get("words", 5)
    cut = isinstance(cap, int) and cap < want
    calls = [(name, words.arguments(inner))
             for name, inner in chosen(knobs, tools, choice, answered)]

    if calls:
        return Plan(knobs.get("preface", ""), calls, False)

    if schema is not None:
        return Plan(json.dumps(words.example(schema)), [], False)

    text = knobs.get("text", words.answer(cap if cut else want))

    return Plan(text, [], cut)


def tokens(said):
    """What a plan is counted as."""
    return words.count(said.text) + sum(
        words.count(words.compact(args)) for _, args in said.calls)
