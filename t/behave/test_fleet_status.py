"""llm_status of a fleet: what all nodes have spent, and whether they agree."""

import json
import os
import re
import signal
import time

import calls
import pytest

from conftest import SERVERS
from keys import gated
from redis_server import BINARY, Redis
from servers import Loc, root

pytestmark = pytest.mark.skipif(BINARY is None, reason="no redis-server")

CHAT = "/v1/chat/completions"
TEAM = ("llm_tag", "team", "from=header:X-Team")


@pytest.fixture
def redis():
    made = Redis()
    yield made
    made.close()


@pytest.fixture
def server2(server):
    made = SERVERS[server.name][0]()
    yield made
    made.finish()


def start(server, fake, redis, name, *more, workers=2):
    words = ("size=1m", "redis=127.0.0.1:%d" % redis.port, "fleet=t",
             "node=" + name, "quarantine=1s", "redis_timeout=10s")
    server.expect_errors("llm_ledger: the fleet's store")
    site = server.metered(fake, *gated(
        server, "all per=all usd=1000/day", ledger=words), TEAM, *more,
        workers=workers)
    site.locs += [Loc("/llm/status", [("llm_status", "format=json")]),
                  Loc("/llm/metrics", [("llm_status", "format=prometheus")])]
    server.check_lines = False          # how many it takes to join is chance
    server.start(site)


def ask(server, team):
    return server.client.post(CHAT, calls.chat(max_tokens=8),
                              [("X-Team", team)]).status


def fleet(server):
    return server.client.get("/llm/status").json.get("fleet")


def lines(server):
    with open(server.log) as f:
        return [json.loads(line) for line in f]


def total(server):
    return sum(line["llm.cost.total_nusd"] for line in lines(server))


def of(rows, name):
    return next(row for row in rows if row["name"] == name)


def test_totals_are_those_of_all_nodes(server, server2, fake, redis):
    nodes = (server, server2)

    for node, name in zip(nodes, "ab"):
        start(node, fake, redis, name)
        node.wait_until(lambda: ask(node, "search") == 200)

    for _ in range(3):
        assert ask(server, "search") == 200
        assert ask(server2, "ads") == 200

    spent = total(server) + total(server2)

    for node in nodes:
        node.wait_until(
            lambda: (fleet(node) or {}).get("cost_nusd") == spent)
        told = fleet(node)
        assert [n["name"] for n in sorted(
            told["nodes"], key=lambda n: n["name"])] == ["a", "b"]
        assert told["today_nusd"] == told["month_nusd"] == spent
        assert sum(n["cost_nusd"] for n in told["nodes"]) == spent
        assert {n["name"]: n["cost_nusd"] for n in told["nodes"]} \
            == {"a": total(server), "b": total(server2)}
        assert not any(n["away"] for n in told["nodes"])

        for dimension in ("team", "model", "provider"):
            assert sum(row["month_nusd"] for row in told[dimension]) \
                + told[dimension + "_others"]["month_nusd"] == spent

        both = lines(server) + lines(server2)
        assert of(told["team"], "ads")["today_nusd"] == sum(
            line["llm.cost.total_nusd"] for line in both
            if line["llm.team"] == "ads")
        assert told["calls_today"] == len(both)

        # Their files have different names.

        assert told["drift"] == {"differ": True, "config": True,
                                 "prices": False, "keys": False}
        page = node.client.get("/llm/metrics").body.decode()
        assert "\nllm_fleet_nodes 2\n" in page
        families = re.findall(r"^# TYPE (\S+)", page, re.M)
        assert len(families) == len(set(families))

        # All that a node with a ledger and a fleet has is described.

        with open(root("docs", "metrics.md")) as doc:
            known = re.findall(r"`(llm|…)(_[a-z_]+)`", doc.read())

        assert not [f for f in families if not any(
            f == "llm" + name if whole == "llm" else f.endswith(name)
            for whole, name in known)]


def test_without_redis_the_page_goes_on(server, fake, redis):
    start(server, fake, redis, "a")
    server.wait_until(lambda: ask(server, "search") == 200)
    server.wait_until(lambda: fleet(server) is not None)
    redis.close()
    before = server.client.get("/llm/status").json["sum"]["requests"]
    server.wait_until(lambda: fleet(server) is None)
    assert server.client.get("/llm/status").json["sum"]["requests"] >= before


def test_fleet_off_keeps_names_at_home(server, fake, redis):
    start(server, fake, redis, "a", ("llm_metrics", "fleet=off"))
    server.wait_until(lambda: ask(server, "search") == 200)
    time.sleep(3)
    assert fleet(server) is None
    assert redis.ask("EXISTS", "{tg:t}:status") == ":0"


def test_a_killed_worker_leaves_it_to_another(server, fake, redis):
    start(server, fake, redis, "a")
    server.wait_until(lambda: ask(server, "search") == 200)
    server.wait_until(lambda: fleet(server) is not None)
    before = fleet(server)["at"]

    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)

    server.expect_errors("exited on signal 9", "exit signal Killed")
    server.wait_until(lambda: (fleet(server) or {"at": ""})["at"] > before)
