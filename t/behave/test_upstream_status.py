"""What the companion tells of servers: its pages, and that all of their time is
accounted for."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from decimal import Decimal

import pytest

import calls
from client import Broken
from engines import Engines
from servers import Loc, Site, Upstream

PARTS = ("busy", "idle", "unhealthy", "sleeping")
JSON = Loc("/llm/backends", [("llm_upstream_status",)])
PROMETHEUS = Loc("/llm/metrics", [("llm_upstream_status",
                                   "format=prometheus")])
CHECK = ("llm_health_check", "interval=200ms", "timeout=10s", "rise=1",
         "fall=1", "loading=1m")


def start(server, engines, *llm, **more):
    up = Upstream("gpu", list(engines), [CHECK, *llm])
    server.start(Site(locs=[Loc("/", to=up), JSON, PROMETHEUS],
                      upstreams=[up], modules=("llm_upstream",), **more))
    server.wait_until(lambda: all(b["state"] == "up" for b in told(server)),
                      what="servers that are up")


def told(server):
    """Fractions as they are written."""
    page = server.client.get(JSON.path)
    assert page.status == 200

    return json.loads(page.text, parse_float=Decimal)["upstreams"][0]["servers"]


def chat(server, tokens=4):
    return server.client.post("/v1/chat/completions", {
        "model": "m", "max_tokens": tokens,
        "messages": [{"role": "user", "content": "Hello"}]}).status


def samples(page):
    """{name{labels}: value}."""
    return {name: Decimal(value) for name, value in (
        line.rsplit(" ", 1) for line in page.splitlines()
        if not line.startswith("#"))}


def test_the_pages_say_the_same(server):
    with Engines(2) as engines:
        start(server, engines, ("llm_backend", "type=vllm", "gpus=0.5",
                                "gpu_cost=3/hour"))
        assert {chat(server) for _ in range(3)} == {200}
        page = server.client.get(PROMETHEUS.path)
        of = samples(page.text)

        assert page.header("Content-Type") == (
            "text/plain; version=0.0.4; charset=utf-8")
        assert of['llm_upstream_healthy{upstream="gpu"}'] == 1
        assert sum(v for k, v in of.items()
                   if k.startswith("llm_upstream_backend_requests_total{")) == 3

        for b in told(server):
            labels = '{upstream="gpu",server="%s"' % b["server"]

            def value(name, more=""):
                return of["llm_upstream_backend_" + name + labels + more + "}"]

            assert value("info", ',engine="vllm"') == 1
            assert value("up") == value("usable") == 1
            assert value("hourly_cost_usd") == b["usd"]["per_hour"] == 1.5
            assert value("requests_waiting") == b["load"]["waiting"] == 0
            assert value("requests_total") == b["calls"]["served"]

            for part in PARTS:
                state = ',state="%s"' % part
                assert value("seconds_total", state) <= b["seconds"][part]
                assert value("gpu_seconds_total", state) == pytest.approx(
                    value("seconds_total", state) / 2, abs=1e-8)


@pytest.mark.skipif(not shutil.which("promtool"),
                    reason="Debian's package prometheus has it")
def test_promtool_has_nothing_to_say(server):
    with Engines(1) as engines:
        start(server, engines, ("llm_backend", "type=vllm", "gpu_cost=3/hour"))
        chat(server)
        done = subprocess.run(["promtool", "check", "metrics"], text=True,
                              input=server.client.get(PROMETHEUS.path).text,
                              capture_output=True, timeout=300)

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_status_page_is_for_those_who_may(server):
    with Engines(1) as engines:
        up = Upstream("gpu", list(engines), [CHECK])
        closed = Loc(JSON.path, JSON.llm, nginx="deny all;",
                     httpd="Require all denied")
        server.start(Site(locs=[Loc("/", to=up), closed], upstreams=[up],
                          modules=("llm_upstream",)))

        assert server.client.get(JSON.path).status == 403
        server.expect_errors("forbidden by rule", "AH01630")


def test_a_look_at_servers_is_no_call(server, fake):
    """Where calls are metered all around it."""
    site = server.metered(fake)
    site.server_llm = [("llm", "on")]
    site.locs.append(JSON)
    site.modules = ("llm", "llm_upstream")
    server.start(site)
    r = server.client.get(JSON.path)
    assert r.header("x-llm-request-id") is None
    server.client.post("/v1/chat/completions", calls.chat())
    server.line()


def add_up(servers):
    """Each server's time is all its time, to the nanosecond."""
    for b in servers:
        s = b["seconds"]
        assert sum(s[part] for part in PARTS) == s["provisioned"], s
        cost = s["provisioned"] * b["usd"]["per_hour"] / 3600
        assert abs(b["usd"]["provisioned"] - cost) <= Decimal("1e-8")
        cost = s["idle"] * b["usd"]["per_hour"] / 3600
        assert abs(b["usd"]["idle"] - cost) <= Decimal("1e-8")

    return servers


def test_all_time_is_accounted_for(server):
    """Through calls, a server that dies, loads and sleeps, killed workers and
    reloads."""
    with Engines(3, speed=4) as engines:
        start(server, engines, ("llm_backend", "type=vllm", "gpus=2",
                                "gpu_cost=2.10/hour"), workers=2)
        began = time.monotonic()
        first = add_up(told(server))
        begun = time.monotonic()
        over = threading.Event()

        def calls():
            while not over.is_set():
                try:
                    chat(server, 20)
                except (OSError, Broken):
                    pass                # of the worker that was killed

        threads = [threading.Thread(target=calls) for _ in range(3)]
        for t in threads:
            t.start()

        try:
            time.sleep(0.5)
            engines[0].die()
            engines[1].set(sleeping=1)
            server.wait_until(lambda: [b["state"] for b in add_up(
                told(server))][:2] == ["down", "sleeping"],
                what="servers that are down and asleep")
            os.kill(server.workers()[0], signal.SIGKILL)
            time.sleep(1)
            add_up(told(server))
            engines[0].revive(loading=1000)
            server.reload()
            engines[1].mend()
            server.wait_until(lambda: all(b["state"] == "up" for b in add_up(
                told(server))), what="servers that are up again")
        finally:
            over.set()
            for t in threads:
                t.join()

        least = time.monotonic() - begun
        last = add_up(told(server))
        most = time.monotonic() - began

        for a, b in zip(first, last):
            spent = {part: b["seconds"][part] - a["seconds"][part]
                     for part in (*PARTS, "provisioned")}
            assert all(v >= 0 for v in spent.values()), spent
            assert least - 0.1 < spent["provisioned"] < most + 0.1, spent

            if b["server"] == engines[0].address:
                assert spent["unhealthy"] > 1, spent
            elif b["server"] == engines[1].address:
                assert spent["sleeping"] > 0.5, spent
            else:
                assert spent["busy"] > 0.5, spent

            assert b["gpu_seconds"]["busy"] == 2 * b["seconds"]["busy"]

    server.expect_errors("exited on signal 9", "exit signal Killed", "AH00052",
                         "AH00957", "AH01114", "AH00959", "AH00898",
                         "connect.. failed", "no live upstreams",
                         "prematurely closed", "reset by peer", "AH01102",
                         "AH01097")


def test_an_address_is_written_as_the_upstream_has_it(server):
    with Engines(1) as engines:
        start(server, engines)
        assert re.fullmatch(r"127\.0\.0\.1:\d+", told(server)[0]["server"])
