#!/usr/bin/python3
"""Measures the module beside the same server that only passes calls on.

Prints one line a figure, `bench <name> <value> <unit>`, and then which of the
goals are met. httpd's names and goals begin with "httpd". Both servers of a
kind run all the time, one worker each, pinned to one core; the provider and the
clients have the others. Rounds alternate between the servers; a figure is the
median of its rounds, and a ratio or a difference the median of those of
neighbouring rounds, so that a drift of the machine hits both alike.

"ours" has everything on: prices, two tags, a cost line a call in a file. Both
write the server's usual access log. The row "memory" takes minutes, and is there
where it is asked for by name.
"""

import argparse
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import lines
import report
import rig
import streams
import traffic
from httpd import Httpd
from memory import MemoryRows
from nginx import Nginx
from report import figure, goal, median
from rig import BenchError
from rounds import extra, ratio, rounds
from routing import RoutingRows

LONGEST = 480                   # seconds, all in all
OPEN = 500                      # streams that go on at the same time
ADVANCE = 2                     # seconds in which each has to


class Rows(RoutingRows, MemoryRows):
    """The rows of one kind of server."""

    server = None
    prefix = ""
    least = 0.90                # of plain's rate, and of its CPU
    least_prompt = least
    judges_ratios = True        # of streams; else microseconds
    prompt_sites = (("memory", "in memory"),)
    like = "plain"              # what events are held against
    parts = ("small", "fleet", "prompt", "burst", "paced", "first", "open",
             "route", "translated", "guards")
    long = ("memory",)          # where they are asked for by name
    turns = {"small": 5, "fleet": 3, "prompt": 4, "burst": 4, "paced": 3}

    def __init__(self, folder, args, upstream):
        self.folder, self.args, self.upstream = folder, args, upstream
        self.running = []
        self.plain = self.up("plain", False)
        self.ours = self.up("ours", not args.same)
        self.gated = self.up("gated", "gated" if not args.same else False)

    def up(self, name, ours, **more):
        server = self.server(self.folder, name, self.upstream, ours, **more)
        self.running.append(server)
        return server

    def down(self, server):
        server.stop()
        self.running.remove(server)

    def close(self):
        for server in reversed(self.running):
            server.stop()

    def wrk(self, *args, **more):
        return rig.Wrk(self.folder, *args, **more)

    def figure(self, name, value, unit):
        figure(self.prefix + name, value, unit)

    def goal(self, text, *args, **more):
        goal("%s%s" % (self.prefix.replace("_", ": "), text), *args, **more)

    def both(self, wrk, count, site="memory"):
        return rounds({"plain": (wrk, self.plain, site),
                       "ours": (wrk, self.ours, site),
                       "gated": (wrk, self.gated, site)}, count)

    def show(self, name, results):
        for variant in results:
            self.figure("%s_%s_rate" % (name, variant),
                        median([r[0] for r in results[variant]]), "calls/s")
            self.figure("%s_%s_cpu" % (name, variant),
                        median([r[1] for r in results[variant]]) * 1e6,
                        "us/call")
            self.figure("%s_%s_core" % (name, variant),
                        median([r[2] for r in results[variant]]), "busy")

    def ratios(self, name, text, bound, results, judged=True,
               variant="ours"):
        """Rate and CPU of ours beside plain's."""
        rate, cpu = (ratio(results, variant, "plain", what)
                     for what in (0, 1))
        self.figure(name + "_rate_ratio", rate, variant + "/plain")
        self.figure(name + "_cpu_ratio", cpu, "plain/" + variant)

        # A rate says something of the server only where it waits for no other.

        busy = median([r[2] for r in results["plain"]])
        if judged:
            self.goal(text + ": rate", rate, bound, "of plain",
                      judged=busy > 0.85)
            self.goal(text + ": CPU", cpu, bound, "of plain")

    def compare(self, name, text, bound, results):
        """Prints, and holds rate and CPU against the goal."""
        self.show(name, results)
        self.ratios(name, text, bound, results)
        more = extra(results, "ours", "plain")
        self.figure(name + "_cpu_extra", more, "us/call")

        if "gated" in results:
            self.ratios(name + "_gated", text + ", a key and three quotas",
                        bound, results, variant="gated")
            self.figure(name + "_gated_cpu_extra",
                        extra(results, "gated", "plain"), "us/call")

        return more

    # The figures.

    def small(self):
        for connections in (16, 128):
            name = "small%d" % connections
            wrk = self.wrk(name, traffic.small(), connections)
            text = "small JSON call, %d connections" % connections
            results = self.both(wrk, self.turns["small"])
            self.judge_small(text, self.compare(name, text, self.least,
                                                results))
            self.counting(text, results)

    def counting(self, text, results):
        """What llm_status is told of a call, as a part of the call."""
        whole = median([r[1] for r in results["ours"]]) * 1e9
        self.goal(text + ": counting it", 100 * counting_takes() / whole, 2,
                  "% of CPU", least=False)

    def judge_small(self, text, more):
        pass

    def fleet(self):
        """A key and three quotas, counted here, and shared by way of Redis."""
        redis = rig.Redis()
        started = []

        try:
            variants = {"plain": self.plain, "gated": self.gated}

            for lease in ("ahead", "strict"):
                variants[lease] = self.up(lease, (lease, redis.port))
                started.append(variants[lease])

            time.sleep(3)               # the fleet's first quarantine
            wrk = self.wrk("fleet16", traffic.small(), 16)
            got = rounds({name: (wrk, server, "memory")
                          for name, server in variants.items()},
                         self.turns["fleet"])
            self.show("fleet", got)

            for lease, bound in (("ahead", self.least - 0.05),
                                 ("strict", self.least - 0.25)):
                self.ratios("fleet_" + lease, "Redis " + lease, bound, got,
                            variant=lease)
                self.figure("fleet_%s_cpu_extra" % lease,
                            extra(got, lease, "plain"), "us/call")
        finally:
            for server in started:
                self.down(server)
            redis.stop()

    def prompt(self):
        for site, text in self.prompt_sites:
            name = "prompt200k_" + site
            wrk = self.wrk(name, traffic.prompt(), 16)
            self.compare(name, "200 KB prompt, " + text, self.least_prompt,
                         self.both(wrk, self.turns["prompt"], site))

    def stream_variants(self, name, connections, mode):
        """Usage that the client asks for, and usage that we ask for."""
        asked = self.wrk(name, traffic.small(
            stream=True, stream_options={"include_usage": True}), connections,
            mode)
        unasked = self.wrk(name + "_unasked", traffic.small(stream=True),
                           connections, mode)
        out = {"plain": (asked, self.plain, "memory")}
        if self.like != "plain":
            out[self.like] = (asked, self.plain, self.like)
        out["ours"] = (asked, self.ours, "memory")
        out["injected"] = (unasked, self.ours, "memory")

        return out

    def events(self, name, text, got, pieces):
        """pieces: of a result's CPU."""
        self.figure(name + "_cpu_extra", extra(got, "ours", "plain", pieces),
                    "us/event")
        like = extra(got, "ours", self.like, pieces)
        inject = extra(got, "injected", self.like, pieces)

        if self.like != "plain":
            self.figure("%s_%s_cpu_extra" % (name, self.like), like,
                        "us/event")

        self.figure(name + "_injected_cpu_extra", inject, "us/event")
        self.judge_events(text, like, inject)

    def judge_events(self, text, like, inject):
        pass

    def burst(self):
        """1,000 events that come as fast as they can be taken."""
        got = rounds(self.stream_variants("burst", 8, "b"),
                     self.turns["burst"])

        self.show("burst", got)
        self.ratios("burst", "events in bursts", self.least, got,
                    self.judges_ratios)
        self.events("burst", "events in bursts", got, traffic.EVENTS)

    def pace(self, wrk, server, site):
        """Seconds of CPU an event, where each comes by itself."""
        started = wrk.start(server, site, 2)

        try:
            time.sleep(0.5)
            cpu, events = server.cpu(), self.upstream.events()
            time.sleep(1.2)
            cpu = server.cpu() - cpu
            events = self.upstream.events() - events
        finally:
            wrk.result(started, server)

        return 0, cpu / events, 0

    def paced(self):
        variants = self.stream_variants("paced", 24, "p")
        got = {name: [] for name in variants}

        for _ in range(self.turns["paced"]):
            for name, (wrk, server, site) in variants.items():
                got[name].append(self.pace(wrk, server, site))

        for name in got:
            self.figure("paced_%s_cpu" % name,
                        median([r[1] for r in got[name]]) * 1e6, "us/event")

        if self.judges_ratios:
            cpu = ratio(got, "ours", "plain", 1)
            self.figure("paced_cpu_ratio", cpu, "plain/ours")
            self.goal("events one by one: CPU", cpu, self.least, "of plain")

        self.events("paced", "events one by one", got, 1)

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
                self.figure("%s_event_%s" % (name, server),
                       median(getattr(watch, what)) * 1e6, "us")
            self.figure("%s_event_later" % name, median(
                [y - x for x, y in zip(getattr(plain, what),
                                       getattr(ours, what))]) * 1e6, "us")

        later = (median(ours.first) - median(plain.first)) * 1e6
        self.goal("first event of a stream comes later by", later, 50, "us",
                  False)
        self.goal("first event is there before the second is sent",
             median(ours.first) * 1e6, 1000, "us", False)

    def hold(self, name, ours, site, count, workers, mode):
        """(bytes a stream, seconds of CPU an event), while so many are open."""
        server = self.up(name, ours, workers=workers, streams=count)
        body = traffic.small(stream=True,
                             stream_options={"include_usage": True})
        cpu = None

        try:
            # What is allocated once, for whatever first call, is not a
            # stream's.
            streams.Many(server, site, 20, body, mode).close()
            time.sleep(0.2)
            before = server.private()
            many = streams.Many(server, site, count, body, mode)
            try:
                time.sleep(0.3)
                used = (server.private() - before) / count
                if mode == "w":
                    cpu = self.progress(name, server, many)
            finally:
                many.close()

            if ours:
                lines.check_all_cut(server, count + 20)
        finally:
            self.down(server)

        self.figure(name, used, "bytes/stream")

        return used, cpu

    def progress(self, name, server, many):
        cpu = server.cpu()
        least, events = many.progress(ADVANCE)
        cpu = (server.cpu() - cpu) / max(events, 1)

        self.figure(name + "_least", least, "events of each in %d s" % ADVANCE)
        self.figure(name + "_cpu", cpu * 1e6, "us/event")
        if least == 0:
            raise BenchError("%s: of %d open streams not all advanced"
                             % (name, OPEN))

        return cpu

    def open(self):
        """Streams that are open at the same time, and all go on."""
        count = streams.room_for(OPEN)[0]
        self.figure("open_streams", count, "open in 1 worker")
        plain, ours = (self.hold("open_" + name, on, "memory", count, 1, "w")
                       for name, on in (("plain", False),
                                        ("ours", not self.args.same)))
        self.figure("open_extra", ours[0] - plain[0], "bytes/stream")
        self.figure("open_cpu_ratio", plain[1] / ours[1], "plain/ours")
        self.goal("%d open streams: memory of ours" % count,
                  (ours[0] - plain[0]) / 1024, 8, "KB each", least=False)
        if self.judges_ratios:
            self.goal("%d open streams: CPU of an event" % count,
                      plain[1] / ours[1], self.least, "of plain")

    def check(self):
        """Was everything on indeed, and is there a line for each call?"""
        time.sleep(1.2)                         # the log's flush
        try:
            wholes, cuts = lines.check(self.ours)
        except BenchError as e:
            return e

        self.figure("cost_lines", wholes + cuts, "written")
        self.figure("cost_lines_cut", cuts, "of calls that a load's end cut"
                    " off")

        return None


