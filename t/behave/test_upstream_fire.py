"""Backends that die, hang, stall and load, under load: as their clients and
they themselves see it."""

import os
import random
import signal
import time

import pytest

from gpufire import BACK, INTERVAL, KNOWN, SLACK, Fire, gaps, nanos

SECONDS = float(os.environ.get("TG_FIRE_SECONDS", "5"))

# A lease is taken over from a process that is dead at the next tick.
GAP = INTERVAL * 1.1 + SLACK


def arrivals(engine, kind, since, until=float("inf")):
    return [t for t in engine.arrivals(kind, since) if t < until]


# An answer that has been written this shortly before may not have been read: who
# is killed takes it along.
READ = 0.5


def under_way(engine, at):
    """Calls that were at an engine at that moment."""
    calls = set()

    for when, words in engine.events():
        if when > at:
            break
        if words[0] == "chat":
            calls.add(words[1])
        elif words[0] == "end" and when < at - READ:
            calls.discard(words[1])

    return len(calls)


@pytest.mark.quiet
def test_a_killed_backend_costs_only_the_calls_it_had(server):
    with Fire(server, 3) as fire:
        fire.sleep(1)
        victim = fire.engines[0]
        at = victim.die()
        fire.sleep(KNOWN)
        assert fire.of(victim)["state"] == "down"
        fire.stop()

        assert len(fire.lost()) <= under_way(victim, at), fire.lost()
        assert all(fire.in_flight()[i] == 0 for i in range(3))

        # Those that had been answered in part or not at all; none that came
        # when it was dead.

        assert not [c for c in fire.lost() if c[0] > at + SLACK]

    server.expect_errors("onnection refused", "reset by peer", "prematurely",
                         "no live upstreams", "AH0\\d+")


def test_no_call_goes_to_a_backend_that_is_known_to_be_dead(server):
    """It takes connections and requests, and resets them."""
    with Fire(server, 3) as fire:
        fire.sleep(0.5)
        victim = fire.engines[0]
        start = time.monotonic()
        victim.set(reset="request")
        fire.sleep(KNOWN + 1)
        end = time.monotonic()

        assert arrivals(victim, "call", start - 0.5, start)
        assert not arrivals(victim, "call", start + KNOWN, end)
        assert arrivals(victim, "health", start + KNOWN, end)
        assert fire.of(victim)["state"] == "down"
        fire.stop()

        # httpd does not send a POST again that it has sent.

        if server.name == "nginx":
            assert not fire.lost()

    server.expect_errors("reset by peer", "prematurely", "AH0\\d+")


def test_a_backend_that_answers_health_checks_no_more_is_out(server):
    with Fire(server, 3, clients=6) as fire:
        fire.sleep(0.5)
        victim = fire.engines[0]
        start = time.monotonic()
        victim.set(hang=1)
        time.sleep(KNOWN + 0.5)
        end = time.monotonic()

        assert not arrivals(victim, "call", start + KNOWN, end)
        assert fire.of(victim)["state"] == "down"

        victim.mend()
        back = time.monotonic()
        fire.await_state(victim, "up")
        fire.sleep(SLACK)
        assert arrivals(victim, "call", back)[0] - back < BACK + SLACK

    server.expect_errors("reset by peer", "prematurely", "timed out",
                         "AH0\\d+")


def test_a_backend_that_generates_nothing_is_found(server):
    """Its health page and its metrics are as they should be."""
    with Fire(server, 3, "stall=1s", clients=6) as fire:
        fire.sleep(0.5)
        victim = fire.engines[0]
        start = time.monotonic()
        victim.set(stall=1)
        fire.await_state(victim, "stalled")
        stalled = time.monotonic()
        fire.sleep(1)
        end = time.monotonic()

        assert not arrivals(victim, "call", stalled + 0.3, end)
        assert arrivals(victim, "health", stalled, end)
        assert stalled - start > 0.9

        victim.mend()
        back = time.monotonic()
        fire.await_state(victim, "up")
        fire.sleep(SLACK)
        assert arrivals(victim, "call", back)
        fire.stop()

        assert not fire.lost()          # those that waited there were served
        assert sum(fire.in_flight()) == 0


