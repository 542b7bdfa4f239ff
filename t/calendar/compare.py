#!/usr/bin/python3
"""Holds the core's windows against Python's zoneinfo.

    compare.py [--all] PROGRAM

PROGRAM is built from windows.c.  For each zone, from 2020 to 2040: every change
of its clocks, every month and Monday, leap days, and instants at random, to the
millisecond before and the second after.  Each zone is read from Debian's file,
which lists the changes up to 2037, and from one that zic makes of the same
source with the rule alone.

What a window is, is said here anew: a date begins at the first instant at which
the zone's clocks show its midnight or later, and lasts until the next date
begins.  A week begins with its Monday, a month with its first.  Hours, minutes
and seconds are those of UTC in every zone.
"""

import argparse
import bisect
import collections
import datetime
import functools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import zoneinfo

FROM, TO = 2020, 2040
ROOT = "/usr/share/zoneinfo"
DAY = datetime.timedelta(days=1)
UTC = datetime.timezone.utc
UNITS = {"second": 1000, "minute": 60000, "hour": 3600000}

ZONES = """
Africa/Cairo Africa/Casablanca Africa/El_Aaiun Africa/Johannesburg Africa/Juba
Africa/Lagos Africa/Nairobi America/Adak America/Anchorage America/Asuncion
America/Caracas America/Chicago America/Denver America/Havana
America/Los_Angeles America/Mexico_City America/New_York America/Nuuk
America/Phoenix America/Santiago America/Sao_Paulo America/Scoresbysund
America/St_Johns America/Tijuana Antarctica/Troll Antarctica/Vostok Asia/Almaty
Asia/Amman Asia/Beirut Asia/Damascus Asia/Dubai Asia/Gaza Asia/Hebron
Asia/Jerusalem Asia/Kabul Asia/Kathmandu Asia/Kolkata Asia/Shanghai
Asia/Singapore Asia/Tehran Asia/Tokyo Asia/Yangon Atlantic/Azores
Australia/Adelaide Australia/Eucla Australia/Lord_Howe Australia/Sydney
Etc/GMT+5 Etc/GMT-14 Europe/Berlin Europe/Dublin Europe/Istanbul Europe/Kyiv
Europe/Lisbon Europe/London Europe/Moscow Europe/Volgograd Pacific/Apia
Pacific/Auckland
Pacific/Chatham Pacific/Easter Pacific/Fiji Pacific/Kiritimati Pacific/Marquesas
Pacific/Norfolk Pacific/Pago_Pago Pacific/Tongatapu UTC
""".split()

# What no clock has done since: dates left out, an evening that comes once more
# after midnight, offsets of odd seconds.
PAST = [("Pacific/Apia", 2009, 2013), ("Pacific/Kwajalein", 1992, 1994),
        ("America/St_Johns", 2005, 2012), ("America/Goose_Bay", 2005, 2012),
        ("Asia/Manila", 1843, 1846), ("America/Juneau", 1866, 1868),
        ("Africa/Monrovia", 1970, 1973), ("Europe/Dublin", 1914, 1918)]

# zic 2.36 makes a file of it whose rule contradicts the last change listed.
FILE_ONLY = {"America/Ojinaga"}


