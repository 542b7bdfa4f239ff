"""Where the own backends have no room left calls go to the cloud, as long as
that lasts, and for no more dollars than a route may take."""

import concurrent.futures
import contextlib
import threading

import pytest

import calls
from client import Client
from engines import Engines
from servers import DEADLINE, Loc, Upstream

CHAT = "/v1/chat/completions"
STATUS = Loc("/llm/backends", [("llm", "off"),
                              ("llm_upstream_status", "format=json")])
CHECK = ("llm_health_check", "interval=200ms", "timeout=1s")
SATURATED = "when=saturated(gpu)"
TO = "to=cloud/gpt-4o-mini"
FULL = 8                                # calls: one runs, the others wait
CLIENTS = 16


def own(**more):
    return calls.chat("own-8b", max_tokens=4, **more)


def site(server, engines, fake, *llm, modules=("llm", "llm_upstream"), **more):
    up = Upstream("gpu", list(engines), [("llm_backend", "type=vllm"), CHECK]
                  if "llm_upstream" in modules else [])
    made = server.routed(
        [("gpu", "http://gpu", "dialect=vllm", "models=own-*"),
         ("cloud", fake, "dialect=openai", "models=gpt-*")], *llm,
        upstreams=[up], modules=modules, **more)

    if "llm_upstream" in modules:
        made.locs.insert(0, STATUS)

    return made


def told(server):
    return server.client.get(STATUS.path).json["upstreams"][0]


def saturated(server):
    return told(server)["saturated"]


def await_saturated(server, yes):
    server.wait_until(lambda: saturated(server) == yes,
                      what="saturated: %s" % yes)


@contextlib.contextmanager
def crowd(server, engine, n=FULL):
    """So many calls that nobody answers, until its end."""
    engine.set(stall=1)
    done = []
    threads = [threading.Thread(target=lambda: done.append(
        server.client.post(CHAT, own()).status)) for _ in range(n)]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        engine.mend()
        for t in threads:
            t.join(DEADLINE)
    assert done == [200] * n


def route_of(server, **more):
    r = server.client.post(CHAT, own(**more))
    assert r.status == 200, r.body

    return r.header("x-llm-route")


def test_a_burst_begins_and_ends(server, fake):
    with Engines(1, seqs=1, speed=20) as engines:
        server.start(site(server, engines, fake,
                          ("llm_route", "burst", SATURATED, TO)))
        assert route_of(server) is None

        with crowd(server, engines[0]):
            await_saturated(server, True)
            assert [route_of(server) for _ in range(3)] == ["burst"] * 3
            assert {r.json["model"] for r in fake.requests} == {"gpt-4o-mini"}

        await_saturated(server, False)
        assert route_of(server) is None
        assert len(fake.requests) == 3

        lines = server.lines(FULL + 5)
        assert [line.get("llm.route") for line in lines].count("burst") == 3
        assert {line.get("llm.server") for line in lines
                if "llm.route" not in line} == {engines[0].address}
        assert {line.get("llm.server") for line in lines
                if "llm.route" in line} == {None}


def test_it_ends_lower_than_it_begins(server, fake):
    """With four calls that wait nothing begins, nor does it end: only what is
    less than that ends it."""
    with Engines(1, seqs=1, speed=20) as engines:
        server.start(site(server, engines, fake,
                          ("llm_route", "burst", SATURATED, TO)))
        engines[0].set(stall=1)
        there = Client(engines[0].port)

        def wait_for(n):
            server.wait_until(lambda: told(server)["saturation"] == n / 5,
                              what="%d calls that wait" % n)

        waiting = [there.open("POST", CHAT, own()) for _ in range(4)]
        wait_for(4)
        assert not saturated(server)

        more = [there.open("POST", CHAT, own()) for _ in range(4)]
        await_saturated(server, True)
        for exchange in more:
            exchange.close()
        wait_for(4)
        assert saturated(server) and route_of(server) == "burst"

        waiting.pop().close()
        await_saturated(server, False)
        engines[0].mend()
        assert route_of(server) is None
        for exchange in waiting:
            assert exchange.read().status == 200
        server.lines(2)


def test_what_is_down_is_not_healthy(server, fake):
    with Engines(1, speed=20) as engines:
        server.start(site(server, engines, fake,
                          ("llm_route", "away", "when=not healthy(gpu)", TO)))
        server.await_message("is up")
        assert route_of(server) is None
        engines[0].set(health=500)
        server.await_message("is down")
        assert route_of(server) == "away"
        engines[0].mend()
        server.wait_until(lambda: route_of(server) is None)
        server.expect_errors("is down")
        server.check_lines = False      # how many it took is chance


def test_a_cap_holds_among_many_clients(server, fake):
    """Each call's usage is the most that it could be."""
    cap = 0.004
    cloud = {"words": 300, "usage": {"prompt_tokens": 1000,
                                     "completion_tokens": 400}}

    with Engines(1, seqs=1, speed=20) as engines:
        server.mkdir("ledger")
        server.start(site(
            server, engines, fake,
            ("llm_ledger", server.path("ledger", "l")),
            ("llm_route", "burst", SATURATED, TO, "usd=%s/hour" % cap),
            workers=2))

        with crowd(server, engines[0]):
            await_saturated(server, True)

            # What is measured is what it was, and room there is all the same.

            engines[0].set(stale=10 ** 9)
            engines[0].set(stall=0)

            def client(_):
                body = calls.chat("own-8b", "word " * 800, max_tokens=400)
                return [server.client.post(CHAT, body, fake=cloud).status
                        for _ in range(4)]

            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                answers = list(pool.map(client, range(CLIENTS)))

            assert answers == [[200] * 4] * CLIENTS

        lines = server.lines(CLIENTS * 4 + FULL)
        burst = [line for line in lines if line.get("llm.route") == "burst"]
        rest = [line for line in lines if line not in burst]
        spent = sum(line.nusd for line in burst)
        most = max(line["llm.hold"] for line in burst)

        assert 0 < spent <= cap * 10 ** 9
        assert spent > (cap - most) * 10 ** 9 - 1
        assert {line.get("llm.route_full") for line in rest
                if line.get("llm.route_full")} == {"burst"}
        assert len(burst) == len(fake.requests)
        assert sum("llm.route_full" in line for line in rest) \
            == CLIENTS * 4 - len(burst)


@pytest.mark.parametrize("modules", [("llm",), ("llm_upstream", "llm")],
                         ids=["without", "other"])
def test_what_can_never_be_true_is_warned_of(server, fake, modules):
    """Not loaded, and asked of what it does not look after."""
    to = "gpu" if "llm_upstream" not in modules else "cloud"
    made = site(server, [fake], fake, ("llm_route", "burst",
                                       "when=saturated(%s)" % to, TO),
                modules=modules)
    accepted, said = server.test_config(made)
    assert accepted, said
    assert "never true" in said
    assert ("saturated(cloud)" in said) == (to == "cloud")


def test_a_name_that_is_no_providers_is_an_error(server, fake):
    accepted, said = server.test_config(
        site(server, [fake], fake, ("llm_route", "burst",
                                    "when=saturated(gpx)", TO)))
    assert not accepted
    assert "gpx" in said and "is the name of no llm_provider" in said
