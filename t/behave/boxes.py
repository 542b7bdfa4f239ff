"""Servers of an upstream that do as they are told, call by call; where an
engine of bench/engine would do more than a test asks for."""

import contextlib
import datetime
import json
import socket
import ssl
import threading
import time

from servers import free_port

PAGE = ("vllm:num_requests_running{engine=\"0\"} %d\n"
        "vllm:num_requests_waiting{engine=\"0\"} %d\n"
        "vllm:kv_cache_usage_perc{engine=\"0\"} %g\n"
        "vllm:prompt_tokens_total{engine=\"0\"} %d\n"
        "vllm:generation_tokens_total{engine=\"0\"} %d\n")


class Box:
    """health, status: of those answers; None: the connection is dropped.
    drops: so many calls are read and their connections closed.  delay: seconds
    before a call's answer.  calls, checks, scrapes: when they came."""

    def __init__(self, tls=None):
        self.health, self.status, self.delay = 200, 200, 0
        self.waiting = self.drops = 0
        self.keep = True
        self.calls, self.checks, self.scrapes = [], [], []
        self.heads = []
        self.connections = 0
        self.open = set()
        self.tls = tls
        self.lock = threading.Lock()
        self.gate = threading.Event()
        self.gate.set()
        self.port = None
        self.listen()

    def listen(self):
        self.port = self.port or free_port()
        self.listener = socket.create_server(("127.0.0.1", self.port),
                                             backlog=128)
        threading.Thread(target=self.accept, args=(self.listener,),
                         daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        for sock in list(self.open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.close()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,),
                             daemon=True).start()

    def serve(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with self.lock:
                self.connections += 1
                self.open.add(sock)
            while self.one(sock):
                pass
        except (OSError, ssl.SSLError):
            pass
        finally:
            self.open.discard(sock)
            sock.close()

    def one(self, sock):
        data = b""

        while b"\r\n\r\n" not in data:
            got = sock.recv(65536)
            if not got:
                return False
            data += got

        head, _, body = data.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        length = [int(line.split(":")[1]) for line in text.split("\r\n")
                  if line.lower().startswith("content-length:")]

        while length and len(body) < length[0]:
            body += sock.recv(65536)

        path = text.split(" ")[1]
        self.heads.append(text)
        status, answer = self.answer(path)

        if status is None:
            return False

        keep = self.keep and "connection: close" not in text.lower()
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n" % (
            status, len(answer), b"" if keep else b"Connection: close\r\n")
            + answer)

        return keep

    def answer(self, path):
        now = time.monotonic()

        if path == "/health":
            self.checks.append(now)
            return self.health, b""

        if path == "/metrics":
            self.scrapes.append(now)
            n = len(self.calls)
            return 200, (PAGE % (0, self.waiting, 0.1, n * 100, n * 10)
                         ).encode()

        with self.lock:
            self.calls.append(now)
            if self.drops:
                self.drops -= 1
                return None, b""
        self.gate.wait(60)
        time.sleep(self.delay)

        return self.status, json.dumps({"from": self.port}).encode()


@contextlib.contextmanager
def boxes(n, **options):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Box(**options)) for _ in range(n)]


def servers(server, path="/status"):
    """What the companion says of each, by address."""
    return {s["server"]: s for up in server.client.get(path).json["upstreams"]
            for s in up["servers"]}


def since(told):
    """When its state began, in seconds.  Good to some milliseconds."""
    return datetime.datetime.fromisoformat(
        told["since"].replace("Z", "+00:00")).timestamp()


def await_states(server, *wanted):
    """Of (box, state), until all are so."""
    def there():
        now = servers(server)
        return all(now.get(box.address, {}).get("state") == state
                   for box, state in wanted)

    server.wait_until(there, what="states %r" % [s for _, s in wanted])
