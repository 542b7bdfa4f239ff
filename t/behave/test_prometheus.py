"""A real Prometheus scrapes a real run: every query of every dashboard and rule is
asked, and has an answer; and what it counts is the bill, to the nano-dollar."""

import contextlib
import json
import re
import subprocess
import time
from decimal import Decimal

import pytest

import calls
import prom
from engines import Engines
from keys import bearer, gated, key, keys
from redis_server import BINARY as REDIS, Redis
from servers import Loc, Upstream
from test_status import samples, total

CHAT = "/v1/chat/completions"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PAGES = [Loc("/llm/status", [("llm", "off"), ("llm_status", "format=json")]),
         Loc("/llm/metrics", [("llm", "off"),
                              ("llm_status", "format=prometheus")])]
LABELS = "labels=team,model,provider,user,key,tag:feature"

ALERTS = ("alerts_test.yml", "alerts_days_test.yml")

# Without a value in a run of seconds: there is no time before the run, no device
# in its servers, and nobody was refused by hand.
BEFORE = re.compile(r"offset (1m|\d+[hd])")
DEVICES = re.compile(r"llm_upstream_backend_gpu_(utilization|memory|power)")

needed = pytest.mark.skipif(prom.BINARY is None or prom.PROMTOOL is None,
                            reason="no prometheus")


def site(server, one, gone, engines, redis):
    """Two providers, one of them gone; GPUs; a fleet's ledger; keys; quotas."""
    up = Upstream("gpu", list(engines), [
        ("llm_backend", "type=vllm", "gpu_cost=3.6/hour",
                         "instead_of=gpt-4o-mini"),
        ("llm_health_check", "interval=300ms")])
    people = keys(key("ann", team="search", user="ann"),
                  key("bob", team="ads", user="bob"), key("eve"))
    gate = gated(
        server, "month per=team usd=100/month alert=50% when=model!='of-no-price'",
        "watch per=team usd=0.00001/month alert=50% dry_run",
        "rate per=team requests=3/hour wait=0s when=team=='search'",
        "tokens per=key tokens=100000/day",
        "many per=all concurrent=50", "try per=all requests=1/hour dry_run",
        text=people,
        ledger=("size=1m", "redis=127.0.0.1:%d" % redis.port, "fleet=t",
                "lease=strict", "quarantine=1s", "redis_timeout=10s"))
    made = server.routed(
        [("gone", gone, "dialect=openai"), ("one", one, "dialect=openai"),
         ("gpu", "http://gpu", "dialect=vllm")],
        ("llm_route", "own", "when=model == 'own-8b'", "to=gpu/gpt-4o-mini"),
        ("llm_route", "cheaper", "when=model == 'gpt-4o'",
         "to=one/gpt-4o-mini", "dry_run"),
        ("llm_route", "pair", "to=gone,one"),
        ("llm_tag", "feature", "from=header:X-Feature"),
        ("llm_metrics", LABELS), *gate,
        upstreams=[up], modules=("llm", "llm_upstream"))
    made.locs = PAGES + made.locs

    return made


def ask(server, who, model="gpt-4o-mini", feature="chat", knobs=None, **more):
    headers = {**bearer(who), "X-Feature": feature,
               "traceparent": "00-%s-%s-01" % (TRACE, SPAN)}

    return server.client.post(CHAT, calls.chat(model, max_tokens=20, **more),
                              headers, fake=knobs).status


def turn(server):
    """Some of everything."""
    assert ask(server, "ann", knobs={"cached": 2}) in (200, 429)
    assert ask(server, "bob", feature="search", stream=True) == 200
    assert ask(server, "eve", "gpt-4o") == 200
    assert ask(server, "bob", "own-8b") == 200
    assert ask(server, "bob", "of-no-price") == 200
    assert ask(server, "eve", knobs={"usage": False}) == 200


@contextlib.contextmanager
def scene(server, fake, fake2, **more):
    """A server, and a Prometheus that reads its pages."""
    redis = Redis()

    try:
        with Engines(2, speed=20) as engines:
            server.check_lines = False
            server.expect_errors("proxy", "connect", "AH0", "llm_ledger: the"
                                 " fleet's store", "upstream")
            server.start(site(server, fake, fake2, engines, redis))
            fake2.stop()
            server.wait_until(lambda: ask(server, "bob") == 200)

            with prom.Prometheus({"tollgate": [
                    (server.port, "/llm/metrics")]}, **more) as prometheus:
                yield prometheus
    finally:
        redis.close()


