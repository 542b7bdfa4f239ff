"""What the balancing of the upstream module is told by the metering one."""

import pytest

import calls
from servers import Loc, Site, Upstream

CHAT = "/v1/chat/completions"


def site(server, fakes, *llm):
    up = Upstream("gpu", list(fakes), [
        ("llm_backend", "type=openai", "metrics=off"),
        ("llm_health_check", "off"), ("llm_balance", "prefix_affinity")])

    return server.routed([("gpu", "http://gpu", "dialect=vllm")], *llm,
                         upstreams=[up], modules=("llm", "llm_upstream"))


@pytest.mark.parametrize("size", [6000, 200000], ids=["memory", "file"])
def test_prompts_that_begin_alike_go_to_one_server(server, fake, fake2, size):
    """And arrive as they were sent, but for the route's model."""
    server.start(site(server, (fake, fake2), ("llm_route", "all",
                                              "to=gpu/own-8b")))
    text = "the same beginning " * (size // 19)

    for i in range(6):
        body = calls.chat(text=text + str(i))
        assert server.client.post(CHAT, body).status == 200

    there = fake if fake.requests else fake2
    assert len(there.requests) == 6
    assert [r.json for r in there.requests] \
        == [calls.chat("own-8b", text + str(i)) for i in range(6)]

    for i in range(40):     # ports decide, which are chance
        body = calls.chat(text="%d begins otherwise " % i + text)
        assert server.client.post(CHAT, body).status == 200

    assert len(fake.requests) > 1 and len(fake2.requests) > 1
    server.lines(46)


def test_prompts_are_known_where_nothing_is_routed_too(server, fake, fake2):
    up = Upstream("gpu", [fake, fake2], [
        ("llm_backend", "type=openai", "metrics=off"),
        ("llm_health_check", "off"), ("llm_balance", "prefix_affinity")])
    server.start(Site(
        locs=[Loc("/", [("llm", "on")], up)],
        llm=[("llm_log", server.log, "flush=0")], upstreams=[up],
        modules=("llm", "llm_upstream")))
    texts = ["%d begins otherwise " % i * 80 for i in range(24)]

    for turn in range(3):
        for text in texts:
            assert server.client.post(CHAT, calls.chat(text=text)).status \
                == 200

    for up in (fake, fake2):
        asked = [r.json["messages"][0]["content"] for r in up.requests]
        assert asked and all(asked.count(text) == 3 for text in asked)

    server.lines(72)


@pytest.mark.parametrize("order", [("llm", "llm_upstream"),
                                   ("llm_upstream", "llm")])
def test_they_find_each_other_in_any_order(server, fake, order):
    up = Upstream("gpu", [fake], [("llm_backend", "type=openai", "metrics=off",
                                   "gpu_cost=1/hour"),
                                  ("llm_health_check", "off")])
    server.start(Site(
        locs=[Loc("/", [("llm", "on")], up)],
        llm=[("llm_log", server.log, "flush=0")], upstreams=[up],
        modules=order))
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert server.line()["llm.gpu_seconds"] > 0
