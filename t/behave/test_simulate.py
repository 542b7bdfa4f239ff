"""llmctl simulate: what it makes of a log, held against what servers did."""

import concurrent.futures
import datetime
import glob
import json
import os
import random
import shutil
import subprocess
import time

import pytest

import calls
from keys import bearer, gated, key, keys
from servers import root

CHAT = "/v1/chat/completions"
LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
WORDS = "alpha beta gamma delta epsilon zeta eta theta ".split()
KEYS = keys(key("ann", team="red"), key("bob", team="blue"), key("eve"))


def simulate(*args, log, code=0):
    done = subprocess.run([LLMCTL, "simulate", *args, "--quiet", log],
                          capture_output=True, text=True, timeout=300)
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
    """One after the other so far apart that a log tells them apart: it has
    milliseconds."""
    def one(call):
        headers, body = call
        time.sleep(0.004 if threads == 1 else 0)
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


def slow(seconds):
    """Answers whose pieces come that far apart."""
    return {"delay": seconds, "words": 6}


def streams(n, **more):
    return [(bearer("ann"), calls.asked_stream(**more))] * n


def test_calls_overlap_as_they_did(server, fake):
    """Of six at a time a quota would let three, and nobody waits."""
    server.meter(fake, *gated(server, text=KEYS))
    status = post_all(server, streams(24, max_tokens=8), threads=6,
                      fake=slow(0.02))
    assert set(status) == {200}
    lines = server.lines(24)

    for most, few in ((64, 0), (3, 4), (1, 12)):
        conf = server.write("etc/other.conf", """
            llm_prices %s;
            llm_ledger /nowhere/ledger;
            llm_keys %s;
            llm_quota most per=all concurrent=%d wait=0;
            location / { llm on; }
        """ % (server.prices, server.path("etc", "keys.json"), most))
        told, report = per_call(server, conf=conf)
        refused = total(report, "refused_now")
        assert refused == refusals(lines, most)
        assert refused >= few and (few or not refused)


def refusals(lines, most):
    """By what they say of their begin and end, in milliseconds."""
    under_way, refused = [], 0

    for line in sorted(lines, key=lambda x: (at(x), x["llm.seq"])):
        under_way = [end for end in under_way if end > at(line)]
        if len(under_way) == most:
            refused += 1
        else:
            under_way.append(at(line) + line["event.duration"] // 10 ** 6)

    return refused


def at(line):
    return round(datetime.datetime.fromisoformat(
        line["@timestamp"].replace("Z", "+00:00")).timestamp() * 1000)


def test_calls_wait_as_they_do(server, fake):
    """Six at a time where there is room for two: with patience all pass, then as
    now."""
    server.meter(fake, *gated(server, "most per=all concurrent=2 wait=100s",
                              text=KEYS))
    status = post_all(server, streams(18, max_tokens=8), threads=6,
                      fake=slow(0.02))
    assert set(status) == {200}
    lines = server.lines(18)
    waited = sum(line.get("llm.waited_ms", 0) > 0 for line in lines)
    assert waited
    told, report = per_call(server)
    assert total(report, "refused_now") == 0 < total(report, "waited")
    with open(config(server)) as f:
        text = f.read().replace("wait=100s", "wait=0")
    told, report = per_call(server, conf=server.write("etc/now.conf", text))
    assert 0 < total(report, "refused_now") < 18


def test_a_maximum_is_lowered_as_it_was(server, fake):
    server.meter(fake, *gated(server, "out per=all output_tokens=200/total"
                              " clamp=min:4 wait=0s", text=KEYS))
    status = post_all(server, [(bearer("ann"), calls.chat(max_tokens=90))] * 60)
    lines = server.lines(60)
    assert 429 in status and any("llm.sent_max_tokens" in x for x in lines)
    told, report = per_call(server)
    for line in lines:
        now = told[line["llm.call_id"]]["now"]
        assert now["decision"] == line["llm.decision"]
        assert now["max_tokens"] == line.get("llm.sent_max_tokens", 0)
        assert now["cost_nusd"] == line.nusd


def test_attempts_that_failed_cost_what_they_cost(server, fake, fake2):
    """One provider breaks off, the other one answers: so they do again."""
    server.expect_errors("timed out", "AH01102", "AH01110", "AH00898",
                         "prematurely closed", "Connection reset")
    providers = [("one", fake, "dialect=openai", "models=gpt-*"),
                 ("two", fake2, "dialect=openai", "models=own-*")]
    prices = server.write("etc/own.json", json.dumps({
        "tollgate_prices": 1, "models": {
            "own-8b": {"input": "0.1", "output": "0.2"}}}))
    server.route(providers, *gated(server, "all per=all usd=1/day", text=KEYS,
                                   llm=[("llm_prices", prices)]),
                 ("llm_route", "safe", "to=one/gpt-4o,two/own-8b"))
    fake.scripts["as told"] = {"drop": True}
    fake2.scripts["as told"] = {"words": 3}
    r = server.client.post(CHAT, calls.chat("gpt-4o", max_tokens=8),
                           bearer("ann"), fake={"script": "as told"})
    assert r.status == 200
    lines = server.lines(2)
    assert {line["llm.provider"] for line in lines} == {"one", "two"}
    told, report = per_call(server)
    assert total(report, "calls") == 1
    assert total(report, "cost_then_nusd") == sum(x.nusd for x in lines) \
        == total(report, "cost_now_nusd") > max(x.nusd for x in lines)
    assert total(report, "rerouted") == 0
    now = told[lines[0]["llm.call_id"]]["now"]
    assert (now["provider"], now["route"]) == ("two", "safe")


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
    server.meter(fake)
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


EXAMPLES = sorted(glob.glob(root("conf-examples", "nginx", "*.conf"))
                  + glob.glob(root("conf-examples", "apache", "*.conf")))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: "-".join(
    p.split(os.sep)[-2:]))
