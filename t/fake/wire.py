"""HTTP/1.x on the wire: a request read, an answer written as told.

The knobs come as a JSON object in the request's x-fake header:

    script       a name: the knobs are Fake.scripts[name] (headers are short)
    status       answer with an error of this status, in the API's own shape
    body         the answer's body, instead of the API's
    repeat       the body is one event with a text of so many bytes
    type         its content type
    headers      {name: value}, added to the answer
    raw          the whole answer as it goes out, in Latin-1; then close
    encoding     gzip, deflate: the body is compressed, asked for or not
    framing      length, chunked, close: how the body's end is told
    chunk        bytes of body a write (and a chunk); by default one event
    delay        seconds between writes
    first_delay  seconds before the status line
    gate         after so many writes wait for Fake.release()
    cut          after so many bytes of body the connection is closed
    reset        with cut or drop: closed by RST instead of FIN
    drop         the connection is closed without an answer
    fail_first   {"times": n, "status": s} or {"times": n, "drop": true}: only
                 the first n requests with the same "id" fail
    hang         "headers" or "body": stop there until the peer leaves
    keepalive    false: Connection: close
    early        answer without reading the request's body
    trailers     {name: value} behind a chunked body
    tail         bytes (Latin-1) sent behind the answer
and, for the APIs, words, text, calls, preface, model, cached, cache_write,
reasoning, usage, force_usage.
"""

import asyncio
import dataclasses
import json
import socket
import struct
import time
import zlib

from .answer import REASONS

HEAD_MAX = 256 * 1024


class Malformed(Exception):
    pass


@dataclasses.dataclass
class Request:
    fake: object
    id: str
    method: str
    target: str
    version: str
    headers: list                   # (name, value), as they came
    connection: int
    body: bytes = b""
    at: float = 0.0
    answered: bool = False          # the answer went out whole
    sent: int = 0                   # bytes of its body that did
    left: bool = False              # the peer closed while it was waited for
    answer: bytes = b""             # its body, as meant to be sent
    knobs: dict = dataclasses.field(default_factory=dict)
    _json: object = None

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    @property
    def json(self):
        if self._json is None:
            try:
                self._json = json.loads(self.body or b"{}")
            except ValueError:
                self._json = {}
            if not isinstance(self._json, dict):
                self._json = {}
        return self._json


async def read_head(reader):
    """The head's lines, or None at a clean end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as e:
        if e.partial:
            raise Malformed("cut head")
        return None
    except asyncio.LimitOverrunError:
        raise Malformed("long head")

    return head.decode("latin-1").split("\r\n")[:-2]


def parse_head(lines):
    parts = lines[0].split(" ")

    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Malformed("bad request line: %r" % lines[0])

    headers = []

    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise Malformed("bad header: %r" % line)
        headers.append((name, value.strip()))

    return parts, headers


async def read_chunked(reader):
    out = []

    while True:
        line = await reader.readline()
        size = int(line.split(b";")[0].strip(), 16)
        if size == 0:
            break
        out.append(await reader.readexactly(size))
        if await reader.readexactly(2) != b"\r\n":
            raise Malformed("bad chunk")

    while (await reader.readline()).strip():
        pass

    return b"".join(out)


async def read_body(req, reader, writer):
    if (req.header("Expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    chunked = "chunked" in (req.header("Transfer-Encoding") or "").lower()
    lengths = [v for k, v in req.headers if k.lower() == "content-length"]

    if chunked and lengths or len(set(lengths)) > 1:
        raise Malformed("two lengths")

    if chunked:
        req.body = await read_chunked(reader)
    elif lengths:
        req.body = await reader.readexactly(int(lengths[0]))


def split(body, n):
    return [body[i:i + n] for i in range(0, len(body), n)]


def chunked(body, n):
    """The whole body in chunks of n bytes, built at once."""
    whole = len(body) // n
    head = b"%x\r\n" % n
    step = len(head) + n + 2
    out = bytearray((head + b"\0" * n + b"\r\n") * whole)

    for i in range(n):
        out[len(head) + i::step] = body[i:whole * n:n]

    rest = body[whole * n:]

    if rest:
        out += b"%x\r\n%s\r\n" % (len(rest), rest)

    return bytes(out) + b"0\r\n\r\n"


def compress(pieces, how):
    if how == "gzip":
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    elif how == "deflate":
        packer = zlib.compressobj(6, zlib.DEFLATED, 15)
    else:
        raise ValueError("encoding " + how)

    out = [packer.compress(p) + packer.flush(zlib.Z_SYNC_FLUSH)
           for p in pieces]

    return out + [packer.flush()]


def framing_of(req, answer, knobs):
    framing = knobs.get("framing", "chunked" if answer.stream else "length")

    if framing == "chunked" and req.version == "HTTP/1.0":
        framing = "close"

    return framing


def render_head(req, answer, framing, length, close):
    reason = REASONS.get(answer.status, "Unknown")
    lines = ["HTTP/1.1 %d %s" % (answer.status, reason), "Server: fake"]
    lines += ["%s: %s" % pair for pair in answer.headers]

    if framing == "length":
        lines.append("Content-Length: %d" % length)
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")

    if close:
        lines.append("Connection: close")
    elif req.version == "HTTP/1.0":
        lines.append("Connection: keep-alive")

    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def abort(writer):
    """RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    writer.transport.abort()


