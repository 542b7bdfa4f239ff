"""What the companion sees of servers, and who gets the calls."""

import os
import signal
import time

import pytest

from boxes import Box, await_states, boxes, servers, since
from servers import Loc, Site, Upstream

VLLM = ("llm_backend", "type=vllm", "gpus=1", "gpu_cost=3.60/hour")
STATUS = Loc("/status", [("llm_upstream_status",)])


def check(*words):
    return ("llm_health_check", "interval=100ms", "jitter=20%", "rise=1",
            "fall=2", "max_ejected=100%", *words)


def start(server, made, *llm, workers=1, http=(), locs=(), **more):
    llm = llm or (VLLM, check())
    up = Upstream("gpu", list(made), list(llm), **more)
    server.start(Site(locs=[Loc("/", to=up), STATUS, *locs], upstreams=[up],
                      modules=("llm_upstream",), workers=workers,
                      llm=list(http)))
    await_states(server, *((b[0] if isinstance(b, tuple) else b, "up")
                           for b in made))


def call(server, n=1):
    """The ports that answer."""
    return [server.client.get("/v1/x").json["from"] for _ in range(n)]


def opened(server, made, n):
    """So many calls that have arrived and wait."""
    for box in made:
        box.gate.clear()

    had = sum(len(b.calls) for b in made)
    calls = [server.client.open("GET", "/v1/x") for _ in range(n)]
    server.wait_until(lambda: sum(len(b.calls) for b in made) == had + n)

    return calls


def released(made, calls):
    for box in made:
        box.gate.set()

    assert all(c.read().status == 200 for c in calls)


BALANCE = pytest.mark.parametrize(
    "balance", [[], [("llm_balance", "least_load")]])


@BALANCE
def test_who_is_down_gets_no_calls_until_it_is_back(server, balance):
    with boxes(3) as made:
        start(server, made, VLLM, check(), *balance)
        assert set(call(server, 30)) == {b.port for b in made}
        made[0].health = 503
        await_states(server, (made[0], "down"))
        n = len(made[0].calls)
        assert made[0].port not in call(server, 30)
        assert len(made[0].calls) == n
        told = servers(server)[made[0].address]
        assert told["why"] == "it answers with 503" and told["ejected"]
        made[0].health = 200
        await_states(server, (made[0], "up"))
        assert made[0].port in call(server, 30)


def test_a_server_that_is_not_there_is_found_to_be_down(server):
    with boxes(2) as made:
        start(server, made)
        made[0].close()
        await_states(server, (made[0], "down"))
        assert set(call(server, 10)) == {made[1].port}
        made[0].listen()
        await_states(server, (made[0], "up"))


def test_a_metrics_page_that_fails_ejects_nobody(server):
    with boxes(2) as made:
        start(server, made)
        real = made[0].answer
        made[0].answer = lambda path: (
            (500, b"") if path == "/metrics" else real(path))
        server.wait_until(lambda: not servers(server)[made[0].address]
                          ["metrics_fresh"], what="stale metrics")
        assert servers(server)[made[0].address]["state"] == "up"
        assert made[0].port in call(server, 20)


def test_a_slow_metrics_page_ejects_nobody(server):
    with boxes(2) as made:
        start(server, made, VLLM, check("timeout=2s"))
        real = made[0].answer

        def slow(path):
            if path == "/metrics":
                time.sleep(5)
            return real(path)

        made[0].answer = slow
        server.wait_until(lambda: not servers(server)[made[0].address]
                          ["metrics_fresh"], what="stale metrics")
        assert servers(server)[made[0].address]["state"] == "up"
        assert made[0].port in call(server, 20)