class Oracle:
    """A zone as zoneinfo has it."""

    def __init__(self, name):
        with open(os.path.join(ROOT, name), "rb") as f:
            self.zone = zoneinfo.ZoneInfo.from_file(f, name)
        self.begins = functools.lru_cache(maxsize=None)(self.begins)
        self.around = functools.lru_cache(maxsize=64)(self.around)
        self.missing = self.twice = 0

    def local(self, second):
        """What the clocks show, and nothing else."""
        return datetime.datetime.fromtimestamp(second, self.zone).replace(
            tzinfo=None, fold=0)

    def begins(self, date):
        """The second in which the date begins."""
        midnight = datetime.datetime.combine(date, datetime.time())
        aware = midnight.replace(tzinfo=self.zone, fold=0)
        second = round(aware.astimezone(UTC).timestamp())

        if self.local(second) == midnight:
            # Of two it is the one with fold=0 that comes first.
            self.twice += aware.utcoffset() > \
                aware.replace(fold=1).utcoffset()
            return second

        self.missing += 1
        early, late = second - 2 * 86400, second + 2 * 86400

        while late - early > 1:
            middle = (early + late) // 2
            if self.local(middle) >= midnight:
                late = middle
            else:
                early = middle

        return late

    def window(self, kind, at):
        """(start, end) of the window that lies around the millisecond."""
        if kind in UNITS:
            start = at // UNITS[kind] * UNITS[kind]
            return start, start + UNITS[kind]

        begins = self.around(kind, self.local(at // 1000).date())
        n = bisect.bisect_right(begins, at)

        return begins[n - 1], begins[n]

    def around(self, kind, date):
        """When the periods near the date's begin, in milliseconds."""
        return [self.begins(first(kind, date, n)) * 1000 for n in range(-2, 4)]


def first(kind, date, n):
    """The first date of the period n after that of `date`."""
    if kind == "day":
        return date + n * DAY
    if kind == "week":
        return date + (7 * n - date.weekday()) * DAY

    months = date.year * 12 + date.month - 1 + n

    return datetime.date(months // 12, months % 12 + 1, 1)


def changes(oracle, since, until):
    """The seconds at which the clocks are put on or back."""
    def offset(second):
        return datetime.datetime.fromtimestamp(second, oracle.zone).utcoffset()

    before = offset(since)

    for late in range(since + 86400, until, 86400):
        after, early, before = before, late - 86400, offset(late)

        if before == after:
            continue
        while late - early > 1:
            middle = (early + late) // 2
            if offset(middle) == after:
                early = middle
            else:
                late = middle
        yield late


def instants(oracle, years):
    """(millisecond, kinds of windows)"""
    calendar = ("day", "week", "month")
    every = tuple(UNITS) + calendar
    since, until = (round(datetime.datetime(y, 1, 1, tzinfo=UTC).timestamp())
                    for y in (years[0], years[1] + 1))

    for second in changes(oracle, since, until):
        for s in (second - 1, second, second + 1):
            yield s * 1000, every
            yield s * 1000 + 999, calendar

    date, last = datetime.date(years[0], 1, 1), datetime.date(years[1], 12, 31)

    while date <= last:
        if date.day == 1 or (date.month, date.day) == (2, 29):
            second = oracle.begins(date)
            for s in (second - 1, second, second + 1):
                yield s * 1000, calendar
            yield second * 1000 - 1, calendar
        elif date.weekday() == 0:
            second = oracle.begins(date)
            yield second * 1000 - 1, ("day", "week")
            yield second * 1000, ("day", "week")

        date += DAY

    chance = random.Random("%s %d" % (oracle.zone.key, years[0]))

    for _ in range(300):
        yield chance.randrange(since * 1000, until * 1000), every


def ask(program, questions):
    """The windows, by the program under test."""
    text = "".join("%s %s %d\n" % q for q in questions)
    done = subprocess.run([program], input=text, text=True, check=True,
                          stdout=subprocess.PIPE)
    answers = [tuple(map(int, line.split()))
               for line in done.stdout.splitlines()]
    assert len(answers) == len(questions), "%d answers to %d questions" % (
        len(answers), len(questions))

    return answers


def shown(at):
    return "%d (%s)" % (at, datetime.datetime.fromtimestamp(
        at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds"))


def check(program, rules, name, years, totals):
    oracle = Oracle(name)
    points = [(kind, at) for at, kinds in instants(oracle, years)
              for kind in kinds]
    expected = [oracle.window(kind, at) for kind, at in points]

    for root in (ROOT,) if name in FILE_ONLY else (ROOT, rules):
        path = os.path.join(root, name)
        answers = ask(program, [(path, *point) for point in points])

        for (kind, at), want, got in zip(points, expected, answers):
            totals["windows"] += 1
            if want != got:
                totals["wrong"] += 1
                if totals["wrong"] <= 20:
                    print("%s: %s of %s: %s to %s, not %s to %s" % (
                        path, kind, shown(at), shown(got[0]), shown(got[1]),
                        shown(want[0]), shown(want[1])))

    totals["missing"] += oracle.missing
    totals["twice"] += oracle.twice


def all_zones():
    names = set()

    with open(os.path.join(ROOT, "tzdata.zi"), encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if words[0] in "ZL":
                names.add(words[1] if words[0] == "Z" else words[2])

    return sorted(n for n in names if os.path.exists(os.path.join(ROOT, n)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("--all", action="store_true",
                        help="every name that the system has")
    args = parser.parse_args()

    names = all_zones() if args.all else ZONES
    totals = collections.Counter()

    with tempfile.TemporaryDirectory() as rules:
        zic = shutil.which("zic") or "/usr/sbin/zic"
        subprocess.run([zic, "-b", "slim", "-d", rules,
                        os.path.join(ROOT, "tzdata.zi")], check=True)

        for name, *years in [(n, FROM, TO) for n in names] + PAST:
            check(args.program, rules, name, years, totals)

    print("calendar: midnights that no clock shows %d, that come twice %d" % (
        totals["missing"], totals["twice"]))
    print("calendar: %d/%d windows right in %d zones" % (
        totals["windows"] - totals["wrong"], totals["windows"], len(names)))

    if not totals["missing"] or not totals["twice"]:
        print("calendar: the zones say nothing of such midnights any more")
        return 1

    return 0 if totals["windows"] and not totals["wrong"] else 1


if __name__ == "__main__":
    sys.exit(main())
