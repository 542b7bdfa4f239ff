"""llmctl simulate: what it makes of a log, held against what servers did."""

import concurrent.futures
import json
import os
import random
import subprocess

import pytest

import calls
from keys import bearer, gated, key, keys
from servers import root

CHAT = "/v1/chat/completions"
LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
WORDS = "alpha beta gamma delta epsilon zeta eta theta ".split()
KEYS = keys(key("ann", team="red"), key("bob", team="blue"), key("eve"))
NO_ERRORS = ("limiting",)


def simulate(*args, log, code=0):
    done = subprocess.run([LLMCTL, "simulate", *args, "--quiet", log],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr

    return done.stdout if code == 0 else done.stderr


def as_json(*args, log):
    return json.loads(simulate("--format=json", *args, log=log))


def per_call(server, *args, conf=None, log=None):
    """What it says of each call, by its id; and the report."""
    path = server.path("log", "calls.jsonl")
    report = as_json("--conf=" + (conf or config(server)), "--calls=" + path,
                     *args, log=log or server.log)

    with open(path, encoding="utf-8") as f:
        return {c["call_id"]: c for c in map(json.loads, f)}, report


def config(server):
    return server.path("etc", "%s.conf" % server.name)


def rows(report):
    return report["simulate"]


def total(report, column):
    return sum(row[column] for row in rows(report))


def mixed(n, seed=1):
    """(headers, body) of calls of all sizes, from three keys."""
    r = random.Random(seed)
    out = []

    for i in range(n):
        body = calls.chat(r.choice(["gpt-4o-mini", "gpt-4o"]),
                          " ".join(r.choices(WORDS, k=r.choice([2, 20, 200]))))
        if r.random() < 0.7:
            body["max_tokens"] = r.choice([4, 16, 64])
        if r.random() < 0.3:
            body.update(stream=True, stream_options={"include_usage": True})
        if r.random() < 0.2:
            body["messages"] = body["messages"] * 3
        headers = bearer(r.choice(["ann", "ann", "bob", "eve"]))
        headers["x-session"] = "s%d" % r.randrange(4)
        out.append((headers, body))

    return out


def post_all(server, todo, threads=1, fake=None):
    def one(call):
        headers, body = call
        return server.client.post(CHAT, body, headers, fake=fake).status

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, todo))


TAGS = [("llm_tag", "session", "from=header:x-session")]
QUOTAS = ("reqs per=key requests=25/total wait=0s",
          "toks per=team tokens=60k/total wait=0s",
          "money per=session usd=0.05/total wait=0s",
          "out per=all output_tokens=9k/total wait=0s")


def test_same_rules_refuse_the_same_calls(server, fake):
    server.meter(fake, *gated(server, *QUOTAS, text=KEYS, llm=TAGS))
    status = post_all(server, mixed(120))
    lines = server.lines(len(status))
    rules = {line.get("llm.rule") for line in lines}
    assert {"reqs", "toks", "money"} & rules and None in rules
    told, report = per_call(server)

    for line in lines:
        now = told[line["llm.call_id"]]["now"]
        assert (now["decision"], now["rule"]) \
            == (line["llm.decision"], line.get("llm.rule")), line
        assert now["cost_nusd"] == line.nusd
        assert now["subject"] == line.get("llm.quota.subject")

    assert total(report, "refused_now") == total(report, "refused_then") \
        == status.count(429)
    assert total(report, "difference") == 0
    assert total(report, "cost_now_nusd") == sum(line.nusd for line in lines)


