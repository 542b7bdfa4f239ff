"""Recorded cases, read from a corpus's directory."""

import csv
import json
import os
import re
import urllib.parse

csv.field_size_limit(1 << 30)


class Case:
    def __init__(self, base, row):
        self.id = row["case"]
        self.row = row
        self.dir = os.path.join(base, "cases", self.id)
        meta = read_meta(os.path.join(self.dir, "request.meta"))
        self.method = meta.get("method") or "POST"
        self.content_type = meta.get("content-type", "")
        self.host_header = fill(meta.get("host", "")) \
            or row["provider"] + ".local"
        self.host = self.host_header.partition(":")[0]
        self.path = path_of(meta.get("path", "/"))
        self.recorded, self.body = self.request_body()

    def read(self, name):
        try:
            with open(os.path.join(self.dir, name), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def request_body(self):
        """(recorded, bytes or None)."""
        for name in ("request.json", "request.body"):
            body = self.read(name)
            if body is not None and self.usable(body):
                return True, body

        if self.method in ("GET", "HEAD", "DELETE"):
            return False, None

        return False, self.minimal_body()

    def usable(self, body):
        """Some recorders leave a form out and say so in its place."""
        boundary = re.search(r'boundary="?([^";]+)', self.content_type)

        return boundary is None or boundary.group(1).encode() in body

    def minimal_body(self):
        model = self.row["request_model"] or self.row["model"]

        if self.content_type.startswith("multipart/form-data"):
            return minimal_form(self.content_type, model)

        body = {"model": model} if model else {}

        if self.row["stream"] == "y" and "tream" not in self.path:
            body["stream"] = True

        self.content_type = "application/json"

        return json.dumps(body).encode()

    def response_body(self):
        return self.read("response.body")

    def asks_usage(self):
        """Whether the client itself asks for a stream's usage."""
        try:
            options = json.loads(self.body or b"{}").get("stream_options")
            return bool(options and options.get("include_usage"))
        except (ValueError, AttributeError):
            return False


def minimal_form(content_type, model):
    boundary = re.search(r'boundary="?([^";]+)', content_type).group(1)
    fields = [('name="file"; filename="a.wav"', "RIFF")]

    if model:
        fields.insert(0, ('name="model"', model))

    return ("".join("--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n"
                    % (boundary, *field) for field in fields)
            + "--%s--\r\n" % boundary).encode()


def read_meta(path):
    meta = {}

    with open(path, encoding="utf-8") as f:
        for line in f:
            name, colon, value = line.rstrip("\n").partition(":")
            if colon:
                meta[name.strip().lower()] = value.strip()

    return meta


def fill(host):
    """A host name where the recorder left a placeholder: the part that tells
    the vendor stays."""
    host = re.sub(r"<[^>]*REGION[^>]*>", "us-east-1", host)
    host = re.sub(r"[<{]([^>}]*)[>}]",
                  lambda m: m.group(1).lower().replace("_", "-"), host)
    host = re.sub(r"[^A-Za-z0-9.:-]", "-", host).strip("-.")

    return host.lower()


def path_of(path):
    """A path that HTTP takes."""
    if not path.startswith("/"):
        path = "/" + path

    return urllib.parse.quote(path, safe="/:?=&%@+,;!$'()*~-._[]|")


def load(base, only=None):
    with open(os.path.join(base, "INDEX.tsv"), encoding="utf-8",
              newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t",
                                   quoting=csv.QUOTE_NONE))

    return [Case(base, row) for row in rows
            if only is None or re.search(only, row["case"])]