async def until_gone(req, reader):
    while await reader.read(65536):
        pass
    req.left = True
    req.fake.notify()


async def until_released(req, reader):
    """Waits at the gate.  False where the peer left meanwhile."""
    gate = asyncio.ensure_future(req.fake.gate())
    gone = asyncio.ensure_future(until_gone(req, reader))
    await asyncio.wait((gate, gone), return_when=asyncio.FIRST_COMPLETED)

    for task in (gate, gone):
        task.cancel()

    await asyncio.gather(gate, gone, return_exceptions=True)

    return not req.left


async def write_pieces(req, *where):
    """False where the answer was cut short on purpose."""
    try:
        return await write_each(req, *where)
    except ConnectionError:
        req.left = True
        req.fake.notify()
        raise


async def write_each(req, reader, writer, pieces, framing):
    knobs = req.knobs
    left = knobs.get("cut")

    for i, piece in enumerate(pieces):
        if knobs.get("gate") == i:
            if not await until_released(req, reader):
                return False

        if left is not None:
            piece = piece[:left]
            left -= len(piece)

        if piece:
            if framing == "chunked":
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            else:
                writer.write(piece)
            await writer.drain()
            req.sent += len(piece)

        if left == 0:
            return False

        if knobs.get("hang") == "body":
            await until_gone(req, reader)
            return False

        if knobs.get("delay") and i + 1 < len(pieces):
            await asyncio.sleep(knobs["delay"])

    return True


def shape(req, answer):
    """Applies the knobs that change what is sent."""
    knobs = req.knobs

    if "body" in knobs:
        answer.pieces = [knobs["body"].encode("utf-8", "surrogatepass")]

    if "repeat" in knobs:
        answer.pieces = [
            b'data: {"choices":[{"index":0,"delta":{"content":"',
            *[b"abc " * 16384] * (knobs["repeat"] // 65536),
            b'"}}]}\n\n', b"data: [DONE]\n\n"]

    if "type" in knobs:
        answer.headers = [(k, v) for k, v in answer.headers
                          if k.lower() != "content-type"]
        if knobs["type"]:
            answer.headers.append(("Content-Type", knobs["type"]))

    if "encoding" in knobs:
        answer.pieces = compress(answer.pieces, knobs["encoding"])
        answer.headers.append(("Content-Encoding", knobs["encoding"]))

    own = knobs.get("headers", {})
    answer.headers = [(k, v) for k, v in answer.headers
                      if k.lower() not in map(str.lower, own)]
    answer.headers += own.items()

    if "chunk" in knobs:
        answer.pieces = split(b"".join(answer.pieces), knobs["chunk"])


async def respond(req, answer, reader, writer):
    """True if the connection may be used again."""
    knobs = req.knobs
    shape(req, answer)

    framing = framing_of(req, answer, knobs)
    wants_close = "close" in (req.header("Connection") or "").lower() or (
        req.version == "HTTP/1.0"
        and "keep-alive" not in (req.header("Connection") or "").lower())
    close = (framing == "close" or wants_close
             or knobs.get("keepalive") is False)

    if knobs.get("first_delay"):
        await asyncio.sleep(knobs["first_delay"])

    if knobs.get("hang") == "headers":
        await until_gone(req, reader)
        return False

    req.answer = b"".join(answer.pieces)
    length = len(req.answer)
    writer.write(render_head(req, answer, framing, length, close))

    if req.method == "HEAD":
        req.answered = True
        return not close

    if not await write_pieces(req, reader, writer, answer.pieces, framing):
        if knobs.get("reset"):
            abort(writer)
        return False

    if framing == "chunked":
        trailers = "".join("%s: %s\r\n" % t
                           for t in knobs.get("trailers", {}).items())
        writer.write(b"0\r\n" + trailers.encode("latin-1") + b"\r\n")

    if "tail" in knobs:
        writer.write(knobs["tail"].encode("latin-1"))

    await writer.drain()
    req.answered = True

    return not close


def now():
    return time.monotonic()
