"""Inference servers without a GPU (bench/engine): started, made to do wrong,
asked what they saw.

    with Engines(3, speed=10) as engines:
        engines[0].set(hang=1)
        engines[0].die(); engines[0].revive(loading=2000)
        engines[0].arrivals("health")           # seconds, time.monotonic()

Words of set() and of the constructor are those of bench/engine/conf.c.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request

from servers import START_TRIES, die_with_parent, free_port, root

BINARY = os.environ.get("TG_ENGINE", root("build", "bench", "engine"))
DEADLINE = 60
BROKEN = {"hang": 0, "stall": 0, "health": 200, "health_ms": 0,
          "metrics": "ok", "metrics_ms": 0, "stale": 0, "old": 0,
          "sleeping": 0, "full": 0, "full_as": 503, "error": 0, "reset": "off",
          "refuse": 0}


class EngineError(Exception):
    pass


class Engine:
    """One server.  It keeps its port when it dies and is revived."""

    def __init__(self, folder, number, **options):
        self.folder = folder
        self.options = options
        self.log = os.path.join(folder, "engine-%d.log" % number)
        self.share = os.path.join(folder, "engine-%d.share" % number)
        self.process = None

        for attempt in range(START_TRIES):
            self.port, self.ctl_port = free_port(), free_port()
            try:
                self.start()
                return
            except EngineError:
                if attempt + 1 == START_TRIES:
                    raise

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    @property
    def url(self):
        return "http://" + self.address

    def start(self, **more):
        words = {**self.options, "log": self.log, "share": self.share,
                 "port": self.port, "ctl": self.ctl_port, **more}
        self.process = subprocess.Popen(
            [BINARY] + ["%s=%s" % word for word in words.items()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        end = time.monotonic() + DEADLINE

        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                self.stats()
                return
            except OSError:
                time.sleep(0.01)

        self.stop()
        raise EngineError(self.why)

    def ctl(self, data=None):
        with urllib.request.urlopen("http://127.0.0.1:%d/ctl" % self.ctl_port,
                                    data, DEADLINE) as answer:
            return answer.read()

    def stats(self):
        return json.loads(self.ctl())

    def set(self, **words):
        self.ctl("\n".join("%s=%s" % w for w in words.items()).encode())

    def mend(self):
        """All is well again."""
        self.set(**BROKEN)

    def die(self):
        """kill -9; what it had under way is cut off.  Returns when."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

        return time.monotonic()

    def revive(self, **more):
        self.start(**more)

        return time.monotonic()

    def pause(self):
        """Its process stands still: the kernel takes connections."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.why = ""
        if not self.process.stderr.closed:
            self.why = self.process.stderr.read().decode(errors="replace")
            self.process.stderr.close()

    def events(self):
        """[(seconds, words)]: what it has seen, by time.monotonic()."""
        with open(self.log) as f:
            lines = [line.split() for line in f if line.endswith("\n")]

        return [(int(words[0]) / 1e9, words[1:]) for words in lines]

    def arrivals(self, kind, since=0.0):
        """When requests of a kind came: health, metrics, call, reset, other."""
        return [at for at, words in self.events()
                if words[0] == kind and at >= since]

    def busy(self, since=0.0):
        """Seconds in which any call was there.  What a death cut off ends with
        it, at the next start."""
        total, began, open_calls = 0.0, None, set()

        for at, words in self.events():
            if words[0] == "chat":
                began = at if not open_calls else began
                open_calls.add(words[1])
            elif words[0] == "end" and words[1] in open_calls:
                open_calls.discard(words[1])
                if not open_calls:
                    total += max(0.0, at - max(began, since))
            elif words[0] == "start":
                open_calls.clear()

        return total


class Engines:
    """Several of them; none is left behind.  each: what is different of them, by
    number."""

    def __init__(self, n, each=lambda i: {}, **options):
        self.n, self.each, self.options = n, each, options
        self.all = []

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tollgate-engines-")
        try:
            for i in range(self.n):
                self.all.append(Engine(self.folder.name, i,
                                       **{**self.options, **self.each(i)}))
        except BaseException:
            self.__exit__()
            raise

        return self

    def __exit__(self, *_):
        for engine in self.all:
            engine.stop()
        self.folder.cleanup()

    def __getitem__(self, i):
        return self.all[i]

    def __iter__(self):
        return iter(self.all)

    def __len__(self):
        return len(self.all)
