"""llmctl report spend: the sums of cost logs, held against Python's on the same
files."""

import collections
import csv
import datetime
import gzip
import io
import json
import os
import resource
import subprocess
import zoneinfo

import pytest

from calls import chat

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "..", "build")
LLMCTL = os.environ.get("TG_LLMCTL", os.path.join(BUILD, "llmctl"))
LINES = os.path.join(BUILD, "report", "lines")
PATH = "/v1/chat/completions"
MIB = 1 << 20


def ctl(*words, code=0, stdin=None, **more):
    done = subprocess.run([LLMCTL, "report", *words], capture_output=True,
                          timeout=300, input=stdin, check=False, **more)
    assert done.returncode == code, done.stderr.decode()

    return done


def report(*words, **more):
    """(rows, what is said on stderr)"""
    done = ctl("spend", "--format=json", *words, **more)

    return json.loads(done.stdout)["spend"], done.stderr.decode()


def make(folder, name, *words):
    """A file of lines, and what is in it."""
    path = os.path.join(str(folder), name)

    with open(path, "wb") as f:
        done = subprocess.run([LINES, *words], stdout=f, check=True,
                              stderr=subprocess.PIPE, timeout=300)

    return path, json.loads(done.stderr)


def dotted(line):
    """A line of format=underscore has other names."""
    if "timestamp" not in line:
        return line

    names = {"timestamp": "@timestamp", "event_id": "event.id",
             "llm_team": "llm.team", "llm_final": "llm.final",
             "gen_ai_response_model": "gen_ai.response.model",
             "gen_ai_usage_input_tokens": "gen_ai.usage.input_tokens",
             "gen_ai_usage_output_tokens": "gen_ai.usage.output_tokens",
             "llm_cost_total_nusd": "llm.cost.total_nusd",
             "llm_tags_app": "llm.tags.app"}

    return {names[k]: v for k, v in line.items() if k in names}


def python_lines(*files):
    """What an independent reader makes of them: each line once."""
    seen = set()

    for name in files:
        with (gzip.open if name.endswith(".gz") else open)(name, "rb") as f:
            for text in f:
                try:
                    line = dotted(json.loads(text))
                except ValueError:
                    continue

                if line["event.id"] not in seen:
                    seen.add(line["event.id"])
                    yield line


def python_sums(lines, key):
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])

    for line in lines:
        row = sums[key(line)]
        row[0] += line["llm.cost.total_nusd"]
        row[1] += line["llm.final"]
        row[2] += line.get("gen_ai.usage.input_tokens", 0)
        row[3] += line.get("gen_ai.usage.output_tokens", 0)

    return {k: tuple(v) for k, v in sums.items()}


