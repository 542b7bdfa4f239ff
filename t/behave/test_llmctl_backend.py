"""llmctl backend: servers of upstreams, looked at and taken out of use while a
server runs."""

import json
import os
import re
import subprocess

import pytest

from engines import Engines
from servers import Loc, Site, Upstream, root

LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
STATUS = Loc("/llm/backends", [("llm_upstream_status",)])


class Pool:
    """A server with engines behind it, and llmctl beside it."""

    def __init__(self, server, engines, *llm, names=("gpu",)):
        self.server = server
        self.state = os.path.join(server.mkdir("run"), "backends")
        words = [("llm_health_check", "interval=200ms", "rise=1", "fall=1"),
                 ("llm_balance", "least_load"), *llm]
        ups = [Upstream(name, list(engines), words) for name in names]
        locs = [Loc("/" + up.name + "/", to=up) for up in ups]
        server.start(Site(locs=[Loc("/", to=ups[0]), STATUS, *locs[1:]],
                          llm=[("llm_upstream_state", self.state)],
                          upstreams=ups, modules=("llm_upstream",)))
        server.wait_until(lambda: all(
            b["state"] == "up" for u in self.told() for b in u["servers"]),
            what="servers that are up")

    def llmctl(self, *words, rc=0):
        done = subprocess.run(
            [LLMCTL, "backend", *words, "--state=" + self.state],
            capture_output=True, text=True, timeout=300)
        assert done.returncode == rc, (done.stdout, done.stderr)

        return done.stdout if rc == 0 else done.stderr

    def told(self, *words):
        return json.loads(self.llmctl("status", "--json", *words))["upstreams"]

    def call(self, n=1):
        for _ in range(n):
            answer = self.server.client.post("/v1/chat/completions", {
                "model": "m", "max_tokens": 4,
                "messages": [{"role": "user", "content": "Hello"}]})
            assert answer.status == 200


def keys(o):
    """What there is, without what it says."""
    if isinstance(o, dict):
        return {k: keys(v) for k, v in o.items()}

    return [keys(v) for v in o] if isinstance(o, list) else None


def test_status_says_what_the_server_s_own_page_says(server):
    with Engines(2) as engines:
        pool = Pool(server, engines, ("llm_backend", "type=vllm", "gpus=2",
                                      "gpu_cost=1.5/hour"))
        pool.call(4)
        page = server.client.get(STATUS.path)
        told = pool.told()

        assert page.header("Content-Type") == "application/json"
        assert keys(page.json["upstreams"]) == keys(told)
        assert sum(b["calls"]["served"] for b in told[0]["servers"]) == 4

        for b in told[0]["servers"]:
            assert b["engine"] == "vllm"
            assert b["usd"]["per_hour"] == 3
            assert b["gpu"]["gpus"] == 2
            assert b["load"]["waiting"] == 0
            parts = [b["seconds"][k] for k in ("busy", "idle", "unhealthy",
                                               "sleeping")]
            assert sum(parts) == pytest.approx(b["seconds"]["provisioned"],
                                               abs=1e-8)


def test_status_is_a_table_for_people(server):
    with Engines(2) as engines:
        pool = Pool(server, engines, ("llm_backend", "type=vllm",
                                      "gpu_cost=2.10/hour"))
        text = pool.llmctl("status").splitlines()

        assert re.fullmatch(r"upstream gpu: healthy, has room, \d+% full",
                            text[0])
        assert text[1].split()[:6] == ["SERVER", "STATE", "CALLS", "QUEUE",
                                       "KV", "TOKENS/S"]

        for engine, line in zip(engines, text[2:]):
            assert line.split()[:2] == [engine.address, "up"]
            assert "2.10" in line.split()

        assert pool.llmctl("status", engines[1].address).count("127.0.0.1") == 1


def test_a_server_that_is_down_is_told_with_why(server):
    with Engines(2) as engines:
        pool = Pool(server, engines)
        engines[0].set(health=500)
        server.wait_until(lambda: " down" in pool.llmctl("status"),
                          what="a server that is down")
        text = pool.llmctl("status")

        assert re.search(r"  %s: down since 20\S+Z: .*500"
                         % re.escape(engines[0].address), text), text


def test_a_drained_server_gets_no_calls_until_it_is_resumed(server):
    with Engines(2) as engines:
        pool = Pool(server, engines)
        said = pool.llmctl("drain", engines[0].address)

        assert said == ("%s of upstream gpu gets no more calls\n"
                        % engines[0].address)
        assert "up, drained" in pool.llmctl("status")
        pool.call(6)
        assert len(engines[0].arrivals("call")) == 0
        assert len(engines[1].arrivals("call")) == 6

        server.reload()
        pool.call(4)
        assert len(engines[0].arrivals("call")) == 0

        said = pool.llmctl("resume", engines[0].address)
        assert said.endswith("gets calls again\n")
        pool.call(10)
        assert len(engines[0].arrivals("call")) > 0


def test_a_server_of_two_upstreams_is_drained_in_each_or_in_one(server):
    with Engines(1) as engines:
        pool = Pool(server, engines, names=("gpu", "other"))
        address = engines[0].address

        def drained():
            return {u["upstream"]: u["servers"][0]["drained"]
                    for u in pool.told()}

        pool.llmctl("drain", address, "--upstream=other")
        assert drained() == {"gpu": None, "other": "admin"}
        pool.llmctl("drain", address)
        assert drained() == {"gpu": "admin", "other": "admin"}
        pool.llmctl("resume", address)
        assert drained() == {"gpu": None, "other": None}
        assert [u["upstream"] for u in pool.told("--upstream=other")] == [
            "other"]

    # one server alone need not be chosen

    server.expect_errors("has no effect with one server")


def test_what_is_not_there_is_said(server):
    with Engines(1) as engines:
        pool = Pool(server, engines, ("llm_backend", "type=vllm"))

        for words in (("drain", "10.9.9.9:1"), ("status", "10.9.9.9:1"),
                      ("resume", engines[0].address, "--upstream=no"),
                      ("status", "--upstream=no")):
            assert "is not there: llmctl backend status" in pool.llmctl(
                *words, rc=1)

        assert "usage:" in pool.llmctl("drain", rc=2)
        assert "usage:" in pool.llmctl("drain", "a", "b", rc=2)
        pool.state = server.write("run/other", "no such file")
        assert "it is not a table of backends" in pool.llmctl("status", rc=1)
        pool.state += ".no"
        assert "No such file" in pool.llmctl("status", rc=1)

    server.expect_errors("has no effect with one server")
