"""Engines behind a server that looks after them, and clients that never stop:
for test_upstream_fire.py."""

import json
import re
import threading
import time

from client import Broken
from engines import Engines
from servers import DEADLINE, Loc, Site, Upstream

INTERVAL = 0.2
TIMEOUT = 0.5
RISE, FALL = 2, 3
# Of a check's time, a tick of who checks, a worker that looks away, a machine
# that has other things to do.
SLACK = 1.5
KNOWN = FALL * max(INTERVAL, TIMEOUT) * 1.1 + SLACK
BACK = RISE * INTERVAL * 1.1 + SLACK

CHECK = ("interval=200ms", "timeout=%dms" % (TIMEOUT * 1000), "connect=500ms",
         "rise=%d" % RISE, "fall=%d" % FALL)
RETRY = "proxy_next_upstream error timeout http_502 http_503 non_idempotent;"
ENGINE = {"speed": 20, "seqs": 8}


class Fire:
    """with Fire(server, 3) as fire: engines, a started server, clients."""

    def __init__(self, server, n, *check, clients=4, balance="least_load",
                 tokens=20, workers=1, backend="type=vllm", streams=False,
                 **engine):
        self.server, self.n = server, n
        self.check = check
        self.balance, self.workers, self.backend = balance, workers, backend
        self.body = {"model": "local", "max_tokens": tokens, "stream": streams,
                     "messages": [{"role": "user", "content": "count " * 50}]}
        self.engines = Engines(n, **{**ENGINE, **engine})
        self.clients = clients
        self.threads = []
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.calls = []                 # (began, ended, status or error)

    def site(self):
        up = Upstream(
            "gpu", list(self.engines),
            [("llm_backend", self.backend, "gpus=1", "gpu_cost=3.60/hour"),
             ("llm_health_check", *CHECK, *self.check),
             ("llm_balance", self.balance)], keepalive=16)

        return Site(
            locs=[Loc("/", [], up, nginx=RETRY + " proxy_read_timeout 20s;"
                      " proxy_buffering off;"),
                  Loc("/backends", [("llm_upstream_status",)])],
            upstreams=[up], workers=self.workers, modules=("llm_upstream",))

    def __enter__(self):
        self.engines.__enter__()
        try:
            self.server.start(self.site())
            self.server.wait_until(self.all_up, what="all to be up")
            self.load(self.clients)
        except BaseException:
            self.__exit__()
            raise

        return self

    def __exit__(self, *_):
        self.stop()
        self.engines.__exit__()

    # what the server says

    def status(self):
        """{host:port: backend}"""
        got = self.server.client.get("/backends")
        assert got.status == 200, got.text
        told = json.loads(got.text, parse_float=exact, parse_int=exact)
        up, = [u for u in told["upstreams"] if u["upstream"].endswith("gpu")]

        return {re.sub(r"^\w+://", "", s["server"]).rstrip("/"): s
                for s in up["servers"]}

    def of(self, engine):
        return self.status()[engine.address]

    def all_up(self):
        return all(s["state"] == "up" and s["usable"]
                   for s in self.status().values())

    def await_state(self, engine, state):
        self.server.wait_until(lambda: self.of(engine)["state"] == state,
                               what="%s to be %s" % (engine.address, state))

    def in_flight(self):
        return [s["calls"]["in_flight"] for s in self.status().values()]

    # clients

    def load(self, n):
        for _ in range(n):
            self.threads.append(threading.Thread(target=self.client))
            self.threads[-1].start()

    def client(self):
        while not self.stopping.is_set():
            start = time.monotonic()
            got = self.one()
            with self.lock:
                self.calls.append((start, time.monotonic(), got))

    def one(self):
        """A status, or what became of the call."""
        try:
            got = self.server.client.post("/v1/chat/completions", self.body)
        except (Broken, OSError) as e:
            return repr(e)

        whole = got.body.endswith(b"[DONE]\n\n") if self.body["stream"] \
            else b'"usage"' in got.body

        return 200 if got.status == 200 and whole else "%d %s" % (
            got.status, "cut" if got.status == 200 else got.text[:100])

    def stop(self):
        """Waits for the calls that are under way."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(DEADLINE)
        self.threads.clear()

    def lost(self):
        return [c for c in self.calls if c[2] != 200]

    def sleep(self, seconds):
        """And clients were served all the while."""
        start = len(self.calls)
        time.sleep(seconds)
        assert len(self.calls) > start, "no call was answered"


def exact(text):
    """Decimals with nine digits, as nanoseconds."""
    whole, _, part = text.partition(".")

    return Nanos(int(whole + (part + "0" * 9)[:9]) * (-1 if whole == "-0"
                                                      else 1), text)


class Nanos(float):
    """A number of the status page, of which nothing is lost."""

    def __new__(cls, ns, text):
        self = super().__new__(cls, text)
        self.ns = ns
        return self


def nanos(number):
    """Of a number of exact()'s, or a whole one."""
    return number.ns if isinstance(number, Nanos) else number * 10 ** 9


def gaps(times, start, end):
    """The longest time between neighbours."""
    times = [start] + sorted(t for t in times if start < t < end) + [end]

    return max(b - a for a, b in zip(times, times[1:]))
