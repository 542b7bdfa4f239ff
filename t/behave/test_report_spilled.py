"""llmctl's reports with more rows than their memory holds: what comes back from
temporary files is what Python makes of the lines, to the nano-dollar, and the
same as with room for all of it."""

import collections
import csv
import decimal
import hashlib
import io
import json
import os
import subprocess
import sys

import pytest

from servers import root

sys.path.insert(0, root("t", "report"))

import focus_check                                      # noqa: E402

LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
LINES = root("build", "report", "lines")
NANO = 10 ** 9
CALLS = 12000


def run(*words, code=0, tmp=None):
    env = {**os.environ, "TMPDIR": str(tmp)} if tmp else None
    done = subprocess.run([LLMCTL, *map(str, words)], capture_output=True,
                          timeout=300, check=False, env=env)
    assert done.returncode == code, done.stderr.decode()

    return (done.stderr if code else done.stdout).decode()


def rows(*words):
    return list(csv.DictReader(io.StringIO(
        run(*words, "--format=csv", "--quiet", "--memory=1"))))


def nusd(text):
    return int(decimal.Decimal(text) * NANO)


class Log:
    """Calls of a user each, nearly; outcomes of every third session."""

    def __init__(self, folder):
        self.path = folder / "calls"
        self.revenue = folder / "revenue.csv"
        outcomes = folder / "outcomes"
        seen = set()

        with open(self.path, "wb") as f:
            subprocess.run([LINES, "--lines=%d" % CALLS, "--nodes=3",
                            "--again=2000", "--users=1000000000", "--keys=5000",
                            "--start=2026-09-01T00:00:00Z", "--days=29"],
                           stdout=f, stderr=subprocess.DEVNULL, check=True,
                           timeout=60)

        self.lines = []

        for line in self.path.read_bytes().splitlines():
            line = json.loads(line)

            if line["event.id"] not in seen:
                seen.add(line["event.id"])
                self.lines.append(line)

        self.cost = sum(line["llm.cost.total_nusd"] for line in self.lines)
        self.sessions = collections.defaultdict(list)

        for line in self.lines:
            self.sessions[line["gen_ai.conversation.id"]].append(line)

        self.resolved = sorted(self.sessions)[::3]

        with open(outcomes, "w", encoding="ascii") as f:
            for n, name in enumerate(self.resolved):
                f.write(json.dumps({
                    "@timestamp": "2026-09-29T00:00:00.000Z",
                    "llm.schema": 1, "event.id": "outcome-%d" % n,
                    "event.kind": "outcome", "llm.outcome.name": "resolved",
                    "llm.outcome.value": 2, "gen_ai.conversation.id": name,
                    "user.id": self.sessions[name][0]["user.id"]}) + "\n")

        with open(self.revenue, "w", encoding="ascii") as f:
            f.write("customer,period,revenue\n")

            for line in self.lines[::2]:
                f.write("%s,2026-09,0.01\n" % line["user.id"])

        self.files = (self.path, outcomes)

    def by(self, *fields):
        sums = collections.Counter()

        for line in self.lines:
            sums[tuple(line.get(f, "") for f in fields)] += \
                line["llm.cost.total_nusd"]

        return sums


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Log(tmp_path_factory.mktemp("spilled"))


def test_spend_of_every_call(log):
    got = rows("report", "spend", "--by=llm.call_id", log.path)
    order = [(-int(r["cost_nusd"]), -int(r["calls"]), r["llm_call_id"])
             for r in got]

    assert {(r["llm_call_id"],): int(r["cost_nusd"]) for r in got} == \
        log.by("llm.call_id")
    assert order == sorted(order)


def test_sessions_by_user(log):
    got = rows("report", "sessions", "--by=user", log.path)
    sessions = collections.defaultdict(set)

    for line in log.lines:
        sessions[line["user.id"]].add(line["gen_ai.conversation.id"])

    assert {(r["user"],): int(r["cost_nusd"]) for r in got} == \
        log.by("user.id")
    assert {r["user"]: int(r["sessions"]) for r in got} == \
        {user: len(names) for user, names in sessions.items()}