def run(server, prometheus, turns=8):
    prometheus.scraped()

    for _ in range(turns):
        turn(server)
        time.sleep(0.4)

    server.wait_until(lambda: server.log_of().count()
                      == told(server)["sum"]["requests"]
                      + told(server)["sum"]["failed_attempts"])
    prometheus.scraped()


def told(server):
    return server.client.get("/llm/status").json


def unanswered(prometheus, asked):
    """Those of [(where, query)] that nothing answers to."""
    return [(where, query) for where, query in asked
            if not (prometheus.query(query) or prometheus.since(query))]


@needed
@pytest.mark.skipif(REDIS is None, reason="no redis-server")
def test_each_query_of_dashboards_and_rules_has_an_answer(server, fake, fake2):
    with scene(server, fake, fake2) as prometheus:
        run(server, prometheus)
        boards = prom.boards()
        asked = [("%s: %s" % (name, title), query)
                 for name, board in boards.items()
                 for title, query in prom.queries(board)]
        assert len(boards) == 4 and len(asked) > 100

        # These can't be known yet, or here; that they are understood is all.

        unknown = [(where, query) for where, query in asked
                   if BEFORE.search(query) or DEVICES.search(query)]
        unanswered(prometheus, unknown)
        silent = unanswered(prometheus, [one for one in asked
                                         if one not in unknown])
        assert not silent, "\n".join(map(str, silent))

        for name, board in boards.items():
            for metric, label in prom.variables(board):
                assert prometheus.api("label/%s/values" % label,
                                      **{"match[]": metric}), (name, label)

        rules = prometheus.loaded()
        assert len(rules) > 25
        assert all(rule["health"] == "ok" for _, _, rule in rules), rules
        assert unanswered(prometheus, [(name, name) for name, _, rule in rules
                                       if rule["type"] == "recording"]) == []

        # What the run has come to is what they say.

        def firing():
            return {name for name, _, rule in prometheus.loaded()
                    if rule.get("state") in ("firing", "pending")}

        wanted = {"LlmBudgetUsedUp", "LlmProviderDown", "LlmCallsUnpriced"}
        prometheus.wait(lambda: turn(server) or wanted <= firing(),
                        "%s fire" % wanted)
        assert not firing() & {"LlmRedisAway", "LlmLogLinesLost",
                             "LlmUpstreamDown", "LlmMetricsMissing",
                             "LlmConfigDiffers", "LlmSeriesOverflow"}


@needed
@pytest.mark.skipif(REDIS is None, reason="no redis-server")
def test_prometheus_has_the_bill(server, fake, fake2):
    """And the quotas, and calls' traces."""
    with scene(server, fake, fake2) as prometheus:
        run(server, prometheus, 3)
        lines = server.log_of().all()
        cost = sum(line.get("llm.cost.total_nusd", 0) for line in lines)
        value = prometheus.value

        assert round(value("sum(llm_cost_usd_total)") * 10 ** 9) == cost > 0
        assert round(value('sum(llm_spend_usd{window="today"})') * 10 ** 9) \
            == cost
        assert value("sum(llm_requests_total)") \
            == len({line["llm.call_id"] for line in lines})
        assert round(value("llm_untagged_cost_usd_total") * 10 ** 9) \
            == sum(line.get("llm.cost.total_nusd", 0) for line in lines
                   if "llm.team" not in line)
        assert round(value('sum(llm_cost_usd_total{tag_feature="search"})')
                     * 10 ** 9) \
            == sum(line.get("llm.cost.total_nusd", 0) for line in lines
                   if line.get("llm.tags.feature") == "search")

        used = {has["subject"]: round(v * 10 ** 9) for has, v in
                prometheus.query('llm_quota_used{quota="month"}')}

        for team in ("search", "ads"):
            assert used["team " + team] == sum(
                line.get("llm.cost.total_nusd", 0) for line in lines
                if line.get("llm.team") == team)

        # But for those whose processors' clocks disagreed.

        requests = value("sum(llm_requests_total)")
        assert 0.9 * requests <= value("llm_overhead_seconds_count") \
            <= requests
        assert value("llm_requests_in_flight") == 0
        assert value("llm_log_lines_lost_total") == 0
        assert value("llm_fleet_up") == 1

        seen = prometheus.api("query_exemplars", query="llm_cost_usd_total",
                              start=time.time() - 600, end=time.time() + 1)
        assert {(e["labels"]["trace_id"], e["labels"]["span_id"])
                for one in seen for e in one["exemplars"]} == {(TRACE, SPAN)}


