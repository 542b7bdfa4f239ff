"""What may be spent: quotas on the embedded ledger."""

import concurrent.futures
import json
import os
import resource
import signal
import socket
import subprocess
import time

import calls
import pytest

from client import Broken
from keys import bearer, gated, key, keys
from servers import DEADLINE, Loc

CHAT = "/v1/chat/completions"
LLMCTL = os.environ.get("TG_LLMCTL", os.path.join(
    os.path.dirname(__file__), "../../build/llmctl"))
COST = 4 * 150 + 5 * 600                # nano-dollars of calls.chat()
UNANSWERED = ("connect\\(\\) failed", "timed out", "prematurely closed",
              "Connection refused", "AH01114", "AH01102", "AH01110", "AH00898")


def start(server, fake, *quotas, text=None, llm=(), ledger=("size=1m",),
          **more):
    server.meter(fake, *gated(server, *quotas, text=text, llm=llm,
                              ledger=ledger), **more)


def post(server, headers=(), **more):
    more.setdefault("max_tokens", 8)
    return server.client.post(CHAT, calls.chat(**more), headers)


def test_requests_are_counted_and_then_refused(server, fake):
    start(server, fake, "all per=all requests=3/day")
    assert [post(server).status for _ in range(5)] == [200] * 3 + [429] * 2
    lines = server.lines(5)
    assert [line["llm.decision"] for line in lines] \
        == ["allow"] * 3 + ["refuse"] * 2
    refused = lines[-1]
    assert refused["llm.rule"] == refused["error.type"] == "all"
    assert refused["llm.quota.subject"] == "all calls"
    assert refused["llm.quota.spent"] == refused["llm.quota.cap"] == 3
    assert refused["llm.quota.held"] == 0
    assert len(fake.requests) == 3


@pytest.mark.parametrize("path,more", [
    (CHAT, {"models": ["gpt-4o"]}),
    (CHAT, {"fallbacks": ["gpt-4o"]}),
    ("/openai/deployments/gpt-4o/chat/completions", {})])
def test_dearest_of_the_models_is_held(server, fake, path, more):
    """A thousand tokens of gpt-4o cost a cent."""
    start(server, fake, "all per=all usd=0.005/day wait=0s")
    r = server.client.post(path, calls.chat(max_tokens=1000, **more))
    assert r.status == 429
    assert server.client.post(CHAT, calls.chat(max_tokens=1000)).status == 200
    assert len(fake.requests) == 1
    server.lines(2)


def test_models_without_a_price_are_not_fallen_back_to(server, fake):
    start(server, fake, "all per=all usd=1/day wait=0s")
    r = server.client.post(CHAT, calls.chat(models=["nobodys-own"]))
    assert r.status == 403
    assert server.line()["llm.rule"] == "model_not_priced"


def test_refusal_says_when_to_come_back(server, fake):
    start(server, fake, "all per=all requests=1/hour")
    post(server)
    r = post(server)
    assert r.status == 429
    left = 3600 - time.time() % 3600
    assert 0 <= int(r.header("Retry-After")) - left < DEADLINE
    assert left < 60 or r.header("x-should-retry") == "false"
    assert r.header("x-ratelimit-limit-requests") == "1"
    assert r.header("x-ratelimit-remaining-requests") == "0"
    error = r.json["error"]
    assert error["code"] == "all" or error["type"] == "all"
    assert 'quota "all"' in error["message"]
    server.lines(2)


def test_total_is_no_reason_to_come_back(server, fake):
    start(server, fake, "all per=all requests=1/total")
    post(server)
    r = post(server)
    assert r.status == 429
    assert r.header("Retry-After") is None
    assert r.header("x-should-retry") == "false"
    server.lines(2)


