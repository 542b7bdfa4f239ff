"""llmctl's help: for people on stdout, for mistakes on stderr."""

import os
import subprocess

import pytest
from servers import root

LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
COMMANDS = ("check cost key budget why explain simulate trace ledger node"
            " backend report reconcile close reference").split()


def run(*args):
    done = subprocess.run([LLMCTL, *args], capture_output=True, text=True,
                          timeout=60)

    return done.returncode, done.stdout, done.stderr


def test_all_commands_are_listed():
    for word in ("help", "--help", "-h"):
        rc, out, err = run(word)
        assert rc == 0 and not err
        assert [line.split()[1] for line in out.splitlines()
                if line.startswith("  llmctl ")] == [
                    *dict.fromkeys(COMMANDS)], out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_takes(command):
    for words in ((command, "--help"), ("help", command),
                  (command, "x", "-h")):
        rc, out, err = run(*words)
        assert rc == 0 and not err, words
        assert "llmctl " + command in out
        assert command == "report" or len(out) < 1500


def test_a_command_that_is_none_is_named():
    rc, out, err = run("bogus", "--help")
    assert rc == 2 and not out
    assert "bogus" in err and "llmctl help" in err and len(err) < 200


def test_man_page_has_each_command():
    rc, out, _ = run("reference", "man1")
    assert rc == 0
    with open(root("docs", "llmctl.1")) as f:
        assert f.read() == out
    assert [line.split()[2] for line in out.splitlines()
            if line.startswith(".B llmctl ")] == COMMANDS
