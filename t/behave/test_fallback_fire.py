"""Targets that are killed and come back at random, under load: no call is lost
that a healthy one could serve, and none is billed twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import calls
from client import Broken
from servers import DEADLINE, die_with_parent, free_port, root

SECONDS = float(os.environ.get("TG_FIRE_SECONDS", "5"))
CLIENTS = 8
WORDS = 4
COST = 3600                         # of the call: 4 tokens in, 5 out


class Target:
    """A provider as a process of its own."""

    def __init__(self):
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, root("t", "fake", "provider.py"), "--forget",
             "--port", str(self.port)], stdout=subprocess.PIPE,
            preexec_fn=die_with_parent)
        assert self.process.stdout.readline().strip() == b"%d" % self.port

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def fire(targets, seen):
    """All but the last are down at random; often both."""
    rng = random.Random(7)
    kills = 0
    began = time.monotonic()

    while time.monotonic() - began < SECONDS or kills < 2 or len(seen) <= 20:
        assert time.monotonic() - began < DEADLINE
        target = rng.choice(targets[:-1])
        target.kill()
        kills += 1
        time.sleep(rng.uniform(0, 0.15))
        target.start()
        time.sleep(rng.uniform(0, 0.1))

    return kills


def load(server, stop, seen, lock, worker):
    rng = random.Random(worker)

    while not stop.is_set():
        stream = rng.random() < 0.5
        body = calls.asked_stream() if stream else calls.chat()

        # A stream that takes its time has its target killed in the middle.

        try:
            r = server.client.post("/v1/chat/completions", body,
                                   fake={"delay": 0.005} if stream else None)
            result = r.status if r.complete else "cut"
        except (Broken, ConnectionError) as e:
            result = "cut" if "missing" in str(e) or "chunk" in str(e) \
                else repr(e)

        with lock:
            seen.append((stream, result))


def test_no_call_is_lost_and_none_billed_twice(server):
    server.expect_errors(".*")
    targets = [Target() for _ in range(3)]
    server.route([("one", targets[0]), ("two", targets[1]),
                  ("three", targets[2])],
                 ("llm_route", "all", "to=one,two,three"), workers=2)
    seen, lock, stop = [], threading.Lock(), threading.Event()
    threads = [threading.Thread(target=load,
                                args=(server, stop, seen, lock, i))
               for i in range(CLIENTS)]

    for t in threads:
        t.start()

    try:
        kills = fire(targets, seen)
    finally:
        stop.set()

    for t in threads:
        t.join(DEADLINE)
        assert not t.is_alive()

    # What began to be answered can't be taken back; all else succeeds.  Of an
    # answer that is no stream a kill may hit the moment in which it is written.

    assert {result for _, result in seen} <= {200, "cut"}
    assert sum(result == "cut" for stream, result in seen
               if not stream) <= kills

    server.terminate()
    lines = server.lines(server.log_of().count())
    finals = [line for line in lines if line["llm.final"]]
    assert len(finals) == len(seen)
    assert len({line["llm.call_id"] for line in finals}) == len(finals)

    whole = [line for line in finals if line["event.outcome"] == "success"]
    assert len(whole) >= sum(result == 200 for _, result in seen)
    assert {line.nusd for line in whole} == {COST}
    assert any(line["llm.attempt"] > 1 for line in finals)

    # An attempt that broke off before its answer may be billed for its prompt,
    # once; one whose target was not there is not.

    for line in lines:
        if not line["llm.final"]:
            assert line["llm.attempt"] < 4
            assert line.output == 0 and line.nusd <= COST

    for t in targets:
        t.kill()