@pytest.mark.parametrize("engine", ["vllm", "llamacpp"])
def test_a_backend_that_loads_its_model_is_waited_for(server, engine):
    """llama.cpp says so; vLLM does not listen."""
    with Fire(server, 3, backend="type=" + engine, type=engine) as fire:
        victim = fire.engines[0]
        victim.die()
        fire.await_state(victim, "down")
        quiet = time.monotonic()

        if engine == "llamacpp":
            victim.revive(loading=1500)
            fire.await_state(victim, "loading")
            assert not fire.of(victim)["usable"]
            loaded = quiet + 1.5
        else:
            victim.revive(refuse=1)
            fire.sleep(1)
            victim.set(refuse=0)
            loaded = time.monotonic()

        fire.await_state(victim, "up")
        fire.sleep(1)

        calls = arrivals(victim, "call", quiet)
        assert calls[0] >= loaded - 0.1
        assert calls[0] - loaded < BACK + SLACK
        fire.stop()
        assert not [c for c in fire.lost() if c[0] > quiet + SLACK]

    server.expect_errors("onnection refused", "reset by peer", "prematurely",
                         "AH0\\d+")


@pytest.mark.quiet
def test_a_backend_that_is_back_gets_its_share_by_and_by(server):
    with Fire(server, 2, "slow_start=3s", clients=8) as fire:
        victim, other = fire.engines
        victim.set(health=500)
        fire.await_state(victim, "down")
        fire.sleep(0.3)
        victim.mend()
        start = time.monotonic()
        fire.await_state(victim, "up")
        fire.sleep(4)
        end = time.monotonic()

        # In its first half second it gets less than at the end.

        def share(a, b):
            ours = len(arrivals(victim, "call", a, b))
            return ours / max(1, ours + len(arrivals(other, "call", a, b)))

        first = arrivals(victim, "call", start)[0]
        assert first - start < BACK + SLACK
        assert share(end - 0.8, end) > 0.3
        assert share(first, first + 0.8) < share(end - 0.8, end)


def test_at_most_half_of_them_are_out(server):
    """Their calls are answered: only the checks fail."""
    with Fire(server, 4, clients=8) as fire:
        for victim in list(fire.engines)[:3]:
            victim.set(health=500)
            fire.await_state(victim, "down")

        fire.sleep(0.5)
        start = time.monotonic()
        fire.sleep(1)
        got = [len(arrivals(e, "call", start)) for e in fire.engines]
        ejected = [s["ejected"] for s in
                   (fire.of(e) for e in fire.engines)]

        assert ejected == [True, True, False, False]
        assert got[0] == got[1] == 0 and got[2] > 0 and got[3] > 0, got
        fire.stop()
        assert not fire.lost()


@pytest.mark.parametrize("wrong", [
    {"metrics": "fail"}, {"metrics": "garbage"}, {"metrics": "hang"},
    {"metrics": "off"}, {"metrics": "huge"}, {"metrics_ms": 3000}], ids=str)
def test_metrics_that_fail_eject_nobody(server, wrong):
    with Fire(server, 2) as fire:
        victim = fire.engines[0]
        victim.set(**wrong)
        fire.sleep(2)
        start = time.monotonic()
        fire.sleep(1)
        state = fire.of(victim)

        assert state["state"] == "up" and state["usable"], state
        assert state["health"]["ejections"] == 0
        assert arrivals(victim, "call", start)
        assert gaps(victim.arrivals("health"), start,
                    time.monotonic()) < GAP
        fire.stop()
        assert not fire.lost()


@pytest.mark.parametrize("status", [503, 429])
def test_a_backend_that_has_no_room_is_not_a_dead_one(server, status):
    with Fire(server, 2, clients=8, seqs=1) as fire:
        for engine in fire.engines:
            engine.set(full=1, full_as=status)

        time.sleep(2)

        for engine in fire.engines:
            state = fire.of(engine)
            assert state["state"] == "up", state
            assert state["health"]["ejections"] == 0

        fire.stop()
        assert {str(c[2])[:3] for c in fire.lost()} <= {"503", "429", "502"}

    server.expect_errors("AH0\\d+", "no live upstreams")