def test_dollars_are_held_and_settled_exactly(server, fake):
    start(server, fake, "all per=all usd=0.00001/day")
    spent = 0
    while post(server).status == 200:
        spent += COST
    lines = server.lines(spent // COST + 1)
    assert sum(line["llm.cost.total_nusd"] for line in lines) == spent
    refused = lines[-1]
    assert refused["llm.quota.spent"] == spent / 1e9
    assert refused["llm.quota.cap"] == 0.00001
    assert spent <= 10000
    assert all(line["llm.hold"] * 1e9 >= COST for line in lines[:-1])


def test_tokens_in_and_out(server, fake):
    start(server, fake, "in per=all input_tokens=10000/day",
          "out per=all output_tokens=20/day", "both per=all tokens=10000/day")
    assert [post(server, max_tokens=8).status for _ in range(4)] \
        == [200, 200, 200, 429]
    assert server.lines(4)[-1]["llm.rule"] == "out"


def test_what_was_held_comes_back(server, fake):
    start(server, fake, "out per=all output_tokens=100/day")
    assert post(server, max_tokens=100).status == 200
    assert post(server, max_tokens=95).status == 200
    assert post(server, max_tokens=95).status == 429
    server.lines(3)


def test_subjects_are_counted_apart(server, fake):
    start(server, fake, "each per=team requests=1/day",
          llm=[("llm_tag", "team", "from=header:x-team")])
    status = [post(server, {"x-team": t}).status
              for t in ("a", "b", "a", "", "", "b")]
    assert status == [200, 200, 429, 200, 429, 429]
    lines = server.lines(6)
    assert lines[2]["llm.quota.subject"] == "team a"
    assert lines[4]["llm.quota.subject"] == "team (none)"


def test_budgets_of_the_keys_file(server, fake):
    text = keys(key("ann", team="search", budgets=["requests=2/day"]),
                key("bob", team="search"),
                teams={"search": {"budgets": ["requests=3/day"]}})
    start(server, fake, text=text)
    status = [post(server, bearer(k)).status
              for k in ("ann", "ann", "ann", "bob", "bob")]
    assert status == [200, 200, 429, 200, 429]
    lines = server.lines(5)
    assert lines[2]["llm.quota.subject"] == "key key_ann"
    assert lines[4]["llm.quota.subject"] == "team search"


def test_a_budget_follows_its_key_through_rotation(server, fake):
    start(server, fake, text=keys(key("ann", budgets=["requests=2/day"])))
    assert post(server, bearer("ann")).status == 200
    rotated = dict(key("bob", budgets=["requests=2/day"]), id="key_ann")
    server.write("etc/keys.json", keys(rotated))
    server.await_everywhere("are read anew")
    assert [post(server, bearer("bob")).status for _ in range(2)] \
        == [200, 429]
    server.lines(3)


def test_when_says_which_calls(server, fake):
    server.meter(fake, *gated(server), ("llm_quota", "mini", "per=all",
                                        "requests=1/day",
                                        'when=model == "gpt-4o-mini"'))
    assert post(server).status == 200
    assert post(server).status == 429
    assert post(server, model="gpt-4o").status == 200
    server.lines(3)


def test_dry_run_quota_counts_and_lets_pass(server, fake):
    start(server, fake, "all per=all requests=1/day dry_run")
    assert [post(server).status for _ in range(3)] == [200] * 3
    lines = server.lines(3)
    assert [line["llm.decision"] for line in lines] \
        == ["allow", "dry_refuse", "dry_refuse"]
    assert lines[2]["llm.rule"] == "all"


def test_dry_run_location_lets_pass(server, fake):
    start(server, fake, "all per=all requests=1/day", enable=("dry_run",))
    assert [post(server).status for _ in range(2)] == [200] * 2
    assert [line["llm.decision"] for line in server.lines(2)] \
        == ["allow", "dry_refuse"]


def test_model_without_a_price_is_refused_under_dollars(server, fake):
    start(server, fake, "all per=all usd=1/day")
    r = post(server, model="made-up")
    assert r.status == 403
    assert "made-up" in r.json["error"]["message"]
    assert server.line()["llm.rule"] == "model_not_priced"


def test_calls_at_a_time(server, fake):
    start(server, fake, "two per=all concurrent=2 wait=0s")
    held = [server.client.open("POST", CHAT, calls.asked_stream(max_tokens=8),
                               fake={"gate": 1}) for _ in range(2)]
    fake.wait(2)
    r = post(server)
    assert r.status == 429
    fake.release()
    for exchange in held:
        assert exchange.read().status == 200
        exchange.close()
    server.wait_until(lambda: post(server).status == 200)
    server.log_of().wait(4, exact=False)
    server.check_lines = False


def test_a_call_waits_for_others_rather_than_be_refused(server, fake):
    start(server, fake, "out per=all output_tokens=15/day wait=60s")
    first = server.client.open("POST", CHAT, calls.asked_stream(max_tokens=10),
                               fake={"gate": 1})
    fake.wait(1)
    second = server.client.open("POST", CHAT, calls.chat(max_tokens=10))
    server.await_taken(second)
    time.sleep(0.3)
    assert len(fake.requests) == 1
    fake.release()
    assert first.read().status == 200
    assert second.read().status == 200
    lines = server.lines(2)
    assert max(line.get("llm.waited_ms", 0) for line in lines) >= 200


def test_who_waits_and_leaves_holds_nothing(server, fake):
    start(server, fake, "out per=all output_tokens=15/day wait=120s")
    first = server.client.open("POST", CHAT, calls.asked_stream(max_tokens=10),
                               fake={"gate": 1})
    fake.wait(1)
    second = server.client.open("POST", CHAT, calls.chat(max_tokens=10))
    server.await_taken(second)
    second.close()
    lines = server.lines(1)
    assert lines[0].status == 499
    fake.release()
    assert first.read().status == 200
    assert post(server, max_tokens=10).status == 200
    server.lines(3)
    assert len(fake.requests) == 2


def test_who_leaves_before_the_answer_is_billed_his_prompt(server, fake):
    start(server, fake, "all per=all usd=1/day")
    exchange = server.client.open(
        "POST", CHAT, calls.chat(text="word " * 400, max_tokens=8),
        fake={"hang": "headers"})
    fake.wait(1)
    exchange.close()
    line = server.line()
    assert line["error.type"] == "client_closed"
    assert line.source in ("estimated", "reported")
    assert line.input > 200
    assert line.nusd >= 200 * 150


@pytest.mark.parametrize("why", [
    {"hang": "headers"}, {"fail_first": {"times": 1, "drop": True}}])
def test_call_that_is_never_answered_is_charged_its_prompt(server, fake, why):
    """The provider has it, and may charge for it."""
    server.expect_errors(*UNANSWERED)
    start(server, fake, "all per=all usd=1/day", keepalive=True,
          nginx="proxy_read_timeout 300ms;",
          httpd_server="    ProxyTimeout 1\n")
    r = server.client.post(CHAT, calls.chat(text="word " * 400, max_tokens=8),
                           fake=why)
    assert r.status in (502, 504)
    line = server.line()
    assert line.source == "estimated"
    assert 200 < line.input < 1000 and line.nusd == 150 * line.input


@pytest.mark.parametrize("status", [429, 500, 502, 504])
def test_call_that_the_provider_refuses_is_free(server, fake, status):
    start(server, fake, "all per=all usd=1/day", keepalive=True)
    r = server.client.post(CHAT, calls.chat(), fake={"status": status})
    line = server.line()
    assert r.status == line.status == status
    assert line.nusd == 0 and line.source != "estimated"


def test_call_that_reaches_nobody_is_free(server):
    server.expect_errors(*UNANSWERED)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        start(server, "http://127.0.0.1:%d" % s.getsockname()[1],
              "all per=all usd=1/day")
        assert post(server).status in (502, 503)
    line = server.line()
    assert line.nusd == 0 and line.source != "estimated"


def test_throttling_waits_for_the_window(server, fake):
    start(server, fake, "slow per=all requests=2/second action=throttle")
    began = time.monotonic()
    assert [post(server).status for _ in range(7)] == [200] * 7
    took = time.monotonic() - began
    assert took > 2
    waited = [line.get("llm.waited_ms", 0) for line in server.lines(7)]
    assert 0 < sum(waited) < 1000 * took


def test_a_slow_body_leaves_as_long_to_wait(server, fake):
    wait = 10                           # seconds
    start(server, fake, "out per=all output_tokens=15/day wait=%ds" % wait)
    first = server.client.open("POST", CHAT, calls.asked_stream(max_tokens=10),
                               fake={"gate": 1})
    fake.wait(1)
    body = json.dumps(calls.chat(max_tokens=10)).encode()
    second = server.client.open("POST", CHAT, body[:10], [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body)))])
    time.sleep(wait + 0.2)
    began = time.monotonic()
    second.sock.sendall(body[10:])
    server.await_taken(second)
    time.sleep(0.3)
    fake.release()
    assert first.read().status == 200
    assert second.read().status == 200
    most = 1000 * (time.monotonic() - began)
    waited = sorted(line.get("llm.waited_ms", 0) for line in server.lines(2))
    assert waited[0] == 0 and 200 < waited[1] <= most


