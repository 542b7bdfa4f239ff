#!/usr/bin/python3
"""Compares the cost lines of two servers for the same recorded calls.

    compare.py A B

A and B are what `replay.py --lines` kept of two servers' logs.  Each call, a
case at one chunk size, has one line in both, with the same fields; and each of
them but those named below has the same value, as it is written: 1 is not 1.0.
A field that only one of them has is a difference, but for those named there.
"""

import argparse
import collections
import json
import sys

MAY_DIFFER = {
    "@timestamp": "when the call came",
    "event.duration": "how long it took",
    "gen_ai.response.time_to_first_chunk": "how long its answer's start took",
    "llm.call_id": "made of the time and chance",
    "event.id": "made of the call's",
    "llm.seq": "calls run side by side, and end in any order",
    "llm.config_hash": "the log's file name is in the configuration",
}

# Not even there in each line of either.
MAY_LACK = {
    "llm.overhead": "how long the meter took, where processors' clocks agree",
}

CASE = "llm.tags.case"


class Word(str):
    """A number or a literal, as it is written."""


def unique(pairs):
    fields = dict(pairs)

    if len(fields) != len(pairs):
        raise ValueError("a field twice: %s" % [name for name, _ in pairs])

    return fields


def load(path):
    """{case@chunk: fields}"""
    lines = {}

    with open(path, "rb") as f:
        for text in f:
            line = json.loads(text.decode("utf-8"), object_pairs_hook=unique,
                              parse_int=Word, parse_float=Word)
            name = line[CASE]

            if name in lines:
                raise ValueError("%s: two lines of %s" % (path, name))
            lines[name] = line

    return lines


def shape(value):
    """The value with its types, for 1, true and "1" are not the same."""
    if isinstance(value, dict):
        return {name: shape(v) for name, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value]

    return type(value).__name__, value


def differences(a, b):
    """(field, what is the matter)"""
    for field in sorted((set(a) | set(b)) - set(MAY_LACK)):
        if field not in a or field not in b:
            yield field, "only %s has it: %s" % (
                ("A", a[field]) if field in a else ("B", b[field]))

        elif field not in MAY_DIFFER and shape(a[field]) != shape(b[field]):
            yield field, "%s, %s" % (json.dumps(a[field]),
                                     json.dumps(b[field]))


def compare(a, b):
    """{field: [text]}, and how many calls are equal."""
    found, equal = collections.defaultdict(list), 0

    for name in sorted(set(a) | set(b)):
        if name not in a or name not in b:
            found["the line"].append("%s: only %s has it" % (
                name, "A" if name in a else "B"))
            continue

        misses = list(differences(a[name], b[name]))
        equal += not misses

        for field, text in misses:
            found[field].append("%s: %s" % (name, text))

    return found, equal


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    args = parser.parse_args()

    a, b = load(args.a), load(args.b)
    total = len(set(a) | set(b))
    found, equal = compare(a, b)

    for field, texts in sorted(found.items()):
        print("%s differs in %d calls" % (field, len(texts)))
        for text in texts:
            print("    " + text)

    print("corpus lines: %d/%d equal" % (equal, total))

    return 0 if total != 0 and equal == total else 1


if __name__ == "__main__":
    sys.exit(main())