def test_reloads_and_kills_do_not_stop_the_checks(server):
    with Fire(server, 2, workers=2, clients=4, streams=True) as fire:
        rng = random.Random(5)
        start = time.monotonic()

        for turn in range(6):
            time.sleep(rng.uniform(0.3, 0.8))
            if turn % 2:
                os.kill(rng.choice(server.workers()), signal.SIGKILL)
            else:
                server.reload()

        time.sleep(0.5)
        end = time.monotonic()

        for engine in fire.engines:
            assert gaps(engine.arrivals("health"), start, end) < GAP + SLACK

        fire.stop()
        server.wait_until(lambda: sum(fire.in_flight()) == 0,
                          what="in-flight counts to be 0")

        # The two of a kill may have been cut; a reload cuts none.

        assert len(fire.lost()) <= 3 * 4, fire.lost()

    server.expect_errors("exited on signal 9", "AH0005[12]", "AH0\\d+",
                         "Killed")


def test_what_was_known_survives_a_reload(server):
    """A backend that is down is so at once for new workers."""
    with Fire(server, 2) as fire:
        victim = fire.engines[0]
        victim.set(health=500)
        fire.await_state(victim, "down")
        fire.sleep(0.3)
        start = time.monotonic()
        server.reload()
        end = time.monotonic()
        fire.sleep(1.5)         # httpd loses the SYN of some who connect just then

        assert fire.of(victim)["state"] == "down"
        assert not arrivals(victim, "call", start)
        assert end > start


def parts(seconds):
    return sum(nanos(seconds[k])
               for k in ("busy", "idle", "unhealthy", "sleeping"))


def whole(seconds):
    assert parts(seconds) == nanos(seconds["provisioned"])
    assert nanos(seconds["calls"]) <= nanos(seconds["provisioned"])


def burn(fire, seconds):
    """All but the last backend, at random; a worker now and then."""
    rng = random.Random(11)
    end = time.monotonic() + seconds
    victims = list(fire.engines)[:-1]
    harms = [{"hang": 1}, {"stall": 1}, {"health": 500}, {"loading": 300},
             {"refuse": 1}, {"reset": "accept"}, {"reset": "stream"},
             {"metrics": "garbage"}, {"error": 500}]

    while time.monotonic() < end:
        victim = rng.choice(victims)
        draw = rng.random()
        if draw < 0.2:
            victim.die()
            time.sleep(rng.uniform(0, 0.3))
            victim.revive()
        elif draw < 0.3:
            os.kill(rng.choice(fire.server.workers()), signal.SIGKILL)
        elif draw < 0.4:
            fire.server.reload()
        else:
            victim.set(**rng.choice(harms))
            time.sleep(rng.uniform(0.1, 0.8))
            victim.mend()


@pytest.mark.quiet
def test_after_a_fire_all_is_as_it_was(server):
    with Fire(server, 3, "stall=1s", workers=2) as fire:
        burn(fire, SECONDS)
        start = time.monotonic()
        server.wait_until(fire.all_up, what="all to be up")
        fire.sleep(1)

        for engine in fire.engines:
            assert arrivals(engine, "call", start)

        answered = len(fire.calls)
        fire.stop()
        server.wait_until(lambda: sum(fire.in_flight()) == 0,
                          what="in-flight counts to be 0")
        assert answered > 100

        for state in fire.status().values():
            whole(state["seconds"])

    server.expect_errors("exited on signal 9", "AH0\\d+", "Killed",
                         "onnection refused", "reset by peer", "prematurely",
                         "timed out", "no live upstreams")


@pytest.mark.quiet
def test_gpu_time_adds_up(server):
    """Of each backend: to the nanosecond what it is made of, and its busy time
    is what the engine saw."""
    with Fire(server, 2, clients=3) as fire:
        at = time.monotonic()
        first = fire.status()
        begun = time.monotonic()
        fire.sleep(1.5)
        fire.engines[0].set(health=500)
        fire.await_state(fire.engines[0], "down")
        fire.sleep(1)
        fire.engines[0].mend()
        fire.await_state(fire.engines[0], "up")
        fire.stop()
        time.sleep(1)
        least = time.monotonic() - begun
        last = fire.status()
        wall = time.monotonic() - at

        for engine in fire.engines:
            s = last[engine.address]["seconds"]
            before = first[engine.address]["seconds"]
            whole(s)
            assert least - 0.1 < s["provisioned"] - before["provisioned"] \
                < wall + 0.1

        # One was never out: it was busy as long as it had calls.

        busy = last[fire.engines[1].address]["seconds"]
        assert abs(busy["calls"] - fire.engines[1].busy()) < 0.3 + wall * 0.1
        assert last[fire.engines[0].address]["seconds"]["unhealthy"] > 0.8
