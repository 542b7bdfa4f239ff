"""The companion in nginx: its load balancing methods, workers, reloads."""

import os
import signal
import ssl
import subprocess
import time

import pytest

from boxes import await_states, boxes, servers, since
from servers import DEADLINE, Loc, Site, Upstream

pytestmark = pytest.mark.only("nginx", why="what nginx alone has")

CHECK = ("llm_health_check", "interval=100ms", "jitter=20%", "rise=1", "fall=2",
         "max_ejected=100%")
VLLM = ("llm_backend", "type=vllm", "gpu_cost=2/hour")
STATUS = Loc("/status", [("llm_upstream_status",)])


def site(up, *more, modules=("llm_upstream",), nginx="", **rest):
    return Site(locs=[Loc("/", to=up, nginx=nginx), STATUS], upstreams=[up],
                modules=modules, llm=list(more), **rest)


def upstream(made, *llm, **more):
    return Upstream("gpu", list(made), [VLLM, CHECK, *llm], **more)


def call(server, n=1, path="/v1/x"):
    """The ports that answer."""
    return [server.client.get(path).json["from"] for _ in range(n)]


METHODS = ["", "least_conn", "ip_hash", "hash $request_uri",
           "hash $request_uri consistent", "random", "random two least_conn"]


@pytest.mark.parametrize("keepalive", [0, 4])
@pytest.mark.parametrize("method", METHODS)
def test_methods_of_nginx_pass_over_who_is_down(server, method, keepalive):
    with boxes(3) as made:
        up = upstream(made, method=method, keepalive=keepalive)
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        chosen = {call(server, path="/%d" % i)[0] for i in range(60)}
        assert len(chosen) == (1 if method == "ip_hash" else 3)

        made[1].health = 500
        await_states(server, (made[1], "down"))
        before = len(made[1].calls)
        chosen = {call(server, path="/%d" % i)[0] for i in range(60)}
        assert len(made[1].calls) == before
        assert made[1].port not in chosen

        made[1].health = 200
        await_states(server, (made[1], "up"))
        chosen = {call(server, path="/%d" % i)[0] for i in range(60)}
        assert len(chosen) == (1 if method == "ip_hash" else 3)


@pytest.mark.parametrize("order", [
    "keepalive 4; %s", "%s keepalive 4;", "least_conn; keepalive 4; %s",
    "least_conn; %s keepalive 4;"])
@pytest.mark.parametrize("balance", ["", "llm_balance least_load;"])
def test_keepalive_may_be_before_or_behind(server, order, balance):
    with boxes(2) as made:
        up = Upstream("gpu", made, nginx=order % (
            balance + "llm_backend type=vllm; llm_health_check interval=100ms"
            " fall=1 rise=1;"))
        server.start(site(up, nginx='proxy_http_version 1.1;'
                          'proxy_set_header Connection "";'))
        await_states(server, *((b, "up") for b in made))
        before = [b.connections for b in made]
        assert len(set(call(server, 40))) == 2
        assert all(b.connections - n <= 2 for b, n in zip(made, before))

        made[0].health = 500
        await_states(server, (made[0], "down"))
        n = len(made[0].calls)
        assert set(call(server, 20)) == {made[1].port}
        assert len(made[0].calls) == n


@pytest.mark.parametrize("text, says", [
    ("%s hash $uri;", "has to be before the directives of llm"),
    ("hash $uri; keepalive 4; %s", 'has to be before "keepalive"'),
    ("hash $uri; llm_balance least_load; %s", "does not go with the load"),
    ("llm_balance least_load; random; %s", "does not go with the load"),
])
def test_what_does_not_go_together_is_refused(server, text, says):
    with boxes(2) as made:
        up = Upstream("gpu", made, nginx=text % "llm_health_check;")
        ok, told = server.test_config(site(up))
        assert not ok and says in told, told


def test_another_method_behind_llm_balance_is_told(server):
    with boxes(2) as made:
        up = Upstream("gpu", made,
                      nginx="llm_balance least_load; least_conn;")
        ok, told = server.test_config(site(up))
        assert ok and "load balancing method redefined" in told


@pytest.mark.parametrize("balance", [[], [("llm_balance", "least_load")]])
def test_backup_servers_get_calls_when_no_other_is_well(server, balance):
    with boxes(3) as made:
        up = upstream([made[0], made[1], (made[2], "backup")], *balance)
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        assert set(call(server, 20)) == {made[0].port, made[1].port}

        made[0].health = made[1].health = 500
        await_states(server, (made[0], "down"), (made[1], "down"))
        assert set(call(server, 5)) == {made[2].port}

        made[2].health = 500
        await_states(server, (made[2], "down"))
        assert call(server)[0] in (made[0].port, made[1].port)


