"""What the cost lines of a load have to say.

A load ends in mid-air: calls that are under way then are cut off by their
client, or are read when it has left already. Such a line says so, and says
when; each belongs to the end of one load, and a load has no more of them than
connections. Every other line is of a call that was answered whole.
"""

import datetime
import json
import time

from rig import BenchError

SAMPLE = 1000                   # of the lines of whole calls one is read
GRACE = 1.0                     # seconds until a server knows of an end
STALE = 0.25                    # nginx sees the clock once a round of events


def ended(line):
    start = datetime.datetime.fromisoformat(
        line["@timestamp"].replace("Z", "+00:00"))

    return start.timestamp() + line["event.duration"] / 1e9


def attributed(line):
    return line.get("llm.team") == "search" \
        and line.get("gen_ai.conversation.id", "") != "" \
        and line.get("gen_ai.request.model") == "gpt-4o-mini"


def whole(line):
    return attributed(line) and line["llm.cost.total_nusd"] > 0 \
        and line.get("llm.usage.source") == "reported" \
        and line["http.response.status_code"] == 200


def cut(line):
    """By its client: before the answer, in the middle of it, or between the
    usage and the end."""
    if not attributed(line) or line["error.type"] != "client_closed":
        return False

    if "http.response.body.bytes" not in line:
        return line["llm.cost.total_nusd"] == 0 \
            and line["http.response.status_code"] == 499

    if line["http.response.status_code"] != 200:
        return False

    # A head without a body yet.

    if line["http.response.body.bytes"] == 0:
        return line.get("llm.usage.source") in ("estimated", "none")

    return line["llm.cost.total_nusd"] > 0 \
        and line.get("llm.usage.source") in ("estimated", "reported")


def at_end_of(loads, line):
    """The index of the load whose end cut it off."""
    end = ended(line)

    for i, load in enumerate(loads):
        if load.end - STALE <= end <= load.gone + GRACE:
            return i

    return None


def check(server, fields={}):
    """(whole calls, calls cut off) of its log; BenchError where a line is not
    as it should be, or one is missing or too many.  fields: what each says of
    a whole call besides."""
    wholes, cuts = 0, [0] * len(server.loads)

    def wrong(text, why):
        raise BenchError("%s %s: %s: %s" % (
            server.kind, server.name, why,
            text.decode("utf-8", "replace").strip()))

    with open(server.log, "rb") as f:
        for text in f:
            if b'"error.type"' not in text:
                wholes += 1
                if wholes % SAMPLE == 1:
                    line = json.loads(text)
                    if not whole(line) or not fields.items() <= line.items():
                        wrong(text, "not the line of a whole call")
                continue

            line = json.loads(text)
            load = at_end_of(server.loads, line)
            if not cut(line):
                wrong(text, "a call failed")
            if load is None:
                wrong(text, "cut off, but no load ended then")
            cuts[load] += 1

    for load, n in zip(server.loads, cuts):
        if n > load.open:
            raise BenchError("%s %s: %d calls cut off at the end of a load of"
                             " %d connections" % (server.kind, server.name, n,
                                                  load.open))

    # Some are answered between the client's last look and its end; httpd hears of
    # some who leave with all of an answer before it has come to the answer's end.

    asked = sum(load.calls for load in server.loads)
    most = asked + sum(load.open for load in server.loads)
    if not asked <= wholes + sum(cuts) <= most:
        raise BenchError("%s %s: %d calls and at most %d at the ends, but %d"
                         " lines and %d cut off" % (
                             server.kind, server.name, asked, most - asked,
                             wholes, sum(cuts)))

    return wholes, sum(cuts)


def check_all_cut(server, count):
    """The same, of a server whose calls were all cut off, and so many."""
    deadline = time.monotonic() + 10

    while time.monotonic() < deadline:
        time.sleep(0.2)
        with open(server.log, "rb") as f:
            if f.read().count(b"\n") >= count:
                break

    wholes, cuts = check(server)
    if wholes != 0 or cuts != count:
        raise BenchError("%s %s: of %d calls that were cut off %d have a line,"
                         " %d were whole" % (server.kind, server.name, count,
                                             cuts, wholes))
