"""Tortures a real server: caps, kills, crowds, canaries.

    servers.py nginx|httpd [--seconds N] [--only STAGE]

Each stage has a server, a ledger and a provider of its own.  A figure a line;
fails where something is wrong.
"""

import argparse
import os
import sys
import tempfile
import time

import rig
import truth

import httpd                                            # after rig: its path
import nginx
import stage_cap
import stage_chaos
import stage_crowd
import stage_fleet

SERVERS = {"nginx": nginx.Nginx, "httpd": httpd.Httpd}
MODEL = "gpt-4o-mini"
STAGES = {"cap": (stage_cap.near_cap, 0.2),
          "overshoot": (stage_cap.overshoot, 0.2),
          "chaos": (stage_chaos.chaos, 0.4),
          "crowd": (stage_crowd.crowd, 0.2),
          "strict": (stage_fleet.strict, 0.25),
          "ahead": (stage_fleet.ahead, 0.25)}
DAY = 24 * 3600

# What the provider and the clients do on purpose.
EXPECTED = ("reset by peer", "prematurely closed", "AH01102", "AH01110",
            "AH00898")


class Stage:
    """What a stage works with."""

    def __init__(self, server, report, folder, seconds):
        self.server = server
        self.servers = [server]         # a fleet has more
        self.stores = []
        self.report = report
        self.folder = folder
        self.seconds = seconds
        self.prices = truth.Prices(server.prices, MODEL)
        self.provider = rig.Provider(folder)
        self.look = rig.Look(server.mkdir("ledger") + "/tollgate")

    def clients(self, keys, prefix, **more):
        return rig.Clients(self.server.port, keys, prefix, **more)

    def bills(self):
        self.provider.told()

        return truth.bills(self.provider.books, self.prices)

    def await_free(self, seconds=12):
        """No call holds anything any more; the ledger as it then is."""
        end = time.monotonic() + seconds

        while True:
            dump = self.look.dump()
            held = [e for e in dump["list"]
                    if e["held"] or e["before_held"] or e["open"]]

            if dump["slots"] == 0 and not held:
                return dump
            if time.monotonic() > end:
                self.report.wrong("%d slots and %d entries are held by nobody"
                                  % (dump["slots"], len(held)))
                return dump

            time.sleep(0.1)

    def lines(self):
        """All cost lines; of the ordinary ones some are held against the
        schema."""
        from costlines import check

        lines = self.server.log_of().read()

        for i, line in enumerate(lines):
            if i % 200 == 0 or line.get("llm.recovered"):
                check(line)

        return lines

    def stop(self):
        self.provider.stop()

        for store in self.stores:
            store.close()

        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.process.kill()

    def leave(self):
        """The servers are stopped, and all they wrote is looked through."""
        report, found = self.report, []

        for server in self.servers:
            server.graceful()

        for server in self.servers:
            server.await_exit(40)
            sound = rig.Look(server.path("ledger", "tollgate")).check()
            report.must(sound and sound["wrong"] == 0 and sound["open"] == 0,
                        "the ledger does not fit together: %s" % sound)
            found += rig.canaries(server)

        report.must(not found, "a canary in %s" % found)
        leaks = self.provider.told()["leaks"]
        report.must(leaks == 0, "%d keys went upstream" % leaks)
        report.figure("canaries found", len(found) + leaks)


def away_from_midnight():
    """Windows of a day do not end in the middle."""
    left = DAY - time.time() % DAY

    if left < 300:
        time.sleep(left + 1)


def run(name, kind, report, seconds):
    work, share = STAGES[name]
    server = kind()
    server.check_lines = False
    server.expect_errors(*EXPECTED)

    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        stage = Stage(server, report, folder, seconds * share)
        try:
            work(stage)
            stage.leave()
            for server in stage.servers:
                server.finish()
        except AssertionError as e:
            report.wrong("%s: %s" % (name, str(e)[:2000]))
        finally:
            stage.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--only", choices=STAGES)
    args = parser.parse_args()
    report = rig.Report(args.server)
    away_from_midnight()

    for name in [args.only] if args.only else STAGES:
        run(name, SERVERS[args.server], report, args.seconds)

    report.figure("wrong", report.wrongs)

    return 1 if report.wrongs else 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
