"""What clients make up: keys, sessions, models, as many as there is time for."""

import os
import re

import rig

GROWTH = 2048                           # kB that a worker may grow by
LEDGER = "256k"
SLACK = 32 * 1024                       # bytes
CLIENTS = 50


def the_site(stage, full):
    text = rig.keys_file(*(rig.record(k, budgets=["requests=1M/day"])
                           for k in ("k1", "k2", "k3")))

    return rig.site(stage.server, stage.provider, text,
                    "sessions per=session requests=1M/day",
                    "models per=model requests=1M/day",
                    ledger=("size=" + LEDGER, "full=" + full))


def anonymous(pid):
    """Memory that is the process's own, in kB: what it has malloc()ed, not what
    it has read of the programs' and the ledger's files."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"RssAnon:\s+(\d+) kB", f.read())[1])


class Memory:
    """Of the workers; must stay as it is."""

    def __init__(self, stage):
        self.stage = stage
        self.before = self.now()

    def now(self):
        return {pid: anonymous(pid) for pid in self.stage.server.workers()}

    def judge(self, what):
        now, report = self.now(), self.stage.report
        report.must(set(now) == set(self.before), "workers come and go")
        grown = max(now[p] - self.before.get(p, 0) for p in now)
        report.must(grown <= GROWTH, "a worker grew by %d kB" % grown)
        report.figure("crowd: after %s: a worker grew by (kB)" % what, grown)


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
    size = os.stat(path).st_size
    stage.clients(["k1", "k2", "k3"], "w", clients=CLIENTS, calls=4000,
                  seconds=20).end()
    memory = Memory(stage)
    status = invent(stage, "keys", "k1", "e", seconds)
    report.must(set(status) == {401}, "made-up keys: %s" % status)
    memory.judge("keys")
    fill(stage, seconds)
    memory.judge("the others")
    server.reload(the_site(stage, "allow"))
    status = invent(stage, "sessions", "k1", "i", seconds)
    report.must(set(status) == {200}, "full=allow: %s" % status)
    dump = stage.await_free()
    report.figure("crowd: entries, in use, invented, told full", "%(entries)d,"
                  " %(entries_used)d, %(entries_invented)d, %(full)d" % dump)
    now = os.stat(path)

    # A file system may need a block or two of its own for it.

    report.must(now.st_size == size and now.st_blocks * 512 < size + SLACK,
                "the ledger had %d bytes, and has %d in %d blocks"
                % (size, now.st_size, now.st_blocks))
    report.figure("crowd: the ledger's size (bytes)", size)
    report.must(any(line.get("llm.rule") == "ledger_full"
                    and line["llm.decision"] == "allow"
                    for line in stage.lines()[-20000:]),
                "no line says that the ledger is full")
