"""llm_status: what was spent, as JSON and for Prometheus, and that it is what the
cost lines say."""

import json
import os
import re
import shutil
import signal
import subprocess
from decimal import Decimal

import calls
from servers import Loc

CHAT = "/v1/chat/completions"
SAMPLE = re.compile(r'([a-z_]+)(?:\{(.*)\})? (\S+)\Z')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
TEAM = ("llm_tag", "team", "from=header:X-Team")

# Where a .tally says what layout it has.
LAYOUT = 8


def started(server, fake, *llm, **more):
    site = server.metered(fake, *llm, **more)
    site.locs += [
        Loc("/llm/status", [("llm_status", "format=json")]),
        Loc("/llm/metrics", [("llm_status", "format=prometheus")])]

    return server.start(site)


def status(server):
    r = server.client.get("/llm/status")
    assert r.status == 200
    assert r.header("Content-Type") == "application/json"

    return r.json


def page(server):
    r = server.client.get("/llm/metrics")
    assert r.status == 200
    assert r.header("Content-Type").replace(" ", "") \
        == "text/plain;version=0.0.4;charset=utf-8"

    return r.body.decode()


def samples(text):
    """[(name, {label: value}, Decimal)]"""
    made = []

    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            made.append((name, dict(LABEL.findall(labels or "")),
                         Decimal(value)))

    return made


def total(found, name, **labels):
    return sum(value for n, has, value in found
               if n == name and labels.items() <= has.items())


def agree(server, n):
    """Lines, JSON and Prometheus say the same, to the nano-dollar."""
    lines = server.lines(n)
    found, told = samples(page(server)), status(server)
    cost = sum(line["llm.cost.total_nusd"] for line in lines)
    tokens = sum(line.get("gen_ai.usage.input_tokens", 0)
                 + line.get("gen_ai.usage.output_tokens", 0)
                 for line in lines)

    assert total(found, "llm_cost_usd_total") == Decimal(cost) / 10 ** 9
    assert told["sum"]["cost_nusd"] == cost
    assert Decimal(str(told["sum"]["cost_usd"])) == Decimal(cost) / 10 ** 9
    assert sum(s["cost_nusd"] for s in told["series"]) == cost
    assert total(found, "llm_requests_total") == n
    assert told["sum"]["requests"] == n
    assert total(found, "llm_tokens_total") == tokens
    assert told["sum"]["tokens"]["all"] == tokens

    return found, told


def test_page_says_what_the_lines_say(server, fake):
    started(server, fake, TEAM)

    for call in calls.PLAIN:
        if call.host == "api.openai.com":
            assert call.send(server.client).status == 200

    n = sum(call.host == "api.openai.com" for call in calls.PLAIN)

    for team in ("search", "search", "ads"):
        body = calls.asked_stream(max_tokens=20)
        r = server.client.post(CHAT, body, (("X-Team", team),))
        assert r.status == 200

    assert server.client.post(CHAT, calls.chat("error-500")).status == 500

    found, told = agree(server, n + 4)
    assert total(found, "llm_requests_total", team="search") == 2
    assert total(found, "llm_requests_total", outcome="server_error") == 1
    assert told["sum"]["outcomes"]["server_error"] == 1
    assert total(found, "llm_request_duration_seconds_count") == n + 4
    assert total(found, "llm_time_to_first_chunk_seconds_bucket", le="+Inf") \
        >= n + 3


def test_page_outlives_reloads(server, fake):
    started(server, fake, TEAM)

    for n in range(1, 4):
        assert server.client.post(CHAT, calls.chat()).status == 200
        server.lines(n)
        server.reload()

    agree(server, 3)


def test_calls_of_a_killed_process_are_counted(server, fake):
    """As the line that another process writes for them says."""
    path = server.mkdir("ledger") + "/ledger"
    started(server, fake, TEAM, ("llm_ledger", path, "size=1m"),
            ("llm_quota", "budget", "per=team", "usd=10/day"))
    exchange = server.client.open(
        "POST", CHAT, calls.asked_stream(max_tokens=8), (("X-Team", "search"),),
        fake={"gate": 1})
    fake.wait(1)
    server.expect_errors("exited on signal 9", "signal Killed",
                         "was not able", "AH00052")

    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)

    exchange.close()
    line = server.line()
    assert line.source == "recovered" and line["llm.cost.total_nusd"] > 0

    found, _ = agree(server, 1)
    assert total(found, "llm_requests_total", outcome="cut",
                 team="search") == 1
    fake.release()


