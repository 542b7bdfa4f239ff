"""What a JSON value may be, said in Python: each checker raises Invalid at the
first thing that is wrong, a member that is not known above all."""

import base64
import binascii
import re


class Invalid(Exception):
    """kind: unknown, missing, type, value."""

    def __init__(self, path, kind, message):
        super().__init__(message)
        self.path, self.kind, self.message = path, kind, message


def show(path):
    """messages[2].content"""
    out = ""

    for step in path:
        out += "[%d]" % step if isinstance(step, int) else \
            ("." if out else "") + step

    return out


def of_type(name, types):
    def check(value, path):
        if not isinstance(value, types) \
                or isinstance(value, bool) and bool not in types:
            raise Invalid(path, "type", "must be " + name)
    return check


string = of_type("a string", (str,))
boolean = of_type("a boolean", (bool,))
number = of_type("a number", (int, float))
mapping = of_type("an object", (dict,))


def anything(value, path):
    pass


def null(value, path):
    if value is not None:
        raise Invalid(path, "type", "must be null")


def text(value, path):
    """A string with something to read in it."""
    string(value, path)

    if not value.strip():
        raise Invalid(path, "value", "must have text in it")


def integer(least=None, most=None):
    def check(value, path):
        of_type("an integer", (int,))(value, path)

        if least is not None and value < least \
                or most is not None and value > most:
            raise Invalid(path, "value", "must be from %s to %s"
                          % (least, most))
    return check


def between(least, most):
    def check(value, path):
        number(value, path)

        if not least <= value <= most:
            raise Invalid(path, "value", "must be from %s to %s"
                          % (least, most))
    return check


def word(*words):
    def check(value, path):
        string(value, path)

        if value not in words:
            raise Invalid(path, "value", "must be one of " + ", ".join(words))
    return check


def pattern(regex):
    def check(value, path):
        string(value, path)

        if not re.fullmatch(regex, value):
            raise Invalid(path, "value", "must match " + regex)
    return check


def encoded(value, path):
    string(value, path)

    try:
        if not base64.b64decode(value, validate=True):
            raise Invalid(path, "value", "must not be empty")
    except binascii.Error:
        raise Invalid(path, "value", "must be base64")


def data_url(*types):
    """data:<one of types>;base64,..."""
    def check(value, path):
        string(value, path)
        match = re.fullmatch(r"data:([a-z]+/[\w.+-]+);base64,(.*)", value,
                             re.S)

        if match is None or match.group(1) not in types:
            raise Invalid(path, "value", "must be a data: URL of "
                          + ", ".join(types))

        encoded(match.group(2), path)
    return check


def optional(check):
    def checked(value, path):
        if value is not None:
            check(value, path)
    return checked


def array(element, least=0, most=None):
    def check(value, path):
        of_type("an array", (list,))(value, path)

        if len(value) < least or most is not None and len(value) > most:
            raise Invalid(path, "value", "must have %s to %s elements"
                          % (least, most))

        for i, item in enumerate(value):
            element(item, path + (i,))
    return check


def values_of(check):
    """An object of any names."""
    def checked(value, path):
        mapping(value, path)

        for key, item in value.items():
            check(item, path + (key,))
    return checked


def members(required, allowed=None):
    """An object: {name: checker} that must be there, and that may."""
    known = {**required, **(allowed or {})}

    def check(value, path):
        mapping(value, path)

        for name in value:
            if name not in known:
                raise Invalid(path + (name,), "unknown", "is not known")

        for name in required:
            if name not in value:
                raise Invalid(path + (name,), "missing", "is missing")

        for name, item in value.items():
            known[name](item, path + (name,))
    return check


def either(*checks):
    """By the JSON type: the first that it fits, else the last one's error."""
    def check(value, path):
        for one in checks:
            try:
                return one(value, path)
            except Invalid as e:
                if e.path != path or e.kind != "type":
                    raise
                last = e
        raise last
    return check


def by(name, kinds):
    """An object whose member of that name says what else is in it."""
    def check(value, path):
        mapping(value, path)

        if name not in value:
            raise Invalid(path + (name,), "missing", "is missing")

        kind = value[name]

        if not isinstance(kind, str) or kind not in kinds:
            raise Invalid(path + (name,), "value", "must be one of "
                          + ", ".join(kinds))

        kinds[kind](value, path)
    return check


def closed(schema, path, all_required):
    """A JSON Schema whose objects say additionalProperties: false, and which
    members there are; structured outputs ask for it."""
    if not isinstance(schema, dict):
        return

    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            raise Invalid(path, "value",
                          "'additionalProperties' must be false")

        names = set(schema.get("properties") or {})

        if all_required and names != set(schema.get("required") or ()):
            raise Invalid(path, "value",
                          "'required' must have every property")

    for key in ("properties", "$defs", "definitions"):
        for name, inner in (schema.get(key) or {}).items():
            closed(inner, path + (key, name), all_required)

    for key in ("anyOf", "oneOf", "allOf"):
        for i, inner in enumerate(schema.get(key) or ()):
            closed(inner, path + (key, i), all_required)

    closed(schema.get("items"), path + ("items",), all_required)