def test_wait_ends_with_a_refusal(server, fake):
    start(server, fake, "out per=all output_tokens=15/day wait=1s")
    first = server.client.open("POST", CHAT, calls.asked_stream(max_tokens=10),
                               fake={"gate": 1})
    fake.wait(1)
    began = time.monotonic()
    r = post(server, max_tokens=10)
    assert r.status == 429
    assert 0.9 < time.monotonic() - began < 30
    assert r.header("Retry-After") is not None
    fake.release()
    assert first.read().status == 200
    server.lines(2)


def test_the_same_call_over_and_over_is_a_loop(server, fake):
    start(server, fake, "loop per=session requests=100/hour repeats=3",
          llm=[("llm_tag", "session", "from=header:x-session")])
    status = [post(server, {"x-session": "s"}).status for _ in range(5)]
    assert status == [200] * 3 + [429] * 2
    assert post(server, {"x-session": "s"}, text="other").status == 200
    assert post(server, {"x-session": "t"}).status == 200
    server.lines(7)


def test_latch_stays_closed(server, fake):
    start(server, fake, "l per=all requests=1/second latch")
    n = 1
    while post(server).status == 200:   # each in a second of its own
        n += 1
        assert n < 100
    time.sleep(1.2)
    assert post(server).status == 429
    server.lines(n + 1)


