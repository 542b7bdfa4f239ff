"""Kills, reloads, restarts, aborts, resets: and every nano-dollar is found."""

import os
import random
import signal
import time

import rig
import truth

from servers import children

CLIENTS = 100
KEYS = ["k1", "k2", "k3", "k4"]
CAP = 10 ** 12                          # nano-dollars: refuses nobody

# AH00046: a child of httpd's that is still starting threads, for slots that are
# not free yet, hears a SIGTERM only after ten seconds.
EXPECTED = ("signal 9", "signal Killed", "AH00052", "open socket",
            "while connecting", "AH00957", "AH01114", "AH00940", "AH00046")
PAUSE = (0.3, 1.2)


def budgets():
    """Each its own limit, by which its entry is found."""
    caps = {"key_" + k: CAP + 1 + i for i, k in enumerate(KEYS)}
    caps.update({"team a": CAP + 100, "team b": CAP + 101, "all": CAP + 102})

    return caps


def the_site(stage, caps):
    def budget(name, window, *more):
        return [{"name": "q", "limit": " ".join(
            ["usd=%s/%s" % (rig.usd(caps[name]), window), *more])}]

    text = rig.keys_file(
        *(rig.record(k, team="ab"[i % 2], budgets=budget("key_" + k, "day"))
          for i, k in enumerate(KEYS)),
        teams={t: {"budgets": budget("team " + t, "month")} for t in "ab"})

    return rig.site(stage.server, stage.provider, text,
                    "all per=all usd=%s/day" % rig.usd(caps["all"]),
                    "told per=all requests=100k/day alert=1%,10%,50%"
                    " stop=250%",
                    "rate per=key tokens=100M/minute",
                    "crowd per=key concurrent=1000",
                    llm=[("llm_alert", "url=%s/hook" % stage.provider.url)])


class Killer:
    """What happens to a server, in turn."""

    def __init__(self, stage):
        self.stage = stage
        self.server = stage.server
        self.counts = {}
        self.turns = [self.kill_worker, self.reload, self.kill_workers,
                      self.term, self.kill_worker, self.quit,
                      self.kill_all, self.kill_worker, self.kill_master,
                      self.reload_and_kill]

    def did(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def workers(self):
        return children(self.server.process.pid)

    def kill(self, pids):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                self.did("worker kill -9")
            except ProcessLookupError:
                pass

    def kill_worker(self):
        self.kill(random.sample(self.workers(), 1))

    def kill_workers(self):
        self.kill(self.workers())

    def reload(self):
        self.did("reload")
        self.server.reload()

    def reload_and_kill(self):
        self.reload()
        self.kill(random.sample(self.workers(), 2))

    def again(self):
        """On the same port."""
        self.server._start(self.server.site)

    def term(self):
        self.did("TERM and start")
        self.server.terminate()
        self.again()

    def quit(self):
        self.did("graceful stop and start")
        self.server.graceful()
        self.server.await_exit(40)
        self.again()

    def kill_all(self):
        self.did("kill -9 of all and start")
        os.killpg(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()
        self.again()

    def kill_master(self):
        """Its workers go on without it, for a while."""
        self.did("master kill -9 and start")
        group = self.server.process.pid
        self.server.signal(signal.SIGKILL)
        self.server.process.wait()
        time.sleep(0.5)
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.again()

    def work(self, seconds):
        end, i = time.monotonic() + seconds, 0

        while time.monotonic() < end or i < len(self.turns):
            time.sleep(random.uniform(*PAUSE))
            self.turns[i % len(self.turns)]()
            i += 1


def chaos(stage):
    report, server, caps = stage.report, stage.server, budgets()
    server.expect_errors(*EXPECTED)
    server.start(the_site(stage, caps))
    clients = stage.clients(KEYS, "x", clients=CLIENTS, streams=50, aborts=10,
                            resets=6, cuts=2, errors=3,
                            seconds=int(stage.seconds * 4))
    stage.look.watch()
    killer = Killer(stage)

    try:
        killer.work(stage.seconds)
    finally:
        clients.stop()
        ended = clients.end()

    report.figure("chaos", ", ".join("%s %d" % c
                                     for c in killer.counts.items()))
    report.figure("chaos: clients", ended)
    report.must(ended["hung"] == 0, "%(hung)d calls hang" % ended)
    seen = stage.look.seen()
    report.must(seen["over"] == 0, "%(over)d entries over" % seen)
    judge(stage, caps)


def judge(stage, caps):
    report = stage.report
    stage.await_free()
    served(stage)
    dump = stage.await_free()
    report.figure("chaos: slots and holds left", dump["slots"])
    report.figure("chaos: locks taken over, logs replayed, slots swept, busy",
                  "%(recoveries)d, %(replays)d, %(swept)d, %(busy)d" % dump)
    counted = truth.count(stage.lines())
    verdict = truth.compare(stage.bills(), counted)
    tell(report, counted, verdict)
    report.figure("chaos: alerts, and their posts", "%d, %d" % (
        len(stage.server.log_of().alerts()), stage.provider.told()["hooks"]))
    judge_ledger(report, caps, dump, counted)


def served(stage):
    """Who has money left."""
    ended = stage.clients(KEYS, "y", clients=8, calls=40, seconds=20).end()
    stage.report.must(ended["status"].get("200") == ended["sent"] == 40,
                      "not all were served in the end: %s" % ended)
    stage.report.figure("chaos: served in the end", ended["status"])


def tell(report, counted, verdict):
    report.figure("conservation: billed, counted (nano-dollars)",
                  "%d, %d" % (verdict.billed, verdict.counted))
    report.figure("conservation: calls alike, lines written twice",
                  "%d, %d" % (verdict.same, counted.repeated))
    report.figure("conservation: cut before their usage: calls, billed,"
                  " estimated", "%d, %d, %d" % (verdict.cut,
                                                verdict.cut_billed,
                                                verdict.cut_counted))
    report.figure("conservation: free, but nobody heard so: calls, estimated",
                  "%d, %d" % (verdict.unheard, verdict.unheard_counted))
    report.figure("conservation: interrupted by a kill: calls, above the bill",
                  "%d, %d" % (len(verdict.interrupted),
                              sum(n for _, _, n in verdict.interrupted)))

    for call_id, call, more in verdict.interrupted:
        print("    %s (%s): + %d" % (call_id, call, more))

    for what in verdict.wrong:
        report.wrong(what)
    for event in counted.differ:
        report.wrong("two costs are written of " + event)


def judge_ledger(report, caps, dump, counted):
    """The sum of the lines of each subject is what its entry says."""
    sums = dict.fromkeys(caps, 0)

    for lines in counted.calls.values():
        for line in lines:
            if "llm.key_id" in line:
                sums[line["llm.key_id"]] += line.nusd
                sums["team " + line["llm.team"]] += line.nusd
                sums["all"] += line.nusd

    for name, cap in caps.items():
        used = [e["used"] for e in dump["list"] if e["limit"] == cap]
        report.must(used == [sums[name]],
                    "the ledger says %s of %s, the lines %d"
                    % (used, name, sums[name]))

    report.figure("conservation: ledger, lines (nano-dollars)", "%s, %d" % (
        [e["used"] for e in dump["list"] if e["limit"] == caps["all"]],
        sums["all"]))