class NginxRows(Rows):
    server = Nginx
    least_prompt = 0.85
    prompt_sites = Rows.prompt_sites + (("file", "temp file"),)
    like = "unbuffered"         # as we make it, where it is a stream
    parts = Rows.parts + ("idle", "tls")
    judges_ratios = False

    def judge_small(self, text, more):
        self.goal(text + ": CPU of ours", more, 1.3, "us", least=False)

    def judge_events(self, text, like, inject):
        self.goal(text + ": CPU of ours", like, 1, "us/event", False)
        self.goal(text + ", usage injected and taken out again", inject, 1,
                  "us/event", False)

    def idle(self):
        count, workers = streams.room_for(self.args.idle)
        self.figure("idle_streams", count, "open in %d workers" % workers)

        for site in ("memory", "unbuffered"):
            plain, ours = (
                self.hold("idle_%s_%s" % (name, site), on, site, count,
                          workers, "i")[0]
                for name, on in (("plain", False),
                                 ("ours", not self.args.same)))
            self.figure("idle_extra_" + site, ours - plain, "bytes/stream")

        self.goal("%d idle streams: memory of ours" % count,
                  (ours - plain) / 1024, 8, "KB each", least=False)

    def tls(self):
        """What another thing costs that everybody turns on."""
        wrk = self.wrk("tls", traffic.small(), 16)
        new = self.wrk("new", traffic.small(), 16, Connection="close")
        got = rounds({"plain": (wrk, self.plain, "memory"),
                      "ours": (wrk, self.ours, "memory"),
                      "tls": (wrk, self.plain, "tls"),
                      "plain_new": (new, self.plain, "memory"),
                      "tls_new": (new, self.plain, "tls")}, 3)

        for name in ("plain", "tls", "plain_new", "tls_new"):
            self.figure("tls_%s_cpu" % name,
                        median([r[1] for r in got[name]]) * 1e6, "us/call")

        kept = extra(got, "tls", "plain")
        self.figure("tls_keepalive_cpu_extra", kept, "us/call")
        self.figure("tls_handshake_cpu_extra", extra(got, "tls_new",
                                                        "plain_new"),
                    "us/call")
        self.figure("tls_ours_cpu_extra", extra(got, "ours", "plain"),
                    "us/call")
        self.goal("everything on costs less than TLS without handshakes",
             extra(got, "ours", "plain"), kept, "us", least=False)


