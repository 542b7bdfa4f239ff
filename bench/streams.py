"""Streams seen from their client: when bytes come, and many that are idle."""

import os
import resource
import select
import socket
import time

import traffic
from rig import Load

OPEN_AT_ONCE = 200
DEADLINE = 40


def head(body, mode):
    lines = ["POST %s HTTP/1.1" % traffic.PATH, "Host: 127.0.0.1",
             "Content-Length: %d" % len(body), "X-Bench: " + mode]
    lines += ["%s: %s" % item for item in traffic.HEADERS.items()]

    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class Watch:
    """One client that notes when the first and the last event arrive."""

    def __init__(self, server, body):
        self.server = server
        self.socket = socket.create_connection(
            ("127.0.0.1", server.ports["memory"]), 5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.message = head(body, "s") + body
        self.first, self.last = [], []

    def call(self):
        got, first, last, events = b"", None, None, 0
        start = time.perf_counter()
        self.socket.sendall(self.message)

        while not got.endswith(b"0\r\n\r\n"):
            piece = self.socket.recv(65536)
            now = time.perf_counter()
            if not piece:
                raise EOFError("the stream broke off")
            got += piece
            if got.count(b"data: ") > events:
                events = got.count(b"data: ")
                first, last = first or now, now

        self.first.append(first - start)
        self.last.append(last - start)

    def close(self):
        self.socket.close()
        now = time.time()
        self.server.loads.append(Load(len(self.first), 0, now, now))


def room_for(wanted):
    """(streams, workers): as many as the limit of open files allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (65536, max(65536, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

    # A worker has two files a stream; workers don't share evenly.

    if hard > 2 * wanted + 1000:
        return wanted, 1

    return min(wanted, hard - 1000), 2


class Many:
    """Many streams that have had their first events and wait for more: in vain
    (mode "i"), or for one now and then (mode "w")."""

    def __init__(self, server, site, count, body, mode="i"):
        self.server = server
        self.message = head(body, mode) + body
        self.port = server.ports[site]
        self.sockets = {}
        self.waiting = {}
        self.epoll = select.epoll()

        try:
            self.open(count)
        except BaseException:
            self.close()
            raise

    def open(self, count):
        deadline = time.monotonic() + DEADLINE

        while len(self.sockets) < count or self.waiting:
            while len(self.sockets) < count \
                    and len(self.waiting) < OPEN_AT_ONCE:
                s = socket.create_connection(("127.0.0.1", self.port), 5)
                s.setblocking(False)
                s.send(self.message)
                self.sockets[s.fileno()] = s
                self.waiting[s.fileno()] = 0
                self.epoll.register(s, select.EPOLLIN)

            for fd, _ in self.epoll.poll(1):
                piece = os.read(fd, 65536)
                self.waiting[fd] += piece.count(b"data: ")
                if not piece or not piece.count(b"HTTP/1.1 200") \
                        and self.waiting[fd] == 0:
                    raise EOFError("an idle stream broke off: %r" % piece)
                if self.waiting[fd] >= 3:
                    del self.waiting[fd]
                    self.epoll.unregister(fd)

            if time.monotonic() > deadline:
                raise TimeoutError("%d of %d idle streams opened"
                                   % (len(self.sockets), count))

    def progress(self, seconds):
        """Events that each has in that time: the least, all together."""
        got = dict.fromkeys(self.sockets, 0)
        deadline = time.monotonic() + seconds

        for fd in self.sockets:
            self.epoll.register(fd, select.EPOLLIN)

        while (left := deadline - time.monotonic()) > 0:
            for fd, _ in self.epoll.poll(left):
                piece = os.read(fd, 65536)
                if not piece:
                    raise EOFError("an open stream broke off")
                got[fd] += piece.count(b"data: ")

        for fd in self.sockets:
            self.epoll.unregister(fd)

        return min(got.values()), sum(got.values())

    def close(self):
        end = time.time()

        for s in self.sockets.values():
            s.close()
        self.epoll.close()
        self.server.loads.append(Load(0, len(self.sockets), end, time.time()))
