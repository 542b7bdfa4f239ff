"""What the companion's directives take, in each server's own words."""

import os

import pytest

from servers import Loc, Site, Upstream

SERVERS = ["127.0.0.1:8001", "127.0.0.1:8002"]
HTTPD = {"llm_backend": "LLMBackend", "llm_health_check": "LLMHealthCheck",
         "llm_balance": "LLMBalance", "llm_dcgm": "LLMDcgm",
         "llm_scale": "LLMScale", "llm_upstream_state": "LLMUpstreamState",
         "llm_upstream_status": "LLMUpstreamStatus"}


def site(*llm, servers=SERVERS, main=(), loc=(), modules=("llm_upstream",)):
    up = Upstream("gpu", list(servers), [tuple(line.split()) for line in llm])

    return Site(locs=[Loc("/", list(loc), to=up)], llm=list(main),
                upstreams=[up], modules=modules)


def spelled(server, name):
    return name if server.name == "nginx" else HTTPD[name]


def test_all_that_may_be_said_is_taken(server):
    ok, messages = server.test_config(site(
        "llm_backend type=vllm gpus=1 gpu_cost=2.10/hour"
        " instead_of=gpt-4o-mini capacity=64",
        "llm_backend 127.0.0.1:8002 type=triton gpus=0.25 gpu_cost=4/hour"
        " cost=prices health=/v2/health/ready metrics=:8102/metrics",
        "llm_health_check interval=1s jitter=10% connect=500ms timeout=2s"
        " rise=2 fall=3 slow_start=10s max_ejected=50% stall=2m loading=30m"
        " tls=off host=gpu.internal",
        "llm_balance prefix_affinity load=1.25",
        "llm_dcgm url=http://127.0.0.1:9400/metrics gpu=0 interval=30s",
        "llm_scale url=http://127.0.0.1:9/scale idle=15m saturated=1m"
        " cooldown=10m keep=1",
        main=[("llm_upstream_state", server.path("backends"))],
        loc=[]))

    assert ok, messages
    assert "llm:" not in messages, messages
    assert not os.path.exists(server.path("backends"))


@pytest.mark.parametrize("line, said", [
    ("llm_backend type=vlm", 'not "vlm"'),
    ("llm_backend gpu_cost=2.10", "gpu_cost= takes <dollars>/hour, such as"
     ' 2.10/hour, not "2.10"'),
    ("llm_health_check interval=1ms", "interval= takes a time from 100ms to 1h,"
     ' not "1ms"'),
    ("llm_balance random", "takes least_load or prefix_affinity, not"
     ' "random"'),
    ("llm_dcgm url=127.0.0.1:9400", "url= takes http:// or https://"),
    ("llm_scale url=http://h/ cooldown=1h", "tells of nothing"),
    ("llm_scale url=http://h/ idle=1m secret=whsec_x", "a secret is not for the"
     " configuration"),
])
def test_a_bad_word_is_told_with_its_directive_and_line(server, line, said):
    ok, messages = server.test_config(site(line))

    assert not ok
    assert spelled(server, line.split()[0]) in messages
    assert said in messages
    assert ("nginx.conf:" in messages if server.name == "nginx"
            else "Syntax error on line " in messages), messages


def test_a_server_that_is_not_there_is_told_with_those_that_are(server):
    ok, messages = server.test_config(site("llm_backend 127.0.0.1:8003 gpus=1"))

    assert not ok
    assert ('upstream "gpu" has no server "127.0.0.1:8003", which llm_backend'
            " (LLMBackend) names; it has ") in messages
    assert "127.0.0.1:8001, " in messages


@pytest.mark.parametrize("llm, said", [
    (["llm_health_check stall=1s"], "stall= is shorter than two intervals"),
    (["llm_health_check max_ejected=100%"], "max_ejected=100%"),
    (["llm_health_check slow_start=1s"], "slow_start= has no effect"),
    (["llm_balance least_load"], "calls under way alone"),
    (["llm_health_check", "llm_scale url=http://h/ idle=1m keep=2"],
     "keep=2 is all servers"),
])
def test_what_has_no_effect_is_warned_of(server, llm, said):
    ok, messages = server.test_config(site(*llm))

    assert ok, messages
    assert 'upstream "gpu": ' in messages and said in messages, messages


def test_one_server_need_not_be_chosen(server):
    ok, messages = server.test_config(site(
        "llm_health_check", "llm_balance least_load", servers=SERVERS[:1]))

    assert ok, messages
    assert "no effect with one server" in messages


def test_the_directives_have_their_places(server):
    for llm in (("llm_backend", "type=vllm"), ("llm_balance", "least_load")):
        ok, messages = server.test_config(site(main=[llm]))

        assert not ok
        assert spelled(server, llm[0]) in messages

    ok, messages = server.test_config(site(
        loc=[("llm_upstream_state", "/x")]))

    assert not ok
    assert spelled(server, "llm_upstream_state") in messages
