"""llmctl report sessions, outcomes and customers, and llmctl trace: the same as
what a few lines of Python make of the same files."""

import collections
import csv
import decimal
import gzip
import io
import json
import os
import random
import statistics
import subprocess

import pytest

from servers import root

LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
NANO = 10 ** 9


def llmctl(*args, code=0):
    done = subprocess.run([LLMCTL, *map(str, args)], capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == code, done.stderr

    return done.stdout if code == 0 else done.stderr


def as_json(*args):
    return json.loads(llmctl(*args, "--format=json", "--quiet"))


def stamp(ms):
    s, ms = divmod(ms, 1000)
    day, s = divmod(s, 86400)
    month, day = 11 + day // 30, day % 30 + 1
    return "2026-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
        month, day, s // 3600, s // 60 % 60, s % 60, ms)


def usd(nusd):
    return json.loads(format(decimal.Decimal(nusd) / NANO, "f"))


class Lines:
    """A log that is made up."""

    def __init__(self, seed=1):
        self.random = random.Random(seed)
        self.lines = []

    def add(self, ms, nusd, **more):
        n = len(self.lines) + 1
        fields = {"@timestamp": stamp(ms), "llm.schema": 1,
                  "event.id": "e%d" % n, "llm.call_id": "c%d" % n,
                  "llm.seq": n, "llm.attempt": 1, "llm.final": True,
                  "llm.node": "n1", "llm.decision": "allow",
                  "llm.cost.total_nusd": nusd, "llm.cost.total": usd(nusd)}
        self.lines.append({**fields, **more})

        return self

    def outcome(self, ms, session, name, value=None, **more):
        n = len(self.lines) + 1
        line = {"@timestamp": stamp(ms), "llm.schema": 1,
                "event.id": "o%d" % n, "event.kind": "outcome",
                "gen_ai.conversation.id": session, "llm.node": "n1",
                "llm.outcome.name": name, **more}
        if value is not None:
            line["llm.outcome.value"] = value
        self.lines.append(line)

        return self

    def many(self, calls=3000, sessions=400, outcomes=300):
        r = self.random

        for _ in range(calls):
            more = {"llm.team": "team-%d" % r.randrange(5),
                    "organization.id": "org-%d" % r.randrange(9),
                    "gen_ai.usage.input_tokens": r.randrange(9000),
                    "gen_ai.usage.output_tokens": r.randrange(900),
                    "event.duration": r.randrange(10 ** 10)}
            if r.random() < 0.9:
                more["gen_ai.conversation.id"] = "s%d" % r.randrange(sessions)
            self.add(r.randrange(50 * 86400000), r.randrange(10 ** 8), **more)

        for _ in range(outcomes):
            self.outcome(r.randrange(50 * 86400000),
                         "s%d" % r.randrange(sessions + 50),
                         r.choice(["resolved", "escalated", "refund"]),
                         r.choice([None, 1, 2.5]))

        r.shuffle(self.lines)

        return self

    def write(self, folder, name="log", pack=False):
        text = "".join(json.dumps(line) + "\n" for line in self.lines)
        path = folder / (name + (".gz" if pack else ""))
        path.write_bytes(gzip.compress(text.encode()) if pack
                         else text.encode())

        return path


def session(line):
    return line.get("gen_ai.conversation.id")


def test_sessions_one_by_one(tmp_path):
    log = Lines().many()
    by = collections.Counter()
    for line in log.lines:
        if session(line) and "llm.final" in line:
            by[session(line)] += line["llm.cost.total_nusd"]
    got = as_json("report", "sessions", log.write(tmp_path, pack=True))
    rows = got["sessions"]
    assert {r["session"]: r["cost_nusd"] for r in rows} == dict(by)
    assert [r["cost_nusd"] for r in rows] == sorted(by.values(), reverse=True)
    table = llmctl("report", "sessions", "--top=3", log.write(tmp_path))
    assert "of no session" in table and "%d sessions" % len(by) in table


def test_sessions_by_team(tmp_path):
    log = Lines(2).many()
    by = collections.defaultdict(collections.Counter)
    for line in log.lines:
        if session(line) and "llm.final" in line:
            by[line["llm.team"]][session(line)] += line["llm.cost.total_nusd"]
    rows = as_json("report", "sessions", "--by=team",
                   log.write(tmp_path))["sessions"]
    assert len(rows) == 5
    for row in rows:
        costs = sorted(by[row["team"]].values())
        assert row["sessions"] == len(costs)
        assert row["cost_nusd"] == sum(costs)
        assert row["cost_per_session_nusd"] == sum(costs) // len(costs)
        assert row["most_nusd"] == costs[-1]
        assert row["median_nusd"] == statistics.median_low(costs)


def outcomes_of(lines):
    """name -> [outcomes, nano-dollars, value in nano], a session's cost divided
    among its outcomes."""
    cost, names = collections.Counter(), collections.defaultdict(list)
    values = collections.Counter()

    for line in lines:
        if line.get("event.kind") == "outcome":
            names[session(line)].append(line["llm.outcome.name"])
            values[line["llm.outcome.name"]] += int(
                line.get("llm.outcome.value", 0) * NANO)
        elif session(line):
            cost[session(line)] += line["llm.cost.total_nusd"]

    out = collections.defaultdict(lambda: [0, 0, 0])

    for s in set(cost) | set(names):
        for name in names[s] or [None]:
            out[name][1] += cost[s] / max(len(names[s]), 1)
            out[name][0] += bool(names[s])

    for name, value in values.items():
        out[name][2] = value

    return out


def test_cost_of_outcomes(tmp_path):
    log = Lines(3).many()
    want = outcomes_of(log.lines)
    got = as_json("report", "outcomes", log.write(tmp_path))
    rows = {r["outcome"]: r for r in got["outcomes"]}
    assert set(rows) == set(want)

    for name, (n, nusd, value) in want.items():
        row = rows[name]
        assert row["outcomes"] == n
        assert abs(row["cost_nusd"] - nusd) < 400      # remainders
        assert (row["value_nusd"] or 0) == value
        if n:
            assert row["cost_per_outcome_nusd"] == row["cost_nusd"] // n

    assert sum(r["cost_nusd"] for r in rows.values()) \
        == sum(line["llm.cost.total_nusd"] for line in log.lines
               if session(line) and "llm.final" in line)


def test_outcomes_by_more(tmp_path):
    log = Lines()
    log.add(1000, 700, **{"gen_ai.conversation.id": "a"})
    log.add(2000, 300, **{"gen_ai.conversation.id": "a"})
    log.add(3000, 11, **{"gen_ai.conversation.id": "b"})
    log.outcome(5000, "a", "resolved", 2, **{"llm.team": "red"})
    log.outcome(6000, "a", "resolved", **{"llm.team": "blue"})
    log.outcome(6000, "z", "resolved", 1, **{"llm.team": "blue"})
    rows = as_json("report", "outcomes", "--by=team",
                   log.write(tmp_path))["outcomes"]
    assert [(r["outcome"], r["team"], r["outcomes"], r["cost_nusd"])
            for r in rows] == [("resolved", "blue", 2, 500),
                               ("resolved", "red", 1, 500),
                               (None, None, 0, 11)]
    text = llmctl("report", "outcomes", log.write(tmp_path))
    assert "1 outcomes are of sessions that have no calls here" in text


def test_customers_and_what_they_pay(tmp_path):
    log = Lines(4).many()
    revenue = {("org-%d" % i, "2026-%d" % m): 1 + i * m
               for i in range(7) for m in (11, 12)}
    text = "\ufeffCustomer,period,revenue,note\n" + "".join(
        '"%s",%s,%d.50,"a ""note"", with a comma"\n' % (*k, v)
        for k, v in revenue.items()) + 'org-0,2027-01,1000,\n"idle, inc.",,5,\n'
    path = tmp_path / "revenue.csv"
    path.write_text(text)
    cost = collections.Counter()
    for line in log.lines:
        if "llm.final" in line:
            cost[line["organization.id"]] += line["llm.cost.total_nusd"]
    got = as_json("report", "customers", "--revenue=%s" % path,
                  log.write(tmp_path))
    rows = {r["customer"]: r for r in got["customers"]}
    assert set(rows) == set(cost) | {"idle, inc."}

    for name, nusd in cost.items():
        paid = sum(v * NANO + NANO // 2 for (who, _), v in revenue.items()
                   if who == name)
        row = rows[name]
        assert (row["cost_nusd"], row["revenue_nusd"] or 0) == (nusd, paid)
        assert row["margin_nusd"] == paid - nusd
        assert (row["loses"] == "yes") == (0 < paid < nusd)

    margins = [r["margin_nusd"] for r in got["customers"]]
    assert margins == sorted(margins)
    table = llmctl("report", "customers", "--revenue=%s" % path,
                   log.write(tmp_path))
    assert "1000 USD of revenue are of months" in table
    assert "no revenue is known" in table

    rows = as_json("report", "customers", "--revenue=%s" % path, "--periods",
                   log.write(tmp_path))["customers"]
    both = {(r["customer"], r["period"]): r["revenue_nusd"] for r in rows}
    assert both["org-3", "2026-11"] == revenue["org-3", "2026-11"] * NANO \
        + NANO // 2
    assert sum(r["cost_nusd"] for r in rows) == sum(cost.values())


@pytest.mark.parametrize("text,why", [
    ("who,what\n", "no columns"),
    ("customer,revenue\na,much\n", "csv:2: the revenue"),
    ("customer,revenue\na,1\n,2\n", "csv:3: the customer"),
    ("customer,revenue,period\na,1,May\n", "csv:2: the period"),
    ('customer,revenue\n"a,1\n', "has a quote that is not closed")])
def test_revenue_that_can_not_be_read(tmp_path, text, why):
    path = tmp_path / "r.csv"
    path.write_text(text)
    assert why in llmctl("report", "customers", "--revenue=%s" % path,
                         Lines().add(0, 1).write(tmp_path), code=1)


def steps():
    log = Lines()
    one = {"gen_ai.conversation.id": "task-1", "gen_ai.response.model": "m1"}
    log.add(4000, 40, **one, **{"llm.tool_calls": 2, "event.duration": NANO})
    log.add(1000, 10, **one, **{"gen_ai.usage.input_tokens": 7,
                                "gen_ai.usage.output_tokens": 3})
    log.add(2000, 5, **{**one, "llm.final": False,
                        "error.type": "upstream_timeout"})
    log.add(3000, 0, **{**one, "llm.decision": "refuse", "llm.rule": "cap",
                        "error.type": "cap", "llm.retry_count": 1,
                        "http.response.status_code": 429})
    log.add(500, 99, **{"gen_ai.conversation.id": "task-2"})
    log.outcome(9000, "task-1", "resolved", 1.5)

    return log


def test_trace_tells_step_by_step(tmp_path):
    log = steps().write(tmp_path)
    got = as_json("trace", "task-1", log)
    rows = got["steps"]
    assert [r["cost_nusd"] for r in rows] == [10, 5, 0, 40, None]
    assert [r["so_far_nusd"] for r in rows] == [10, 15, 15, 55, 55]
    assert [r["seconds"] for r in rows] == [0, 1, 2, 3, 8]
    assert [r["step"] for r in rows] == [1, 2, 3, 4, 5]
    assert rows[0]["input_tokens"] == 7 and rows[3]["tools"] == 2
    assert rows[1]["remark"] == "attempt failed: upstream_timeout"
    assert rows[2]["remark"] == "refused by cap, retry 1"
    assert rows[4]["outcome"] == "resolved"
    text = llmctl("trace", "task-1", log)
    assert "3 calls in 4.0 s" in text or "3 calls in 8.0 s" in text
    assert "1 refused, 1 retries, 1 attempts" in text
    assert "outcome: resolved, 1.5" in text
    assert as_json("trace", "c5", log)["steps"][0]["cost_nusd"] == 99
    assert "no line is of" in llmctl("trace", "nobody", log, code=1)


def test_trace_as_csv(tmp_path):
    text = llmctl("trace", "task-1", "--format=csv", "--quiet",
                  steps().write(tmp_path))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["rule"] for r in rows] == ["", "", "cap", "", ""]
    assert rows[4]["value_nusd"] == str(15 * NANO // 10)


def test_text_of_clients_steers_no_terminal(tmp_path):
    log = Lines().add(0, 5, **{"gen_ai.conversation.id": "\x1b[2Jx",
                               "gen_ai.response.model": "=cmd|' /C calc'!A0"})
    path = log.write(tmp_path)
    assert "\x1b" not in llmctl("report", "sessions", path)
    assert "\x1b" not in llmctl("trace", "c1", path)
    text = llmctl("trace", "c1", "--format=csv", path)
    assert ",=cmd" not in text