def test_backup_that_is_down_gets_nothing_either(server):
    with boxes(3) as made:
        up = upstream([made[0], (made[1], "backup"), (made[2], "backup")])
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        made[0].health = made[1].health = 500
        await_states(server, (made[0], "down"), (made[1], "down"))
        assert set(call(server, 10)) == {made[2].port}


@pytest.mark.parametrize("zone", ["", "zone gpu 256k;"])
@pytest.mark.parametrize("balance", [[], [("llm_balance", "least_load")]])
def test_max_conns_and_down_are_heeded(server, balance, zone):
    with boxes(3) as made:
        up = upstream([(made[0], "max_conns=1"), made[1], (made[2], "down")],
                      *balance, nginx=zone)
        server.start(site(up))
        await_states(server, (made[0], "up"), (made[1], "up"))
        made[0].gate.clear()
        made[1].gate.clear()
        opened = [server.client.open("GET", "/%d" % i) for i in range(8)]
        server.wait_until(lambda: len(made[0].calls + made[1].calls) == 8)
        assert len(made[0].calls) == 1
        made[0].gate.set()
        made[1].gate.set()
        assert all(x.read().status == 200 for x in opened)
        assert made[2].calls == [] and made[2].checks == []


def test_max_conns_holds_over_workers(server):
    with boxes(2) as made:
        up = upstream([(b, "max_conns=2") for b in made],
                      ("llm_balance", "least_load"), nginx="zone gpu 256k;")
        server.start(site(up, workers=2))
        await_states(server, *((b, "up") for b in made))

        for box in made:
            box.gate.clear()
        opened = [server.client.open("GET", "/%d" % i) for i in range(4)]
        server.wait_until(lambda: sum(len(b.calls) for b in made) == 4)
        assert [len(b.calls) for b in made] == [2, 2]
        server.expect_errors("no live upstreams")
        assert server.client.get("/5").status == 502

        for box in made:
            box.gate.set()
        assert all(x.read().status == 200 for x in opened)


def test_weights_count(server):
    with boxes(2) as made:
        up = upstream([(made[0], "weight=3"), made[1]],
                      ("llm_balance", "least_load"))
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        for box in made:
            box.gate.clear()
        opened = [server.client.open("GET", "/%d" % i) for i in range(16)]
        server.wait_until(lambda: sum(len(b.calls) for b in made) == 16)
        assert len(made[0].calls) in (11, 12, 13)
        for box in made:
            box.gate.set()
        assert all(x.read().status == 200 for x in opened)


@pytest.mark.parametrize("balance", [[], [("llm_balance", "least_load")]])
def test_single_server_is_used_whatever_checks_say(server, balance):
    with boxes(1) as made:
        server.start(site(upstream(made, *balance)))
        await_states(server, (made[0], "up"))
        made[0].health = 500
        await_states(server, (made[0], "down"))
        assert call(server) == [made[0].port]


@pytest.mark.parametrize("balance", [[], [("llm_balance", "least_load")]])
def test_call_goes_on_to_another_and_not_to_who_is_down(server, balance):
    with boxes(3) as made:
        up = upstream([(b, "max_fails=0") for b in made], *balance)
        server.start(site(up, nginx="proxy_next_upstream error http_503;"))
        await_states(server, *((b, "up") for b in made))
        made[0].status = 503
        assert set(call(server, 20)) == {made[1].port, made[2].port}

        made[1].health = made[2].health = 500
        await_states(server, (made[1], "down"), (made[2], "down"))
        n = len(made[1].calls), len(made[2].calls)
        assert server.client.get("/x").status == 503    # as it was answered
        assert n == (len(made[1].calls), len(made[2].calls))


@pytest.mark.parametrize("balance", [[], [("llm_balance", "least_load")]])
def test_kept_connection_that_was_closed_costs_no_call(server, balance):
    with boxes(2) as made:
        up = upstream([(b, "max_fails=0") for b in made], *balance,
                      keepalive=4)
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        made[1].health = 500
        await_states(server, (made[1], "down"))
        call(server, 3)
        server.expect_errors("prematurely closed")
        made[0].drops = 1
        assert call(server) == [made[0].port]


def test_kept_connection_that_was_closed_is_no_failure(server):
    with boxes(2) as made:
        up = Upstream("gpu", [(b, "max_fails=0") for b in made], [
            VLLM, ("llm_health_check", "interval=100ms", "fall=1", "rise=1"),
            ("llm_balance", "least_load")], keepalive=4)
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        call(server, 6)

        server.expect_errors("prematurely closed")
        for box in made:
            box.drops = len(box.calls) > 0      # else none is kept

        assert call(server)
        told = servers(server)
        assert [told[b.address]["calls"]["failed"] for b in made] == [0, 0]
        assert [told[b.address]["state"] for b in made] == ["up", "up"]


