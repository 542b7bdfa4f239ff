"""The part of OTTL that otel-collector.yaml speaks, as its documentation has
it: pkg/ottl/LANGUAGE.md and pkg/ottl/ottlfuncs/README.md of
github.com/open-telemetry/opentelemetry-collector-contrib, read 2026-11-22.  A
word that is not of it is an error."""

import datetime
import hashlib
import json
import re

TOKEN = re.compile(r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<op>==|!=|[-+*/(){}\[\],:.])
    | (?P<name>[A-Za-z_]\w*))""", re.X)


class Fault(Exception):
    pass


def tokens(text):
    at, found = 0, []
    text = text.strip()

    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise Fault("no OTTL at %r" % text[at:at + 30])
        found.append((m.lastgroup, m[m.lastgroup]))
        at = m.end()

    return found + [("end", "")]


def text_of(value):
    """As StringLikeGetter has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    return str(value)


def string(value):
    return None if value is None else text_of(value)


def concat(values, delimiter):
    return delimiter.join("<nil>" if v is None else text_of(v)
                          for v in values)


def substring(value, start, length):
    if start + length > len(value):
        raise Fault("Substring() beyond the end")

    return value[start:start + length]


def unix_nano(value):
    if not isinstance(value, datetime.datetime):
        raise Fault("UnixNano() of %r" % value)
    since = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

    return (since.days * 86400 + since.seconds) * 10 ** 9 \
        + since.microseconds * 1000


CONVERTERS = {
    "Concat": concat, "String": string, "Substring": substring,
    "Trim": lambda value, cut=" ": value.strip(cut), "UnixNano": unix_nano,
    "SHA256": lambda value: hashlib.sha256(value.encode()).hexdigest(),
    "Double": float}


def arithmetic(op, a, b):
    """Of one type only."""
    if type(a) is not type(b) or type(a) not in (int, float):
        raise Fault("%r %s %r" % (a, op, b))
    if op == "/":
        return a / b if isinstance(a, float) else a // b

    return {"+": a + b, "-": a - b, "*": a * b}[op]


class Statement:
    """set(path, value) and replace_pattern(path, regex, by), with where."""

    def __init__(self, text, log):
        self.tokens, self.at, self.log = tokens(text), 0, log

    def peek(self):
        return self.tokens[self.at][1]

    def take(self, want=None):
        kind, text = self.tokens[self.at]
        if want is not None and text != want:
            raise Fault("%r where %r should be" % (text, want))
        self.at += 1

        return kind, text

    def run(self):
        editor = self.take()[1]
        if editor not in ("set", "replace_pattern"):
            raise Fault("no editor: " + editor)
        self.take("(")
        begin = self.at
        self.skip()
        if self.peek() == "where":
            self.take()
            if not self.condition():
                return
        if self.take()[0] != "end":
            raise Fault("more behind the statement")

        self.at = begin
        place, key = self.path(self.take())
        self.take(",")
        value = self.value()
        if editor == "replace_pattern":
            self.take(",")
            value = re.sub(value, self.value(), place[key])
        self.take(")")
        if value is not None:           # set() of nil does nothing
            place[key] = value

    def skip(self):
        depth = 1
        while depth:
            kind, text = self.take()
            depth += (text == "(") - (text == ")") if kind == "op" else 0
            if kind == "end":
                raise Fault("no end")

    def condition(self):
        a, op, b = self.value(), self.take()[1], self.value()
        if op not in ("==", "!="):
            raise Fault("no comparison: " + op)

        return (a == b and type(a) is type(b)) == (op == "==")

    def path(self, token):
        if token[1] != "log":
            raise Fault("no path: " + token[1])
        self.take(".")
        field = self.take()[1]
        if field in ("body", "time"):
            return self.log, field
        if field not in ("attributes", "cache"):
            raise Fault("no field: " + field)
        self.take("[")
        key = json.loads(self.take()[1])
        self.take("]")

        return self.log[field], key

    def value(self):
        left = self.term()
        while self.peek() in ("+", "-", "*", "/"):
            left = arithmetic(self.take()[1], left, self.term())

        return left

    def list(self, end):
        found = []
        while self.peek() != end:
            found.append(self.value())
            if self.peek() == ",":
                self.take()
        self.take(end)

        return found

    def map(self):
        found = {}
        while self.peek() != "}":
            key = json.loads(self.take()[1])
            self.take(":")
            found[key] = self.value()
            if self.peek() == ",":
                self.take()
        self.take("}")

        return found

    def term(self):
        kind, text = token = self.take()
        if kind == "string":
            return json.loads(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if text in ("true", "false", "nil"):
            return {"true": True, "false": False, "nil": None}[text]
        if text == "[":
            return self.list("]")
        if text == "{":
            return self.map()
        if text in CONVERTERS:
            self.take("(")
            return CONVERTERS[text](*self.list(")"))
        if text == "log":
            place, key = self.path(token)
            return place.get(key)
        raise Fault("no value: " + text)


def log_of(line):
    """What the receiver makes of a line."""
    attributes = json.loads(line)
    time = datetime.datetime.strptime(
        attributes["@timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ")

    return {"body": line, "attributes": attributes, "cache": {},
            "time": time.replace(tzinfo=datetime.timezone.utc)}


def run(statements, log):
    for text in statements:
        try:
            Statement(text, log).run()
        except (TypeError, ValueError, AttributeError, KeyError,
                IndexError) as e:
            raise Fault("%s: %r" % (text, e)) from e

    return log


def value(text, log):
    made = Statement(text, log)
    got = made.value()
    if made.take()[0] != "end":
        raise Fault("more behind the value")

    return got


def holds(text, log):
    made = Statement(text, log)
    got = made.condition()
    if made.take()[0] != "end":
        raise Fault("more behind the condition")

    return got