def test_outcomes_by_user(log):
    got = rows("report", "outcomes", "--by=user", *log.files)
    expected = collections.Counter()

    for line in log.lines:
        expected[("", line["user.id"])] += line["llm.cost.total_nusd"]

    for name in log.resolved:
        for line in log.sessions[name]:
            expected[("", line["user.id"])] -= line["llm.cost.total_nusd"]
            expected[("resolved", log.sessions[name][0]["user.id"])] += \
                line["llm.cost.total_nusd"]

    assert {(r["outcome"], r["user"]): int(r["cost_nusd"])
            for r in got if int(r["cost_nusd"])} == \
        {key: cost for key, cost in expected.items() if cost}
    assert sum(int(r["outcomes"]) for r in got) == len(log.resolved)


def test_customers_who_are_many(log):
    got = rows("report", "customers", "--revenue=%s" % log.revenue,
               "--by=user", log.path)
    paid = collections.Counter(line["user.id"] for line in log.lines[::2])

    assert {(r["customer"],): int(r["cost_nusd"]) for r in got} == \
        log.by("user.id")
    assert {r["customer"]: nusd(r["revenue"])
            for r in got if r["revenue"]} == \
        {user: n * NANO // 100 for user, n in paid.items()}


def test_focus_by_user(log):
    text = run("report", "focus", "--by=user", "--quiet", "--memory=1",
               log.path)
    got = list(csv.DictReader(io.StringIO(text)))
    users = collections.Counter()

    for r in got:
        users[(json.loads(r["Tags"])["user"],)] += nusd(r["BilledCost"])

    assert focus_check.check(text.splitlines(keepends=True))[0] == []
    assert +users == +log.by("user.id")
    assert sum(int(r["x_Calls"]) for r in got) == \
        sum(line["llm.final"] for line in log.lines)


def test_a_seal_of_many_rows(log, tmp_path):
    seal = tmp_path / "seal.json"
    run("close", "--period=2026-09", "--quiet", "--memory=1",
        "--output=%s" % seal, log.path)
    sealed = json.loads(seal.read_text())
    expected = collections.Counter()

    for line in log.lines:
        expected[(line["@timestamp"][:10], line.get("llm.team", ""),
                  line["llm.key_id"], line["gen_ai.provider.name"],
                  line["llm.provider"], line["gen_ai.request.model"])] += \
            line["llm.cost.total_nusd"]

    assert {tuple(r["key"]): r["nusd"] for r in sealed["rows"]} == expected
    assert sealed["total"]["nusd"] == log.cost
    run("close", "--verify=%s" % seal, "--memory=64", log.path)


ROWS = 200000                           # of a seal, 33 MB


MEASURE = """
import os, subprocess, sys
with open(sys.argv[1], "wb") as out:
    child = subprocess.Popen(sys.argv[2:], stdout=out)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
print(child.returncode, usage.ru_maxrss)
"""


def write_seal(path, rows):
    """As docs/finance.md has it, on one line and with its names in another
    order."""
    sums = (" %d %d %d\n" % ((len(rows),) * 2 + (sum(rows.values()),)))
    digest = hashlib.sha256(
        ("tollgate close 1\n2026-09\nUTC\n1788220800000 1790812800000\n\n%064x\n"
         "total%s" % (0, sums)).encode())

    with open(path, "w", encoding="utf-8") as f:
        f.write('{"rows": [')

        for n, (key, nusd) in enumerate(rows.items()):
            text = json.dumps(key, separators=(",", ":"), ensure_ascii=False)
            digest.update(("%s 1 1 %d\n" % (text, nusd)).encode())
            f.write('%s{"lines":1,"calls":1,"nusd":%d,"key":%s}'
                    % ("," if n else "", nusd, text))

        f.write('], "hash": "%s", "total": {"lines": %d, "calls": %d, "nusd":'
                ' %d}, "tollgate_close": 1, "period": "2026-09", "zone": "UTC",'
                ' "since_ms": 1788220800000, "until_ms": 1790812800000,'
                ' "lines_sum": "%064x"}'
                % (digest.hexdigest(), len(rows), len(rows),
                   sum(rows.values()), 0))


@pytest.mark.memory
def test_a_seal_is_verified_in_little_memory(tmp_path):
    seal, nothing = tmp_path / "seal.json", tmp_path / "nothing"
    nothing.touch()
    rows = {("2026-09-%02d" % (n % 30 + 1), "team-%d" % (n % 9), "key_%d" % n,
             "x" * 60, "", "model \x00 \u00fc"): n * 1000 for n in range(ROWS)}
    write_seal(seal, rows)

    # In a child of a small process, for a child begins with all that its parent
    # has.

    said = subprocess.run([sys.executable, "-c", MEASURE, tmp_path / "out", LLMCTL,
                           "close", "--verify=%s" % seal, "--memory=1",
                           "--format=csv", "--quiet", nothing], timeout=300,
                          capture_output=True, check=True)
    code, most = map(int, said.stdout.split())

    assert code == 1
    assert most < 100000                # KB; the whole file was 310 MB

    with open(tmp_path / "out", encoding="utf-8", newline="") as f:
        got = {(r["day"], r["team"], r["key"]): (int(r["sealed_nusd"]),
                                                 int(r["now_nusd"]))
               for r in csv.DictReader(f)}

    assert got == {key[:3]: (nusd, 0) for key, nusd in rows.items()}


def test_a_seal_that_was_edited_or_cut_off_is_none(tmp_path):
    seal, log = tmp_path / "seal.json", tmp_path / "log"
    log.touch()
    write_seal(seal, {("2026-09-01", "a", "b", "c", "d", "e"): 7,
                      ("2026-09-02", "a", "b", "c", "d", "e"): 0})
    text = seal.read_text()
    run("close", "--verify=%s" % seal, log, code=1)     # it has a line

    for other, why in ((text.replace(":7,", ":8,"), "has been changed"),
                       (text.replace(":0,", ":0.5,"), "has been changed"),
                       (text.replace('"2026-09"', '"2026-09\\u0000"'),
                        "has been changed"),
                       (text.replace('"UTC"', '"UTC\\u0000"'),
                        "has been changed"),
                       (text[:-1], "is no seal"), (text + "x", "is no seal"),
                       (text.replace('"zone"', '"rows": [], "zone"'),
                        "is no seal"),
                       (text.replace("[{", "[1,{"), "is no seal")):
        assert other != text
        seal.write_text(other)
        assert why in run("close", "--verify=%s" % seal, log, code=1)


def test_a_seal_comes_through_a_pipe(log, tmp_path):
    seal = tmp_path / "seal.json"
    run("close", "--period=2026-09", "--quiet", "--output=%s" % seal, log.path)
    said = subprocess.run([LLMCTL, "close", "--verify=-", log.path],
                          stdin=subprocess.Popen(["cat", seal],
                                                 stdout=subprocess.PIPE).stdout,
                          capture_output=True, timeout=60, check=True)
    assert b"is as it was sealed" in said.stdout


REPORTS = (("report", "spend", "--by=llm.call_id"),
           ("report", "spend", "--by=hour,user"),
           ("report", "sessions"),
           ("report", "sessions", "--by=team,user"),
           ("report", "outcomes", "--by=user"),
           ("report", "batch", "--by=user"),
           ("report", "prompts", "--by=user"),
           ("report", "focus", "--by=user", "--period=hour"))


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_memory_changes_nothing(log, words):
    words += ("--format=focus",) if "focus" in words else ("--format=csv",)

    assert run(*words, "--memory=1", *log.files) == \
        run(*words, "--memory=512", *log.files)


# Their rows do not fit; sessions are fewer.
SPILLED = [words for words in REPORTS if words != ("report", "sessions")]


@pytest.mark.parametrize("words", SPILLED, ids=" ".join)
def test_without_room_for_temporary_files_it_fails(log, words, tmp_path):
    said = run(*words, "--memory=1", *log.files, code=1,
               tmp=tmp_path / "none")

    assert "room" in said or "temporary" in said


@pytest.mark.parametrize("memory", ("0", "-1", "1.5", "many", "99999"))
def test_memory_that_is_none(log, memory):
    said = run("report", "spend", "--memory=" + memory, log.path, code=2)

    assert "--memory=%s" % memory in said