def test_upstream_errors_cost_nothing_but_a_request(server, fake):
    start(server, fake, "all per=all requests=10/day usd=0.0001/day")
    for _ in range(3):
        assert post(server, model="gpt-4o-mini",
                    extra=1).status == 200
    exchange = server.client.post(CHAT, calls.chat(max_tokens=8),
                                  fake={"status": 500})
    assert exchange.status == 500
    lines = server.lines(4)
    assert lines[3]["llm.cost.total_nusd"] == 0


def crowd(server, n, threads, **more):
    """Statuses of n calls, so many at a time."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda i: post(server, **more).status,
                             range(n)))


def test_concurrent_calls_never_pass_the_cap(server, fake):
    start(server, fake, "a per=all usd=0.0001/day wait=0s",
          "b per=all requests=40/day", workers=2)
    status = crowd(server, 80, 32)
    assert set(status) <= {200, 429}
    lines = server.lines(80)
    cost = sum(line["llm.cost.total_nusd"] for line in lines)
    assert cost == COST * status.count(200)
    assert cost <= 100000
    assert 0 < status.count(200) <= 40


def test_spend_survives_reload_and_restart(server, fake):
    start(server, fake, "all per=all requests=4/day")
    assert post(server).status == 200
    server.reload()
    assert post(server).status == 200
    server.lines(2)
    site = server.site
    server.terminate()
    server.start(site)
    assert [post(server).status for _ in range(3)] == [200, 200, 429]
    server.lines(5)


@pytest.mark.parametrize("name", ["{}/log/llm.jsonl", "log/llm.jsonl"],
                         ids=["absolute", "relative"])
def test_killed_worker_is_swept_and_its_call_billed(server, fake, name):
    site = server.metered(fake, *gated(
        server, "all per=all requests=2/day usd=1/day"), workers=1)
    site.llm[0] = ("llm_log", name.format(server.dir), "flush=0")

    # To the same file, for other calls.

    site.locs.append(Loc("/other/", [
        ("llm", "on"), ("llm_log", server.log, "flush=0")]))
    server.start(site)
    exchange = server.client.open("POST", CHAT, calls.asked_stream(max_tokens=8),
                                  fake={"gate": 1})
    fake.wait(1)
    server.expect_errors("exited on signal 9", "signal Killed",
                         "was not able", "AH00052")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    exchange.close()
    line = server.lines(1)[0]
    assert line["llm.recovered"] is True
    assert line.source == "recovered"
    assert line["llm.cost.total_nusd"] >= COST
    fake.release()
    server.wait_until(lambda: server.workers())
    assert [post(server).status for _ in range(2)] == [200, 429]
    server.lines(3)


def test_call_cut_by_a_fast_stop_costs_what_it_held(server, fake):
    """Its provider may have finished it, and nobody will say so."""
    start(server, fake, "all per=all usd=1/day",
          "out per=all output_tokens=100/day wait=0s")
    exchange = server.client.open(
        "POST", CHAT, calls.asked_stream(max_tokens=60),
        fake={"words": 60, "gate": 8})
    exchange.read_until(b"word2")
    site = server.site
    server.terminate()
    exchange.close()
    line = server.line()
    assert line.source == "recovered"
    assert line["error.type"] == "server_shutdown"
    assert line.nusd == round(line["llm.hold"] * 1e9) > 60 * 600
    server.start(site)
    assert post(server, max_tokens=41).status == 429
    assert post(server, max_tokens=40).status == 200
    server.lines(3)


def test_call_that_is_answered_later_costs_what_it_held(server, fake):
    """Once, and no look at it costs anything."""
    start(server, fake, "all per=all usd=1/day",
          "out per=all output_tokens=100/day wait=0s")
    r = server.client.post("/v1/responses", {
        "model": "gpt-4o", "input": "a b", "background": True,
        "max_output_tokens": 60})
    for _ in range(2):
        done = server.client.get("/v1/responses/" + r.json["id"])
        assert done.json["usage"]["output_tokens"] > 0
    call, *looks = server.lines(3)
    assert call.source == "recovered"
    assert call.nusd == round(call["llm.hold"] * 1e9) > 60 * 10000
    assert [line.nusd for line in looks] == [0, 0]
    assert post(server, max_tokens=41).status == 429
    assert post(server, max_tokens=40).status == 200
    assert server.lines(5)[4].source == "reported"


@pytest.mark.parametrize("knobs", [
    {"headers": {"Content-Encoding": "br"}},
    {"headers": {"Content-Encoding": "gzip"}},      # but it is not
    {"encoding": "gzip", "headers": {"Content-Encoding": "gzip, gzip"}}],
    ids=["br", "no gzip", "twice"])
def test_answer_that_cannot_be_read_costs_what_it_held(server, fake, knobs):
    start(server, fake, "all per=all usd=1/day",
          "out per=all output_tokens=100/day wait=0s")
    for status in (200, 400):
        more = {"status": status} if status != 200 else {}
        r = server.client.post(CHAT, calls.chat("gpt-4o", max_tokens=40),
                               fake={**knobs, **more})
        assert r.status == status
        assert r.body == fake.requests[-1].answer
    read, refused = server.lines(2)
    assert read.source == "recovered"
    assert read.nusd == round(read["llm.hold"] * 1e9) > 40 * 10000
    assert refused.nusd == 0
    assert post(server, max_tokens=61).status == 429
    assert post(server, max_tokens=60).status == 200
    server.lines(4)


def test_fast_stop_leaves_a_call_alone_that_is_complete(server, fake):
    """However fast; its client stays: see Httpd.await_rest()."""
    start(server, fake, "all per=all usd=1/day")
    site = server.site
    for n in range(1, 6):
        exchange = server.client.open("POST", CHAT, calls.chat(max_tokens=8))
        assert exchange.read().status == 200
        server.terminate(at_once=True)
        exchange.close()
        assert server.lines(n)[-1].nusd == COST
        server.start(site)


def test_full_ledger_is_told_in_the_line(server, fake):
    """Of what a client makes up there is room for a 64th."""
    session = ("llm_tag", "session", "from=header:x-session")
    start(server, fake, "each per=session requests=9/day", llm=[session],
          ledger=("size=256k", "full=allow"))
    n = 60
    assert {post(server, {"x-session": str(i)}).status
            for i in range(n)} == {200}
    last = server.lines(n)[-1]
    assert last["llm.decision"] == "allow"
    assert last["llm.rule"] == "ledger_full"


def start_to_die(server, fake):
    """Without a core of who dies; asks for a call's status, 0: there was none."""
    core = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))
    start(server, fake, "all per=all requests=1000/day")
    resource.setrlimit(resource.RLIMIT_CORE, core)

    def status():
        try:
            return post(server).status
        except (OSError, Broken):
            return 0

    return status


