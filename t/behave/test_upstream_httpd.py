"""What the companion does in httpd alone."""

import os
import signal
import time

import pytest

from engines import Engines
from servers import Loc, Site, Upstream

pytestmark = pytest.mark.only("httpd", "balancers are httpd's")

CHECK = ("llm_health_check", "interval=200ms", "timeout=500ms", "rise=2",
         "fall=2")
FOUND = 3 * 0.7                         # seconds, of a server that is down
STATUS = Loc("/llm/backends", [("llm_upstream_status", "format=json")])


def ask(**more):
    return {"model": "m", "max_tokens": 4, **more,
            "messages": [{"role": "user", "content": "Hello"}]}


def chat(server, **more):
    return server.client.post("/v1/chat/completions", ask(**more))


def backends(server, upstream="gpu"):
    """{address: what the status says of it}."""
    told = server.client.get(STATUS.path).json

    return {b["server"]: b for u in told["upstreams"]
            if u["upstream"] == upstream for b in u["servers"]}


def site(engines, *llm, modules=("llm_upstream",), check=CHECK, servers=None,
         upstream=None, **more):
    up = Upstream("gpu", servers or list(engines),
                  [*llm, *([check] if check else [])], **(upstream or {}))

    return Site(locs=[Loc("/", to=up), STATUS], upstreams=[up],
                modules=modules, **more)


def start(server, engines, *args, **more):
    """With every server found to be up."""
    server.start(site(engines, *args, **more))

    for engine in engines:
        server.await_message(engine.address + " is up")


def state(server, engine):
    return backends(server)[engine.address]["state"]


def await_state(server, engine, name, timeout=5):
    server.wait_until(lambda: state(server, engine) == name, timeout,
                      "%s to be %s" % (engine.address, name))


def owner(server):
    """Who checks: the child that told of a server last."""
    return int([line for line in server.messages().splitlines()
                if "llm_upstream" in line][-1].split("[pid ")[1].split(":")[0])


@pytest.mark.parametrize("method", ["byrequests", "bybusyness"])
def test_methods_of_httpd_send_nothing_to_a_server_that_is_down(server, method):
    with Engines(2) as engines:
        start(server, engines,
              upstream={"httpd": "ProxySet lbmethod=" + method})
        engines[0].set(health=500)
        await_state(server, engines[0], "down")
        time.sleep(0.2)
        since = time.monotonic()

        assert {chat(server).status for _ in range(8)} == {200}
        assert not engines[0].arrivals("call", since)
        assert len(engines[1].arrivals("call", since)) == 8


def test_a_server_that_is_back_is_used_before_its_retry(server):
    """mod_proxy would leave it alone for a minute."""
    with Engines(2) as engines:
        start(server, engines, ("llm_balance", "least_load"))
        engines[0].die()
        assert {chat(server).status for _ in range(6)} == {200}
        await_state(server, engines[0], "down")
        back = engines[0].revive()
        await_state(server, engines[0], "up")

        assert {chat(server).status for _ in range(12)} == {200}
        assert engines[0].arrivals("call", back)

    server.expect_errors("AH00957", "AH01114", "AH00959")


def test_checks_go_on_when_the_child_that_does_them_is_killed(server):
    with Engines(2) as engines:
        start(server, engines, workers=3)

        for _ in range(3):
            pid = owner(server)
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            engines[0].set(health=500)
            await_state(server, engines[0], "down")
            engines[0].mend()
            await_state(server, engines[0], "up")
            gap = engines[1].arrivals("health", killed)[0] - killed

            assert gap < 1, gap
            assert owner(server) != pid

    server.expect_errors("exit signal Killed", "AH00052")


def test_checks_go_on_over_a_graceful_restart(server):
    with Engines(2) as engines:
        start(server, engines)
        engines[0].set(health=500)
        await_state(server, engines[0], "down")

        for _ in range(3):
            server.reload()
            since = time.monotonic()

            assert {chat(server).status for _ in range(4)} == {200}
            assert not engines[0].arrivals("call", since)
            server.wait_until(lambda: len(engines[1].arrivals(
                "health", since)) > 2, 3, "checks")
            assert state(server, engines[0]) == "down"

        served = backends(server)[engines[1].address]["calls"]["served"]
        assert served == 12


def test_an_old_child_with_a_long_answer_checks_no_more(server):
    with Engines(2) as engines:
        start(server, engines)
        stream = server.client.open("POST", "/v1/chat/completions",
                                    ask(max_tokens=150, stream=True))
        old = owner(server)
        server.reload()
        engines[0].set(health=500)
        await_state(server, engines[0], "down")

        assert owner(server) != old
        assert stream.read().complete
        stream.close()


def test_a_stop_does_not_wait_for_a_check(server):
    with Engines(2) as engines:
        start(server, engines, check=(*CHECK[:2], "timeout=30s", "rise=2",
                                      "fall=2"))
        engines[0].set(hang=1)
        time.sleep(0.5)
        began = time.monotonic()
        server.terminate()

        assert time.monotonic() - began < 2
