"""What the README says to type is typed."""

import datetime
import json
import os
import re
import subprocess

import calls
import pytest
from costlines import ROOT

CHAT = "/v1/chat/completions"
DAYS = 75
MONTH = "2026-10"                       # there, last month
BETWEEN = ("## Questions finance asks", "## Other builds")
COMMAND = re.compile(r"`(llmctl [^`]+)`")


def questions():
    with open(os.path.join(ROOT, "README.md")) as f:
        text = f.read()

    start, end = (text.index(mark) for mark in BETWEEN)

    return COMMAND.findall(text[start:end].split("\n|", 1)[1])


def real_lines(server, fake):
    """Those of a few calls, of two customers in four sessions."""
    server.meter(fake, ("llm_tag", "team", "from=header:X-Team"),
                 ("llm_tag", "feature", "from=header:X-Feature"),
                 ("llm_tag", "customer", "from=header:X-Customer"),
                 ("llm_tag", "session", "from=header:X-Session"))

    for i in range(8):
        r = server.client.post(CHAT, calls.chat(), [
            ("X-Team", "search"), ("X-Feature", ("rank", "chat")[i % 2]),
            ("X-Customer", ("acme", "umbrella")[i % 2]),
            ("X-Session", "s%d" % (i % 4))])
        assert r.status == 200

    return server.lines(8)


def history(lines, path, now):
    """The same calls on each of many days until yesterday, in all of the month
    before this one, too."""
    with open(path, "w") as f:
        for day in range(DAYS, 0, -1):
            for i, line in enumerate(lines):
                at = now - datetime.timedelta(days=day, hours=i)
                mine = dict(line)
                mine["@timestamp"] = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
                mine["event.id"] += "-%d" % day
                mine["llm.seq"] = (DAYS - day) * len(lines) + i + 1
                f.write(json.dumps(mine) + "\n")

            outcome = {
                "@timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.500Z"),
                "llm.schema": 1, "event.id": "outcome-%d" % day,
                "event.kind": "outcome", "gen_ai.conversation.id": "s1",
                "llm.outcome.name": "ticket_solved", "llm.outcome.value": 1}
            f.write(json.dumps(outcome) + "\n")


def files(folder, lines):
    """What the commands name beside the log."""
    month = lines[0]["@timestamp"][:7]
    spent = sum(line["llm.cost.total_nusd"] for line in lines) * DAYS

    return {
        "revenue.csv": "customer,period,revenue\nacme,%s,100\n"
                       "umbrella,%s,0.0000001\n" % (month, month),
        "invoice.csv": "model,amount\n%s,%.9f\n" % (
            lines[0]["gen_ai.response.model"], spent / 1e9),
        "commitments.json": json.dumps({"commitments": [
            {"id": "tpu", "vendor": "openai", "usd_per_hour": "0.05"}]}),
        "new.conf": "http {\n    llm_prices %s;\n"
                    "    llm_quota all per=team requests=3/day;\n"
                    "    llm_ledger /var/lib/tollgate/ledger;\n"
                    "    server { location / { llm on; } }\n}\n"
                    % os.path.join(ROOT, "prices/default.json"),
        "new.json": open(os.path.join(ROOT, "prices/default.json")).read()}


@pytest.mark.only("nginx", "the log is the same of both")
def test_each_question_has_an_answer(server, fake, tmp_path):
    lines = real_lines(server, fake)
    now = datetime.datetime.utcnow()
    history(lines, tmp_path / "llm.jsonl", now)

    for name, text in files(tmp_path, lines).items():
        (tmp_path / name).write_text(text)

    asked = questions()
    assert len(asked) >= 15
    last = (now.replace(day=1) - datetime.timedelta(days=1)).strftime("%Y-%m")
    path = {**os.environ, "PATH": os.path.join(ROOT, "build") + ":" + os.environ["PATH"]}

    for command in asked:
        shown = command.replace("SESSION", "s1").replace(MONTH, last)
        done = subprocess.run(shown, shell=True, cwd=tmp_path, env=path,
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (shown, done.stdout, done.stderr)
        assert done.stdout.strip() or "--output" in shown, shown

    assert (tmp_path / (last + ".seal.json")).stat().st_size > 0