def test_one_that_loads_its_model_is_waited_for(server):
    with boxes(2) as made:
        real = made[0].answer
        body = b'{"error":{"code":503,"message":"Loading model",' \
            b'"type":"unavailable_error"}}'
        start(server, made, ("llm_backend", "type=llamacpp"), check())
        made[0].answer = lambda path: (
            (503, body) if path == "/health" else real(path))
        await_states(server, (made[0], "loading"))
        n = len(made[0].calls)
        assert set(call(server, 10)) == {made[1].port}
        assert len(made[0].calls) == n
        told = servers(server)[made[0].address]
        assert not told["ejected"] and not told["usable"]
        made[0].answer = real
        await_states(server, (made[0], "up"))


def test_at_most_a_share_is_ejected(server):
    with boxes(4) as made:
        start(server, made, VLLM,
              check()[:-1] + ("max_ejected=50%",))
        for box in made[:3]:
            box.health = 500
        await_states(server, *((b, "down") for b in made[:3]))
        server.wait_until(lambda: sum(
            s["ejected"] for s in servers(server).values()) == 2)
        assert len(set(call(server, 40))) == 2


@BALANCE
def test_where_all_are_down_all_are_used(server, balance):
    with boxes(3) as made:
        start(server, made, VLLM, check(), *balance)
        for box in made:
            box.health = 500
        await_states(server, *((b, "down") for b in made))
        assert len(set(call(server, 30))) >= 2


def test_least_load_spreads_calls_that_wait(server):
    with boxes(3) as made:
        start(server, made, VLLM, check(), ("llm_balance", "least_load"))
        calls = opened(server, made, 12)
        assert [len(b.calls) for b in made] == [4, 4, 4]
        assert [servers(server)[b.address]["calls"]["in_flight"]
                for b in made] == [4, 4, 4]
        released(made, calls)
        server.wait_until(lambda: not any(
            s["calls"]["in_flight"] for s in servers(server).values()))


def test_least_load_knows_of_calls_in_all_processes(server):
    with boxes(2) as made:
        start(server, made, VLLM, check(), ("llm_balance", "least_load"),
              workers=2)
        calls = opened(server, made, 20)
        assert abs(len(made[0].calls) - len(made[1].calls)) <= 1
        released(made, calls)


def test_least_load_goes_by_the_queues_that_servers_tell(server):
    with boxes(2) as made:
        start(server, made, VLLM, check(), ("llm_balance", "least_load"))
        made[0].waiting = 40
        server.wait_until(lambda: servers(server)[made[0].address]["load"]
                          ["waiting"] == 40)
        assert call(server, 10) == [made[1].port] * 10


@BALANCE
@pytest.mark.parametrize("status", [429, 503])
def test_no_room_is_no_failure(server, balance, status):
    with boxes(2) as made:
        start(server, [(b, "max_fails=0") for b in made], VLLM, check(),
              *balance)
        for box in made:
            box.status = status
        assert all(server.client.get("/x").status == status for _ in range(8))
        assert {s["state"] for s in servers(server).values()} == {"up"}
        assert not any(s["calls"]["failed"] for s in servers(server).values())


def test_calls_that_fail_are_counted(server):
    with boxes(2) as made:
        start(server, [(b, "max_fails=0") for b in made])
        for box in made:
            box.status = 500
        for _ in range(4):
            server.client.get("/x")
        assert sum(s["calls"]["failed"] for s in servers(server).values()) == 4


def test_a_client_that_leaves_leaves_no_call_behind(server):
    with boxes(2) as made:
        start(server, made, VLLM, check(), ("llm_balance", "least_load"))
        calls = opened(server, made, 4)
        for c in calls:
            c.reset()
        for box in made:
            box.gate.set()
        server.wait_until(lambda: not any(
            s["calls"]["in_flight"] for s in servers(server).values()))
        assert not any(s["calls"]["failed"] for s in servers(server).values())


def test_gpu_time_adds_up(server):
    with boxes(2) as made:
        start(server, made)
        calls = opened(server, made, 2)
        time.sleep(0.5)
        released(made, calls)
        made[0].health = 500
        await_states(server, (made[0], "down"))
        time.sleep(0.3)

        for told in servers(server).values():
            s = told["seconds"]
            parts = [s[k] for k in ("busy", "idle", "unhealthy", "sleeping")]
            assert abs(sum(parts) - s["provisioned"]) < 0.001
            assert s["busy"] > 0.4
            assert abs(told["usd"]["provisioned"] - s["provisioned"] / 1000) \
                < 1e-6


