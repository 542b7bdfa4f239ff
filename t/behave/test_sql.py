"""conf-examples/sql, run by the databases themselves: DuckDB, ClickHouse, and
BigQuery's dialect by way of DuckDB.  What they answer equals what Python says
of the same lines."""

import gzip
import json
import os
import re
import shutil
import sys

import pytest

import calls
from servers import root

sys.path.append(root("t", "shipping"))
import warehouse                                        # noqa: E402
import warehouse_lines as finance                       # noqa: E402

sys.path.append(warehouse.PACKAGES)

pytestmark = pytest.mark.skipif(not warehouse.available(),
                                reason="make test-warehouse")

KINDS = {"string": "VARCHAR|String", "integer": "BIGINT|Int64",
         "boolean": "BOOLEAN|Bool", "array": r"\[\]|Array",
         "number": "DECIMAL|Decimal|DOUBLE|Float64"}
TIMES = "TIMESTAMP|DateTime64"


def number(value):
    return float(value) if not isinstance(value, str) else value


def rows(got):
    return [[number(value) for value in row] for row in got]


@pytest.fixture(params=warehouse.ENGINES)
def engine(request, tmp_path):
    """Of lines: an engine that has loaded them."""
    cls = warehouse.ENGINES[request.param]

    def load(made):
        path = str(tmp_path / "llm.jsonl")
        finance.write(path, made, cls.under)
        return cls(path, str(tmp_path / "db"))

    return load


@pytest.mark.parametrize("seed", range(2))
def test_questions_of_finance_have_the_answer_that_the_lines_have(engine,
                                                                  seed):
    made = finance.lines(seed)
    want, got = finance.answers(made), engine(made).ask()
    assert list(got) == list(want)

    for question, answer in want.items():
        found = rows(got[question])
        assert len(found) == len(answer), question
        for row, right in zip(found, answer):
            assert row == pytest.approx([number(x) for x in right],
                                        rel=1e-12, abs=0.0101), question
            exact = [x for x in right if isinstance(x, int)]
            assert [x for x, y in zip(row, right)
                    if isinstance(y, int)] == exact, question


def schema(name):
    with open(root("docs", name + ".schema.json")) as f:
        return json.load(f)["properties"]


def expected_type(name, says):
    if name == "@timestamp" or name in ("llm.quota.reset", "llm.quota.start"):
        return TIMES
    if "const" in says:
        return KINDS["boolean" if says["const"] is True else "integer"
                     if says["const"] == 1 else "string"]

    return KINDS[says.get("type", "string")]


def test_tables_have_each_field_with_its_type(engine):
    """A field that a newer schema has is not left out without a word."""
    columns = engine(finance.lines(0, 10)).columns()
    fields = {}

    for path in os.listdir(root("docs")):
        kind = re.fullmatch(r"(costline|alert|outcome)\.schema\.json", path)
        if kind:
            fields.update(schema(kind[1]))

    for name, says in fields.items():
        column = name.replace(".", "_").replace("@", "")
        assert column in columns, name
        assert re.search(expected_type(name, says), columns[column]), (
            name, columns[column])

    known = {name.replace(".", "_").replace("@", "") for name in fields}
    assert set(columns) - known <= {"llm_tags_feature"}


def test_real_lines_are_loaded_to_the_nanodollar(server, fake, tmp_path):
    """Both formats; rotated and compressed files, too."""
    under = server.path("log", "under.jsonl")
    server.meter(fake, ("llm_log", under, "format=underscore", "flush=0"),
                 ("llm_tag", "team", "from=header:x-team"),
                 ("llm_tag", "feature", "from=header:x-feature"))

    for i in range(12):
        server.client.post("/v1/chat/completions",
                           calls.chat(text="one " * (i + 1)),
                           {"x-team": "t%d" % (i % 3), "x-feature": "f"})

    lines = server.lines(12)
    total = sum(line.nusd for line in lines)
    logs = str(tmp_path / "llm.jsonl")
    with open(server.log, "rb") as f:
        text = f.read().splitlines(True)
    with open(logs, "wb") as f:
        f.writelines(text[8:])
    with open(logs + ".1", "wb") as f:
        f.writelines(text[4:8])
    with gzip.open(logs + ".2.gz", "wb") as f:
        f.writelines(text[:4])

    duck = warehouse.DuckDB(logs + "*", None)
    sums = "SELECT count(*), sum(llm_cost_total_nusd) FROM llm_calls"
    assert duck.query(sums) == [(12, total)]
    assert duck.query("SELECT DISTINCT feature FROM llm_daily") == [("f",)]

    shutil.copy(under, tmp_path / "under.jsonl")
    house = warehouse.ClickHouse(str(tmp_path / "under.jsonl"),
                               str(tmp_path / "db"))
    assert house.query(sums)[0] == [[12, total]]
    big = warehouse.BigQuery(under, None)
    assert big.query(sums) == [(12, total)]