def test_refusals_are_counted_by_rule(server, fake):
    path = server.mkdir("ledger") + "/ledger"
    started(server, fake, TEAM, ("llm_ledger", path, "size=1m"),
            ("llm_quota", "few", "per=team", "requests=2/day"))

    for want in (200, 200, 429, 429):
        r = server.client.post(CHAT, calls.chat(max_tokens=8),
                               (("X-Team", "search"),))
        assert r.status == want

    found, told = agree(server, 4)
    assert total(found, "llm_refusals_total", rule="few") == 2
    assert total(found, "llm_requests_total", outcome="refused") == 2
    assert told["rules"] == [{"rule": "few", "refused": 2, "dry_refused": 0}]


def test_routes_and_providers_are_told_of(server, fake, fake2):
    site = server.routed([("one", fake, "dialect=openai"),
                          ("two", fake2, "dialect=openai")],
                         ("llm_route", "pair", "to=one,two"))
    site.locs = [Loc("/llm/status", [("llm_status", "format=json")]),
                 Loc("/llm/metrics", [("llm_status", "format=prometheus")]),
                 *site.locs]
    server.expect_errors("proxy", "connect", "AH0")
    server.start(site)
    fake.stop()

    for _ in range(6):
        assert server.client.post(CHAT, calls.chat()).status == 200

    found, told = agree(server, 6)
    assert [{name: r[name] for name in ("route", "taken", "dry_taken",
                                        "fallbacks")}
            for r in told["routes"]] \
        == [{"route": "pair", "taken": 6, "dry_taken": 0, "fallbacks": 5}]
    assert told["providers"] == [{"provider": "one", "up": False},
                                 {"provider": "two", "up": True}]
    assert total(found, "llm_route_requests_total", route="pair") == 6
    assert total(found, "llm_provider_up", provider="one") == 0
    assert total(found, "llm_provider_up", provider="two") == 1


def test_made_up_names_stay_under_the_cap(server, fake):
    started(server, fake, TEAM, ("llm_metrics", "labels=team", "series=5"))
    client = server.client

    for i in range(40):
        client.post(CHAT, calls.chat(), (("X-Team", 'team-"%d\\' % i),))

    found, told = agree(server, 40)
    teams = {has.get("team") for name, has, _ in found
             if name == "llm_cost_usd_total"}
    assert len(teams - {None}) == 5
    assert total(found, "llm_requests_total", overflow="true") == 35
    assert total(found, "llm_series_overflow_total") == 35
    assert 'team-\\"0\\\\' in teams


def test_labels_are_what_is_asked_for(server, fake):
    started(server, fake, TEAM, ("llm_tag", "feature-x", "from=header:X-F"),
            ("llm_metrics", "labels=operation,tag:feature-x"))
    server.client.post(CHAT, calls.chat(), (("X-Team", "a"), ("X-F", "chat")))

    found, _ = agree(server, 1)
    assert total(found, "llm_requests_total", operation="chat",
                 tag_feature_x="chat") == 1
    assert not total(found, "llm_requests_total", team="a")


def test_wrong_words_are_named(server, fake):
    for words, says in (
            (("llm_metrics", "labels=colour"), "labels= has \"colour\""),
            (("llm_metrics", "labels=tag:none"), "tag:none"),
            (("llm_metrics", "labels=tag:a-b,tag:a_b"), "two tags"),
            (("llm_metrics", "series=0"), "series=0 is no number"),
            (("llm_metrics", "shape=round"), "shape=round")):
        accepted, messages = server.test_config(server.metered(fake, words))
        assert not accepted and says in messages, messages

    site = server.metered(fake)
    site.locs.append(Loc("/x", [("llm_status", "format=xml")]))
    accepted, messages = server.test_config(site)
    assert not accepted and "format=" in messages


def test_only_get_is_answered(server, fake):
    started(server, fake)
    assert server.client.post("/llm/metrics", {}).status == 405
    r = server.client.send("HEAD", "/llm/metrics")
    assert r.status == 200 and not r.body


def test_prometheus_own_checker_is_content(server, fake):
    started(server, fake, TEAM)
    server.client.post(CHAT, calls.chat())
    server.lines(1)
    text = page(server)

    for line in text.splitlines():
        assert line.startswith("# ") or SAMPLE.match(line), line

    assert len(set(text.splitlines())) == len(text.splitlines())

    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"],
                              input=text.encode(), capture_output=True)
        assert done.returncode == 0 and not done.stderr, done.stderr
    else:
        assert json.dumps(sorted({n for n, _, _ in samples(text)}))


