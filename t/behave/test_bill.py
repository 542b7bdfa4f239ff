"""A run whose bill is known: the lines, the ledger, what is counted, the page and
the report say the same, to the nano-dollar, whatever happens to the server."""

import json
import os
import re
import signal
import subprocess
from decimal import Decimal

import calls
from servers import Loc, root
from test_status import kill_all, samples, total

LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
CHAT = "/v1/chat/completions"
NANO = 10 ** 9
PRICE = {"gpt-4o-mini": (150, 600), "gpt-4o": (2500, 10000)}
INPUT, OUTPUT = 4, 5                    # tokens of a call
TEAMS = ("search", "ads", "")


def bill(model):
    """Of a call, in nano-dollars: by the price list, and by nothing of ours."""
    return INPUT * PRICE[model][0] + OUTPUT * PRICE[model][1]


def site(server, fake):
    path = server.mkdir("ledger") + "/ledger"
    made = server.metered(
        fake, ("llm_tag", "team", "from=header:X-Team"),
        ("llm_ledger", path, "size=1m"),
        ("llm_quota", "month", "per=team", "usd=100/month"))
    made.locs += [
        Loc("/llm/json", [("llm_status", "format=json")]),
        Loc("/llm/page", [("llm_status",)]),
        Loc("/llm/metrics", [("llm_status", "format=prometheus")])]

    return made


def turn(server, sent):
    """Some calls of each team; what they cost is put into `sent`."""
    for i, team in enumerate(TEAMS * 3):
        model = ("gpt-4o-mini", "gpt-4o")[i % 2]
        body = calls.chat(model, max_tokens=20) if i % 3 \
            else calls.asked_stream(model, max_tokens=20)
        assert server.client.post(CHAT, body, {"X-Team": team} if team
                                  else {}).status == 200
        sent.append((team, bill(model)))


def report(server, *words):
    done = subprocess.run(
        [LLMCTL, "report", "spend", "--format=json", *words, server.log],
        capture_output=True, check=True)

    return json.loads(done.stdout)["spend"]


def agree(server, sent, more=0):
    """sent: [(team, nano-dollars)]; more: lines of calls that were cut."""
    lines = server.lines(len(sent) + more)
    cost = sum(line["llm.cost.total_nusd"] for line in lines)
    assert cost >= sum(n for _, n in sent) if more \
        else cost == sum(n for _, n in sent)
    of_team = {team: sum(line["llm.cost.total_nusd"] for line in lines
                         if line.get("llm.team", "") == team)
               for team in TEAMS}

    found = samples(server.client.get("/llm/metrics").body.decode())
    assert total(found, "llm_cost_usd_total") * NANO == cost
    assert total(found, "llm_requests_total") == len(lines)
    assert total(found, "llm_spend_usd", window="month") * NANO == cost
    assert total(found, "llm_untagged_cost_usd_total") * NANO == of_team[""]

    told = server.client.get("/llm/json").json
    assert told["sum"]["cost_nusd"] == cost
    assert told["spend"]["month_nusd"] == cost
    page = server.client.get("/llm/page").body.decode()
    assert "$" + dollars(cost) in re.sub(r"<[^>]*>", "", page)

    row, = report(server)
    assert row["cost_nusd"] == cost and row["calls"] == len(lines)

    for team in TEAMS:
        mine = total(found, "llm_cost_usd_total", team=team) if team else sum(
            v for name, has, v in found
            if name == "llm_cost_usd_total" and "team" not in has)
        assert mine * NANO == of_team[team]

    assert {row["team"] or "": row["cost_nusd"]
            for row in report(server, "--by=team")} == of_team

    # The ledger.

    used = {has["subject"]: v * NANO for name, has, v in found
            if name == "llm_quota_used"}
    assert sum(used.values()) == cost

    for team in ("search", "ads"):
        assert used["team " + team] == of_team[team]

    assert total(found, "llm_quota_held") == 0
    assert total(found, "llm_ledger_slots") == 0


def dollars(nusd):
    """As the page writes them: exact, without zeros at the end."""
    return ("%.9f" % (Decimal(nusd) / NANO)).rstrip("0")


def test_all_say_the_same(server, fake):
    sent = []
    server.start(site(server, fake))
    turn(server, sent)
    agree(server, sent)

    for _ in range(3):
        server.reload()
        turn(server, sent)

    agree(server, sent)


def test_all_say_the_same_when_workers_are_killed(server, fake):
    sent = []
    server.start(site(server, fake))
    turn(server, sent)
    server.lines(len(sent))
    exchange = server.client.open(
        "POST", CHAT, calls.asked_stream(max_tokens=8), {"X-Team": "search"},
        fake={"gate": 1})
    fake.wait(len(sent) + 1)
    server.expect_errors("exited on signal 9", "signal Killed",
                         "was not able", "AH00052")

    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)

    exchange.close()
    server.lines(len(sent) + 1)
    turn(server, sent)
    agree(server, sent, more=1)
    fake.release()


def test_all_say_the_same_when_all_is_killed(server, fake):
    sent = []
    made = site(server, fake)
    server.start(made)
    turn(server, sent)
    agree(server, sent)
    server.expect_errors("exited on signal 9", "signal Killed", "was not able",
                         "AH00052", "AH00051")
    kill_all(server)
    server.start(made)
    turn(server, sent)
    agree(server, sent)
