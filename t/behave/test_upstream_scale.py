"""llm_scale: what idles is drained and told of, saturation is told of."""

import contextlib
import json
import os
import signal
import ssl
import time

import pytest

from boxes import await_states, boxes, servers
from hooks import SECRET, Hook, secret, signed
from servers import Loc, Site, Upstream

VLLM = ("llm_backend", "type=vllm", "gpus=2", "gpu_cost=3.60/hour")
CHECK = ("llm_health_check", "interval=100ms", "jitter=20%", "rise=1",
         "fall=2", "max_ejected=100%")
STATUS = Loc("/status", [("llm_upstream_status",)])


@contextlib.contextmanager
def hooks(*args, **options):
    made = Hook(*args, **options)
    try:
        yield made
    finally:
        made.close()


def site(made, *scales, workers=1, balance=()):
    up = Upstream("gpu", list(made), [VLLM, CHECK, *balance]
                  + [("llm_scale", *words) for words in scales])

    return Site(locs=[Loc("/", to=up), STATUS], upstreams=[up],
                modules=("llm_upstream",), workers=workers)


def start(server, made, *scales, **more):
    server.start(site(made, *scales, **more))
    await_states(server, *((b, "up") for b in made))


def url(hook):
    return "url=" + hook.url


def drained(server, made):
    """The places of those that are, because they idle."""
    now = servers(server)

    return [i for i, b in enumerate(made)
            if now[b.address]["drained"] == "idle"]


def called(server, n=20):
    return {server.client.get("/v1/x").json["from"] for _ in range(n)}


def event(hook, i=0):
    headers, body = hook.posts[i]
    told = json.loads(body)
    assert told["id"] == headers["webhook-id"]
    assert headers["Content-Type"] == "application/json"

    return told


def test_what_idles_is_drained_and_told_of_once(server):
    with boxes(3) as made, hooks() as hook:
        path = secret(server, "hook.key", "whsec_" + SECRET)
        start(server, made, (url(hook), "secret=file:" + path, "idle=1s",
                             "keep=2"))
        server.wait_until(lambda: hook.posts, what="an event")
        gone = drained(server, made)
        assert len(gone) == 1
        assert signed(hook.posts[0])
        told = event(hook)
        assert told["type"] == "backend.idle"
        data = told["data"]
        assert data["upstream"].endswith("gpu")
        assert data["server"] == made[gone[0]].address
        assert data["idle_seconds"] >= 1
        assert data["gpus"] == 2 and data["gpu_cost_per_hour"] == 7.2
        assert data["backends"] == 3 and data["usable"] == 2

        # calls go elsewhere; keep=2 keeps the others
        assert called(server) == {b.port for i, b in enumerate(made)
                                  if i != gone[0]}
        time.sleep(2.5)
        assert drained(server, made) == gone
        assert len(hook.posts) == 1


def test_what_is_under_way_is_not_idle(server):
    with boxes(1) as made, hooks() as hook:
        start(server, made, (url(hook), "idle=1s", "keep=0"))
        made[0].gate.clear()
        call = server.client.open("GET", "/v1/x")
        server.wait_until(lambda: made[0].calls)
        time.sleep(2.5)
        assert not hook.posts and not drained(server, made)
        made[0].gate.set()
        assert call.read().status == 200
        server.wait_until(lambda: hook.posts, what="an event")


def test_what_others_use_is_not_idle(server):
    with boxes(1) as made, hooks() as hook:
        made[0].waiting = 1
        start(server, made, (url(hook), "idle=1s", "keep=0"))
        time.sleep(2.5)
        assert not hook.posts
        made[0].waiting = 0
        server.wait_until(lambda: hook.posts, what="an event")


@pytest.mark.parametrize("balance", [(), (("llm_balance", "least_load"),)])
def test_the_last_one_is_used_all_the_same(server, balance):
    with boxes(1) as made, hooks() as hook:
        start(server, made, (url(hook), "idle=1s", "keep=0"), balance=balance)
        server.wait_until(lambda: hook.posts, what="an event")
        assert drained(server, made) == [0]
        assert called(server, 3) == {made[0].port}
        server.wait_until(lambda: drained(server, made) == [])


