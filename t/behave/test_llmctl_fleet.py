"""llmctl on two servers that share their budgets by way of a real Redis."""

import json
import os
import signal
import subprocess

import calls
import pytest

from redis_server import BINARY
from servers import DEADLINE
from test_fleet import CHAT, post, redis, server2, start        # noqa: F401
from test_llmctl_budget import LLMCTL

pytestmark = pytest.mark.skipif(BINARY is None, reason="no redis-server")


def ctl(server, *args, code=0):
    done = subprocess.run(
        [LLMCTL, *args, "--ledger", server.path("ledger", "tollgate")],
        capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == code, (args, done.stdout, done.stderr)

    return done.stdout if code == 0 else done.stderr


def data(server, *args):
    return json.loads(ctl(server, *args, "--json"))


def change(server, *args, **more):
    return ctl(server, *args, "--reason=because", **more)


def audited(server):
    with open(server.path("ledger", "tollgate.audit")) as f:
        return [json.loads(line) for line in f]


def told(server, used):
    """What it has used is on record."""
    entry = json.loads(ctl(server, "ledger", "dump", "--json"))

    return entry["used"] == entry["told"] == used and not entry["untold"]


def fleet(fake, redis, servers, *quotas, **more):       # noqa: F811
    for i, s in enumerate(servers):
        s.check_lines = False
        start(s, fake, redis, *quotas, more=("node=node%d" % i,), **more)


def test_a_raise_of_one_node_is_the_others_too(
        server, server2, fake, redis):                  # noqa: F811
    fleet(fake, redis, (server, server2), "all per=all requests=4/day")
    assert [post(server) for _ in range(4)] == [200] * 4
    server.wait_until(lambda: post(server2) == 429)

    out = change(server, "budget", "raise", "all", "+1", "--until=1h")
    assert "of 5 used" in out and "raised by 1" in out
    server2.wait_until(lambda: post(server2) == 200)
    assert post(server2) == 429
    assert post(server) == 429
    assert len(fake.requests) == 5

    row, = data(server2, "budget", "show", "all")
    assert (row["used"], row["node_used"], row["others_used"]) == (5, 1, 4)
    assert (row["cap"], row["raise"]) == (5, 1)

    # it ends by itself
    change(server, "budget", "raise", "all", "+1", "--until=2s")
    server2.wait_until(lambda: post(server2) == 429 and "raise" not in
                       data(server2, "budget", "show", "all")[0])
    row, = data(server2, "budget", "show", "all")
    assert row["cap"] == 4
    assert post(server2) == 429

    # a second one, and its end by hand
    change(server2, "budget", "raise", "all", "+3", "--until=1h")
    server.wait_until(lambda: post(server) == 200)
    change(server2, "budget", "raise", "all", "+0")
    server.wait_until(lambda: post(server) == 429)
    assert [(a["event.action"], a["event.outcome"])
            for a in audited(server2)] == [("budget.raise", "unknown")] * 2

    redis.kill()
    why = change(server, "budget", "raise", "all", "+1", code=1)
    assert "the fleet's store: it can't be reached" in why
    assert audited(server)[-1]["event.outcome"] == "failure"


def test_a_fleet_is_shown_and_not_reset(
        server, server2, fake, redis):                  # noqa: F811
    fleet(fake, redis, (server, server2), "all per=all requests=9/day")
    assert [post(s) for s in (server, server, server2)] == [200] * 3

    server2.wait_until(lambda: told(server2, 1))
    assert post(server) == 200
    row, = data(server, "budget", "show", "all")
    assert row["used"] == 4 and row["node_used"] == 3
    assert "by others" in ctl(server, "budget", "show", "all")
    assert "3 used here" in ctl(server, "budget", "list")

    why = change(server, "budget", "reset", "all", code=1)
    assert "llmctl budget raise all +4" in why
    assert not os.path.exists(server.path("ledger", "tollgate.audit"))

    assert data(server, "ledger", "check", "--lock")["sound"] is True
    entry, = [json.loads(line) for line in
              ctl(server, "ledger", "dump", "--json").splitlines()]
    assert entry["used"] == 3 and entry["others_used"] == 1

    body = server.write("body.json", json.dumps(
        {"model": "gpt-4o-mini", "messages": []}))
    assert "as this node sees it" in ctl(server, "explain", body)


def test_a_dead_node_is_retired(server, server2, fake, redis):  # noqa: F811
    fleet(fake, redis, (server, server2), "all per=all requests=10/day")
    assert [post(server2) for _ in range(3)] == [200] * 3
    held = [server2.client.open("POST", CHAT, calls.asked_stream(max_tokens=8),
                                fake={"gate": 1}) for _ in range(2)]
    server2.wait_until(lambda: len(fake.requests) == 5)
    server2.wait_until(lambda: told(server2, 3))
    server.wait_until(lambda: post(server) == 429)
    assert len(fake.requests) == 10

    # it dies with two calls under way
    os.killpg(server2.process.pid, signal.SIGKILL)
    server2.process.wait()
    listed = data(server, "node", "list")
    assert listed["over_limit"] == 0
    nodes = {n["name"]: n for n in listed["nodes"]}
    assert set(nodes) == {"node0", "node1"}
    assert [nodes["node%d" % i]["here"] for i in (0, 1)] == [True, False]
    assert all(n["state"] == "joined" and n["heard"] for n in nodes.values())
    dead = nodes["node1"]["node"]

    assert dead in change(server, "node", "retire", "node1", code=1)
    change(server, "node", "retire", "12", code=1)
    assert "stop it first" in change(server, "node", "retire",
                                     nodes["node0"]["node"], code=1)
    ctl(server, "node", "retire", dead, code=1)         # no reason

    def retired():
        done = subprocess.run(
            [LLMCTL, "node", "retire", dead, "--reason=because", "--ledger",
             server.path("ledger", "tollgate")], capture_output=True,
            text=True)
        return done.returncode == 0 and "is retired" in done.stdout

    server.wait_until(retired)
    nodes = {n["name"]: n for n in data(server, "node", "list")["nodes"]}
    assert nodes["node1"]["state"] == "retired"
    last = audited(server)[-1]
    assert (last["event.action"], last["llm.node"]) == ("node.retire", dead)

    # what it held is free, what it used is not
    server.wait_until(lambda: post(server) == 200)
    assert post(server) == 200
    server.wait_until(lambda: post(server) == 429)
    assert len(fake.requests) == 12
    for exchange in held:
        exchange.close()
