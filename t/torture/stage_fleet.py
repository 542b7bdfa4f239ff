"""Nodes that share budgets by way of a real Redis, and what happens to them."""

import random
import subprocess
import time

import fleet_away
import rig
import stage_cap
import stage_chaos
import truth

from redis_server import Redis

NODES = {"nginx": 4, "httpd": 2}
WORKERS = 2
CLIENTS = 100                           # of all nodes together
FAR = 10 ** 12                          # nano-dollars: refuses nobody
QUARANTINE = 4                          # seconds; no node is away for longer
TIMEOUT = 300                           # ms
FREE = ("k5", "k6")                     # have no limits of their own
KEYS = ("k1", "k2", "k3", "k4") + FREE
TRIPS = {"strict": 1.0, "ahead": 0.02}

# While Redis hangs, httpd's threads wait for it.
EXPECTED = stage_chaos.EXPECTED + (
    "llm_ledger: the fleet's store", "llm_ledger: .*[Rr]edis", "AH00484")


class Fleet:
    def __init__(self, stage, lease):
        self.stage, self.lease, self.report = stage, lease, stage.report
        self.redis = Redis("--appendonly", "yes")
        stage.stores.append(self.redis)

        while len(stage.servers) < NODES[stage.server.name]:
            stage.servers.append(type(stage.server)())

        self.nodes = stage.servers
        self.look = rig.LookFleet([node.mkdir("ledger") + "/tollgate"
                                   for node in self.nodes])
        for node in self.nodes:
            node.check_lines = False
            node.expect_errors(*EXPECTED, *stage.server.expected)

    def figure(self, what, value):
        self.report.figure("%s: %s" % (self.lease, what), value)

    def must(self, good, what):
        return self.report.must(good, "%s: %s" % (self.lease, what))

    def site(self, node, caps):
        """Limits, nested; those that caps leaves out do not exist."""
        def usd(name, window):
            return [{"name": name, "limit": "usd=%s/%s wait=100ms" % (
                rig.usd(caps[name]), window)}] if name in caps else []

        near = "k1" in caps
        text = rig.keys_file(
            rig.record("k1", team="a", budgets=usd("k1", "day")),
            rig.record("k2", team="a", rates=[
                {"name": "k2", "limit": "tokens=60000/minute wait=100ms"}]),
            rig.record("k3", team="a", rates=[
                {"name": "k3", "limit": "concurrent=5 wait=0s"}]),
            rig.record("k4", team="b"), rig.record("k5", team="a"),
            rig.record("k6", team="c"),
            teams={"a": {}, "c": {}, "b": {"budgets": usd("b", "month")}})

        return rig.site(
            node, self.stage.provider, text,
            "all per=all usd=%s/day wait=100ms" % rig.usd(caps["all"]),
            "rate per=key requests=1M/day",
            "crowd per=all concurrent=%d" % (CLIENTS - 20 if near
                                             else 100000),
            ledger=("size=4m", "redis=127.0.0.1:%d" % self.redis.port,
                    "fleet=t", "lease=" + self.lease,
                    "quarantine=%ds" % QUARANTINE,
                    "redis_timeout=%dms" % TIMEOUT),
            workers=WORKERS,
            nginx_server="        location = /ping { llm off; return 204; }\n")

    def start(self, caps):
        for node in self.nodes:
            node.start(self.site(node, caps))
        self.joined()

    def reload(self, caps):
        """What is left of the slices goes back before caps come down."""
        self.quiet()
        for node in self.nodes:
            node.reload(self.site(node, caps))

    def joined(self, seconds=QUARANTINE + 10):
        """Seconds until all nodes are members and are granted something."""
        began = time.monotonic()

        while not all(n["joined"] and n["grants"]
                      and n["nodes"] == len(self.nodes)
                      for n in self.look.ask("dump")):
            if not self.must(time.monotonic() - began < seconds,
                             "the nodes do not join"):
                break
            time.sleep(0.05)

        return time.monotonic() - began

    def clients(self, keys, prefix, **more):
        """On all nodes."""
        more.setdefault("clients", CLIENTS // len(self.nodes))
        return [rig.Clients(node.port, keys, "%s%d-" % (prefix, i), **more)
                for i, node in enumerate(self.nodes)]

    def end(self, clients):
        ended = [c.end() for c in clients]
        hung = sum(e["hung"] for e in ended)
        self.must(hung == 0, "%d calls hang" % hung)

        return ended

    def quiet(self, seconds=15):
        """No call, no slice, nothing that Redis was not told; what the ledgers
        then say.  Slices that nobody uses go back."""
        end = time.monotonic() + seconds

        while True:
            dump = self.look.ask("dump")
            left = {name: sum(n[name] for n in dump) for name in (
                "slots", "asking", "pending", "slices", "untold")}
            left["held"] = sum(e["held"] + e["before_held"] + e["open"]
                               for n in dump for e in n["list"])

            if not any(left.values()):
                return dump
            if not self.must(time.monotonic() < end, "left over: %s" % left):
                return dump

            time.sleep(0.1)

    def told(self):
        """Messages that Redis has had."""
        out = subprocess.run(["redis-cli", "-p", str(self.redis.port), "INFO",
                              "commandstats"], capture_output=True, text=True,
                             check=True).stdout
        stats = dict(line.split(":", 1) for line in out.splitlines()
                     if line.startswith("cmdstat_"))
        evals = [stats[name].split(",")[0] for name in (
            "cmdstat_eval", "cmdstat_evalsha") if name in stats]

        return sum(int(text.partition("=")[2]) for text in evals)

    def on_record(self, entry):
        """Used, of all nodes, as Redis has it."""
        out = subprocess.run(
            ["redis-cli", "-p", str(self.redis.port), "HMGET",
             "{tg:t}:b:%s:%d" % (entry["key"], entry["window"]), "u", "r"],
            capture_output=True, text=True, check=True).stdout

        return sum(int(line or 0) for line in out.splitlines())

    def lines(self):
        return [line for node in self.nodes for line in node.log_of().read()]

    def watched(self):
        seen = self.look.seen()
        self.figure("looks at the nodes together, sums, moved meanwhile,"
                    " largest share of a limit", "%(looks)d, %(entries)d,"
                    " %(moved)d, %(worst).3f%%" % seen)
        self.figure("overshoot: used + held of all nodes over a limit",
                    seen["over"])
        self.must(seen["entries"] > 100, "only %(entries)d sums" % seen)
        self.must(seen["over"] == 0, "%(over)d sums over a limit" % seen)


def strict(stage):
    torture(stage, "strict")


def ahead(stage):
    torture(stage, "ahead")


def torture(stage, lease):
    fleet = Fleet(stage, lease)
    fleet.start({"all": FAR})
    mean = steady(fleet)
    caps = {"k1": 200 * mean + 1, "b": 500 * mean + 3, "all": FAR}
    fleet.reload(caps)
    chaos(fleet)
    caps["all"] = used(fleet.quiet(), caps["all"]) + 800 * mean + 7
    fleet.reload(caps)
    near_cap(fleet, caps)
    caps["all"] = FAR
    fleet.reload(caps)
    judge(fleet, caps)


def entries(dump, limit):
    """Of the subject that has this limit, on all nodes."""
    keys = {e["key"] for n in dump for e in n["list"] if e["limit"] == limit}

    return [e for n in dump for e in n["list"] if e["key"] in keys]


def used(dump, limit):
    return sum(e["used"] for e in entries(dump, limit))


def spent(fleet):
    """So far, by the provider's books."""
    return sum(b.cost for some in fleet.stage.bills().values() for b in some)


def judge_steady(fleet, ended, late):
    """All are served; but where other work on the machine keeps Redis from
    answering in time."""
    fleet.figure("steady: answers of Redis that came too late", late)
    served = {"200", "503"} if late else {"200"}
    bad = [e["status"] for e in ended if set(e["status"]) - served]
    fleet.must(not bad, "far from any cap: %s" % bad)


def steady(fleet):
    """Far from any cap: what calls wait for.  Returns what one costs."""
    seconds = max(3, int(fleet.stage.seconds * 0.2))
    fleet.end(fleet.clients(FREE, "w", seconds=2))
    before, told = fleet.look.ask("dump"), fleet.told()
    ended = fleet.end(fleet.clients(FREE, "s", seconds=seconds))
    told, after = fleet.told() - told, fleet.look.ask("dump")
    calls = sum(e["sent"] for e in ended)
    asks = sum(n["asks"] for n in after) - sum(n["asks"] for n in before)
    fleet.figure("steady: calls, a second", "%d, %.0f" % (calls,
                                                          calls / seconds))
    fleet.figure("steady: round trips that a call waits for, a call",
                 "%.4f" % (asks / calls))
    fleet.figure("steady: messages to Redis, a call", "%.4f" % (told / calls))
    fleet.must(asks <= TRIPS[fleet.lease] * calls,
               "%d of %d calls waited" % (asks, calls))
    judge_steady(fleet, ended, sum(n["lost"] for n in after)
                 - sum(n["lost"] for n in before))

    return spent(fleet) // sum(map(len, fleet.stage.bills().values()))


class Events:
    """What happens to a fleet, in turn."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.killers = [stage_chaos.Killer(Node(node))
                        for node in fleet.nodes]
        self.back = []                  # seconds

    def any(self):
        return random.choice(self.killers)

    def worker(self):
        self.any().kill_worker()

    def node(self):
        self.any().kill_all()

    def master(self):
        self.any().kill_master()

    def redis_killed(self):
        self.fleet.redis.kill()
        time.sleep(0.3)
        self.fleet.redis.start()
        time.sleep(0.3)                 # until somebody has noticed
        self.back.append(self.fleet.joined())

    def flushed(self):
        self.fleet.redis.ask("FLUSHALL")
        time.sleep(0.3)                 # until somebody has noticed
        self.back.append(self.fleet.joined())

    def work(self):
        for turn in (self.worker, self.node, self.redis_killed, self.worker,
                     self.flushed, self.master, self.away, self.worker):
            time.sleep(random.uniform(0.3, 0.9))
            turn()

    def away(self):
        fleet_away.away(self.fleet, TIMEOUT, QUARANTINE - 1)

    def told(self):
        counts = {}
        for killer in self.killers:
            for what, n in killer.counts.items():
                counts[what] = counts.get(what, 0) + n

        return ", ".join("%s %d" % c for c in counts.items())


class Node:
    """A stage of one node, for a killer."""

    def __init__(self, server):
        self.server = server


def chaos(fleet):
    clients = fleet.clients(KEYS, "x", streams=30, aborts=3, resets=2,
                            seconds=120)
    fleet.look.watch()
    events = Events(fleet)

    try:
        events.work()
    finally:
        for c in clients:
            c.stop()
        ended = fleet.end(clients)

    fleet.watched()
    fleet.figure("chaos", events.told() + ", Redis kill -9 1, FLUSHALL 1,"
                 " Redis stopped 1")
    fleet.figure("chaos: seconds until all were granted something again",
                 " ".join("%.2f" % s for s in events.back))
    status = {}
    for e in ended:
        for s, n in e["status"].items():
            status[s] = status.get(s, 0) + n
    fleet.figure("chaos: calls, statuses", "%d, %s" % (
        sum(e["sent"] for e in ended), status))


def near_cap(fleet, caps):
    fleet.look.watch()
    ended = fleet.end(fleet.clients(
        KEYS, "c", streams=30, seconds=max(3, int(fleet.stage.seconds / 5))))
    fleet.watched()
    refused = sum(e["status"].get("429", 0) for e in ended)
    fleet.must(refused, "no call was refused at the cap: %s" % ended)
    share = used(fleet.quiet(), caps["all"]) / caps["all"]
    fleet.figure("near the cap: refused; spent in the end, of the cap",
                 "%d, %.4f" % (refused, share))
    fleet.must(spent(fleet) <= caps["all"], "more is billed than the cap")


def served(fleet):
    """Who has money left, on each node."""
    ended = fleet.end(fleet.clients(["k6"], "y", clients=4, calls=20,
                                    seconds=20))
    fleet.must(all(e["status"] == {"200": 20} for e in ended),
               "not all were served in the end: %s" % ended)
    fleet.figure("served in the end, on each node",
                 [e["status"] for e in ended])


def judge(fleet, caps):
    fleet.quiet()
    served(fleet)
    dump = fleet.quiet()
    fleet.figure("leaks: slots, holds, pending, slices left", "%d, %d, %d, %d"
                 % (sum(n["slots"] for n in dump),
                    sum(e["held"] for n in dump for e in n["list"]),
                    sum(n["pending"] for n in dump),
                    sum(n["slices"] for n in dump)))
    fleet.figure("messages without answer, epochs, records over a limit",
                 "%d, %d, %d" % tuple(sum(n[name] for n in dump)
                                      for name in ("lost", "epochs", "over")))
    bills, counted = fleet.stage.bills(), truth.count(fleet.lines())
    stage_chaos.tell(fleet.report, counted, truth.compare(bills, counted))
    judge_sums(fleet, caps, dump, counted)


def judge_sums(fleet, caps, dump, counted):
    """Of each subject: lines, ledgers, Redis."""
    who = {"k1": lambda line: line["llm.key_id"] == "key_k1",
           "b": lambda line: line["llm.team"] == "b",
           "all": lambda line: True}
    lines = [line for some in counted.calls.values() for line in some
             if "llm.key_id" in line]

    for name, mine in who.items():
        some = entries(dump, caps[name])
        by_lines = sum(line.nusd for line in lines if mine(line))
        by_ledgers = sum(e["used"] for e in some)
        by_redis = sum(fleet.on_record(e) for e in
                       {(e["key"], e["window"]): e for e in some}.values())
        fleet.figure("conservation: %s: lines, ledgers, Redis, of its cap"
                     % name, "%d, %d, %d, %.4f" % (
                         by_lines, by_ledgers, by_redis,
                         by_ledgers / caps[name]))
        fleet.must(by_lines == by_ledgers == by_redis > 0,
                   "%s: the sums differ" % name)
        fleet.must(by_ledgers <= caps[name], "%s: over its cap" % name)
