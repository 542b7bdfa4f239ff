#!/usr/bin/python3
"""What `llmctl report anomalies` finds of what was planted, how soon, and what it
says of quiet days; and how far `llmctl report forecast` is off.  Seeds below 100 are those that it was tuned by.

    anomaly_bench.py [--llmctl=build/llmctl] [--seeds=131-135] [--quiet=231-233]
"""

import argparse
import datetime
import json
import random
import statistics
import subprocess
import sys
import tempfile

from deployment import MODELS, UTC, Deployment, Plant

PAST = 45               # days before anything goes wrong
LATE = 72               # hours after which nobody cares any more


def seeds(text):
    a, _, b = text.partition("-")
    return range(int(a), int(b or a) + 1) if text else []


def retrieval(d, rng, at):
    fit = [f for f in d.features if f.kind in ("rag", "chat", "public", "agent")
           and f.cost() > 0.02 * d.daily()]
    f = rng.choice(fit)
    part = rng.choice((0.95, 0.95, 0.95, 0.4))
    p = Plant("retrieval", at, rng.randrange(80, 160), feature=f, by=8,
              part=part)
    p.names = {"team " + f.team, "tag:feature " + f.name, "key " + f.keys[0],
               "key " + f.keys[0] + "_2", "model " + f.model, "all"}
    p.said = "%d%% of the calls of %s, %.0f%% of the spend" % (
        100 * part, f.name, 100 * f.cost() / d.daily())
    return p


def loop(d, rng, at):
    f = rng.choice(d.features)
    hours = rng.choice((1, 1, 2, 3, 6))
    calls = max(rng.choice((150, 300, 600, 1200)), hours * 60) // hours * hours
    price = MODELS[f.model][0]
    tokens = rng.uniform(3000, 20000)
    # One that costs less than 1% of a day is nothing to wake anybody for.
    tokens = min(150000, max(tokens,
                             0.01 * d.daily() * 1e6 / calls / price / 0.6))
    p = Plant("loop", at, hours, feature=f, calls=calls, tokens=tokens, done=0,
              session="loop%x" % rng.getrandbits(32)
              if rng.random() < 0.75 else None)
    p.names = {"team " + f.team, "key " + f.keys[0], "all",
               "key " + f.keys[0] + "_2", "tag:feature " + f.name}
    p.said = "%d calls in %d h by %s%s, about %.0f%% of a day's spend" % (
        calls, hours, f.keys[0], "" if p.session else ", no session",
        100 * calls * tokens * price / 1e6 / d.daily())
    return p


def price(d, rng, at):
    use = {}
    for f in d.features:
        use[f.model] = use.get(f.model, 0) + f.cost()
    model = rng.choice([m for m in use if use[m] > 0.03 * d.daily()])
    by = rng.choice(((1.2, 1.2, 1.2), (2, 2, 2), (0.7, 0.7, 0.7), (1, 1, 1.5),
                     (1.25, 1.25, 1), (0.5, 0.5, 0.5), (1.1, 1.1, 1.1)))
    p = Plant("price", at // 24 * 24 + rng.choice((0, 0, 0, at % 24)),
              rng.randrange(96, 160), model=model, by=by)
    p.names = {"model " + model}
    p.said = "%s: input x%g, output x%g" % (model, by[0], by[2])
    return p


def key(d, rng, at):
    f = d.dead[0]
    old = rng.random() < 0.5
    share = rng.uniform(0.03, 0.15)
    model = rng.choice(sorted(MODELS))
    tokens = rng.uniform(1000, 8000)
    each = (tokens * 1.38 * MODELS[model][0] + 475 * MODELS[model][2]) / 1e6
    hours = rng.choice((6, 12, 24, 72))
    name = "key_%s_old" % f.team if old else "key_%x" % rng.getrandbits(32)
    p = Plant("key", at, hours, team=f.team, name=f.name, key=name, model=model,
              tokens=tokens, rate=share * d.daily() / each / min(hours, 24))
    p.names = {"key " + name}
    p.said = "%s, %.0f%% of a day's spend in %d h" % (
        "an old key" if old else "a new key", 100 * share, min(hours, 24))
    return p


