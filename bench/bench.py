#!/usr/bin/python3
"""Measures the module beside the same nginx that only passes calls on.

Prints one line a figure, `bench <name> <value> <unit>`, and then which of the
goals are met. Both servers run all the time, one worker each, pinned to one
core; the provider and the clients have the others. Rounds alternate between the
servers; a figure is the median of its rounds, and a ratio or a difference the
median of those of neighbouring rounds, so that a drift of the machine hits both
alike.

"ours" has everything on: prices, two tags, a cost line a call in a file. Both
write nginx's usual access log.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import rig
import streams
import traffic
from rig import BenchError, median

LONGEST = 350                   # seconds, all in all
GOALS = []


def figure(name, value, unit):
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 3
    print("bench %s %.*f %s" % (name, digits, value, unit), flush=True)


def goal(text, value, bound, unit="", least=True, judged=True):
    """least: is the bound the least or the most that will do?"""
    met = value >= bound if least else value <= bound
    GOALS.append((text, value, bound, unit, least,
                  ("met" if met else "NOT MET") if judged else "not judged"))


def rounds(variants, count, seconds):
    """{name: [(rate, cpu, busy), ...]} of {name: (wrk, server, site)}."""
    out = {name: [] for name in variants}

    for i in range(count + 1):
        for name, (wrk, server, site) in variants.items():
            got = wrk.run(server, site, seconds if i else 1)
            if i:                               # the first one warms up
                out[name].append(got)

    return out


def pairs(results, a, b, what, how):
    return median([how(x[what], y[what])
                   for x, y in zip(results[a], results[b])])


def ratio(results, ours, plain, what):
    """As in "ours does so much of plain": more is better."""
    return pairs(results, ours, plain, what,
                 (lambda x, y: x / y) if what == 0 else (lambda x, y: y / x))


def extra(results, ours, plain, pieces=1):
    """Microseconds of CPU that ours takes more."""
    return pairs(results, ours, plain, 1, lambda x, y: x - y) * 1e6 / pieces


def show(name, results, order):
    for variant in order:
        figure("%s_%s_rate" % (name, variant),
               median([r[0] for r in results[variant]]), "calls/s")
        figure("%s_%s_cpu" % (name, variant),
               median([r[1] for r in results[variant]]) * 1e6, "us/call")
        figure("%s_%s_core" % (name, variant),
               median([r[2] for r in results[variant]]), "busy")


def compare(name, text, bound, results):
    """Prints, and holds rate and CPU against the goal."""
    show(name, results, ("plain", "ours"))
    out = (ratio(results, "ours", "plain", 0),
           ratio(results, "ours", "plain", 1),
           extra(results, "ours", "plain"))
    figure(name + "_rate_ratio", out[0], "ours/plain")
    figure(name + "_cpu_ratio", out[1], "plain/ours")
    figure(name + "_cpu_extra", out[2], "us/call")

    # A rate says something of the server only where it waits for no other.

    busy = median([r[2] for r in results["plain"]])
    goal(text + ": rate", out[0], bound, "of plain", judged=busy > 0.85)
    goal(text + ": CPU", out[1], bound, "of plain")

    return out[2]


class Bench:
    def __init__(self, folder, args):
        self.folder, self.args = folder, args
        self.running = []

    def start(self):
        rig.certificate(self.folder)
        self.upstream = self.up(rig.Upstream(self.folder))
        self.plain = self.nginx("plain", False)
        self.ours = self.nginx("ours", not self.args.same)

    def up(self, process):
        self.running.append(process)
        return process

    def nginx(self, name, ours, **more):
        return self.up(rig.Nginx(self.folder, name, self.upstream, ours,
                                 **more))

    def down(self, process):
        process.stop()
        self.running.remove(process)

    def close(self):
        for process in reversed(self.running):
            process.stop()

    def wrk(self, *args, **more):
        return rig.Wrk(self.folder, *args, **more)

    def both(self, wrk, count, seconds, site="memory"):
        return rounds({"plain": (wrk, self.plain, site),
                       "ours": (wrk, self.ours, site)}, count, seconds)

    # The figures.

    def small(self):
        for connections in (16, 128):
            name = "small%d" % connections
            wrk = self.wrk(name, traffic.small(), connections)
            text = "small JSON call, %d connections" % connections
            more = compare(name, text, 0.90, self.both(wrk, 7, 2))
            goal(text + ": CPU of ours", more, 1.3, "us", least=False)

    def prompt(self):
        for site, text in (("memory", "in memory"), ("file", "temp file")):
            name = "prompt200k_" + site
            wrk = self.wrk(name, traffic.prompt(), 16)
            compare(name, "200 KB prompt, " + text, 0.85,
                    self.both(wrk, 5, 2, site))

    def burst(self):
        """1,000 events that come as fast as they can be taken."""
        asked = self.wrk("burst", traffic.small(
            stream=True, stream_options={"include_usage": True}), 8, "b")
        unasked = self.wrk("inject", traffic.small(stream=True), 8, "b")

        got = rounds({"plain": (asked, self.plain, "memory"),
                      "unbuffered": (asked, self.plain, "unbuffered"),
                      "ours": (asked, self.ours, "memory"),
                      "injected": (unasked, self.ours, "memory")}, 5, 2)

        show("burst", got, got)
        n = traffic.EVENTS
        figure("burst_cpu_extra", extra(got, "ours", "plain", n), "us/event")
        like = extra(got, "ours", "unbuffered", n)
        figure("burst_unbuffered_cpu_extra", like, "us/event")
        inject = extra(got, "injected", "unbuffered", n)
        figure("burst_injected_cpu_extra", inject, "us/event")

        goal("events in bursts: CPU of ours", like, 1, "us/event", False)
        goal("events in bursts, usage injected and taken out again", inject,
             1, "us/event", False)

    def pace(self, wrk, server, site):
        """Seconds of CPU an event, where each comes by itself."""
        proc = wrk.start(server.url(site), 3)

        try:
            time.sleep(0.7)
            cpu, events = server.cpu(), self.upstream.events()
            time.sleep(1.8)
            cpu = server.cpu() - cpu
            events = self.upstream.events() - events
        finally:
            wrk.result(proc, 3)

        return 0, cpu / events, 0

    def paced(self):
        asked = self.wrk("paced", traffic.small(
            stream=True, stream_options={"include_usage": True}), 24, "p")
        unasked = self.wrk("pinject", traffic.small(stream=True), 24, "p")
        variants = {"plain": (asked, self.plain, "memory"),
                    "unbuffered": (asked, self.plain, "unbuffered"),
                    "ours": (asked, self.ours, "memory"),
                    "injected": (unasked, self.ours, "memory")}
        got = {name: [] for name in variants}

        for _ in range(4):
            for name, (wrk, server, site) in variants.items():
                got[name].append(self.pace(wrk, server, site))

        for name in got:
            figure("paced_%s_cpu" % name,
                   median([r[1] for r in got[name]]) * 1e6, "us/event")

        figure("paced_cpu_extra", extra(got, "ours", "plain"), "us/event")
        like = extra(got, "ours", "unbuffered")
        figure("paced_unbuffered_cpu_extra", like, "us/event")
        inject = extra(got, "injected", "unbuffered")
        figure("paced_injected_cpu_extra", inject, "us/event")

        goal("events one by one: CPU of ours", like, 1, "us/event", False)
        goal("events one by one, usage injected and taken out again", inject,
             1, "us/event", False)

    def first(self):
        body = traffic.small(stream=True)
        watches = [streams.Watch(self.plain, body),
                   streams.Watch(self.ours, body)]

        try:
            for _ in range(300):
                for watch in watches:
                    watch.call()
        finally:
            for watch in watches:
                watch.close()

        plain, ours = watches
        for name, what in (("first", "first"), ("fifth", "last")):
            for server, watch in (("plain", plain), ("ours", ours)):
                figure("%s_event_%s" % (name, server),
                       median(getattr(watch, what)) * 1e6, "us")
            figure("%s_event_later" % name, median(
                [y - x for x, y in zip(getattr(plain, what),
                                       getattr(ours, what))]) * 1e6, "us")

        later = (median(ours.first) - median(plain.first)) * 1e6
        goal("first event of a stream comes later by", later, 50, "us", False)
        goal("first event is there before the second is sent",
             median(ours.first) * 1e6, 1000, "us", False)

    def memory(self, name, ours, site, count, workers):
        server = self.nginx("%s_%s" % (name, site), ours, workers=workers,
                            connections=count * 2 // workers + 3000)
        body = traffic.small(stream=True,
                             stream_options={"include_usage": True})

        try:
            # What is allocated once, for whatever first call, is not a
            # stream's.
            streams.Idle(server.ports[site], 20, body).close()
            time.sleep(0.2)
            before = server.private()
            idle = streams.Idle(server.ports[site], count, body)
            try:
                time.sleep(0.3)
                used = (server.private() - before) / count
            finally:
                idle.close()
        finally:
            self.down(server)

        figure("idle_%s_%s" % (name, site), used, "bytes/stream")

        return used

    def idle(self):
        count, workers = streams.room_for(self.args.idle)
        figure("idle_streams", count, "open in %d workers" % workers)

        for site in ("memory", "unbuffered"):
            plain = self.memory("plain", False, site, count, workers)
            ours = self.memory("ours", not self.args.same, site, count,
                               workers)
            figure("idle_extra_" + site, ours - plain, "bytes/stream")

        goal("%d idle streams: memory of ours" % count, (ours - plain) / 1024,
             8, "KB each", least=False)

    def tls(self):
        """What another thing costs that everybody turns on."""
        wrk = self.wrk("tls", traffic.small(), 16)
        new = self.wrk("new", traffic.small(), 16, Connection="close")
        got = rounds({"plain": (wrk, self.plain, "memory"),
                      "ours": (wrk, self.ours, "memory"),
                      "tls": (wrk, self.plain, "tls"),
                      "plain_new": (new, self.plain, "memory"),
                      "tls_new": (new, self.plain, "tls")}, 4, 2)

        for name in ("plain", "tls", "plain_new", "tls_new"):
            figure("tls_%s_cpu" % name,
                   median([r[1] for r in got[name]]) * 1e6, "us/call")

        kept = extra(got, "tls", "plain")
        figure("tls_keepalive_cpu_extra", kept, "us/call")
        figure("tls_handshake_cpu_extra", extra(got, "tls_new", "plain_new"),
               "us/call")
        figure("tls_ours_cpu_extra", extra(got, "ours", "plain"), "us/call")
        goal("everything on costs less than TLS without handshakes",
             extra(got, "ours", "plain"), kept, "us", least=False)

    def check(self):
        """Was everything on indeed?"""
        lines = bad = 0

        with open(self.ours.log, "rb") as f:
            for text in f:
                lines += 1
                if lines % 1000 == 1:
                    line = json.loads(text)
                    if line.get("error.type") == "client_closed":
                        continue        # the load's end cut it off
                    bad += not (line["llm.cost.total_nusd"] > 0
                                and line["llm.usage.source"] == "reported"
                                and line["llm.team"] == "search"
                                and line["gen_ai.conversation.id"])

        figure("cost_lines", lines, "written")
        if bad or not lines:
            raise BenchError("%d of a thousandth of %d cost lines are not as"
                             " they should be" % (bad, lines))


def core():
    """The core by itself, without a server: scanner and jansson, then where
    the time of a call goes."""
    out = ""

    for argv in (["bench_json"], ["bench_call", rig.PRICES]):
        program = os.path.join(rig.BUILD, "bench", argv[0])
        if not os.path.exists(program):
            continue

        text = subprocess.run(
            [program, *argv[1:]], stdout=subprocess.PIPE, text=True,
            timeout=60, check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, rig.SERVER_CORES)).stdout
        sys.stdout.write(text)
        out += text

    for name, value in re.findall(r"^bench json_(\S+)_scanner ([\d.]+) GB/s",
                                  out, re.M):
        goal("scanner by itself, " + name, float(value),
             1.5 if name == "english" else 0.8, "GB/s")


def table():
    print("\n%-58s %10s %12s" % ("goal", "measured", ""))
    for text, value, bound, unit, least, met in GOALS:
        print("%-58s %10.2f %s %-6.4g %-9s %s"
              % (text, value, ">=" if least else "<=", bound, unit,
                 met))

    words = [g[5] for g in GOALS]
    print("\n%d goals met, %d not met" % (words.count("met"),
                                          words.count("NOT MET")))
    if "not judged" in words:
        print("(a rate is not judged where plain nginx did not fill its core)")


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    print("%s, cores %s for the server and %s for the load, load average"
          " %.2f" % (model.group(1) if model else "CPU", *(
              ",".join(map(str, sorted(c)))
              for c in (rig.SERVER_CORES, rig.LOAD_CORES)),
              os.getloadavg()[0]))
    if rig.LOAD_CORES == rig.SERVER_CORES:
        print("one core only: rates mean nothing here, CPU does")


PARTS = ("core", "small", "prompt", "burst", "paced", "first", "idle",
         "tls")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default=",".join(PARTS),
                   help="some of %s" % ",".join(PARTS))
    p.add_argument("--same", action="store_true",
                   help="plain nginx on both sides: what the noise is")
    p.add_argument("--idle", type=int, default=10000)
    args = p.parse_args()
    parts = args.only.split(",")

    def stop(*_):
        raise BenchError("stopped, or longer than %d seconds" % LONGEST)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)

    folder = tempfile.mkdtemp(prefix="tollgate-bench-")
    bench = Bench(folder, args)

    try:
        machine()
        if "core" in parts:
            core()
        bench.start()
        for part in parts:
            if part != "core":
                getattr(bench, part)()
        if not args.same:
            time.sleep(1.2)                     # the log's flush
            bench.check()
        table()

    except (BenchError, OSError, EOFError,
            subprocess.SubprocessError) as e:
        sys.exit("bench: %s" % e)

    finally:
        signal.alarm(0)
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
