#!/usr/bin/python3
"""How long calls wait for their first token, by how a server spreads them.

Engines without a GPU (bench/engine), one nginx before them, and calls that come
at random whether or not others have been answered (bench/openloop).  Sizes of
prompts and answers are skewed, beginnings of prompts are shared.  All ways of
balancing see the same calls; they take turns, seed by seed, and each starts
with fresh engines.

  round_robin, least_conn   nginx' own, in a shared zone
  least_load, affinity      llm_balance least_load, prefix_affinity
  oracle                    no nginx: each call goes to the engine that has the
                            least to do, which only the engines know
  scraped                   the same knowledge, but as old as the scrapes are: a
                            balancer that does not count its own calls

A percentile is that of all calls of a run after its first seconds.  What is
printed of several seeds is the median, and the range beside it; "all p99" is
that of the calls of all seeds together.
"""

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "t", "behave"))

from engines import Engines                             # noqa: E402
from servers import die_with_parent, free_port, server_user   # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
NGINX = os.environ.get("TG_NGINX", "/usr/sbin/nginx")
MODULES = os.path.dirname(os.environ.get(
    "TG_NGINX_MODULE", os.path.join(BUILD, "nginx", "ngx_http_llm_module.so")))
HZ = os.sysconf("SC_CLK_TCK")
TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

# A model of 1 to 2 billion parameters on a large GPU: a step of 2 to 3 ms.
ENGINE = {"base_us": 2000, "decode_us": 50, "prefill_us": 15, "context_us": 10,
          "seqs": 8, "budget": 1024, "blocks": 1536, "interval": 16}
ENGINES = 6
WARM = 1.5                      # seconds of a run that are not counted
FULL_SECONDS = 3.0              # of the measurement of capacity

CONF = """%(load)s
user %(user)s;
daemon off;
worker_processes %(workers)d;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log notice;
events {
    worker_connections 8192;
}
http {
%(temp)s    access_log off;
    upstream gpu {
        zone gpu 256k;
%(method)s%(servers)s        keepalive 256;
%(after)s    }
    server {
        listen 127.0.0.1:%(port)d;
        client_body_buffer_size 512k;
        client_max_body_size 16m;
        location / {
%(llm)s            proxy_pass http://gpu;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 60s;
        }
        location = /backends {
%(status)s        }
    }
}
"""

CHECK = ("        llm_backend type=vllm capacity=%d;\n"
         "        llm_health_check interval=%s;\n")

METHODS = {
    "round_robin": None,
    "least_conn": "least_conn",
    "least_load": "least_load",
    "affinity": "prefix_affinity",
    "oracle": None,
    "scraped": None,
}


RUNS = itertools.count(1)


class BalanceError(Exception):
    pass


class Workload:
    """Calls, as bench/openloop reads them."""

    SYSTEMS = 40                # beginnings that calls share

    def __init__(self, seed):
        self.random = random.Random(seed)
        rnd = self.random
        self.systems = [(rnd.randrange(1, 1 << 40),
                         int(min(3000, rnd.lognormvariate(6.4, 0.6))))
                        for _ in range(self.SYSTEMS)]
        # As cities: the second is half as large as the first, and so on.
        self.weights = [1 / (i + 1) ** 0.9 for i in range(self.SYSTEMS)]

    def call(self):
        """(tokens to write, [(seed, words), ...])"""
        rnd = self.random
        output = int(max(4, min(1000, rnd.lognormvariate(4.2, 1.1))))
        prompt = int(max(4, min(6000, rnd.lognormvariate(4.8, 1.2))))
        system = rnd.choices(self.systems, self.weights)[0]

        return output, [system, (rnd.randrange(1, 1 << 40), prompt)]

    def write(self, path, rate, seconds):
        at = 0.0

        with open(path, "w") as f:
            while True:
                at += self.random.expovariate(rate)
                if at > seconds:
                    return
                output, segments = self.call()
                f.write("%d %d %s\n" % (at * 1e6, output, " ".join(
                    "%d:%d" % s for s in segments)))