@pytest.mark.skipif(bool(os.environ.get("TG_ASAN")), reason="a SIGBUS is told")
def test_ledger_that_is_cut_short_closes_its_quotas(server, fake):
    """What looks into it next dies of that, once; not the server, for ever."""
    server.expect_errors("signal 7", "Bus error", "size was changed",
                         "it was cut from")

    status = start_to_die(server, fake)
    assert status() == 200
    os.truncate(server.path("ledger", "tollgate"), 0)
    server.await_message("it was cut from 1048576 to 0 bytes")
    server.wait_until(lambda: status() == 503, what="a refusal")
    assert [status() for _ in range(3)] == [503] * 3
    server.check_lines = False


@pytest.mark.skipif(bool(os.environ.get("TG_ASAN")), reason="a SIGBUS is told")
def test_counts_that_are_cut_short_stop_no_calls(server, fake):
    server.expect_errors("signal 7", "Bus error", "was cut short")

    status = start_to_die(server, fake)
    assert status() == 200
    os.truncate(server.path("ledger", "tollgate.tally"), 0)
    status()                            # who takes it dies of that
    server.await_message("was cut short")
    server.wait_until(lambda: status() == 200, what="an answer")
    server.check_lines = False


def llmctl(server, *words):
    return subprocess.run(
        [LLMCTL, "ledger", *words, "--ledger=" + server.path("ledger",
                                                             "tollgate")],
        capture_output=True, text=True, timeout=300)


