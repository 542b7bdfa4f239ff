"""Lines of a made-up year, and what finance asks of them, without SQL."""

import calendar
import collections
import datetime
import json
import random

MONTH = datetime.date(2026, 11, 1)
REVENUE = [("c0", MONTH, "10000"), ("c1", MONTH, "0.000000001"),
           ("c1", datetime.date(2026, 10, 1), "5000"), ("c9", MONTH, "1")]
EDGES = ("2026-10-31T23:59:59.999Z", "2026-11-01T00:00:00.000Z",
         "2026-11-30T23:59:59.999Z", "2026-12-01T00:00:00.000Z",
         "2025-12-31T23:59:59.999Z")


def moment(r):
    """Most are of the month and the one before."""
    day = datetime.datetime(2026, r.choice((3, 10, 10, 11, 11, 12)), 1,
                            tzinfo=datetime.timezone.utc)
    day += datetime.timedelta(milliseconds=r.randrange(31 * 86400000))

    return day.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (
        day.microsecond // 1000)


def call(r, i):
    nusd = r.choice((0, r.randrange(5 * 10 ** 9), r.randrange(10 ** 12)))
    line = {
        "@timestamp": EDGES[i] if i < len(EDGES) else moment(r),
        "llm.schema": 1, "event.id": "%032x-1" % i, "llm.call_id": "%032x" % i,
        "llm.seq": i + 1, "llm.attempt": 1, "llm.final": r.random() > 0.05,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": r.choice(("openai", "anthropic")),
        "gen_ai.request.stream": False, "llm.cost.total_nusd": nusd,
        "llm.decision": "allow", "llm.config_hash": "0", "event.duration": 1,
        "http.request.body.bytes": 1, "http.response.status_code": 200,
        "event.outcome": "success"}
    some = (("llm.team", 0.9, "search", "legal", "opsé \"x\"\n"),
            ("llm.tags.feature", 0.8, "rag", "chat"),
            ("organization.id", 0.7, "c0", "c1", "c2"),
            ("gen_ai.conversation.id", 0.6) + tuple("s%d" % n
                                                    for n in range(60)),
            ("gen_ai.request.model", 0.9, "a", "b"),
            ("gen_ai.response.model", 0.8, "a-1", "b-2"))

    for name, share, *values in some:
        if r.random() < share:
            line[name] = r.choice(values)

    if r.random() < 0.9:
        line["llm.usage.source"] = "reported"
        line["gen_ai.usage.input_tokens"] = r.randrange(10 ** 5)
        line["gen_ai.usage.output_tokens"] = r.randrange(10 ** 4)
    if r.random() < 0.1:
        line["gen_ai.response.finish_reasons"] = ["stop", "length"]
        line["llm.usage.extra"] = [{
            "type": "advisor", "input_tokens": 1, "cache_read": 2,
            "cache_write": 3, "output_tokens": 4}]

    return line


def outcome(r, i):
    return {"@timestamp": EDGES[i] if i < len(EDGES) else moment(r),
            "llm.schema": 1, "event.kind": "outcome", "event.id": "o%d" % i,
            "gen_ai.conversation.id": "s%d" % r.randrange(70),
            "llm.outcome.name": r.choice(("ticket", "lead")),
            "llm.outcome.value": 1.5}


def lines(seed, n=3000):
    """With some of them twice: shipped again, or recovered, which has less."""
    r = random.Random(seed)
    made = [call(r, i) for i in range(n)] + [outcome(r, i) for i in range(99)]
    made.append({"@timestamp": EDGES[1], "event.kind": "alert",
                 "llm.schema": 1, "event.id": "alert_0", "llm.quota.cap": 1e15})

    for line in r.sample(made, n // 10):
        again = dict(line)
        if "llm.tags.feature" in again and r.random() < 0.5:
            again["llm.recovered"] = True
            del again["llm.tags.feature"]
        made.append(again)

    r.shuffle(made)

    return made


def write(path, made, under=False):
    with open(path, "w", encoding="utf-8") as f:
        for line in made:
            if under:
                line = {name.replace(".", "_").replace("@", ""): value
                        for name, value in line.items()}
            f.write(json.dumps(line, ensure_ascii=False) + "\n")


def once(made, kind):
    found = {}

    for line in made:
        if line.get("event.kind") == kind:
            if not line.get("llm.recovered") or line["event.id"] not in found:
                found[line["event.id"]] = line

    return found.values()


def month_of(line):
    return line["@timestamp"][:7]


def usd(nusd, digits=2):
    return round(nusd / 1e9, digits)


def shares(calls, field):
    sums, counts = collections.Counter(), collections.Counter()

    for line in calls:
        if month_of(line) == "2026-11":
            sums[line.get(field, "")] += line["llm.cost.total_nusd"]
            counts[line.get(field, "")] += line["llm.final"]

    return [[name, counts[name], nusd, usd(nusd),
             round(100 * nusd / sum(sums.values()), 1)]
            for name, nusd in sorted(sums.items(),
                                     key=lambda x: (-x[1], x[0]))]


def tickets(calls, outcomes):
    session = collections.Counter()

    for line in calls:
        session[line.get("gen_ai.conversation.id")] \
            += line["llm.cost.total_nusd"]

    rows = []
    for name in ("lead", "ticket"):
        of = [line["gen_ai.conversation.id"] for line in outcomes
              if line["llm.outcome.name"] == name
              and month_of(line) == "2026-11"]
        nusd = sum(session[s] for s in set(of))
        rows.append([name, len(of), nusd, usd(nusd / len(of), 4)])

    return rows


def year_end(calls):
    spent = sum(line["llm.cost.total_nusd"] for line in calls
                if "2026" <= line["@timestamp"] < "2026-12")
    month = sum(line["llm.cost.total_nusd"] for line in calls
                if month_of(line) == "2026-11")
    days = calendar.monthrange(2026, 11)[1]

    return [[spent, usd(month / days), 31, usd(spent + month / days * 31)]]


def customers(calls):
    spent, paid = collections.Counter(), collections.Counter()

    for line in calls:
        if month_of(line) == "2026-11" and "organization.id" in line:
            spent[line["organization.id"]] += line["llm.cost.total_nusd"]
    for customer, period, revenue in REVENUE:
        if period == MONTH:
            paid[customer] += float(revenue)

    rows = [[name, spent[name], paid[name],
             round(paid[name] - spent[name] / 1e9, 2)]
            for name in set(spent) | set(paid)]

    return sorted(rows, key=lambda row: (row[3], row[0]))


def changes(calls):
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])

    for line in calls:
        if month_of(line) in ("2026-10", "2026-11"):
            model = line.get("gen_ai.response.model",
                             line.get("gen_ai.request.model", ""))
            of = sums[line.get("llm.team", ""), model]
            now = 2 * (month_of(line) == "2026-11")
            of[now] += line["llm.final"]
            of[now + 1] += line["llm.cost.total_nusd"]

    rows = []
    for (team, model), (calls0, cost0, calls1, cost1) in sums.items():
        by_calls = cost0 / calls0 * (calls1 - calls0) if calls0 else cost1
        rows.append([team, model, cost0, cost1, cost1 - cost0, usd(by_calls),
                     usd(cost1 - cost0 - by_calls)])

    return sorted(rows, key=lambda row: (-abs(row[4]), row[0], row[1]))


def answers(made):
    """By question, as they are named in conf-examples/sql."""
    calls, outcomes = once(made, None), once(made, "outcome")

    return {"which team": shares(calls, "llm.team"),
            "which feature": shares(calls, "llm.tags.feature"),
            "what does a ticket cost": tickets(calls, outcomes),
            "how much by the end of the year": year_end(calls),
            "which customer loses money": customers(calls),
            "what changed": changes(calls)}