def test_what_is_counted_outlives_a_kill_of_all(server, fake):
    """Master and all; the numbers of lines go on, too."""
    path = server.mkdir("ledger") + "/ledger"
    site = started(server, fake, TEAM, ("llm_ledger", path, "size=1m")).site
    assert server.client.post(CHAT, calls.chat()).status == 200
    agree(server, 1)
    server.expect_errors("exited on signal 9", "signal Killed", "was not able",
                         "AH00052", "AH00051")
    kill_all(server)
    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 200
    agree(server, 2)
    assert [line["llm.seq"] for line in server.lines(2)] == [1, 2]
    assert os.stat(path + ".tally").st_mode & 0o777 == 0o600


def test_what_routes_did_outlives_a_restart(server, fake, fake2):
    path = server.mkdir("ledger") + "/ledger"
    site = server.routed([("one", fake, "dialect=openai"),
                          ("two", fake2, "dialect=openai")],
                         ("llm_route", "pair", "to=one,two"),
                         ("llm_ledger", path, "size=1m"))
    site.locs = [Loc("/llm/status", [("llm_status", "format=json")]),
                 *site.locs]
    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 200
    server.lines(1)
    server.terminate()
    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 200
    server.lines(2)
    assert [r["taken"] for r in status(server)["routes"]] == [2]


def test_counts_of_another_version_are_kept_aside(server, fake):
    path = server.mkdir("ledger") + "/ledger"
    site = started(server, fake, TEAM, ("llm_ledger", path, "size=1m")).site
    assert server.client.post(CHAT, calls.chat()).status == 200
    agree(server, 1)
    server.terminate()

    with open(path + ".tally", "r+b") as f:
        f.seek(LAYOUT)
        other = bytes([f.read(1)[0] ^ 1])
        f.seek(LAYOUT)
        f.write(other)

    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert server.lines(2)[1]["llm.seq"] == 1
    assert "begun anew" in server.messages()

    with open(path + ".tally.old", "rb") as f:
        f.seek(LAYOUT)
        assert f.read(1) == other


def kill_all(server):
    for pid in [server.process.pid, *server.workers()]:
        os.kill(pid, signal.SIGKILL)

    server.process.wait()
    server.wait_until(lambda: not left(server), what="its processes' end")


def left(server):
    try:
        os.killpg(server.process.pid, 0)
    except ProcessLookupError:
        return False

    return True


def test_a_tally_that_is_none_is_told_of(server, fake):
    path = server.mkdir("ledger") + "/ledger"

    with open(path + ".tally", "w") as f:
        f.write("somebody's letters\n" * 100)

    server.expect_errors(r"\.tally.*no file of ours")
    started(server, fake, TEAM, ("llm_ledger", path, "size=1m"))
    assert server.client.post(CHAT, calls.chat()).status == 200
    agree(server, 1)


def test_a_test_of_the_configuration_makes_no_tally(server, fake):
    path = server.mkdir("ledger") + "/ledger"
    accepted, messages = server.test_config(
        server.metered(fake, ("llm_ledger", path, "size=1m")))
    assert accepted, messages
    assert not os.listdir(os.path.dirname(path))


def test_who_asks_for_a_form_gets_it(server, fake):
    site = server.metered(fake)
    site.locs += [Loc("/status", [("llm_status",)]),
                  Loc("/json", [("llm_status", "format=json")]),
                  Loc("/metrics", [("llm_status", "format=prometheus")])]
    client = server.start(site).client
    openmetrics = "application/openmetrics-text"

    for path, accept, kind in (
            ("/status", "", "text/html"),
            ("/status?format=json", "", "application/json"),
            ("/status?a=b&format=json&c", "", "application/json"),
            ("/status?format=prometheus", "", "text/html"),
            ("/json?format=html", openmetrics, "application/json"),
            ("/metrics", "", "text/plain"),
            ("/metrics?format=json", "text/html", "text/plain"),
            ("/metrics", openmetrics, openmetrics),
            ("/metrics", openmetrics + "; version=0.0.1", "text/plain"),
            ("/metrics", openmetrics + ";q=0", "text/plain"),
            ("/metrics", openmetrics + ";version=1.0.0;q=0.5," + openmetrics
             + ";version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
             openmetrics),
            ("/metrics", "text/plain;q=0.9, %s;q=0.3" % openmetrics,
             "text/plain")):
        r = client.get(path, (("Accept", accept),) if accept else ())
        assert r.status == 200
        assert r.header("Content-Type").split(";")[0] == kind, (path, accept)
        assert r.header("Cache-Control") == "no-store"
        assert r.header("X-Content-Type-Options") == "nosniff"
        assert kind != "text/html" or r.header("Content-Security-Policy")