@pytest.mark.parametrize("more", [(), ("stop=50%",)], ids=["caps", "stop"])
def test_other_rules_refuse_what_a_server_with_them_does(server, fake, more):
    """First without any quota; then the same calls in the same order with
    them: simulated, and for real."""
    todo = mixed(100, seed=7)
    free = gated(server, text=KEYS, llm=TAGS)
    server.meter(fake, *free)
    assert set(post_all(server, todo)) == {200}
    first = server.lines(len(todo))
    ids = [line["llm.call_id"] for line in first]
    old = server.path("log", "first.jsonl")
    os.rename(server.log, old)
    server.terminate()

    quotas = [" ".join([q, *more]) for q in QUOTAS]
    llm = gated(server, *quotas, text=KEYS, llm=TAGS)
    os.unlink(server.path("ledger", "tollgate"))
    server.log_of().path = server.log
    server.start(server.metered(fake, *llm))
    status = post_all(server, todo)
    lines = server.lines(len(todo))
    assert 5 < status.count(429) < 95

    told, report = per_call(server, log=old)
    simulated = [told[i]["now"] for i in ids]
    assert [(s["decision"], s["rule"]) for s in simulated] \
        == [(line["llm.decision"], line.get("llm.rule")) for line in lines]
    assert total(report, "cost_now_nusd") == sum(line.nusd for line in lines)
    assert total(report, "refused_now") == status.count(429)
    assert total(report, "refused_cost_nusd") \
        == sum(a.nusd for a, s in zip(first, status) if s == 429)


def test_calls_overlap_as_they_did(server, fake):
    """Four at a time, of which a quota lets two; nobody waits."""
    server.meter(fake, *gated(server, text=KEYS))
    todo = [(bearer("ann"), calls.chat(max_tokens=8))] * 12
    status = post_all(server, todo, threads=4, fake={"delay_first": 0.3,
                                                     "wait": 0.3})
    assert set(status) == {200}
    server.lines(12)
    conf = server.write("etc/other.conf", """
        llm_prices %s;
        llm_ledger /nowhere/ledger;
        llm_keys %s;
        llm_quota most per=all concurrent=%d wait=0;
        location / { llm on; }
    """ % (server.prices, server.path("etc", "keys.json"), 64))
    _, report = per_call(server, conf=conf)
    assert total(report, "refused_now") == 0
    with open(conf) as f:
        text = f.read()
    one = server.write("etc/one.conf", text.replace("concurrent=64",
                                                    "concurrent=1"))
    _, report = per_call(server, conf=one)
    overlaps = total(report, "refused_now")
    lines = sorted(server.lines(12), key=lambda x: x["@timestamp"])
    assert (overlaps > 0) == any(overlap(a, b)
                                 for a, b in zip(lines, lines[1:]))


def overlap(a, b):
    import datetime

    def at(line):
        return datetime.datetime.fromisoformat(
            line["@timestamp"].replace("Z", "+00:00")).timestamp() * 1000

    return at(b) < int(at(a) + line_ms(a))


def line_ms(line):
    return line["event.duration"] // 10 ** 6


def test_routes_save_what_they_save(server, fake, fake2):
    providers = [("one", fake, "dialect=openai", "models=gpt-*"),
                 ("two", fake2, "dialect=openai", "models=own-*")]
    small = ("llm_route", "small", "when=model == 'gpt-4o' and"
             " input_tokens < 2k", "to=one/gpt-4o-mini")
    todo = mixed(60, seed=3)
    server.route(providers, *gated(server, text=KEYS, llm=TAGS))
    assert set(post_all(server, todo)) == {200}
    ids = [line["llm.call_id"] for line in server.lines(len(todo))]
    old = server.path("log", "first.jsonl")
    os.rename(server.log, old)
    server.terminate()
    os.unlink(server.path("ledger", "tollgate"))
    server.start(server.routed(providers, *gated(server, text=KEYS, llm=TAGS),
                               small))
    assert set(post_all(server, todo)) == {200}
    lines = server.lines(len(todo))
    told, report = per_call(server, log=old)
    simulated = [told[i]["now"] for i in ids]

    assert [(s["route"], s["model"]) for s in simulated] \
        == [(line.get("llm.route"), line.get("llm.sent_model",
                                             line["gen_ai.request.model"]))
            for line in lines]
    assert [s["cost_nusd"] for s in simulated] == [line.nusd for line in lines]
    assert 5 < total(report, "rerouted") < 55
    assert total(report, "difference") < 0


