"""What the companion does in httpd alone."""

import os
import signal
import socket
import ssl
import threading
import time

import pytest

from boxes import await_states, boxes, servers, since
from client import Client
from engines import Engines
from httpd import MODULES
from servers import Loc, Site, Upstream

pytestmark = pytest.mark.only("httpd", "balancers are httpd's")

CHECK = ("llm_health_check", "interval=200ms", "timeout=10s", "rise=2",
         "fall=2")
STATUS = Loc("/status", [("llm_upstream_status", "format=json")])


def ask(**more):
    return {"model": "m", "max_tokens": 4, **more,
            "messages": [{"role": "user", "content": "Hello"}]}


def chat(server, **more):
    return server.client.post("/v1/chat/completions", ask(**more))


def site(engines, *llm, modules=("llm_upstream",), check=CHECK, members=None,
         upstream=None, **more):
    up = Upstream("gpu", members or list(engines),
                  [*llm, *([check] if check else [])], **(upstream or {}))

    return Site(locs=[Loc("/", to=up), STATUS], upstreams=[up],
                modules=modules, **more)


def start(server, engines, *args, **more):
    """With every server found to be up."""
    server.start(site(engines, *args, **more))

    for engine in engines:
        server.await_message(engine.address + " is up")


def await_state(server, engine, name):
    await_states(server, (engine, name))


def owner(server):
    """The child that has checked last."""
    lines = [line for line in server.messages().splitlines()
             if "this child checks servers" in line]
    return int(lines[-1].split("[pid ")[1].split(":")[0])


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

            assert gap < 10, gap
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
                "health", since)) > 2, what="checks")
            assert servers(server)[engines[0].address]["state"] == "down"

        served = servers(server)[engines[1].address]["calls"]["served"]
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
        start(server, engines, check=(*CHECK[:2], "timeout=60s", "rise=2",
                                      "fall=2"))
        since = time.monotonic()
        engines[0].set(hang=1)
        server.wait_until(lambda: engines[0].arrivals("health", since))
        began = time.monotonic()
        server.terminate()

        assert time.monotonic() - began < 30


def test_hot_standbys_wait_until_nobody_else_may_be_used(server):
    with Engines(3) as engines:
        start(server, engines, ("llm_balance", "least_load"),
              check=(*CHECK, "max_ejected=100%"),
              members=[engines[0], engines[1], (engines[2], "backup")])
        assert {chat(server).status for _ in range(6)} == {200}
        assert not engines[2].arrivals("call")

        for engine in engines[:2]:
            engine.set(health=500)
            await_state(server, engine, "down")

        since = time.monotonic()
        assert {chat(server).status for _ in range(6)} == {200}
        assert len(engines[2].arrivals("call", since)) == 6


def test_servers_that_are_drained_by_httpd_are_left_alone(server):
    with Engines(2) as engines:
        start(server, engines, ("llm_balance", "least_load"),
              members=[(engines[0], "down"), engines[1]])

        assert {chat(server).status for _ in range(6)} == {200}
        assert not engines[0].arrivals("call")
        assert engines[0].arrivals("health")


def test_a_session_stays_where_it_is_while_that_is_up(server):
    """Sticky sessions are mod_proxy_balancer's; calls count all the same."""
    with Engines(2) as engines:
        members = "".join("BalancerMember %s route=r%d\n    " % (e.url, i)
                          for i, e in enumerate(engines))
        started = site(engines, ("llm_balance", "least_load"), upstream={
            "httpd": members + "ProxySet stickysession=ROUTE"})
        started.upstreams[0].servers = []
        server.start(started)

        for engine in engines:
            server.await_message(engine.address + " is up")

        def at(route):
            return server.client.post("/v1/chat/completions", ask(),
                                      {"Cookie": "ROUTE=x." + route}).status

        assert {at("r1") for _ in range(6)} == {200}
        assert len(engines[1].arrivals("call")) == 6
        assert servers(server)[engines[1].address]["calls"]["served"] == 6

        engines[1].set(health=500)
        await_state(server, engines[1], "down")
        assert {at("r1") for _ in range(6)} == {200}
        assert len(engines[0].arrivals("call")) == 6


def test_calls_of_one_key_go_to_one_server(server):
    with Engines(3) as engines:
        start(server, engines, ("llm_backend", "type=vllm"),
              ("llm_balance", "prefix_affinity", "key=env:SESSION"),
              httpd_main="SetEnvIf X-Session (.+) SESSION=$1\n")

        for session in "abcdefghijkl":
            before = [len(e.arrivals("call")) for e in engines]

            for _ in range(5):
                assert server.client.post(
                    "/v1/chat/completions", ask(),
                    {"X-Session": session}).status == 200

            got = [len(e.arrivals("call")) - n
                   for e, n in zip(engines, before)]
            assert sorted(got) == [0, 0, 5], got

        assert sum(bool(e.arrivals("call")) for e in engines) >= 2


