"""What calls to own backends cost by their time: it adds up, and lines say by
what they are priced."""

import concurrent.futures
import time

import pytest

import calls
from engines import Engines
from servers import Loc, Site, Upstream

CHAT = "/v1/chat/completions"
STATUS = Loc("/llm/backends", [("llm", "off"),
                              ("llm_upstream_status", "format=json")])
RATE = 3.6                              # dollars an hour: 1 nano-dollar a us
CHECK = ("llm_health_check", "interval=300ms")


def backend(*more):
    return ("llm_backend", "type=vllm", "gpu_cost=%s/hour" % RATE, *more)


def site(server, engines, *llm, backends=(), to=None):
    """to: the last of the route's targets."""
    up = Upstream("gpu", list(engines), [backend(*backends), CHECK])
    providers = [("gpu", "http://gpu", "dialect=vllm")]

    if to:
        providers.append(("cloud", to, "dialect=openai", "models=gpt-*"))

    made = server.routed(providers, *llm, upstreams=[up],
                         modules=("llm", "llm_upstream"))
    made.locs.insert(0, STATUS)

    return made


def backends(server):
    told = server.client.get(STATUS.path).json

    return {b["server"]: b for b in told["upstreams"][0]["servers"]}


def ask(server, n=20, model="gpt-4o-mini", **more):
    return server.client.post(CHAT, calls.chat(model, max_tokens=n, **more))


def is_cost_of(line):
    """Its GPU time's, rounded down or to the nearest nano-dollar."""
    exact = line["llm.gpu_seconds"] * RATE / 3600 * 10 ** 9

    return abs(line["llm.cost.gpu"] * 10 ** 9 - exact) <= 1.001


@pytest.mark.quiet
def test_time_and_money_add_up(server):
    """Whoever shares a server shares its time: none is counted twice."""
    with Engines(2, speed=5) as engines:
        server.start(site(server, engines))

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: ask(server, 10 + i % 7 * 10,
                                                  stream=i % 2 == 1).status,
                                    range(40)))

        assert answers == [200] * 40
        lines = server.lines(40)
        told = backends(server)

        for engine in engines:
            mine = [line for line in lines
                    if line["llm.server"] == engine.address]
            ns = sum(round(line["llm.gpu_seconds"] * 10 ** 9) for line in mine)
            shared = round(told[engine.address]["seconds"]["calls"] * 10 ** 9)
            assert mine and ns == shared

            # As the engine itself saw it, but for the way there and back.

            assert engine.busy() <= ns / 1e9 + 0.001
            assert ns / 1e9 - engine.busy() < 0.02 * len(mine) + 0.2

            cost = sum(line.nusd for line in mine)
            assert abs(cost - ns * RATE / 3600) <= len(mine)

        assert all(map(is_cost_of, lines))
        assert {line["llm.cost.source"] for line in lines} == {"gpu"}
        assert all(line.nusd == round(line["llm.cost.gpu"] * 10 ** 9)
                   for line in lines)


@pytest.mark.parametrize("why", ["quota", "words", "tokens"])
def test_cost_is_of_the_list_where_dollars_are_held(server, why):
    llm = [("llm_ledger", server.path("ledger", "l")),
           ("llm_quota", "q", "per=all", "usd=5/day" if why == "quota"
            else "tokens=9M/day")]
    server.mkdir("ledger")

    with Engines(1, speed=20) as engines:
        server.start(site(server, engines, *llm,
                          backends=["cost=prices"] if why == "words" else []))
        assert ask(server).status == 200
        line = server.line()
        assert is_cost_of(line)

        if why == "tokens":
            assert line["llm.cost.source"] == "gpu"
        else:
            assert line["llm.cost.source"] == "prices"
            assert line["llm.cost.input"] > 0
            assert line.nusd != round(line["llm.cost.gpu"] * 10 ** 9)


def test_a_call_that_goes_on_leaves_its_time_behind(server, fake):
    with Engines(1, speed=20) as engines:
        server.start(site(server, engines, ("llm_route", "all",
                                            "to=gpu/own,cloud/gpt-4o-mini"),
                          to=fake))
        engines[0].set(error=500)
        r = ask(server)
        assert r.status == 200
        assert r.header("x-llm-target") == "cloud/gpt-4o-mini"
        first, last = sorted(server.lines(2), key=lambda x: x["llm.attempt"])
        assert first["llm.final"] is False and last["llm.final"] is True
        assert first["llm.server"] == engines[0].address
        assert first["llm.cost.source"] == "gpu" and is_cost_of(first)
        assert last["llm.cost.source"] == "prices"
        assert "llm.gpu_seconds" not in last


def test_who_leaves_pays_for_the_time_till_then(server):
    with Engines(1, speed=1) as engines:
        server.start(site(server, engines))
        began = time.monotonic()

        exchange = server.client.open("POST", CHAT, calls.chat(
            "gpt-4o-mini", max_tokens=2000, stream=True))
        exchange.read_until(b"data: ")
        exchange.close()
        line = server.line()
        took = time.monotonic() - began
        assert line["error.type"] == "client_closed"
        assert 0 < line["llm.gpu_seconds"] <= took
        assert line["llm.cost.source"] == "gpu"
        told = backends(server)[engines[0].address]
        assert told["seconds"]["calls"] == line["llm.gpu_seconds"]


def test_a_location_of_its_own_has_it_as_well(server):
    """Without llm_pass, and without a price list."""
    with Engines(1, speed=20) as engines:
        up = Upstream("gpu", list(engines), [backend()])
        server.start(Site(
            locs=[STATUS, Loc("/", [("llm", "on")], to=up)],
            llm=[("llm_log", server.log, "flush=0"),
                 ("llm_provider", "mine", "url=http://gpu", "dialect=vllm")],
            upstreams=[up], modules=("llm_upstream", "llm")))
        assert ask(server).status == 200
        line = server.line()
        assert line["llm.cost.source"] == "gpu" and is_cost_of(line)
        assert line["llm.server"] == engines[0].address
        assert line["llm.provider"] == "mine"