def test_worker_that_checks_is_killed(server):
    server.expect_errors("exited on signal 9")
    with boxes(2) as made:
        server.start(site(upstream(made), workers=3))
        await_states(server, *((b, "up") for b in made))

        for _ in range(2):
            os.kill(owner(server), signal.SIGKILL)
            killed = time.monotonic()
            server.wait_until(lambda: made[0].checks[-1] > killed + 0.2,
                              what="checks to go on")
            assert min(t for t in made[0].checks if t > killed) - killed < 10
            server.wait_until(lambda: len(server.workers()) == 3)


def owner(server):
    """The worker that has checked last."""
    lines = [line for line in server.messages().splitlines()
             if "this process checks servers" in line]
    return int(lines[-1].split("] ")[1].split("#")[0])


def test_one_process_checks(server):
    with boxes(1) as made:
        server.start(site(upstream(made), workers=4))
        await_states(server, (made[0], "up"))
        began, n = time.monotonic(), len(made[0].checks)
        time.sleep(2)
        checks = len(made[0].checks) - n
        seconds = time.monotonic() - began
        assert checks <= seconds / 0.08 + 2
        assert made[0].connections <= 6 # its checks keep theirs
        assert server.messages().count("this process checks servers") == 1


def test_state_lives_through_reloads(server):
    with boxes(2) as made:
        up = upstream(made)
        server.start(site(up))
        made[1].health = 500
        await_states(server, (made[0], "up"), (made[1], "down"))
        was = servers(server)[made[1].address]
        time.sleep(1)

        for _ in range(3):
            server.reload()
            now = servers(server)[made[1].address]
            assert now["state"] == "down"
            assert abs(since(now) - since(was)) < 0.5
        n = len(made[1].checks)
        server.wait_until(lambda: len(made[1].checks) > n + 3)
        assert made[1].calls == []


def test_old_worker_that_lingers_does_not_check(server):
    with boxes(2) as made:
        server.start(site(upstream(made)))
        await_states(server, *((b, "up") for b in made))
        for box in made:
            box.gate.clear()
        lingering = server.client.open("GET", "/x")
        server.wait_until(lambda: made[0].calls + made[1].calls)
        old = server.reload()
        server.wait_until(lambda: owner(server) not in old)
        n = len(made[0].checks)
        server.wait_until(lambda: len(made[0].checks) > n + 5)
        assert servers(server)[made[0].address]["calls"]["in_flight"] \
            + servers(server)[made[1].address]["calls"]["in_flight"] == 1

        for box in made:
            box.gate.set()
        assert lingering.read().status == 200
        server.wait_until(lambda: not any(
            os.path.exists("/proc/%d" % pid) for pid in old))


def test_checks_keep_no_worker_from_leaving(server):
    with boxes(2) as made:
        for box in made:
            box.health = None
        server.start(site(upstream(made)))
        made[0].gate.clear()
        server.wait_until(lambda: made[0].checks)
        began = time.monotonic()
        server.graceful()
        server.process.wait(DEADLINE)
        assert time.monotonic() - began < 25    # not by the shutdown's timeout


def test_configuration_test_makes_nothing(server):
    with boxes(1) as made:
        state = server.path("tmp", "backends")
        ok, told = server.test_config(
            site(upstream(made), ("llm_upstream_state", state)))
        assert ok, told
        assert not os.path.exists(state)
        assert made[0].checks == []


def test_signal_by_command_makes_nothing(server):
    with boxes(1) as made:
        state = server.path("tmp", "backends")
        server.start(site(upstream(made), ("llm_upstream_state", state)))
        os.unlink(state)
        subprocess.run(server.argv("-s", "reopen"), check=True, timeout=300)
        assert not os.path.exists(state)


def test_state_file_that_cannot_be_opened_refuses_the_configuration(server):
    with boxes(1) as made:
        up = upstream(made)
        server.start(site(up, ("llm_upstream_state",
                               server.path("tmp", "backends"))))
        await_states(server, (made[0], "up"))
        server.expect_errors("llm_upstream_state")
        server.write("etc/nginx.conf", server.render(site(
            up, ("llm_upstream_state", "/nowhere/backends"))))
        server.signal(signal.SIGHUP)
        server.await_message('llm_upstream_state "/nowhere/backends": ')
        n = len(made[0].checks)
        server.wait_until(lambda: len(made[0].checks) > n + 3)
        assert call(server) == [made[0].port]


def test_another_state_file_after_a_reload(server):
    with boxes(2) as made:
        up = upstream(made)
        server.start(site(up))
        made[1].health = 500
        await_states(server, (made[1], "down"))
        server.reload(site(up, ("llm_upstream_state",
                                server.path("tmp", "backends"))))
        await_states(server, (made[0], "up"), (made[1], "down"))
        assert os.path.exists(server.path("tmp", "backends"))


