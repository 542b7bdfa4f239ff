"""Calls that end in every way at once, while the server reloads or loses its
workers: one line a call, none torn."""

import collections
import itertools
import os
import signal
import threading
import time

import pytest

import calls
import httpd
from client import Broken
from servers import rss

CHAT = "/v1/chat/completions"
UPSTREAM = r"upstream|\[proxy(_http)?:error\]"
THREADS = 6

# What becomes of a call: (knobs of the fake, what the client does).
ENDS = {
    "complete": ({"words": 40}, "read"),
    "plain": ({"words": 5}, "plain"),
    "client_closes": ({"words": 100, "gate": 30}, "close"),
    "client_resets": ({"words": 100, "gate": 30}, "reset"),
    "upstream_cut": ({"words": 100, "cut": 4000}, "read"),
    "upstream_reset": ({"words": 100, "cut": 4000, "reset": True}, "read"),
    "upstream_drops": ({"drop": True}, "read"),
}


def one_call(server, name, end):
    """True where the call is certain to have been begun."""
    knobs, act = ENDS[end]
    call = server.client.open(
        "POST", CHAT, calls.chat() if act == "plain" else calls.asked_stream(),
        {"x-n": name}, fake=knobs)
    begun = False
    try:
        if act in ("close", "reset"):
            call.read_until(b"word1")
            begun = True
            getattr(call, act)()
        else:
            call.head()
            begun = True
            call.read()
    except (Broken, OSError):
        pass
    finally:
        call.close()

    return begun


class Storm:
    """Threads that call until they are told to stop."""

    def __init__(self, server):
        self.server = server
        self.stop = threading.Event()
        self.begun = set()
        self.sent = collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(n,))
                        for n in range(THREADS)]

    def run(self, n):
        for i, end in enumerate(itertools.cycle(ENDS)):
            if self.stop.is_set():
                break
            name = "%d-%d-%s" % (n, i, end)
            try:
                begun = one_call(self.server, name, end)
            except OSError:             # nobody was there to be called
                begun = False
            self.sent[name] += 1
            if begun:
                self.begun.add(name)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def start(server, fake, **more):
    server.expect_errors(UPSTREAM)
    server.meter(fake, ("llm_tag", "n", "from=header:x-n"), **more)


def names_of(lines):
    return collections.Counter(
        line.get("llm.tags.n") or line["llm.tags"]["n"] for line in lines)


def lines_when_quiet(server):
    """All that come."""
    log, count = server.log_of(), -1

    while count != log.count():
        count = log.count()
        time.sleep(1)
        server.await_stillness()

    log.seen = count

    return log.read()


def test_reloads_in_a_storm_leave_one_line_a_call(server, fake):
    start(server, fake, workers=2, log=("flush=200ms",))
    with Storm(server) as storm:
        for _ in range(4):
            time.sleep(0.4)
            server.reload()
        server.wait_until(lambda: len(storm.begun) > 10 * THREADS)
    written = names_of(lines_when_quiet(server))
    assert set(written.values()) == {1}
    assert storm.begun <= set(written) <= set(storm.sent)


def test_kills_in_a_storm_cost_no_more_than_the_open_calls(server, fake):
    server.expect_errors("exited on signal 9", "exit signal Killed")
    start(server, fake, workers=2)
    kills = 3
    with Storm(server) as storm:
        for _ in range(kills):
            time.sleep(0.4)
            old = server.workers()
            for pid in old:
                os.kill(pid, signal.SIGKILL)
            server.wait_until(lambda: set(server.workers()) - set(old))
        server.wait_until(lambda: len(storm.begun) > 5 * THREADS)
    written = names_of(lines_when_quiet(server))
    assert set(written.values()) == {1}
    assert set(written) <= set(storm.sent)
    assert len(storm.begun - set(written)) <= kills * THREADS


@pytest.mark.skipif(httpd.MPM == "prefork",
                    reason="children are born as they are needed")
@pytest.mark.memory
def test_memory_does_not_grow_in_a_storm(server, fake):
    start(server, fake)

    def some(seconds):
        with Storm(server):
            time.sleep(seconds)
        server.await_stillness()
        return sum(rss(pid) for pid in server.workers())

    some(2)
    before = some(1)
    after = some(3)
    server.log_of().seen = len(lines_when_quiet(server))
    assert after - before < (2 << 20)