def test_examples_are_understood(tmp_path, path):
    """With their files in a place of this machine."""
    with open(path) as f:
        text = f.read()
    for place in ("/usr/share/tollgate/", "/etc/tollgate/"):
        text = text.replace(place, "%s/" % tmp_path)
    (tmp_path / "x.conf").write_text(text)
    (tmp_path / "keys.json").write_text(keys())
    for source, name in ((("prices", "default.json"), "prices.json"),
                         (("conf-examples", "own-prices.json"), None),
                         (("conf", "llm_proxy_params"), None)):
        shutil.copy(root(*source), tmp_path / (name or source[-1]))
    log = tmp_path / "log"
    log.write_text(json.dumps({
        "@timestamp": "2026-11-01T00:00:00.000Z", "llm.schema": 1,
        "event.id": "e", "llm.call_id": "c", "llm.seq": 1, "llm.final": True,
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "llm.prompt.messages": 1,
        "llm.decision": "allow", "llm.cost.total_nusd": 5}) + "\n")
    report = as_json("--conf=%s" % (tmp_path / "x.conf"), log=str(log))
    assert total(report, "calls") == 1


BROKEN = [
    ("http {\n llm_quota a per=all;\n}", "x.conf:2: llm_quota"),
    ("http {\n llm_quoat a;\n}", "x.conf:2: there is no such"),
    ("http { location / { llm on; llm_keys x; } }", "llm_keys is not allowed"),
    ("http {\n include nowhere.conf;\n}", "nowhere.conf, which is not there"),
    ("http {\n server {\n", "ends within"),
    ("http { llm_ledger /x; }", "nothing in it has"),
    ("LLMQuota a per=all\n", "x.conf:1: LLMQuota"),
    ("<Location />\nLLMEngine On\n", "ends within"),
    ("# nothing\nuser www;\n", "has no directives of ours")]


@pytest.mark.parametrize("text,why", BROKEN)
def test_what_is_wrong_with_a_configuration_is_told(tmp_path, text, why):
    (tmp_path / "x.conf").write_text(text)
    log = tmp_path / "log"
    log.write_text("")
    assert why in simulate("--conf=%s" % (tmp_path / "x.conf"), log=str(log),
                           code=1)


@pytest.mark.parametrize("args,why", [
    ((), "needs --conf"),
    (("--conf=/nowhere.conf",), "No such file"),
    (("--prices=/nowhere.json",), "No such file"),
    (("--prices=x", "--pass=on"), "are for --conf")])
def test_mistakes_are_told(tmp_path, args, why):
    log = tmp_path / "log"
    log.write_text("")
    done = subprocess.run([LLMCTL, "simulate", *args, str(log)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode in (1, 2) and why in done.stderr