@needed
def test_both_formats_are_valid_and_say_the_same(server, fake):
    site = server.metered(fake, ("llm_metrics", "labels=team,model"),
                          ("llm_tag", "team", "from=header:X-Team"))
    site.locs = PAGES[1:2] + site.locs
    server.start(site)
    server.client.post(CHAT, calls.chat(), {
        "X-Team": 'a"b\\c', "traceparent": "00-%s-%s-01" % (TRACE, SPAN)})
    server.lines(1)
    plain = server.client.get("/llm/metrics").body.decode()
    done = prom.promtool("check", "metrics", input=plain)
    assert done.returncode == 0 and not done.stderr, done.stderr

    r = server.client.get("/llm/metrics", {
        "Accept": "application/openmetrics-text;version=1.0.0"})
    assert r.header("Content-Type").startswith("application/openmetrics-text")
    text = r.body.decode()
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    bare = re.sub(r" # \{[^}]*\} \S+ \S+$", "", text[:-len("# EOF\n")],
                  flags=re.MULTILINE)
    assert bare != text and 'trace_id="%s"' % TRACE in text

    def steady(page):
        """Without what goes by the clock."""
        return [s for s in samples(page) if "hourly" not in s[0]]

    assert steady(bare) == steady(plain)

    # A family once, its samples together, counters' names as they have to be.

    families = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert len({name for name, _ in families}) == len(families)
    kinds = dict(families)
    assert not any(name.endswith("_total") for name in kinds)
    last, done = None, set()

    for name, _, _ in samples(bare):
        family = next(f for f in (name, name.removesuffix("_total"),
                                  re.sub("_(bucket|sum|count)$", "", name))
                      if f in kinds)
        assert family == last or family not in done
        assert kinds[family] != "counter" or name.endswith("_total")
        done.add(family)
        last = family


def test_rules_are_tested_by_prometheus_own_tool():
    if prom.PROMTOOL is None:
        pytest.skip("no promtool")

    for words in (("check", "config", "prometheus.yml"),
                  ("test", "rules", "recording_test.yml", *ALERTS)):
        done = prom.promtool(*words, cwd=prom.EXAMPLES, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test():
    with open(prom.EXAMPLES + "/alerts.rules.yml") as f:
        alerts = set(re.findall(r"alert: (\w+)", f.read()))

    fired = set()

    for name in ALERTS:
        with open(prom.EXAMPLES + "/" + name) as f:
            fired |= set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n",
                                    f.read()))

    assert len(alerts) > 15 and alerts == fired


def test_dashboards_can_be_imported():
    """What Grafana's import asks for, and what spoils a page."""
    boards = prom.boards()
    assert len({b["uid"] for b in boards.values()}) == len(boards) == 4

    for name, board in boards.items():
        assert board["id"] is None and board["schemaVersion"] >= 36
        assert name == board["uid"] + ".json"
        ids = [p["id"] for p in prom.panels(board)]
        assert len(set(ids)) == len(ids)
        taken = set()

        for panel in prom.panels(board):
            place = panel["gridPos"]
            cells = {(x, y)
                     for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            assert place["x"] + place["w"] <= 24 and not cells & taken, panel
            taken |= cells

            if panel["type"] != "row":
                assert panel["title"] and panel["targets"]
                assert panel["datasource"]["uid"] == "${datasource}"

            refs = [t["refId"] for t in panel.get("targets", [])]
            assert len(set(refs)) == len(refs)

        known = {one["name"] for one in board["templating"]["list"]}
        text = json.dumps(board)
        used = set(re.findall(r"\$\{?(?!__)([a-z]+)", text))
        assert used <= known and known <= used | {"datasource"}
