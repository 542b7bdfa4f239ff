"""The processes of a torture, and what is reported of it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"), "torture")
sys.path[:0] = [os.path.join(ROOT, "t", "behave"), os.path.join(ROOT, "t")]

from keys import gated, sha256                          # noqa: E402
from servers import free_port                           # noqa: E402

CANARY = "canary7f3a91"
PROMPT = CANARY + "prompt"
MADE_UP = "sk-tg-"                      # how clients.c begins what it invents


def program(name, *args):
    return [os.path.join(BUILD, name), *map(str, args)]


def spawn(*argv, **more):
    return subprocess.Popen(argv, text=True, stdin=subprocess.DEVNULL, **more)


class Report:
    """A figure a line; what is wrong is told at once and at the end."""

    def __init__(self, server):
        self.server = server
        self.wrongs = 0

    def figure(self, what, value):
        print("%s: %s: %s" % (self.server, what, value), flush=True)

    def wrong(self, what):
        self.wrongs += 1
        if self.wrongs <= 40:
            print("%s: WRONG: %s" % (self.server, what), flush=True)

    def must(self, good, what):
        if not good:
            self.wrong(what)

        return good


class Provider:
    def __init__(self, folder, share=95, delay=12):
        self.books = os.path.join(folder, "books")
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.process = spawn(*program("provider", self.port, self.books,
                                      share, delay, CANARY))
        self.await_ready()

    def await_ready(self):
        end = time.monotonic() + 10

        while True:
            try:
                return self.told()
            except OSError:
                assert time.monotonic() < end, "the provider does not start"
                time.sleep(0.02)

    def told(self):
        """Its own counts; the books are complete when this returns."""
        with urllib.request.urlopen(self.url, timeout=10) as r:
            return json.load(r)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Clients:
    """200 of them, unless told otherwise."""

    def __init__(self, port, keys, prefix, **more):
        args = {"prefix": prefix, "text": PROMPT, **more}
        self.limit = args.get("seconds", 10) + 60
        self.process = spawn(
            *program("clients", port),
            *("%s=%s" % (name, value) for name, value in args.items()),
            *("key=" + secret(k) for k in keys), stdout=subprocess.PIPE)

    def running(self):
        return self.process.poll() is None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def end(self):
        out, _ = self.process.communicate(timeout=self.limit)

        return json.loads(out)


class Look:
    """At a ledger: see look.c."""

    def __init__(self, path):
        self.path = path
        self.process = None

    def watch(self):
        self.process = spawn(*program("look", "watch", self.path),
                             stdout=subprocess.PIPE)

    def seen(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)

        return json.loads(out)

    def ask(self, what):
        return subprocess.run(program("look", what, self.path), timeout=60,
                              text=True, stdout=subprocess.PIPE)

    def dump(self):
        return json.loads(self.ask("dump").stdout)

    def check(self):
        """None where it does not fit together."""
        done = self.ask("check")

        return json.loads(done.stdout) if done.returncode == 0 else None


def secret(name):
    return "%s%s-%s-0123456789abcdef0123456789" % (MADE_UP, CANARY, name)


def record(name, **more):
    return {"id": "key_" + name, "sha256": sha256(secret(name)), **more}


def keys_file(*records, **more):
    return json.dumps({"tollgate_keys": 1, "keys": list(records), **more},
                      indent=1)


def usd(nano):
    return "%d.%09d" % divmod(int(nano), 10 ** 9)


class LookFleet:
    """At the ledgers of a fleet's nodes: see look_fleet.c."""

    def __init__(self, paths):
        self.paths = paths
        self.process = None

    def watch(self):
        self.process = spawn(*program("look_fleet", "watch", *self.paths),
                             stdout=subprocess.PIPE)

    def seen(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=30)

        return json.loads(out)

    def ask(self, what):
        done = subprocess.run(program("look_fleet", what, *self.paths),
                              timeout=60, text=True, stdout=subprocess.PIPE)

        return json.loads(done.stdout)


def site(server, provider, text, *quotas, ledger=("size=16m",), llm=(),
         workers=4, **more):
    """Keys, quotas, a ledger; lines are gathered for a second, and say the
    call's number as its organisation."""
    tags = [("llm_tag", "org", "from=header:x-call"),
            ("llm_tag", "session", "from=header:x-session")]

    return server.metered(
        provider, *gated(server, *quotas, text=text, ledger=ledger,
                         llm=[*tags, *llm]),
        keepalive=True, enable=("on", "on_disconnect=drain:10s"), log=(),
        workers=workers, **more)


def canaries(server):
    """Files in which a key or a prompt is found."""
    found = []

    for folder, _, names in os.walk(server.dir):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as f:
                text = f.read()
            found += [path for word in (CANARY, MADE_UP)
                      if word.encode() in text]

    return found