def cpu(pid):
    """Seconds of a process."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            words = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0

    return (int(words[11]) + int(words[12])) / HZ


def machine():
    """(seconds that all cores worked, cores) of the whole machine."""
    with open("/proc/stat") as f:
        words = [int(w) for w in f.readline().split()[1:9]]

    return (sum(words) - words[3] - words[4]) / HZ


class Nginx:
    def __init__(self, folder, method, engines, workers, interval):
        self.dir = tempfile.mkdtemp(prefix="nginx-", dir=folder)
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        ours = METHODS[method] if method in ("least_load", "affinity") else ""
        mods = [os.path.join(MODULES, "ngx_http_llm%s_module.so" % m)
                for m in ("", "_upstream")]
        user = server_user() or ("nobody", "nogroup")
        values = {
            "load": "".join("load_module %s;\n" % m for m in mods) if ours
                    else "",
            "user": " ".join(user), "workers": workers, "dir": self.dir,
            "temp": "".join("    %s_temp_path %s/%s;\n" % (t, self.dir, t)
                            for t in TEMP),
            "method": "        least_conn;\n" if method == "least_conn" else "",
            "servers": "".join("        server %s max_fails=0;\n" % e.address
                               for e in engines),
            "after": (CHECK % (ENGINE["seqs"], interval)
                      + "        llm_balance %s;\n" % ours) if ours else "",
            "llm": "            llm on;\n" if ours else "",
            "status": "            llm_upstream_status format=json;\n" if ours
                      else "            return 404;\n",
            "port": self.port,
        }
        conf = os.path.join(self.dir, "nginx.conf")

        with open(conf, "w") as f:
            f.write(CONF % values)

        self.process = subprocess.Popen(
            [NGINX, "-p", self.dir, "-c", conf, "-e", self.dir + "/error.log"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=die_with_parent)
        self.workers = self.wait(workers)

    def wait(self, workers):
        path = "/proc/%d/task/%d/children" % ((self.process.pid,) * 2)
        end = time.monotonic() + 10

        while time.monotonic() < end and self.process.poll() is None:
            with open(path) as f:
                pids = [int(w) for w in f.read().split()]
            if len(pids) >= workers:
                return pids
            time.sleep(0.02)

        self.stop()
        with open(self.dir + "/error.log") as f:
            raise BalanceError("nginx does not start: " + f.read()[-2000:])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def openloop(plan, raw, targets, seconds, *more):
    done = subprocess.run(
        [os.path.join(BUILD, "bench", "openloop"), plan, raw, *more, *targets],
        stdout=subprocess.PIPE, text=True, timeout=seconds + 60, check=True,
        preexec_fn=die_with_parent)

    return json.loads(done.stdout)


def direct(engines):
    return ["%d:%s" % (e.port, e.share) for e in engines]


def percentile(values, percent):
    values = sorted(values)

    return values[min(len(values) - 1, len(values) * percent // 100)]


class Run:
    """A way of balancing, with one seed."""

    def __init__(self, folder, method, plan, seconds, workers=2,
                 interval="500ms", stale=0, slow=0, keep=None):
        name = "%s-%d-%d-%d" % (method, workers, stale, next(RUNS))
        raw = os.path.join(keep or folder, name)
        options = {**ENGINE, "stale": stale}

        with Engines(ENGINES, lambda i: {"speed": 0.5 if i < slow else 1},
                     **options) as engines:
            server = None
            if method in ("oracle", "scraped"):
                targets = direct(engines)
            else:
                server = Nginx(folder, method, engines, workers, interval)
                targets = [str(server.port)]
                time.sleep(0.6)         # until all have been checked

            more = ["stale=%d" % stale] if method == "scraped" else []
            pids = server.workers if server else []

            try:
                before, start = machine(), time.monotonic()
                spent = sum(map(cpu, pids))
                self.summary = openloop(plan, raw, targets, seconds, *more)
                wall = time.monotonic() - start
                self.nginx_cpu = (sum(map(cpu, pids)) - spent) / wall
                self.machine = (machine() - before) / wall / os.cpu_count()
                self.engine_cpu = max(cpu(e.process.pid) for e in engines) \
                    / wall
                self.load_cpu = self.summary["cpu_seconds"] / wall
                stats = [e.stats() for e in engines]
                arrivals = [e.arrivals("call", start) for e in engines]
            finally:
                if server:
                    server.stop()

        self.judge(raw, stats, arrivals)

    def judge(self, raw, stats, arrivals):
        self.calls = []

        with open(raw) as f:
            for line in f:
                at, first, last, status = map(int, line.split())
                if at >= WARM * 1e6:
                    self.calls.append((at, first, last, status))

        good = [c for c in self.calls if c[3] == 200 and c[2] >= 0]
        self.ttft = [c[1] / 1e3 for c in good]
        self.failed = self.summary["failed"]
        if not good:
            raise BalanceError("no call was answered")

        self.p50 = percentile([c[1] for c in good], 50) / 1e3
        self.p99 = percentile([c[1] for c in good], 99) / 1e3
        self.total99 = percentile([c[2] for c in good], 99) / 1e3
        self.rate = self.summary["tokens"] / self.summary["seconds"]
        self.hits = sum(s["hits"] for s in stats) \
            / max(1, sum(s["queries"] for s in stats))
        self.late = max(s["late_ns"] / max(1, s["steps"]) for s in stats) / 1e3
        self.sent_late = self.summary["late_max_us"] / 1e3
        self.herd = herd(arrivals)


def herd(arrivals, window=0.25):
    """The mean share of the engine that got most calls of each window: 1 / n
    would be even, 1.0 is a herd."""
    count = {}

    for i, times in enumerate(arrivals):
        for at in times:
            count.setdefault(int(at / window), [0] * len(arrivals))[i] += 1

    shares = [max(c) / sum(c) for c in count.values() if sum(c) >= 10]

    return statistics.mean(shares) if shares else 0.0


def capacity(folder, seed):
    """Calls a second of all engines that have always something to do: what
    comes out between a quarter and three quarters of the run."""
    plan, raw = os.path.join(folder, "plan"), os.path.join(folder, "raw")
    rate = 1000
    Workload(seed).write(plan, rate, FULL_SECONDS)

    with Engines(ENGINES, **ENGINE) as engines:
        openloop(plan, raw, direct(engines), FULL_SECONDS)

    with open(raw) as f:
        ends = sorted(int(w[0]) + int(w[2]) for w in map(str.split, f)
                      if w[3] == "200" and int(w[2]) >= 0)

    low, high = len(ends) // 4, len(ends) * 3 // 4

    return (high - low) / ((ends[high] - ends[low]) / 1e6)


COLUMNS = (("TTFT p50", "p50", "ms"), ("TTFT p99", "p99", "ms"),
           ("total p99", "total99", "ms"), ("tokens/s", "rate", ""),
           ("prefix hits", "hits", "%"), ("largest share", "herd", "%"))


def row(name, runs):
    text = "%-14s %7.0f" % (name, percentile(
        [t for r in runs for t in r.ttft], 99))

    for _, field, unit in COLUMNS:
        values = [getattr(r, field) * (100 if unit == "%" else 1)
                  for r in runs]
        text += " %7.0f [%.0f-%.0f]" % (
            statistics.median(values), min(values), max(values))

    text += "   failed %d" % sum(r.failed for r in runs)
    print(text, flush=True)


def cpus(runs):
    print("cpu, most of any run: machine %.0f%%, nginx %.0f%% of a core,"
          " an engine %.0f%%, generator %.0f%%; steps late by %.0f us in the"
          " mean, calls sent late by at most %.1f ms" % (
              100 * max(r.machine for r in runs),
              100 * max(r.nginx_cpu for r in runs),
              100 * max(r.engine_cpu for r in runs),
              100 * max(r.load_cpu for r in runs),
              max(r.late for r in runs), max(r.sent_late for r in runs)))


def paired(runs, a, b, field):
    """The ratio of each seed; (median, least, most)."""
    ratios = [getattr(x, field) / max(getattr(y, field), 1e-9)
              for x, y in zip(runs[a], runs[b])]

    return statistics.median(ratios), min(ratios), max(ratios)


def claim(runs, a, b, field, what):
    """What these numbers bear, and no more."""
    mid, low, high = paired(runs, a, b, field)
    n = len(runs[a])
    word = "in each" if high < 1 or low > 1 else "NOT in each"
    print("%s of %s is %.2f times that of %s (%.2f to %.2f; %s of %d seeds on"
          " the same side of 1)" % (what, a, mid, b, low, high, word, n))

    return high


class Experiment:
    def __init__(self, folder, args):
        self.folder, self.args = folder, args
        self.all = []
        self.rate = 0.0

    def plan(self, seed, seconds):
        path = os.path.join(self.folder, "plan")
        Workload(seed).write(path, self.rate, seconds)

        return path

    def run(self, *args, **more):
        run = Run(self.folder, *args, keep=self.args.keep, **more)
        self.all.append(run)

        return run

    def turns(self, variants, seeds, seconds):
        """{name: [Run, ...]}: the order changes from seed to seed."""
        runs = {name: [] for name in variants}
        names = list(variants)

        for seed in seeds:
            plan = self.plan(seed, seconds)
            random.Random(seed).shuffle(names)
            for name in names:
                method, more = variants[name]
                runs[name].append(self.run(method, plan, seconds, **more))

        for name in variants:
            row(name, runs[name])

        return runs

    def head(self, text):
        print("\n%s\n%-14s %7s   %s" % (text, "", "all p99", " ".join(
            "%-17s" % ("%s %s" % (n, u)) for n, _, u in COLUMNS)), flush=True)

    def main(self):
        a = self.args
        seeds = range(a.seed, a.seed + a.seeds)
        most = capacity(self.folder, a.seed)
        self.rate = most * a.load
        print("%d engines, %.0f calls/s when all are full; offered %.0f calls/s"
              " (%.0f%%), %.1f s a run of which the first %.0f are not counted,"
              " %d seeds" % (ENGINES, most, self.rate, 100 * a.load, a.seconds,
                             WARM, a.seeds))

        self.head("two workers; median [least-most] of the seeds")
        names = [n for n in METHODS if n != "scraped"
                 and (not a.only or n in a.only.split(","))]
        runs = self.turns({n: (n, {}) for n in names}, seeds, a.seconds)
        self.claims(runs)

        if not a.only:
            self.one_worker(seeds[:2])
            self.unlike(seeds[:2])
            self.herds(seeds[:1])

        cpus(self.all)

    def claims(self, runs):
        print()
        for ours in ("least_load", "affinity"):
            for other in ("round_robin", "least_conn", "oracle"):
                if ours in runs and other in runs:
                    claim(runs, ours, other, "p99", "p99 TTFT")

        if "affinity" in runs and "round_robin" in runs:
            claim(runs, "affinity", "round_robin", "hits", "prefix hit ratio")

    def one_worker(self, seeds):
        self.head("one worker, %d seeds" % len(seeds))
        self.turns({n: (n, {"workers": 1}) for n in (
            "round_robin", "least_load")}, seeds,
            self.args.seconds)

    def unlike(self, seeds):
        self.head("two of the engines at half the speed, %d seeds" % len(seeds))
        all_alike = self.rate
        self.rate *= (ENGINES - 1) / ENGINES
        runs = self.turns({n: (n, {"slow": 2}) for n in (
            "least_conn", "least_load", "affinity")}, seeds, self.args.seconds)
        self.rate = all_alike
        print()
        for ours in ("least_load", "affinity"):
            claim(runs, ours, "least_conn", "p99", "p99 TTFT")

    def herds(self, seeds):
        stale = self.args.stale
        self.head("gauges %d ms old, two workers, %d seeds"
                  % (stale, len(seeds)))
        old = {"stale": stale}
        self.turns({"scraped": ("scraped", old),
                    "least_load": ("least_load", old),
                    "affinity": ("affinity", old)}, seeds,
                   max(self.args.seconds, 1.8 * stale / 1000))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.5)
    parser.add_argument("--load", type=float, default=0.8)
    parser.add_argument("--stale", type=int, default=5000)
    parser.add_argument("--only", default="", help="ways, with commas")
    parser.add_argument("--keep", help="a folder for a line a call")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="tollgate-balance-") as folder:
        os.chmod(folder, 0o755)
        Experiment(folder, args).main()


if __name__ == "__main__":
    main()
