"""llmctl report anomalies, forecast, changes: over cost lines of a made-up
company (t/report/deployment.py), against sums made here."""

import csv
import datetime
import gzip
import io
import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "report"))

from deployment import Deployment, Plant     # noqa: E402

LLMCTL = os.environ.get("TG_LLMCTL",
                        os.path.join(HERE, "..", "..", "build", "llmctl"))
DAYS = 70


def report(*args, stdin=None, code=0):
    done = subprocess.run([LLMCTL, "report", *args], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode()


def rows(kind, *args):
    return json.loads(report(kind, "--format=json", "--quiet", *args))[kind]


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The log, the deployment, and its lines, read by nobody's code but ours."""
    d = Deployment(31, DAYS, calls=400)
    f = max((f for f in d.features if f.kind == "rag"), key=lambda f: f.cost())
    d.replaced = (d.features[-1], 30)
    d.plants.append(Plant("retrieval", 50 * 24 + 9, 48, feature=f, by=8,
                          part=0.95))
    d.plants.append(Plant(
        "loop", 62 * 24 + 11, 2, feature=f, calls=800, tokens=9000, done=0,
        session="sess\x1b[2J"))
    name = str(tmp_path_factory.mktemp("series") / "cost.log")
    with open(name, "w") as to:
        d.write(to)
    text = open(name).read().replace("\x1b", "\\u001b")
    with open(name, "w") as to:
        to.write(text)
    d.planted = f
    return name, d, [json.loads(line) for line in text.splitlines()]


def cost(lines, since, until, **where):
    return sum(x["llm.cost.total_nusd"] for x in lines
               if iso(since) <= x["@timestamp"] < iso(until)
               and all(x[k.replace("_", ".", 1)] == v
                       for k, v in where.items()))


def test_what_went_wrong_is_found_and_named(company):
    name, d, _ = company
    found = rows("anomalies", "--since=" + iso(d.time(45 * 24)), name)

    longer = [r for r in found if r["kind"] == "tokens"]
    assert len(longer) == 1, found
    assert longer[0]["what"] in ("key " + d.planted.keys[0],
                                 "tag:feature " + d.planted.name)
    assert iso(d.time(50 * 24 + 9)) < longer[0]["found"] \
        <= iso(d.time(51 * 24 + 9))
    assert longer[0]["now"] > 4 * longer[0]["usual"]
    assert longer[0]["excess_a_day_nusd"] > 0

    loop = [r for r in found if r["kind"] == "loop"]
    assert len(loop) == 1, found
    assert "session sess" in loop[0]["what"]
    assert iso(d.time(62 * 24 + 11)) == loop[0]["since"].replace(".000", "")
    assert loop[0]["now"] >= 350


@pytest.mark.parametrize("by, found", ((2.2, 1), (1.4, 0)))
def test_three_quarters_more_of_a_prompt_are_told_and_less_is_not(tmp_path, by,
                                                                  found):
    d = Deployment(31, DAYS, calls=400)
    f = max((f for f in d.features if f.kind == "rag"), key=lambda f: f.cost())
    d.plants.append(Plant("retrieval", 50 * 24 + 9, 48, feature=f, by=by,
                          part=0.95))
    name = str(tmp_path / "cost.log")
    with open(name, "w") as to:
        d.write(to)
    told = rows("anomalies", "--since=" + iso(d.time(45 * 24)), name)
    assert [r["kind"] for r in told] == ["tokens"] * found


def test_a_look_at_the_time_would_have_said_the_same(company):
    """With the lines up to then alone: what is found does not change later."""
    name, d, _ = company
    since = "--since=" + iso(d.time(45 * 24))
    whole = [r for r in rows("anomalies", since, name)
             if r["found"] <= iso(d.time(55 * 24))]
    then = rows("anomalies", since, "--until=" + iso(d.time(55 * 24)), name)
    assert [(r["found"], r["kind"], r["what"]) for r in whole] \
        == [(r["found"], r["kind"], r["what"]) for r in then]


def test_findings_have_an_exit_code_for_cron(company):
    name, d, _ = company
    report("anomalies", "--exit-code", "--quiet",
           "--since=" + iso(d.time(50 * 24)), name, code=4)
    report("anomalies", "--exit-code", "--quiet",
           "--since=" + iso(d.time(DAYS * 24)), name)


def test_a_terminal_is_not_steered(company):
    name, _, _ = company
    assert "\x1b" not in report("anomalies", "--quiet", name)


def test_nothing_is_said_of_few_days_or_none(company, tmp_path):
    name, d, _ = company
    some = json.loads(report("anomalies", "--format=json", "--quiet",
                             "--until=" + iso(d.time(5 * 24)), name))
    assert some["anomalies"] == []
    assert "less than" in some["short"]
    empty = tmp_path / "empty.log"
    empty.write_text("")
    for kind in ("anomalies", "forecast", "changes"):
        report(kind, "--quiet", str(empty))


def test_gzip_and_pieces_are_the_same(company, tmp_path):
    name, d, lines = company
    text = open(name).read().splitlines(True)
    cut = len(text) // 3
    one, two = tmp_path / "b.log.gz", tmp_path / "a.log"
    with gzip.open(one, "wt") as f:
        f.writelines(text[:cut])
    two.write_text("".join(text[cut:] + text[cut:cut + 50]))
    # In any order of files, and what is there twice counts once.
    for kind in ("anomalies", "forecast"):
        assert rows(kind, name) == rows(kind, str(two), str(one))


def test_forecast_of_a_month(company):
    name, d, lines = company
    now = d.time(45 * 24)
    while now.day not in range(5, 20):
        now += datetime.timedelta(days=1)
    month = now.replace(day=1)
    got = {r["series"]: r for r in rows("forecast", "--until=" + iso(now),
                                        name)}
    assert got["all"]["month_so_far_nusd"] == cost(lines, month, now)
    for team in {x["llm.team"] for x in lines}:
        assert got["team " + team]["month_so_far_nusd"] \
            == cost(lines, month, now, llm_team=team)
    for r in got.values():
        assert r["month_so_far_nusd"] <= r["month_low_nusd"] \
            <= r["month_forecast_nusd"] <= r["month_high_nusd"]
        assert r["month_forecast_nusd"] <= r["year_forecast_nusd"]
    year = rows("forecast", "--to=year", "--until=" + iso(now), name)[0]
    assert "month_forecast" not in year
    assert year["year_forecast"] == got["all"]["year_forecast"]


def test_changes_add_up(company):
    name, d, lines = company
    a, b, c = d.time(20 * 24), d.time(40 * 24), d.time(60 * 24)
    args = ["--before=" + iso(a), "--since=" + iso(b), "--until=" + iso(c),
            "--format=csv", "--quiet"]
    for by in ("team", "tag:feature", "team,model"):
        text = report("changes", "--by=" + by, *args, name)
        got = list(csv.DictReader(io.StringIO(text)))
        assert sum(int(r["before_nusd"]) for r in got) == cost(lines, a, b)
        assert sum(int(r["after_nusd"]) for r in got) == cost(lines, b, c)
        for r in got:
            parts = [int(r["by_%s_nusd" % p])
                     for p in ("volume", "mix", "tokens", "price")]
            assert sum(parts) == int(r["change_nusd"]) \
                == int(r["after_nusd"]) - int(r["before_nusd"])
    # The plant is in its period: it is by tokens that the feature went up.
    row = {r["what"]: r for r in csv.DictReader(io.StringIO(report(
        "changes", "--by=tag:feature", *args, name)))}[d.planted.name]
    assert int(row["by_tokens_nusd"]) > 0.6 * int(row["change_nusd"]) > 0


def test_changes_of_whole_months_compare_months(company):
    name, d, lines = company
    first = d.time(31 * 24).replace(day=1)
    while first - datetime.timedelta(days=31) < d.start:
        first = (first + datetime.timedelta(days=32)).replace(day=1)
    until = (first + datetime.timedelta(days=32)).replace(day=1)
    before = (first - datetime.timedelta(days=1)).replace(day=1)
    got = rows("changes", "--since=" + iso(first), "--until=" + iso(until),
               name)
    assert sum(r["before_nusd"] for r in got) == cost(lines, before, first)
    assert sum(r["after_nusd"] for r in got) == cost(lines, first, until)


def test_what_is_wrong_on_the_command_line_is_said(company):
    name, _, _ = company
    report("anomalies", "--share=x", name, code=1)
    report("anomalies", "--min-usd=-1", name, code=1)
    report("forecast", "--by=day", name, code=1)
    report("forecast", "--to=week", name, code=1)
    report("changes", "--since=2025-03-01", "--until=2025-02-01", name, code=2)