def test_virtual_hosts_share_what_is_known(server, tls):
    """The balancer is the main server's: each virtual host has a copy."""
    with Engines(2) as engines:
        start(server, engines, ("llm_balance", "least_load"), tls=True)
        engines[0].set(health=500)
        await_state(server, engines[0], "down")
        since = time.monotonic()
        client = Client(server.tls_port,
                        tls=ssl.create_default_context(cafile=tls))

        for _ in range(4):
            assert client.post("/v1/chat/completions", ask()).status == 200
            assert chat(server).status == 200

        assert not engines[0].arrivals("call", since)
        assert servers(server)[engines[1].address]["calls"]["served"] == 8


CONFIGURATIONS = {
    "no members": (
        "<Proxy balancer://gpu>\nLLMHealthCheck\n</Proxy>\n",
        "balancer://gpu has no BalancerMember"),
    "not a balancer": (
        "<Proxy http://127.0.0.1:9/>\nLLMHealthCheck\n</Proxy>\n",
        "LLMHealthCheck is allowed in <Proxy balancer://...> only"),
    "a pattern": (
        '<ProxyMatch "balancer://gpu">\nLLMHealthCheck\n</ProxyMatch>\n',
        "LLMHealthCheck is allowed in <Proxy balancer://...> only"),
    "a location": (
        "<Location /x>\nLLMBackend type=vllm\n</Location>\n",
        "LLMBackend is allowed in <Proxy balancer://...> only"),
    "another method": (
        "<Proxy balancer://gpu>\nBalancerMember http://127.0.0.1:9\n"
        "LLMBalance least_load\nProxySet lbmethod=bybusyness\n</Proxy>\n",
        "balancer://gpu: LLMBalance and lbmethod=bybusyness don't go together"),
    "mod_proxy_hcheck": (
        "LoadModule proxy_hcheck_module %s/mod_proxy_hcheck.so\n"
        "<Proxy balancer://gpu>\n"
        "BalancerMember http://127.0.0.1:9 hcmethod=TCP\nLLMHealthCheck\n"
        "</Proxy>\n" % MODULES,
        "hcmethod= of http://127.0.0.1:9 and LLMHealthCheck would both say"),
    "two virtual hosts": (
        "".join("<VirtualHost 127.0.0.1:%d>\n<Proxy balancer://gpu>\n"
                "BalancerMember http://127.0.0.1:9\nLLMHealthCheck\n</Proxy>\n"
                "</VirtualHost>\n" % port for port in (8, 9)),
        "LLMHealthCheck for balancer://gpu is in another virtual host already"),
    "a bad format": (
        "<Location /x>\nLLMUpstreamStatus format=xml\n</Location>\n",
        "LLMUpstreamStatus format= takes json or prometheus"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_what_does_not_go_together_is_told(server, name):
    text, said = CONFIGURATIONS[name]
    ok, messages = server.test_config(Site(
        httpd_main=text, modules=("llm_upstream",)))

    assert not ok
    assert said in messages, messages


def test_a_balancer_may_be_said_in_several_sections(server):
    """And its name in any case of letters."""
    ok, messages = server.test_config(Site(httpd_main=(
        "<Proxy balancer://gpu>\nBalancerMember http://127.0.0.1:9\n"
        "LLMHealthCheck\n</Proxy>\n<Proxy balancer://GPU/>\n"
        "BalancerMember http://127.0.0.1:10\nLLMBalance least_load\n"
        "LLMBackend http://127.0.0.1:10 capacity=4\n</Proxy>\n"),
        modules=("llm_upstream",)))

    assert ok, messages


@pytest.mark.parametrize("modules", [
    ("llm_upstream", "llm"), ("llm", "llm_upstream"), ("llm_upstream",)])
def test_modules_are_loaded_in_any_order(server, modules, monkeypatch):
    """Before mod_proxy, too: Debian loads by the alphabet."""
    all_of = server.modules

    def ours_first(site):
        lines = all_of(site).splitlines(True)
        return "".join(sorted(lines, key=lambda line: "LoadModule llm"
                              not in line))

    monkeypatch.setattr(server, "modules", ours_first)

    with Engines(2) as engines:
        start(server, engines, ("llm_balance", "least_load"), modules=modules)
        engines[0].set(health=500)
        await_state(server, engines[0], "down")
        since = time.monotonic()

        assert {chat(server).status for _ in range(4)} == {200}
        assert not engines[0].arrivals("call", since)


def test_loaded_and_not_used_it_does_nothing(server):
    with Engines(1) as engines:
        server.start(Site(locs=[Loc("/", to=engines[0].url)],
                          modules=("llm_upstream",)))

        assert chat(server).status == 200
        assert not engines[0].arrivals("health")


def test_tls_checks_go_by_the_name_that_is_said(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    seen = []
    context.sni_callback = lambda sock, name, ctx: seen.append(name)

    with boxes(2, tls=context) as made:
        server.start(site(made, ("llm_backend", "type=vllm"),
                          check=(*CHECK, "tls=on", "host=gpu.test"),
                          upstream={"scheme": "https"}))
        await_states(server, *((b, "up") for b in made))
        server.wait_until(lambda: made[0].scrapes)

        assert "gpu.test" in seen
        assert "Host: gpu.test" in made[0].heads[0]

        made[0].close()
        await_states(server, (made[0], "down"))


def test_members_by_tls_are_checked_by_tls(server, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    with boxes(2, tls=context) as made:
        server.start(site(made, upstream={"scheme": "https"}))
        await_states(server, *((b, "up") for b in made))


def test_a_check_without_an_answer_ends_at_its_deadline(server):
    with boxes(2) as made:
        server.start(site(made, check=(
            "llm_health_check", "interval=100ms", "timeout=300ms", "fall=1",
            "rise=1")))
        await_states(server, *((b, "up") for b in made))
        made[0].answer = lambda path: time.sleep(60) or (200, b"")
        made[0].hang_up()
        began = time.monotonic()
        await_states(server, (made[0], "down"))

        assert time.monotonic() - began < 30
        assert "timed out" in servers(server)[made[0].address]["why"]


def checks_on(server, box, n=4):
    """So many more of them."""
    had = len(box.checks)
    server.wait_until(lambda: len(box.checks) >= had + n, what="checks")


def test_checks_keep_their_connections(server):
    """Two of each server; over graceful restarts no more."""
    with boxes(2) as made:
        server.start(site(made))
        await_states(server, *((b, "up") for b in made))
        checks_on(server, made[0])
        assert made[0].connections == 2

        for _ in range(3):
            server.reload()
            checks_on(server, made[0])

        server.wait_until(lambda: len(made[0].open) == 2,
                          what="old ones to go")


@pytest.mark.parametrize("keep", [True, False])
def test_a_connection_that_is_closed_between_checks_is_no_failure(server,
                                                                  keep):
    with boxes(2) as made:
        for box in made:
            box.keep = keep
        server.start(site(made, check=("llm_health_check", "interval=100ms",
                                       "timeout=20s", "fall=1", "rise=1")))
        await_states(server, *((b, "up") for b in made))

        for _ in range(5):
            made[0].hang_up()
            checks_on(server, made[0], 2)

        assert " is down" not in server.messages()
        assert made[0].connections > 5


def test_members_by_name_and_by_file_are_checked(server):
    path = server.path("tmp", "gpu.sock")
    with boxes(3) as made, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen()
        threading.Thread(target=made[2].accept, args=(listener,),
                         daemon=True).start()
        server.start(site(made[:1], members=[
            made[0].address, "localhost:%d" % made[1].port],
            upstream={"httpd": "BalancerMember unix:%s|http://localhost"
                               % path}))

        for name in ("localhost:%d" % made[1].port, "unix:" + path):
            server.await_message(name + " is up")

        assert made[2].checks and made[2].scrapes
        listener.shutdown(socket.SHUT_RDWR)


def test_one_child_checks(server):
    """Whatever the number of children and virtual hosts."""
    with boxes(2) as made:
        server.start(site(made, workers=4))
        await_states(server, *((b, "up") for b in made))
        began, n = time.monotonic(), len(made[0].checks)
        time.sleep(2)
        checks = len(made[0].checks) - n
        seconds = time.monotonic() - began

        assert 0 < checks <= seconds / 0.16 + 2


def test_the_state_in_a_file_survives_a_restart(server):
    with boxes(2) as made:
        started = site(made, llm=[("llm_upstream_state",
                                   server.path("tmp", "backends"))])
        server.start(started)
        made[1].health = 500
        await_states(server, (made[1], "down"))
        was = servers(server)[made[1].address]
        time.sleep(1)
        server.terminate()
        server.start(started)
        now = servers(server)[made[1].address]

        assert now["state"] == "down"
        assert abs(since(now) - since(was)) < 0.5
