#!/usr/bin/python3
"""Measures llmctl report on cost logs that it makes: plain and gzip, with few
rows and with as many as there are sessions or calls.

Prints one line a figure, `bench report_<name> <value> <unit>`, the rate by the
wall's clock and by the CPU's, and which of the goals are met: 300 MB of lines a
second, less than 200 MB of memory, and the sums that the lines were made with.
A rate is not judged where others use the machine.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from report import figure, goal, table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LLMCTL = os.path.join(ROOT, "build", "llmctl")
LINES = os.path.join(ROOT, "build", "report", "lines")
LEAST = 300                     # MB/s
MOST = 200                      # MB
PIECE = 1 << 20

ROWS = (("all", ()), ("team_model", ("--by=team,model",)),
        ("session", ("--by=session",)), ("call", ("--by=llm.call_id",)))


def run(words, out):
    """(seconds, CPU's seconds, MB at most)"""
    with open(out, "wb") as f:
        begun = time.monotonic()
        child = subprocess.Popen([LLMCTL, "report", "spend", "--format=csv",
                                  "--quiet", *words], stdout=f)
        _, status, usage = os.wait4(child.pid, 0)
        took = time.monotonic() - begun
        child.returncode = os.waitstatus_to_exitcode(status)

    if child.returncode != 0:
        sys.exit("llmctl failed")

    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def total(path):
    """The rows' sum, nano-dollars."""
    with open(path, encoding="utf-8") as f:
        at = f.readline().split(",").index("cost_nusd")

        return sum(int(line.split(",")[at]) for line in f)


def row(name, words, path, size, truth, args):
    out = os.path.join(args.folder, "out.csv")
    quiet = os.getloadavg()[0] < os.cpu_count()
    took, cpu, most = run((*words, path), out)
    mb = size / 1e6

    figure("report_%s" % name, mb / took, "MB/s")
    figure("report_%s_cpu" % name, mb / cpu, "MB/s a core")
    figure("report_%s_memory" % name, most, "MB")

    goal("report by %s" % name, mb / took, LEAST, "MB/s", judged=quiet)
    goal("report by %s, memory" % name, most, MOST, "MB", least=False)
    goal("report by %s, nano-dollars that are wrong" % name,
         abs(total(out) - truth["nusd"]), 0, least=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", default="1G", help="of lines")
    parser.add_argument("--file", help="lines that are there already")
    parser.add_argument("--truth", help="what they were made with")
    args = parser.parse_args()
    args.folder = tempfile.mkdtemp(prefix="tollgate-report-", dir="/var/tmp")
    path = args.file or os.path.join(args.folder, "log")

    try:
        if args.file:
            with open(args.truth, encoding="utf-8") as f:
                truth = json.load(f)
        else:
            with open(path, "wb") as f:
                made = subprocess.run(
                    [LINES, "--bytes=" + args.bytes, "--nodes=5",
                     "--again=200", "--users=1000000", "--keys=5000",
                     "--teams=300"], stdout=f, stderr=subprocess.PIPE,
                    check=True)
            truth = json.loads(made.stderr)

        size = os.path.getsize(path)
        figure("report_input", size / 1e6, "MB")

        for name, words in ROWS:
            row(name, words, path, size, truth, args)

        if not args.file:
            with open(path, "rb") as plain, \
                    gzip.open(path + ".gz", "wb", compresslevel=1) as packed:
                shutil.copyfileobj(plain, packed, PIECE)
            row("gzip", (), path + ".gz", size, truth, args)
    finally:
        shutil.rmtree(args.folder)

    table()


if __name__ == "__main__":
    main()