def test_one_that_was_scaled_away_comes_back(server):
    with boxes(2) as made, hooks() as hook:
        start(server, made, (url(hook), "idle=1s", "keep=1"))
        server.wait_until(lambda: hook.posts, what="an event")
        gone, = drained(server, made)
        made[gone].close()
        await_states(server, (made[gone], "down"))
        time.sleep(0.5)
        assert drained(server, made) == [gone]
        made[gone].listen()
        await_states(server, (made[gone], "up"))
        server.wait_until(lambda: gone not in drained(server, made))


def test_saturation_is_told_of_and_what_was_drained_helps(server):
    with boxes(2) as made, hooks() as hook:
        start(server, made, (url(hook), "idle=1s", "saturated=1s", "keep=1"))
        server.wait_until(lambda: hook.posts, what="an event")
        gone, = drained(server, made)
        assert event(hook)["type"] == "backend.idle"
        for box in made:
            box.waiting = 20
        server.wait_until(lambda: drained(server, made) == [])
        server.wait_until(lambda: len(hook.posts) == 2, what="an event")
        told = event(hook, 1)
        assert told["type"] == "upstream.saturated"
        assert told["data"]["level"] >= 1
        assert told["data"]["saturated_seconds"] >= 1
        assert told["data"]["usable"] == 2
        time.sleep(1.5)
        assert len(hook.posts) == 2


def test_a_hook_that_fails_is_tried_again_and_nobody_waits(server):
    server.expect_errors("scaling events")
    with boxes(1) as made, hooks(failures=2) as hook:
        start(server, made, (url(hook), "idle=1s", "keep=0"))
        server.wait_until(lambda: len(hook.posts) == 3,
                          what="three attempts")
        assert len({h["webhook-id"] for h, _ in hook.posts}) == 1
        assert "webhook-signature" not in hook.posts[0][0]
        assert called(server, 3) == {made[0].port}


def test_a_hook_whose_certificate_nobody_knows_is_told_nothing(server, pki):
    server.expect_errors("scaling events")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "good.pem", pki / "good.key")

    with boxes(1) as made, hooks(tls=context) as hook:
        start(server, made, (url(hook), "idle=1s", "keep=0"))
        server.wait_until(lambda: "scaling events" in server.messages(),
                          what="a failure")
        time.sleep(1)
        assert not hook.posts


def test_a_reload_forgets_neither_drain_nor_event(server):
    with boxes(2) as made, hooks() as hook:
        start(server, made, (url(hook), "idle=1s", "keep=1"), workers=2)
        server.wait_until(lambda: hook.posts, what="an event")
        gone = drained(server, made)
        server.reload()
        time.sleep(3)
        assert drained(server, made) == gone
        assert len(hook.posts) == 1

        # and without llm_scale what was drained is given back
        server.reload(site(made, workers=2))
        server.wait_until(lambda: drained(server, made) == [])


@pytest.mark.parametrize("mode", [0o604, None])
def test_a_secret_that_is_none_is_refused(server, mode):
    with boxes(1) as made:
        path = secret(server, "hook.key", "whsec_" + SECRET)
        if mode is None:
            os.unlink(path)
        else:
            os.chmod(path, mode)
        ok, said = server.test_config(site(made, ("url=http://127.0.0.1:1/",
                                            "secret=file:" + path,
                                            "idle=1s")))
        assert not ok
        assert path in said


def test_a_killed_owner_does_not_lose_what_is_idle(server):
    server.expect_errors("exited on signal", "exit signal")
    with boxes(2) as made, hooks() as hook:
        start(server, made, (url(hook), "idle=3s", "keep=1"), workers=2)
        time.sleep(1)
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        server.wait_until(lambda: hook.posts, what="an event")
        assert len(drained(server, made)) == 1