class HttpdRows(Rows):
    server = Httpd
    prefix = "httpd_"
    turns = {"small": 4, "fleet": 3, "prompt": 3, "burst": 3, "paced": 2}


ROWS = {"nginx": NginxRows, "httpd": HttpdRows}


def bench_program(*argv):
    """What a program of the core's measurements prints."""
    return subprocess.run(
        [os.path.join(rig.BUILD, "bench", argv[0]), *argv[1:]],
        stdout=subprocess.PIPE, text=True, timeout=60, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, rig.SERVER_CORES)).stdout


@functools.cache
def counting_takes():
    """Nanoseconds of a small call: the median of some runs."""
    return median([
        float(re.search(r"^bench core_count ([\d.]+) ns",
                        bench_program("bench_call", rig.PRICES), re.M)[1])
        for _ in range(3)])


def core():
    """The core by itself, without a server: scanner and jansson, then where
    the time of a call goes."""
    out = ""

    for argv in (["bench_json"], ["bench_call", rig.PRICES],
                 ["bench_route", rig.PRICES], ["bench_guard"],
                 ["bench_metrics"]):
        if not os.path.exists(os.path.join(rig.BUILD, "bench", argv[0])):
            continue

        text = bench_program(*argv)
        sys.stdout.write(text)
        out += text

    for value in re.findall(r"^bench metrics_page_time ([\d.]+) ms", out,
                            re.M):
        goal("page of metrics after a million made-up labels", float(value), 50,
             "ms", least=False)

    for name, value in re.findall(r"^bench json_(\S+)_scanner ([\d.]+) GB/s",
                                  out, re.M):
        goal("scanner by itself, " + name, float(value),
             1.5 if name == "english" else 0.8, "GB/s")


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
    print("httpd: MPM event, a worker of %d threads, or one a stream"
          % Httpd.connections)