def run(llmctl, *args):
    done = subprocess.run([llmctl, "report", *args, "--format=json",
                           "--quiet"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def written(d):
    f = tempfile.NamedTemporaryFile("w", suffix=".log")
    d.write(f)
    f.flush()
    return f


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def report(llmctl, d, since, f):
    return run(llmctl, "anomalies", "--since=" + iso(since),
               f.name)["anomalies"]


def forecasts(llmctl, d, f):
    """What was said of months that the lines have all of, on some of their
    days: pairs of whether it came so and by how much it was wrong."""
    said = []
    for day in range(45, d.days, 4):
        now = d.time(day * 24)
        month = now.replace(day=1)
        after = (month + datetime.timedelta(days=32)).replace(day=1)
        if after > d.time(d.days * 24) or now.day < 3:
            continue
        is_ = {r["team"]: r["cost_nusd"] for r in run(
            llmctl, "spend", "--by=team", "--since=" + iso(month),
            "--until=" + iso(after), f.name)["spend"]}
        for row in run(llmctl, "forecast", "--until=" + iso(now),
                       f.name)["forecast"]:
            cost = is_.get(row["series"].split(" ")[-1]) \
                if row["series"] != "all" else sum(is_.values())
            if cost and row["month_low"] is not None:
                said.append((row["month_low_nusd"] <= cost
                             <= row["month_high_nusd"],
                             abs(row["month_forecast_nusd"] / cost - 1)))
    return said


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def told(row):
    return "%s %-10s %-34s %g (usual %g) %s, %+.2f USD a day; %s" % (
        row["found"][:16], row["kind"], row["what"][:60], row["now"],
        row["usual"], row["unit"], row["excess_a_day_nusd"] / 1e9,
        row["also_in"] or "")


def planted(llmctl, seed, verbose):
    rng = random.Random(seed * 7919)
    d = Deployment(seed, 112)
    makers = [retrieval, loop, price, key]
    rng.shuffle(makers)
    for i, make in enumerate(makers):
        day = PAST + 2 + i * 15 + rng.randrange(6)
        d.plants.append(make(d, rng, day * 24 + rng.randrange(24)))
    with written(d) as f:
        rows = report(llmctl, d, d.time(PAST * 24), f)
    result = []
    for p in d.plants:
        best = None
        for row in rows:
            hour = d.hour_of(when(row["found"]))
            names = {row["what"].split(", session")[0]} \
                | set((row["also_in"] or "").split(", "))
            # That a price goes back is a change, too.
            if p.kind == "price" and row["kind"] == "price" and names & p.names \
                    and 0 < hour - p.at <= p.hours + LATE:
                row["used"] = True
            if p.at < hour <= p.at + LATE and names & p.names:
                row["used"] = True
                if best is None or hour < best[0]:
                    best = (hour, row)
        result.append((p, best))
    print("seed %d, %.0f USD a day" % (seed, d.daily()))
    for p, best in result:
        print("  %-9s %s %-62s %s" % (
            p.kind, d.time(p.at).strftime("%m-%d %Hh"), p.said,
            "MISSED" if best is None
            else "after %d h as %s" % (best[0] - p.at, best[1]["kind"])))
    others = [r for r in rows if not r.get("used")]
    for row in (rows if verbose else others):
        print("    %s %s" % ("also" if not row.get("used") else "    ",
                             told(row)))
    return [(p.kind, None if b is None else b[0] - p.at,
             None if b is None else b[1]["kind"]) for p, b in result], others


def quiet(llmctl, seed):
    d = Deployment(seed, 35 + 90)
    with written(d) as f:
        rows = report(llmctl, d, d.time(35 * 24), f)
        said = forecasts(llmctl, d, f)
    print("seed %d, 90 quiet days from %s on: %d false alarms" % (
        seed, d.time(35 * 24).date(), len(rows)))
    for row in rows:
        print("    " + told(row))
    return len(rows), said


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--llmctl", default="build/llmctl")
    a.add_argument("--seeds", default="131-135")
    a.add_argument("--quiet", default="231-233")
    a.add_argument("--verbose", action="store_true")
    a = a.parse_args()
    found, total, others, took, named = 0, 0, 0, [], 0
    for seed in seeds(a.seeds):
        results, more = planted(a.llmctl, seed, a.verbose)
        others += len(more)
        for kind, hours, as_kind in results:
            total += 1
            found += hours is not None
            if hours is not None:
                took.append(hours)
                named += as_kind in {
                    "retrieval": ("tokens",), "loop": ("loop",),
                    "price": ("price",),
                    "key": ("new key", "silent key")}[kind]
    alarms = [quiet(a.llmctl, s) for s in seeds(a.quiet)]
    ok = True
    if total:
        print("planted: %d of %d found, %d of them by their kind, after %g h in"
              " the median, %d h at most; %d other findings" % (
                  found, total, named, statistics.median(took or [0]),
                  max(took or [0]), others))
        ok = found * 20 >= total * 18
    if alarms:
        said = [x for _, more in alarms for x in more]
        alarms = [n for n, _ in alarms]
        print("forecasts: %d of a month, wrong by %.1f%% in the median; %.0f%%"
              " had in their interval what came (80%% should)" % (
                  len(said), 100 * statistics.median(x for _, x in said),
                  100 * sum(ok for ok, _ in said) / len(said)))
        print("quiet: %d false alarms in %d days, at most %d in 90" % (
            sum(alarms), 90 * len(alarms), max(alarms)))
        ok = ok and sum(alarms) <= len(alarms)
    sys.exit(not ok)


if __name__ == "__main__":
    main()