def test_one_server_of_two_upstreams_is_two(server):
    with boxes(2) as made:
        ups = [upstream(made), upstream(made)]
        ups[1].name = "other"
        server.start(Site(
            locs=[Loc("/", to=ups[0]), Loc("/other/", to=ups[1]), STATUS],
            upstreams=ups, modules=("llm_upstream",)))
        await_states(server, *((b, "up") for b in made))
        told = server.client.get("/status").json["upstreams"]
        assert {u["upstream"] for u in told} == {"gpu", "other"}
        call(server, path="/other/")
        assert [sum(s["calls"]["served"] for s in u["servers"])
                for u in sorted(server.client.get("/status").json["upstreams"],
                                key=lambda u: u["upstream"])] == [0, 1]


def test_a_call_that_fails_does_not_outlast_the_checks(server):
    """max_fails=1 and fail_timeout=10s are nginx's defaults."""
    server.expect_errors("prematurely closed", "refused", "no live upstreams")
    with boxes(2) as made:
        server.start(site(upstream(made)))
        await_states(server, *((b, "up") for b in made))
        made[0].status, made[0].health = None, 500
        call(server, 6)
        await_states(server, (made[0], "down"))
        time.sleep(1)
        made[0].status, made[0].health = 200, 200
        await_states(server, (made[0], "up"))
        assert made[0].port in call(server, 8)


def test_state_in_a_file_survives_a_restart(server):
    with boxes(2) as made:
        up = upstream(made)
        state = ("llm_upstream_state", server.path("tmp", "backends"))
        server.start(site(up, state))
        made[1].health = 500
        await_states(server, (made[1], "down"))
        was = servers(server)[made[1].address]
        time.sleep(1)
        server.graceful()
        server.await_exit()
        server.start(site(up, state))
        now = servers(server)[made[1].address]
        assert now["state"] == "down"
        assert abs(since(now) - since(was)) < 0.5


@pytest.mark.parametrize("modules", [("llm", "llm_upstream"),
                                     ("llm_upstream", "llm")])
def test_with_the_metering_module_in_any_order(server, fake, fake2, modules):
    up = Upstream("gpu", [fake, fake2],
                  [("llm_backend", "type=openai", "health=/v1/models"),
                   ("llm_health_check", "interval=100ms"),
                   ("llm_balance", "prefix_affinity")])
    server.start(Site(
        locs=[Loc("/", [("llm", "on")], to=up), STATUS], upstreams=[up],
        modules=modules,
        llm=[("llm_log", server.log, "flush=0"),
             ("llm_prices", server.prices)]))
    answer = server.client.post(
        "/v1/chat/completions",
        {"model": "gpt-4o-mini", "messages": [{"role": "user",
                                               "content": "hello " * 400}]})
    assert answer.status == 200
    server.line()
    told = servers(server)
    assert sum(s["calls"]["served"] for s in told.values()) == 1


def test_tls_checks(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    seen = []
    context.sni_callback = lambda sock, name, ctx: seen.append(name)

    with boxes(2, tls=context) as made:
        up = Upstream("gpu", made, [VLLM, CHECK + ("tls=on", "host=gpu.test:8443")],
                      scheme="https")
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        server.wait_until(lambda: made[0].scrapes)
        assert "gpu.test" in seen
        assert "Host: gpu.test:8443\r\n" in made[0].heads[0]
        made[0].close()
        await_states(server, (made[0], "down"))


def test_key_brings_calls_together(server):
    with boxes(4) as made:
        up = upstream(made, ("llm_balance", "prefix_affinity",
                             "key=$http_x_session"))
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        chosen = {}

        for i in range(60):
            who = "s%d" % (i % 12)
            port = server.client.get("/", [("X-Session", who)]).json["from"]
            chosen.setdefault(who, set()).add(port)
        assert all(len(ports) == 1 for ports in chosen.values())
        assert len(set.union(*chosen.values())) > 1


def test_unanswered_probe_is_cut_at_its_deadline(server):
    with boxes(2) as made:
        up = Upstream("gpu", made, [VLLM, (
            "llm_health_check", "interval=100ms", "timeout=300ms", "fall=1",
            "rise=1")])
        server.start(site(up))
        await_states(server, *((b, "up") for b in made))
        made[0].answer = lambda path: time.sleep(60) or (None, b"")
        made[0].hang_up()
        began = time.monotonic()
        await_states(server, (made[0], "down"))
        assert time.monotonic() - began < 30
        assert "timeout=" in servers(server)[made[0].address]["why"]