def sums(rows, *by):
    return {tuple(row[k] for k in by): (row["cost_nusd"], row["calls"],
                                        row["input_tokens"],
                                        row["output_tokens"])
            for row in rows}


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Rotated, packed, of two formats, some of it twice; and the truth."""
    folder = tmp_path_factory.mktemp("logs")
    one, first = make(folder, "llm.jsonl.1", "--lines=5000", "--nodes=2",
                      "--again=9000", "--torn=4000", "--lost=3000")
    two, second = make(folder, "llm.jsonl", "--lines=3000", "--seed=2",
                       "--start=2026-12-01T00:00:00Z", "--days=20",
                       "--format=underscore")
    packed = os.path.join(str(folder), "llm.jsonl.1.gz")

    with open(one, "rb") as plain, gzip.open(packed, "wb") as f:
        f.write(plain.read())

    return (two, one, packed), {k: first[k] + second[k] for k in first}


def test_sums_are_those_of_the_lines(logs):
    files, truth = logs
    rows, said = report(*files)
    row, = rows

    assert (row["cost_nusd"], row["calls"], row["input_tokens"],
            row["output_tokens"]) == (truth["nusd"], truth["calls"],
                                      truth["input"], truth["output"])
    assert "%d lines of 3 nodes" % truth["lines"] not in said
    assert "%d lines of 2 nodes" % truth["lines"] in said
    assert "%d that are no cost lines" % (2 * truth["torn"]) in said
    assert "%d missing" % (truth["torn"] + truth["lost"]) in said


def call(number, cost="7", more=b""):
    return b'{"@timestamp":"2026-11-01T00:00:00.000Z","event.id":"%d",' \
        b'"llm.final":true,"llm.cost.total_nusd":%s%s}\n' \
        % (number, cost.encode(), more)


GOOD = [call(n) for n in range(10)]
MARK = b"\xef\xbb\xbf"                  # of a byte order


@pytest.mark.parametrize("lines, broken, at", (
    ([MARK + GOOD[0], *GOOD[1:]], 0, 0),
    ([*GOOD[:4], bytes(5000) + GOOD[4], *GOOD[5:]], 1, 5),
    ([*GOOD[:4], bytes(300000) + b"\n", *GOOD[4:]], 1, 5),
    ([*GOOD, call(11, "9" * 400)], 1, 11),
    ([*GOOD, call(11, "1e308"), b"\n", call(12, "1.5e9x")], 2, 11),
    ([b"[" * 200000 + b"\n", b'{"a":' * 90000 + b"1" + b"}" * 90000 + b"\n",
      *GOOD], 2, 1),
    ([*GOOD[:9], call(11, more=b',"llm.team":"' + b"z" * 40 * MIB + b'"'),
      GOOD[9]], 1, 10),
    ([*GOOD, b"y" * 40 * MIB], 1, 11),
    ([*GOOD, b'{"@timestamp":"2026-11-01T00:00:00.000Z","event.id":"a\0b"}\n'],
     1, 11),
), ids=("mark", "zeros", "hole", "digits", "exponent", "deep", "long", "end",
        "nul"))
@pytest.mark.parametrize("packed", (False, True), ids=("plain", "gzip"))
def test_what_is_no_line_is_told_with_its_place(tmp_path, lines, broken, at,
                                                packed):
    first, path = str(tmp_path / "first"), str(tmp_path / "log")

    with open(first, "wb") as f:
        f.write(call(100) * 2)

    with (gzip.open(path, "wb", 1) if packed else open(path, "wb")) as f:
        f.writelines(lines)

    rows, said = report(first, path)
    assert (rows[0]["calls"], rows[0]["cost_nusd"]) == (11, 77)
    assert ("%d that are no cost lines" % broken in said) == (broken != 0)
    assert ("line %d of %s)" % (at, path) in said) == (broken != 0)


def test_a_sum_that_is_too_large_is_told(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(call(1, "9223372036854775807") + call(2))
    rows, said = report(str(path))
    assert rows[0]["cost_nusd"] == 2 ** 63 - 1
    assert "too large" in said


@pytest.mark.parametrize("begin, why", (
    (bytes.fromhex("28b52ffd24"), "zstd"), (b"\xfd7zXZ\0", "xz"),
    (b"BZh91AY", "bzip2"), (b"PK\3\4", "zip"),
    ("{}".encode("utf-16"), "UTF-16")), ids=lambda v: str(v)[:6])
def test_what_is_packed_otherwise_is_refused(tmp_path, begin, why):
    path = tmp_path / "log"
    path.write_bytes(begin + bytes(100))
    assert why in ctl("spend", str(path), code=1).stderr.decode()


@pytest.mark.parametrize("by, key", (
    (("team",), lambda l: (l.get("llm.team"),)),
    (("model", "team"), lambda l: (l["gen_ai.response.model"],
                                   l.get("llm.team"))),
    (("day",), lambda l: (l["@timestamp"][:10],)),
    (("month", "tag_app"), lambda l: (l["@timestamp"][:7],
                                      l.get("llm.tags.app")))))
def test_rows_are_those_of_python(logs, by, key):
    files, _ = logs
    rows, _ = report("--by=" + ",".join(by).replace("tag_", "tag:"), *files)

    assert sums(rows, *by) == python_sums(python_lines(*files), key)
    assert rows == sorted(rows, key=lambda r: [r[k] or "" for k in by]
                          if by[0] in ("day", "month") else -r["cost_nusd"])


def test_days_of_a_zone(logs):
    files, _ = logs
    zone = zoneinfo.ZoneInfo("America/New_York")
    rows, _ = report("--by=day", "--zone=America/New_York", *files)

    def day(line):
        t = datetime.datetime.fromisoformat(line["@timestamp"][:-1] + "+00:00")
        return (t.astimezone(zone).strftime("%Y-%m-%d"),)

    assert sums(rows, "day") == python_sums(python_lines(*files), day)


def test_a_period_and_a_condition(logs):
    files, _ = logs
    rows, _ = report("--since=2026-11-20", "--until=2026-12-05T12:00Z",
                     "--where=team=team-1*,model!=gemini-2.5-flash",
                     "--where=llm.final=true", "--by=team", *files)

    chosen = (line for line in python_lines(*files)
              if "2026-11-20" <= line["@timestamp"] < "2026-12-05T12:00"
              and line.get("llm.team", "").startswith("team-1")
              and line["gen_ai.response.model"] != "gemini-2.5-flash"
              and line["llm.final"])

    assert sums(rows, "team") == python_sums(
        chosen, lambda line: (line.get("llm.team"),))


def test_csv_is_the_same(logs):
    files, _ = logs
    rows, _ = report("--by=team,model", *files)
    text = ctl("spend", "--format=csv", "--by=team,model",
               *files).stdout.decode()

    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(r["team"], r["model"], int(r["cost_nusd"])) for r in read] \
        == [(r["team"] or "", r["model"], r["cost_nusd"]) for r in rows]
    assert all(round(float(r["cost"]) * 1e9) == int(r["cost_nusd"])
               for r in read)


def test_top_rows_and_the_others(logs):
    files, truth = logs
    rows, _ = report("--by=user", "--top=3", *files)
    assert len(rows) == 4
    assert rows[3]["user"].endswith(" others)")
    assert sum(row["cost_nusd"] for row in rows) == truth["nusd"]

    text = ctl("spend", "--by=user", "--top=3", *files).stdout.decode()
    lines = text.splitlines()
    assert lines[0].split()[:2] == ["USER", "COST"]
    assert lines[5].startswith("---")
    assert lines[6].split()[:2] == [
        "all", "%s" % format_money(truth["nusd"])]


def format_money(nusd):
    whole, rest = divmod(nusd, 10 ** 9)

    return ("%s.%09d" % (format(whole, ","), rest)).rstrip("0").rstrip(".")


def test_from_stdin_and_to_a_file(logs, tmp_path):
    files, truth = logs
    out = str(tmp_path / "out.json")

    with open(files[2], "rb") as f:
        packed = f.read()

    done = ctl("spend", "--format=json", "--output=" + out, "--quiet", "-",
               files[0], stdin=packed)
    assert done.stdout == b"" and done.stderr == b""

    with open(out, encoding="utf-8") as f:
        row, = json.load(f)["spend"]

    assert row["cost_nusd"] == truth["nusd"]


def test_values_are_no_formulas_and_steer_nothing(tmp_path):
    path = str(tmp_path / "log")
    names = ["=1+1", "@x", "\x1b[31mred", "a\"b,c", "x\u202ey", "caf\u00e9"]

    with open(path, "w", encoding="utf-8") as f:
        for i, name in enumerate(names):
            f.write(json.dumps({"@timestamp": "2026-11-01T00:00:00Z",
                                "event.id": str(i), "llm.team": name,
                                "llm.final": True,
                                "llm.cost.total_nusd": 6 - i}) + "\n")

    text = ctl("spend", "--by=team", path).stdout.decode()
    assert "\x1b" not in text and "\u202e" not in text and "caf\u00e9" in text

    read = list(csv.DictReader(io.StringIO(
        ctl("spend", "--by=team", "--format=csv", path).stdout.decode(),
        newline="")))
    assert [r["team"] for r in read] == ["'=1+1", "'@x", "?[31mred", "a\"b,c",
                                         "x?y", "caf\u00e9"]

    rows, _ = report("--by=team", path)
    assert [r["team"] for r in rows] == names


@pytest.mark.parametrize("words, said", (
    (("--by=colour", "x"), "no dimension"),
    (("--since=soon", "x"), "no time"),
    (("--zone=Mars/Phobos", "x"), "zone"),
    (("--zone=../../etc/passwd", "x"), "zone"),
    (("--where=team", "x"), "DIMENSION=VALUE"),
    (("--format=pdf", "x"), "format"),
    (("--top=-1", "x"), "top"),
    (("--by=team,team,team,team,team,team,team,team,team", "x"), "too many"),
    ((), "which files")))
def test_what_is_asked_for_wrongly(words, said):
    assert said in ctl("spend", *words, code=2).stderr.decode()


def test_a_file_that_is_not_there_fails(logs):
    done = ctl("spend", logs[0][0], "/nowhere/llm.jsonl", code=1)
    assert "/nowhere/llm.jsonl" in done.stderr.decode()
    assert done.stdout == b""


def test_rows_beyond_the_memory(tmp_path):
    """A row a call, more than are kept in memory; and with little of it."""
    path, truth = make(tmp_path, "log", "--lines=250000", "--users=200000")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (500 * MIB, 500 * MIB))

    done = ctl("spend", "--by=llm.call_id", "--format=csv", path,
               preexec_fn=limit, env={**os.environ, "TMPDIR": str(tmp_path)})
    read = csv.DictReader(io.StringIO(done.stdout.decode(), newline=""))
    costs = [int(row["cost_nusd"]) for row in read]

    assert len(costs) == truth["lines"]
    assert sum(costs) == truth["nusd"]
    assert costs == sorted(costs, reverse=True)
    assert os.listdir(str(tmp_path)) == ["log"]


def test_lines_of_a_server(server, fake):
    """What a server wrote is what is reported of it."""
    server.meter(fake)

    for i in range(5):
        server.client.post(PATH, chat(text="word " * (i + 1)))

    lines = server.lines(5)
    rows, said = report("--by=model", server.log)
    assert sum(row["cost_nusd"] for row in rows) \
        == sum(line.nusd for line in lines) > 0
    assert sum(row["calls"] for row in rows) == 5
    assert "missing" not in said


def test_a_day_whose_midnight_is_skipped_begins_at_the_jump(tmp_path):
    """Santiago's clocks went from 0:00 to 1:00 on 2026-09-06."""
    log = tmp_path / "log"
    log.write_text("".join(
        json.dumps({"@timestamp": f"2026-09-06T{time}Z", "event.id": time,
                    "llm.final": True, "llm.cost.total_nusd": cost}) + "\n"
        for time, cost in (("03:59:59.999", 1), ("04:00:00.000", 20))))
    zone = ("--zone=America/Santiago", str(log))
    whole, _ = report("--by=day", *zone)
    day, _ = report("--since=2026-09-06", "--until=2026-09-07", *zone)
    assert [r["cost_nusd"] for r in whole] == [1, 20]
    assert day[0]["cost_nusd"] == 20


def test_any_tag_is_a_column(logs):
    rows, _ = report('--by=tag:a"b,tag:App', *logs[0])
    assert rows[0]["tag_a_b"] is None and rows[0]["tag_App"] is None


def test_a_period_has_to_end_after_it_begins(logs):
    done = ctl("spend", "--since=2026-11-02", "--until=2026-11-01", *logs[0],
               code=2)
    assert b"--until=2026-11-01: is not after --since=" in done.stderr