def test_checks_outlive_the_process_that_does_them(server):
    server.expect_errors("exited on signal 9", "exit signal Killed")
    with boxes(1) as made:
        start(server, made, workers=2)

        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        server.wait_until(lambda: made[0].checks[-1] > killed + 0.5,
                          what="checks to go on")


def test_state_lives_through_a_reload(server):
    with boxes(2) as made:
        start(server, made)
        made[1].health = 500
        await_states(server, (made[1], "down"))
        was = servers(server)[made[1].address]
        time.sleep(1)
        server.reload()
        now = servers(server)[made[1].address]
        assert now["state"] == "down"
        assert abs(since(now) - since(was)) < 0.5
        n = len(made[1].checks)
        server.wait_until(lambda: len(made[1].checks) > n + 3)


def test_a_server_that_is_new_after_a_reload_is_checked(server):
    with boxes(1) as made, Box() as another:
        start(server, made)
        server.site.upstreams[0].servers.append(another)
        server.reload(server.site)
        await_states(server, (made[0], "up"), (another, "up"))


def test_calls_survive_a_reload_in_the_count(server):
    with boxes(2) as made:
        start(server, made, VLLM, check(), ("llm_balance", "least_load"))
        calls = opened(server, made, 2)
        server.reload()
        assert sum(s["calls"]["in_flight"]
                   for s in servers(server).values()) == 2
        released(made, calls)
        server.wait_until(lambda: not any(
            s["calls"]["in_flight"] for s in servers(server).values()))


def test_what_is_known_is_not_logged_again_after_a_reload(server):
    with boxes(1) as made:
        start(server, made)
        server.await_message(" is up")
        server.reload()
        n = len(made[0].checks)
        server.wait_until(lambda: len(made[0].checks) > n + 8)
        assert server.messages().count(" is up") == 1


def test_auto_takes_a_health_page_that_is_not_there_for_well(server):
    with boxes(1) as made:
        made[0].health = 404
        start(server, made, ("llm_backend", "type=auto"), check())
        server.wait_until(lambda: servers(server)[made[0].address]["engine"]
                          == "vllm")
        n = len(made[0].checks)
        server.wait_until(lambda: len(made[0].checks) > n + 5)
        await_states(server, (made[0], "up"))


def test_dcgm_tells_of_gpus(server):
    page = (b'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="a",Hostname="n"} 75\n'
            b'DCGM_FI_DEV_FB_USED{gpu="0",UUID="a",Hostname="n"} 40000\n'
            b'DCGM_FI_DEV_FB_FREE{gpu="0",UUID="a",Hostname="n"} 41000\n'
            b'DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="a",Hostname="n"} 321.5\n')

    with boxes(1) as made, Box() as exporter:
        exporter.answer = lambda path: (200, page)
        start(server, made, VLLM, check(),
              ("llm_dcgm", "url=http://%s/metrics" % exporter.address,
               "interval=1s"))
        server.wait_until(lambda: servers(server)[made[0].address]["gpu"]
                          ["utilization"] is not None)
        gpu = servers(server)[made[0].address]["gpu"]
        assert gpu["utilization"] == 0.75 and gpu["power_watts"] == 321.5


def test_status_speaks_http(server):
    text = Loc("/metrics", [("llm_upstream_status", "format=prometheus")])

    with boxes(1) as made:
        start(server, made, locs=[text])
        got = server.client.get("/metrics")
        assert got.header("Content-Type").startswith("text/plain; version=0")
        assert made[0].address in got.text
        head = server.client.send("HEAD", "/status")
        assert head.status == 200 and head.body == b""
        assert server.client.post("/status", {}).status == 405
        assert server.client.get("/status").header("Content-Type") \
            == "application/json"