def test_ledger_with_flipped_bytes_is_told_of_at_the_start(server, fake):
    server.expect_errors("is damaged")
    start(server, fake, "all per=all requests=1000/day")
    assert post(server).status == 200
    server.line()
    server.terminate()
    path = server.path("ledger", "tollgate")
    assert llmctl(server, "check").returncode == 0
    key = bytes.fromhex(json.loads(llmctl(server, "dump", "--json").stdout)
                        ["key"])
    rows = bytearray(open(path, "rb").read())
    rows[rows.rindex(key)] ^= 0x10          # of the row, not of the log
    with open(path, "r+b") as f:
        f.write(rows)
    checked = llmctl(server, "check")
    assert checked.returncode == 1 and "NOT SOUND" in checked.stdout
    server.start(server.site)
    server.await_message("is damaged")
    assert post(server).status == 200
    server.lines(2)


def test_ledger_of_another_size_is_left_alone(server, fake):
    server.expect_errors("not size=")
    start(server, fake, "all per=all requests=4/day")
    post(server)
    server.line()
    site = server.site
    path = server.path("ledger", "tollgate")
    before = open(path, "rb").read()
    site.llm = [("llm_ledger", path, "size=2m") if d[0] == "llm_ledger"
                else d for d in site.llm]
    good, messages = server.test_config(site)
    assert not good and "size" in messages
    assert len(open(path, "rb").read()) == len(before)


@pytest.mark.parametrize("quota,why", [
    ("q per=key usd=1", "window"), ("q per=kay usd=1/day", "kay"),
    ("q per=all usd=1/fortnight", "fortnight"),
    ("q per=all usd=1/day when=model", "not a condition"),
    ("q per=all usd=99999999/day", "usd")])
def test_bad_words_are_told(server, fake, quota, why):
    site = server.metered(fake, *gated(server, quota))
    good, messages = server.test_config(site)
    assert not good
    assert why in messages


def test_budgets_without_a_ledger_are_told(server, fake):
    path = server.write("etc/keys.json", keys(
        key("ann"), key("bob", budgets=["usd=1/day"])))
    good, messages = server.test_config(
        server.metered(fake, ("llm_keys", path)))
    assert not good
    assert "keys.json has budgets, and nothing to count them in" in messages


def test_budgets_that_come_later_need_a_ledger_too(server, fake):
    path = server.write("etc/keys.json", keys(key("ann")))
    server.meter(fake, ("llm_keys", path))
    server.expect_errors("nothing to count them in")
    server.write("etc/keys.json", keys(key("bob", budgets=["usd=1/day"])))
    server.await_message("the keys before stay in use")
    assert post(server, bearer("ann")).status == 200
    assert post(server, bearer("bob")).status == 401
    server.lines(2)


def test_json_ledger_needs_no_keys_and_says_what_cannot_work(server, fake):
    site = server.metered(fake, *gated(server, "q per=team usd=1/day"))
    good, messages = server.test_config(site)
    assert good
    assert "all calls share one bucket" in messages


def test_call_left_before_its_answer_is_charged_for(server, fake):
    """Its prompt, at least: the provider has read it."""
    start(server, fake, "all per=all usd=1/day input_tokens=100000/day")
    left = server.client.open("POST", CHAT, calls.chat(text="word " * 400,
                                                       max_tokens=8),
                              fake={"hang": "headers"})
    fake.wait(1)
    left.close()
    line = server.line()
    assert line["error.type"] == "client_closed"
    assert line.source == "estimated" and line.nusd > 0
    assert 200 < line.input < 1000
