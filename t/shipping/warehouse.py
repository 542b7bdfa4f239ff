"""Databases that run conf-examples/sql as it is."""

import datetime
import json
import os
import re
import subprocess
import sys

import warehouse_lines as finance

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PACKAGES = os.path.join(ROOT, "build", "py")
SQL = os.path.join(ROOT, "conf-examples", "sql")


def read(name):
    with open(os.path.join(SQL, name), encoding="utf-8") as f:
        return f.read()


def statements(text):
    """Split at semicolons, without comments."""
    text = re.sub(r"(?m)--.*$", "", text)

    return [s.strip() for s in text.split(";") if s.strip()]


def questions(name):
    """{question: query}"""
    parts = re.split(r"(?m)^-- question: (.*)$", read(name))[1:]

    return dict(zip(parts[::2], (s for part in parts[1::2]
                                 for s in statements(part))))


class DuckDB:
    """format=json, right from the files.  Not in UTC: days are UTC's all the
    same."""
    under = False

    def __init__(self, paths, _):
        import duckdb
        self.con = duckdb.connect()
        self.con.execute("SET TimeZone = 'America/New_York'")
        self.con.execute("SET VARIABLE logs = '%s'" % paths)
        self.con.execute("SET VARIABLE month = DATE '%s'" % finance.MONTH)
        self.con.execute(read("duckdb.sql"))
        self.con.executemany("INSERT INTO revenue VALUES (?, ?, ?)",
                             finance.REVENUE)

    def query(self, text):
        return self.con.execute(text).fetchall()

    def columns(self):
        return {row[0]: row[1] for row in self.query("DESCRIBE llm_lines")}

    def ask(self):
        return {q: self.query(text)
                for q, text in questions("duckdb-questions.sql").items()}


class BigQuery:
    """Its dialect, read by sqlglot and run by DuckDB."""
    under = True

    def __init__(self, path, _):
        import duckdb
        self.con = duckdb.connect()
        self.con.execute("SET TimeZone = 'UTC'")
        tables = statements(read("bigquery.sql"))
        self.run(tables[0])
        known = {row[0]: row[1] for row in self.query("DESCRIBE llm_lines")}
        self.con.execute(
            "INSERT INTO llm_lines BY NAME SELECT * FROM read_json('%s', "
            "columns = {%s})" % (path, ", ".join(
                "'%s': '%s'" % column for column in known.items())))
        for text in tables[1:]:
            self.run(text)
        self.con.executemany("INSERT INTO revenue VALUES (?, ?, ?)",
                             finance.REVENUE)

    def run(self, text):
        import logging

        import sqlglot
        logging.getLogger("sqlglot").setLevel(logging.ERROR)
        tree = sqlglot.parse_one(text, read="bigquery",
                                 error_level=sqlglot.ErrorLevel.RAISE)
        text = tree.sql(dialect="duckdb")
        month = {"month": finance.MONTH} if "$month" in text else None

        return self.con.execute(text, month).fetchall()

    def query(self, text):
        return self.con.execute(text).fetchall()

    def columns(self):
        return {row[0]: row[1] for row in self.query("DESCRIBE llm_lines")}

    def ask(self):
        return {q: self.run(text)
                for q, text in questions("bigquery-questions.sql").items()}


class ClickHouse:
    """A process of its own: it brings its allocator and signal handlers."""
    under = True

    def __init__(self, path, folder):
        self.folder = folder
        insert = "INSERT INTO llm_lines FROM INFILE '%s' FORMAT JSONEachRow"
        revenue = ", ".join("('%s', '%s', %s)" % row
                            for row in finance.REVENUE)
        self.setup = statements(read("clickhouse.sql")) + [
            insert % path, insert % path,               # twice
            "INSERT INTO revenue VALUES " + revenue,
            "SYSTEM REFRESH VIEW llm_daily", "SYSTEM WAIT VIEW llm_daily"]

    def query(self, *texts):
        done = subprocess.run(
            [sys.executable, os.path.abspath(__file__), self.folder],
            input=json.dumps(self.setup + list(texts)), text=True,
            capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        self.setup = ["USE llm"]

        return json.loads(done.stdout)[-len(texts):]

    def columns(self):
        rows, = self.query("DESCRIBE llm_lines")

        return {row[0]: row[1] for row in rows if row[0] != "version"}

    def ask(self):
        asked = questions("clickhouse-questions.sql")

        return dict(zip(asked, self.query(*asked.values())))


def clickhouse(folder):
    """The process: statements on stdin, their rows on stdout."""
    sys.path.insert(0, PACKAGES)
    from chdb import session
    con, rows = session.Session(folder), []

    for text in json.load(sys.stdin):
        got = str(con.query(text, "JSONCompactEachRow",
                            params={"month": str(finance.MONTH)}))
        rows.append([json.loads(line) for line in got.splitlines()])

    print(json.dumps(rows))


def available():
    return os.path.exists(os.path.join(PACKAGES, ".done"))


ENGINES = {"duckdb": DuckDB, "bigquery": BigQuery, "clickhouse": ClickHouse}
UTC = datetime.timezone.utc

if __name__ == "__main__":
    clickhouse(sys.argv[1])
