"""The log of a server: read, waited for, and checked against the schema."""

import functools
import json
import os
import time

import jsonschema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SCHEMA = os.path.join(ROOT, "docs", "%s.schema.json")
LONGEST = 32768
KIND = "event.kind"
DEADLINE = 60                           # seconds


class Line(dict):
    """A cost line; the names are those of the log's own format."""

    def tokens(self, name):
        return self.get("gen_ai.usage.%s_tokens" % name, 0)

    @property
    def input(self):
        return self.tokens("input")

    @property
    def output(self):
        return self.tokens("output")

    @property
    def nusd(self):
        return self.get("llm.cost.total_nusd", 0)

    @property
    def model(self):
        return self.get("gen_ai.response.model",
                        self.get("gen_ai.request.model"))

    @property
    def operation(self):
        return self["gen_ai.operation.name"]

    @property
    def status(self):
        return self["http.response.status_code"]

    @property
    def source(self):
        return self.get("llm.usage.source", "none")


@functools.cache
def validator(kind):
    with open(SCHEMA % kind, encoding="utf-8") as f:
        schema = json.load(f)

    cls = jsonschema.validators.validator_for(schema)
    cls.check_schema(schema)

    return cls(schema)


def no_duplicates(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a field twice: %s" % names

    return Line(pairs)


def parse(raw):
    """One line's bytes, newline left off."""
    assert len(raw) < LONGEST, "a line of %d bytes" % len(raw)
    text = raw.decode("utf-8")          # strict: any line is valid UTF-8

    return json.loads(text, object_pairs_hook=no_duplicates)


def check(line):
    """Raises where the schema does not agree."""
    found = validator(line.get(KIND, "costline"))
    errors = sorted(found.iter_errors(line), key=str)
    assert not errors, "schema: %s in %s" % (
        "; ".join(e.message for e in errors[:3]), json.dumps(line))


BRIEF = ("@timestamp", "llm.call_id", "llm.attempt", "llm.key_id",
         "gen_ai.response.model", "gen_ai.usage.input_tokens",
         "gen_ai.usage.output_tokens", "llm.usage.source",
         "llm.cost.total_nusd", "llm.decision", "llm.rule",
         "llm.quota.subject", "llm.waited_ms", "http.response.status_code",
         "error.type")


def brief(line):
    return " ".join("%s=%s" % (name.rpartition(".")[2], line[name])
                    for name in BRIEF if name in line)


class Log:
    def __init__(self, path):
        self.path = path
        self.seen = 0                   # lines that the test knows of

    def raw(self):
        try:
            with open(self.path, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return b""

    def all(self):
        """All complete lines, alerts and outcomes among them."""
        return [parse(line) for line in self.raw().split(b"\n")[:-1]]

    def read(self):
        """All complete cost lines."""
        return [line for line in self.all() if KIND not in line]

    def alerts(self):
        return [line for line in self.all() if line.get(KIND) == "alert"]

    def outcomes(self):
        return [line for line in self.all() if line.get(KIND) == "outcome"]

    def count(self):
        raw = self.raw()

        return raw.count(b"\n") - raw.count(b'"event.kind":"')

    def wait(self, n, timeout=DEADLINE, exact=True):
        """The n lines, once they are there."""
        end = time.monotonic() + timeout

        while self.count() < n and time.monotonic() < end:
            time.sleep(0.01)

        lines = self.read()
        assert len(lines) >= n, "%d of %d lines came" % (len(lines), n)
        assert not exact or len(lines) == n, \
            "%d lines, not %d" % (len(lines), n)
        self.seen = max(self.seen, len(lines))

        # As the calls came: threads of httpd write their lines on their own.

        return sorted(lines, key=lambda line: line.get("@timestamp", ""))

    def story(self):
        """The last of them, what matters most."""
        lines = self.raw().split(b"\n")[-13:-1]

        def told(line):
            try:
                return brief(json.loads(line))
            except ValueError:
                return repr(line[-400:])

        return "\n".join(["-- %s:" % self.path, *map(told, lines)])

    def verify(self):
        """At the end: nothing torn, all valid, none that nobody asked for."""
        raw = self.raw()
        assert raw == b"" or raw.endswith(b"\n"), "torn: %r" % raw[-200:]

        for line in self.all():
            check(line)

        return len(self.read())
