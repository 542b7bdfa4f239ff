"""Answers as recorded: the x-fake-replay header names a case and a split.

    x-fake-replay: <case> <bytes a chunk, or "whole"> [gzip]

A case is a directory with response.meta (status, content-type and other
headers, one "name: value" a line) and response.body.
"""

import functools
import gzip
import os

from . import wire
from .answer import REASONS

NOT_HEADERS = ("status", "content-type", "wire-content-encoding")


@functools.lru_cache(maxsize=None)
def load(folder):
    meta = {}

    with open(os.path.join(folder, "response.meta"), encoding="utf-8") as f:
        for line in f:
            name, colon, value = line.rstrip("\n").partition(":")
            if colon:
                meta[name.strip().lower()] = value.strip()

    with open(os.path.join(folder, "response.body"), "rb") as f:
        body = f.read()

    return meta, body


def render(folder, split, packed):
    """The whole answer as it goes over the wire."""
    meta, body = load(folder)
    status = int(meta.get("status", "200"))
    lines = ["HTTP/1.1 %d %s" % (status, REASONS.get(status, "Unknown"))]

    if meta.get("content-type"):
        lines.append("Content-Type: " + meta["content-type"])

    lines += ["%s: %s" % (k, v) for k, v in meta.items()
              if k not in NOT_HEADERS]

    if packed:
        body = gzip.compress(body, 6, mtime=0)
        lines.append("Content-Encoding: gzip")

    if split == "whole":
        lines.append("Content-Length: %d" % len(body))
    else:
        lines.append("Transfer-Encoding: chunked")
        body = wire.chunked(body, int(split))

    return "\r\n".join(lines).encode("latin-1", "replace") \
        + b"\r\n\r\n" + body


async def answer(req, base, writer):
    words = req.header("x-fake-replay").split()
    folder = os.path.join(base, words[0])

    if "/" in words[0] or not os.path.isdir(folder):
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return True

    writer.write(render(folder, words[1], "gzip" in words[2:]))
    await writer.drain()
    req.answered = True

    return "close" not in (req.header("Connection") or "").lower()