def chosen(words):
    """[(kind, part), ...] of "core", "nginx", "small", "httpd:small", ..."""
    out = [("core", "core")] if "core" in words or not words else []

    for kind, rows in ROWS.items():
        for part in rows.parts:
            if not words or {kind, part, "%s:%s" % (kind, part)} & set(words):
                out.append((kind, part))

        for part in rows.long:
            if {part, "%s:%s" % (kind, part)} & set(words):
                out.append((kind, part))

    known = {"core", *ROWS} | {
        word for k, r in ROWS.items() for p in r.parts + r.long
        for word in (p, "%s:%s" % (k, p))}
    for word in words:
        if word not in known:
            raise BenchError("%s: no such rows; there are %s"
                             % (word, " ".join(sorted(known))))

    return out


def measure(kind, parts, folder, args, upstream):
    """What is wrong with the lines that it left; None if nothing is."""
    rows = ROWS[kind](folder, args, upstream)

    try:
        for part in parts:
            getattr(rows, part)()
        return None if args.same else rows.check()
    finally:
        rows.close()


def run(args, folder):
    todo = chosen(args.only.replace(",", " ").split())
    machine()

    if ("core", "core") in todo:
        core()

    rig.certificate(folder)
    upstream = rig.Upstream(folder)
    wrong = []

    try:
        for kind in ROWS:
            parts = [part for k, part in todo if k == kind]
            if parts:
                wrong.append(measure(kind, parts, folder, args, upstream))
    finally:
        upstream.stop()

    report.table()

    for error in filter(None, wrong):
        raise error


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--only", default="", metavar="ROWS",
                   help="some of: core, nginx, httpd, small, httpd:small, ...")
    p.add_argument("--same", action="store_true",
                   help="the plain server on both sides: what the noise is")
    p.add_argument("--idle", type=int, default=10000)
    args = p.parse_args()

    def stop(*_):
        raise BenchError("stopped, or longer than %d seconds" % LONGEST)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)

    folder = tempfile.mkdtemp(prefix="tollgate-bench-")

    try:
        run(args, folder)

    except (BenchError, OSError, EOFError,
            subprocess.SubprocessError) as e:
        sys.exit("bench: %s" % e)

    finally:
        signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