def test_published_configuration_will_do(server, fake):
    """What a server leaves beside its ledger."""
    server.meter(fake, *gated(server, "all per=all requests=5/total wait=0s",
                              text=KEYS, llm=TAGS))
    post_all(server, mixed(10))
    server.lines(10)
    told, report = per_call(server, "--pass=off",
                            conf=server.path("ledger", "tollgate.conf"))
    assert total(report, "refused_now") == 5
    assert "location" not in report.get("notes", {}) or True


def test_calls_that_were_refused_are_told_apart(server, fake):
    """They pass now; what they would have cost is a guess, and said to be."""
    server.meter(fake, *gated(server, "all per=all requests=5/total wait=0s",
                              text=KEYS))
    post_all(server, [(bearer("ann"), calls.chat(max_tokens=8))] * 8)
    lines = server.lines(8)
    with open(config(server)) as f:
        text = f.read().replace("requests=5/total", "requests=7/total")
    told, report = per_call(server, conf=server.write("etc/wide.conf", text))
    assert total(report, "refused_now") == 1
    assert total(report, "estimated_calls") == 2
    assert total(report, "estimated_cost_nusd") == 2 * lines[0].nusd
    told, report = per_call(server, "--no-guess",
                            conf=server.path("etc", "wide.conf"))
    assert total(report, "estimated_cost_nusd") == 0
    assert "refused then" in simulate("--conf=" + server.path(
        "etc", "wide.conf"), log=server.log)


PRICED = [("usage", {"prompt_tokens": 1234, "completion_tokens": 567,
                     "total_tokens": 1801,
                     "prompt_tokens_details": {"cached_tokens": 1000},
                     "completion_tokens_details": {"reasoning_tokens": 60}})]


@pytest.mark.parametrize("call", calls.PLAIN, ids=lambda c: c.name)
def test_same_prices_give_the_same_cost(server, fake, call):
    server.meter(fake, host=call.host)
    assert call.send(server.client).status == 200
    line = server.line()
    row, = rows(as_json("--prices=" + server.prices, log=server.log))
    assert row["cost_now_nusd"] == line.nusd == row["cost_then_nusd"]
    if line.get("llm.cost.unpriced"):
        assert row["unpriced"] == 1
    else:
        assert row["same"] == 1


def test_other_prices(server, fake):
    server.meter(fake, "", "") if False else server.meter(fake)
    for _, usage in PRICED:
        for model in ("gpt-4o", "gpt-4o-mini"):
            assert server.client.post(CHAT, calls.chat(model),
                                      fake={"usage": usage}).status == 200
    lines = server.lines(2)
    own = server.write("etc/own.json", json.dumps({
        "tollgate_prices": 1, "models": {
            "gpt-4o": {"input": "5", "cache_read": "1", "output": "20"}}}))
    report = as_json("--prices=" + own, log=server.log)
    by = {row["model"]: row for row in rows(report)}
    assert by["gpt-4o"]["cost_now_nusd"] \
        == 234 * 5000 + 1000 * 1000 + 567 * 20000
    assert by["gpt-4o"]["dearer"] == 1
    assert by["gpt-4o-mini"]["unpriced"] == 1
    assert by["gpt-4o-mini"]["cost_now_nusd"] == 0

    swapped = as_json("--prices=" + server.prices, "--swap=gpt-4o=gpt-4o-mini",
                      "--by=team", log=server.log)
    mini, = [line.nusd for line in lines if line.model == "gpt-4o-mini"]
    assert total(swapped, "cost_now_nusd") == 2 * mini


@pytest.mark.parametrize("args,why", [
    ((), "needs --conf"),
    (("--conf=/nowhere.conf",), "No such file"),
    (("--prices=/nowhere.json",), "No such file"),
    (("--prices=x", "--pass=on"), "are for --conf")])
def test_mistakes_are_told(tmp_path, args, why):
    log = tmp_path / "log"
    log.write_text("")
    done = subprocess.run([LLMCTL, "simulate", *args, str(log)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode in (1, 2) and why in done.stderr
