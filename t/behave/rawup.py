"""An upstream that reads HTTP/1.1 by the letter and keeps every byte: what a
second server in the chain could take for a request of its own, it sees."""

import contextlib
import re
import select
import socket
import threading

ANSWER = (b'{"id":"x","object":"chat.completion","model":"gpt-4o-mini",'
          b'"choices":[{"index":0,"message":{"role":"assistant",'
          b'"content":"yes"},"finish_reason":"stop"}],'
          b'"usage":{"prompt_tokens":4,"completion_tokens":1,'
          b'"total_tokens":5}}')
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
LINE = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]")
FIELD = re.compile(rb"(%s):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*" % TOKEN)


class Refused(Exception):
    """Not a request by RFC 9112."""


class Seen:
    def __init__(self, line, headers, body):
        self.line = line
        self.headers = headers          # (lower-case name, value), in bytes
        self.body = body

    def header(self, name):
        return [v for k, v in self.headers if k == name]


class RawUpstream:
    """Answers `status` and ANSWER, on connections that stay open."""

    def __init__(self, fail_first=0):
        self.requests = []
        self.wrong = []                 # what was no request
        self.bytes = b""                # all that came in, in no order
        self.fail_first = fail_first    # so many requests lose their
        self.lock = threading.Lock()    # connection when they are read
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.open = set()
        self.busy = 0                   # threads that do not wait for more
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()

        for sock in list(self.open):
            sock.close()

    def accept(self):
        while True:
            try:
                select.select([self.listener], [], [])
                self.awake(1)
                sock, _ = self.listener.accept()
            except (OSError, ValueError):
                return
            with self.lock:
                self.open.add(sock)
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        buffer = bytearray()

        def fill():
            self.awake(-1)
            with contextlib.suppress(OSError, ValueError):
                select.select([sock], [], [])
            self.awake(1)
            try:
                got = sock.recv(65536)
            except OSError:             # it was closed
                got = b""
            with self.lock:
                self.bytes += got
            buffer.extend(got)
            return bool(got)

        try:
            while self.one(sock, buffer, fill):
                pass
        except Refused as e:
            with self.lock:
                self.wrong.append((str(e), bytes(buffer[:500])))
        finally:
            with self.lock:
                self.open.discard(sock)
                self.busy -= 1
            sock.close()

    def awake(self, by):
        with self.lock:
            self.busy += by

    def at_rest(self):
        """It has answered all that it was sent, and waits for more."""
        with self.lock:
            poll = select.poll()
            for sock in (self.listener, *self.open):
                poll.register(sock, select.POLLIN | select.POLLRDHUP)

            return self.busy == 0 and not poll.poll(0)

    def one(self, sock, buffer, fill):
        while b"\r\n\r\n" not in buffer:
            if not fill():
                if buffer:
                    raise Refused("the connection ends within a head")
                return False

        head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")

        if not LINE.fullmatch(line):
            raise Refused("request line")

        headers = []

        for field in fields:
            m = FIELD.fullmatch(field)
            if not m:
                raise Refused("header %r" % field)
            headers.append((m.group(1).lower(), m.group(2)))

        seen = Seen(line, headers, b"")
        del buffer[:len(head) + 4]
        seen.body = self.body(seen, buffer, fill)

        with self.lock:
            fail = self.fail_first > len(self.requests)
            self.requests.append(seen)

        if fail:
            return False

        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER)

        return b"close" not in b",".join(seen.header(b"connection")).lower()

    @staticmethod
    def body(seen, buffer, fill):
        lengths = seen.header(b"content-length")
        codings = seen.header(b"transfer-encoding")

        if lengths and codings:
            raise Refused("a length and a coding")

        if codings:
            raise Refused("a body without a length")

        if not lengths:
            return b""

        if len(lengths) != 1 or not re.fullmatch(rb"[0-9]+", lengths[0]):
            raise Refused("length %r" % lengths)

        n = int(lengths[0])

        while len(buffer) < n:
            if not fill():
                raise Refused("a body is cut")

        body = bytes(buffer[:n])
        del buffer[:n]

        return body
