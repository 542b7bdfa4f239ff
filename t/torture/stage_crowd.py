"""What clients make up: keys, sessions, models, as many as there is time for."""

import os

import rig

from servers import rss

GROWTH = 1024 * 1024                    # bytes that a worker may grow by
LEDGER = "256k"
CLIENTS = 50


def the_site(stage, full):
    text = rig.keys_file(*(rig.record(k, budgets=["requests=1M/day"])
                           for k in ("k1", "k2", "k3")))

    return rig.site(stage.server, stage.provider, text,
                    "sessions per=session requests=1000/day",
                    "models per=model requests=1M/day",
                    ledger=("size=" + LEDGER, "full=" + full))


class Memory:
    def __init__(self, stage):
        self.stage = stage
        self.before = self.now()

    def now(self):
        server = self.stage.server

        return {pid: rss(pid) for pid in server.workers()}

    def judge(self, what):
        now = self.now()
        grown = max((now[p] - self.before[p] for p in now
                     if p in self.before), default=None)
        self.stage.report.must(grown is not None and grown <= GROWTH,
                               "%s: a worker grew by %s bytes" % (what, grown))
        self.stage.report.figure(what + ": a worker grew by (bytes)", grown)


def invent(stage, what, key, prefix, seconds):
    """Statuses of calls, each with something that was not there before."""
    ended = stage.clients([key], prefix, clients=CLIENTS, invent=what,
                          seconds=seconds).end()
    stage.report.figure("crowd: %s made up, and their statuses" % what,
                        "%(sent)d, %(status)s" % ended)
    stage.report.must(ended["hung"] == 0, "%(hung)d calls hang" % ended)

    return {int(s): n for s, n in ended["status"].items()}


def once(stage, key, prefix, **more):
    ended = stage.clients([key], prefix, clients=1, calls=1, seconds=10,
                          **more).end()

    return list(ended["status"])


def fill(stage, seconds):
    """Sessions of one key, then models of another, until there is no room for
    theirs, and on."""
    report, full = stage.report, stage.look.dump()["full"]
    turned_away = 0

    for what, key in (("sessions", "k1"), ("models", "k3")):
        status = invent(stage, what, key, "f" + what[0], seconds)
        turned_away += status.get(503, 0)
        report.must(set(status) == {200, 503}, "%s: %s" % (what, status))
        report.must(once(stage, "k2", "g" + what[0], invent=what) == ["200"],
                    "%s of one key keep another from its own" % what)
        report.must(once(stage, key, "h" + what[0]) == ["200"],
                    "a key's %s keep it from its own calls" % what)

    told = stage.look.dump()["full"] - full
    report.figure("crowd: 503, counted as full", "%d, %d" % (turned_away,
                                                             told))
    report.must(told == turned_away, "%d were turned away, %d are counted"
                % (turned_away, told))


def crowd(stage):
    report, server = stage.report, stage.server
    seconds = max(2, int(stage.seconds / 4))
    server.start(the_site(stage, "reject"))
    path = stage.look.path
    size = os.stat(path).st_size, os.stat(path).st_blocks
    stage.clients(["k1", "k2", "k3"], "w", clients=CLIENTS, calls=4000,
                  seconds=20).end()
    memory = Memory(stage)
    status = invent(stage, "keys", "k1", "e", seconds)
    report.must(set(status) == {401}, "made-up keys: %s" % status)
    fill(stage, seconds)
    memory.judge("crowd")
    server.reload(the_site(stage, "allow"))
    status = invent(stage, "sessions", "k1", "i", seconds)
    report.must(set(status) == {200}, "full=allow: %s" % status)
    dump = stage.await_free()
    report.figure("crowd: entries, in use, invented, told full", "%(entries)d,"
                  " %(entries_used)d, %(entries_invented)d, %(full)d" % dump)
    report.must(size == (os.stat(path).st_size, os.stat(path).st_blocks),
                "the ledger's size has changed")
    report.figure("crowd: the ledger's size (bytes)", size[0])
    report.must(any(line.get("llm.rule") == "ledger_full"
                    and line["llm.decision"] == "allow"
                    for line in stage.lines()[-20000:]),
                "no line says that the ledger is full")
