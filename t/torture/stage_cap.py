"""Caps: never passed, and used up before anybody is refused."""

import rig

CLIENTS = 200
CALLS = 20000                           # what the cap is worth
SPENT = 0.97
HOLDS = 3                               # times what a call costs
LONGEST = 4                             # times a stage's seconds


def mean_cost(stage):
    """Of the calls so far."""
    bills = [b.cost for some in stage.bills().values() for b in some]

    return sum(bills) // len(bills)


def probe(stage, prefix="p"):
    """What a call costs: from a server without quotas that matter."""
    server = stage.server
    server.start(rig.site(server, stage.provider,
                          rig.keys_file(rig.record("k1")),
                          "none per=all requests=1M/day"))
    stage.clients(["k1"], prefix, calls=1000, seconds=20,
                  clients=50).end()
    mean = mean_cost(stage)
    server.graceful()
    server.await_exit(40)

    return mean


def restart(stage, site):
    """On the port of before."""
    stage.server.site = site
    stage.server._start(site)


def refusals(lines):
    """By quotas, in their order; not by a ledger whose lock was not to be had
    in time."""
    return sorted((line for line in lines
                   if line.get("llm.decision") == "refuse"
                   and "llm.quota.spent" in line),
                  key=lambda line: line["llm.seq"])


def near_cap(stage):
    report, mean = stage.report, probe(stage)
    cap = CALLS * mean
    restart(stage, rig.site(stage.server, stage.provider,
                            rig.keys_file(rig.record("k1")),
                            "all per=all usd=%s/day" % rig.usd(cap)))
    stage.look.watch()
    ended = stage.clients(["k1"], "c", clients=CLIENTS, streams=30, refused=1,
                          seconds=int(stage.seconds * LONGEST)).end()
    stage.await_free()
    judge_watch(stage)
    lines = [line for line in stage.lines()
             if line.get("organization.id", "").startswith("c")]
    refused = refusals(lines)

    if not report.must(refused, "no call was refused at the cap: %s" % ended):
        return

    allowed = [line for line in lines if line["llm.decision"] == "allow"]
    holds = sum(line["llm.hold"] for line in allowed) * 1e9 \
        / sum(line.nusd for line in allowed)
    share = refused[0]["llm.quota.spent"] / refused[0]["llm.quota.cap"]
    report.figure("near the cap: calls let through, a second", "%d, %.0f" % (
        len(allowed), len(allowed) / ended["seconds"]))
    report.figure("near the cap: hold / actual", "%.2f" % holds)
    report.figure("near the cap: spent at the first refusal", "%.4f" % share)
    report.must(holds >= HOLDS, "holds are %.2f of the actual" % holds)
    report.must(share >= SPENT, "%.4f is spent at the first refusal" % share)
    spent = sum(b.cost for call, some in stage.bills().items() for b in some
                if call.startswith("c"))
    report.figure("near the cap: spent at the end, by the provider's books",
                  "%.4f" % (spent / cap))
    report.must(spent <= cap, "%d of %d are spent" % (spent, cap))


def judge_watch(stage):
    seen, report = stage.look.seen(), stage.report
    report.figure("looks at the ledger, at entries, largest share of a limit",
                  "%(looks)d, %(entries)d, %(worst).3f%%" % seen)
    report.figure("used + held over a limit", seen["over"])
    report.must(seen["looks"] > 100, "only %d looks" % seen["looks"])
    report.must(seen["over"] == 0, "%d entries over their limit"
                % seen["over"])


def nested(stage, mean):
    """Limits of which each is reached by somebody, and a site with them.
    Returns (site, {rule: (cap, who)})."""
    caps = {"key": 300 * mean + 1, "team": 1200 * mean + 3,
            "all": 4000 * mean + 7}
    wait = "wait=100ms"
    text = rig.keys_file(
        rig.record("k1", team="a", budgets=[
            {"name": "k1", "limit": "usd=%s/day %s" % (rig.usd(caps["key"]),
                                                       wait)}]),
        rig.record("k2", team="a", rates=[
            {"name": "k2", "limit": "tokens=60000/minute %s" % wait}]),
        rig.record("k3", team="a", rates=[
            {"name": "k3", "limit": "concurrent=5 wait=0s"}]),
        rig.record("k4", team="b"), rig.record("k5", team="a"),
        teams={"a": {}, "b": {"budgets": [
            {"name": "b", "limit": "usd=%s/month %s" % (
                rig.usd(caps["team"]), wait)}]}})
    site = rig.site(stage.server, stage.provider, text,
                    "all per=all usd=%s/day %s" % (rig.usd(caps["all"]), wait),
                    "rate per=key requests=100k/minute",
                    "crowd per=all concurrent=%d" % (CLIENTS - 20))

    return site, {
        "k1": (caps["key"], lambda line: line["llm.key_id"] == "key_k1"),
        "b": (caps["team"], lambda line: line["llm.team"] == "b"),
        "all": (caps["all"], lambda line: True), "k2": None, "k3": None}


def overshoot(stage):
    report, server = stage.report, stage.server
    site, limits = nested(stage, probe(stage))
    restart(stage, site)
    stage.look.watch()
    calls = 0

    for turn in range(LONGEST):
        ended = stage.clients(["k1", "k2", "k3", "k4", "k5"], "o%d-" % turn,
                              clients=CLIENTS, streams=30, aborts=3, resets=2,
                              seconds=max(2, int(stage.seconds / 2))).end()
        calls += ended["sent"]
        report.must(ended["hung"] == 0, "%(hung)d calls hang" % ended)
        stage.await_free()
        rules = {line["llm.rule"] for line in refusals(server.log_of().read())}

        if set(limits) <= rules:
            break

    report.must(set(limits) <= rules, "only %s did refuse" % rules)
    stage.await_free()
    judge_watch(stage)
    report.figure("overshoot: calls, limits that refused some",
                  "%d, %s" % (calls, ", ".join(sorted(rules))))
    judge_books(stage, limits)


def judge_books(stage, limits):
    """The provider's own sums against the caps."""
    report, bills = stage.report, stage.bills()
    lines = {line["organization.id"]: line for line in stage.lines()
             if "llm.key_id" in line and "organization.id" in line}

    for call, line in lines.items():
        if line.get("llm.decision") == "refuse" and call in bills:
            report.wrong("call %s was refused and answered" % call)

    for rule, limit in limits.items():
        if limit is None:
            continue
        cap, who = limit
        spent = sum(b.cost for call, some in bills.items() for b in some
                    if call in lines and "llm.team" in lines[call]
                    and who(lines[call]))
        report.figure("overshoot: %s: billed, of its cap" % rule,
                      "%d, %.4f" % (spent, spent / cap))
        report.must(0 < spent <= cap, "%s: %d of %d" % (rule, spent, cap))
