"""An HTTP/1.1 client that shows the bytes and when they came."""

import json
import socket
import struct
import time

DEADLINE = 60                           # seconds, of an answer and a farewell


class Broken(Exception):
    """The answer ended before its end."""


class Response:
    def __init__(self, status, headers, raw_head):
        self.status = status
        self.headers = headers          # (name, value)
        self.raw_head = raw_head
        self._parts = []
        self.complete = False
        self.trailers = b""

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return default

    def add(self, part):
        self._parts.append(part)

    @property
    def body(self):
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Exchange:
    """One request on one connection, its answer read as slowly as wished."""

    def __init__(self, sock, timeout):
        self.sock = sock
        self.buffer = b""
        self.deadline = time.monotonic() + timeout
        self.response = None
        self.head_request = False

    def fill(self):
        left = self.deadline - time.monotonic()

        if left <= 0:
            raise TimeoutError("no answer in time; got %r" % self.buffer[-200:])

        self.sock.settimeout(left)
        got = self.sock.recv(65536)
        self.buffer += got

        return bool(got)

    def head(self):
        while True:
            while b"\r\n\r\n" not in self.buffer:
                if not self.fill():
                    raise Broken("no answer; got %r" % self.buffer[:200])

            raw, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
            lines = raw.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            headers = [(n, v.strip()) for n, _, v in
                       (line.partition(":") for line in lines[1:])]
            self.response = Response(status, headers, raw)

            if status >= 200:
                return self.response

    def pieces(self):
        """The body's pieces as they come in, decoded."""
        r = self.response or self.head()

        if self.head_request or r.status in (204, 304):
            r.complete = True
            return

        if "chunked" in (r.header("Transfer-Encoding") or "").lower():
            parts = self.chunks()
        elif r.header("Content-Length") is not None:
            parts = self.counted(int(r.header("Content-Length")))
        else:
            parts = self.until_close()

        for part in parts:
            r.add(part)
            yield part

    def counted(self, left):
        while left > 0:
            if not self.buffer and not self.fill():
                raise Broken("%d bytes are missing" % left)
            part, self.buffer = self.buffer[:left], self.buffer[left:]
            left -= len(part)
            yield part

        self.response.complete = True

    def until_close(self):
        while True:
            if self.buffer:
                part, self.buffer = self.buffer, b""
                yield part
            elif not self.fill():
                self.response.complete = True
                return

    def line(self):
        while b"\r\n" not in self.buffer:
            if not self.fill():
                raise Broken("the last chunk is missing")

        line, self.buffer = self.buffer.split(b"\r\n", 1)

        return line

    def chunks(self):
        while True:
            size = int(self.line().split(b";")[0], 16)

            if size == 0:
                break

            while len(self.buffer) < size + 2:
                if not self.fill():
                    raise Broken("a chunk is cut")

            part, self.buffer = self.buffer[:size], self.buffer[size + 2:]
            yield part

        while True:
            line = self.line()
            if not line:
                break
            self.response.trailers += line + b"\r\n"

        self.response.complete = True

    def read(self):
        for _ in self.pieces():
            pass

        return self.response

    def read_until(self, wanted):
        """Reads on until the body has these bytes."""
        if not hasattr(self, "_parts"):
            self.head()
            self._parts = self.pieces()

        while wanted not in self.response.body:
            try:
                next(self._parts)
            except StopIteration:
                raise Broken("%r never came" % wanted)

        return self.response

    def read_rest(self):
        for _ in getattr(self, "_parts", None) or self.pieces():
            pass

        return self.response

    def close(self):
        """Leaves.  Who has had his answer stays until the server has ended his
        request, whose line is written then."""
        if self.response is not None and self.response.complete:
            self.part()
        self.sock.close()

    def part(self):
        """Says that nothing more comes, and waits for the other side's word."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(DEADLINE)
            while self.sock.recv(65536):
                pass
        except OSError:                 # it was faster
            pass

    def reset(self):
        """Leaves by RST, as a killed client does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()


def encode(method, path, headers, body, chunked, host):
    lines = ["%s %s HTTP/1.1" % (method, path)]
    names = {name.lower() for name, _ in headers}

    if "host" not in names:
        lines.append("Host: " + host)

    lines += ["%s: %s" % pair for pair in headers]

    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif body is not None and "content-length" not in names:
        lines.append("Content-Length: %d" % len(body))

    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    if chunked:
        size = chunked if isinstance(chunked, int) and chunked > 1 else 1000
        body = b"".join(
            b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size])
            for i in range(0, len(body), size)) + b"0\r\n\r\n"

    return head, body or b""


class Client:
    """Requests to one address."""

    def __init__(self, port, host="127.0.0.1", timeout=DEADLINE, tls=None):
        self.port = port
        self.host = host
        self.timeout = timeout
        self.tls = tls

    def connect(self):
        sock = socket.create_connection((self.host, self.port), self.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        return self.tls.wrap_socket(sock, server_hostname="localhost") \
            if self.tls else sock

    def open(self, method, path, body=None, headers=(), chunked=False,
             fake=None, sock=None):
        """body: bytes, or what becomes JSON.  fake: knobs of the provider."""
        headers = list(headers.items() if isinstance(headers, dict)
                       else headers)

        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()

        if body is not None and not any(n.lower() == "content-type"
                                        for n, _ in headers):
            headers.append(("Content-Type", "application/json"))

        if fake is not None:
            headers.append(("x-fake", json.dumps(fake)))

        exchange = Exchange(sock or self.connect(), self.timeout)
        exchange.head_request = method == "HEAD"
        head, body = encode(method, path, headers, body, chunked,
                            "localhost:%d" % self.port)

        try:
            exchange.sock.sendall(head + body)
        except (BrokenPipeError, ConnectionResetError):
            pass                        # it may have answered all the same

        return exchange

    def send(self, method, path, body=None, headers=(), **more):
        """The whole answer."""
        exchange = self.open(method, path, body, headers, **more)

        try:
            return exchange.read()
        finally:
            if "sock" not in more:
                exchange.close()

    def post(self, path, body, headers=(), **more):
        return self.send("POST", path, body, headers, **more)

    def get(self, path, headers=(), **more):
        return self.send("GET", path, None, headers, **more)

    def raw(self, data, timeout=None):
        """Bytes in, all bytes out until the server closes."""
        with self.connect() as sock:
            sock.settimeout(timeout or self.timeout)
            sock.sendall(data)
            out = b""
            while True:
                got = sock.recv(65536)
                if not got:
                    return out
                out += got
