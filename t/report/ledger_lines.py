"""A month of cost lines as the servers write them, for the reports of finance.

Dollars are integers of nano-dollars, made of prices as the price lists have them,
so that what a report says can be known without it.
"""

import json
import random
import uuid
from datetime import datetime, timedelta, timezone

# Dollars per million tokens: input, cache read, cache write, output.
MODELS = {
    ("openai", "openai", "gpt-4o-2024-08-06", "gpt-4o"): (2500, 1250, 2500, 10000),
    ("openai", "openai", "gpt-4o-mini", "gpt-4o-mini"): (150, 75, 150, 600),
    ("anthropic", "anthropic", "claude-3-5-haiku-20241022",
     "claude-3-5-haiku-20241022"): (800, 80, 1000, 4000),
    ("anthropic", "anthropic", "claude-sonnet-4-5-20250929",
     "claude-sonnet-4-5"): (3000, 300, 3750, 15000),
    ("aws.bedrock", "bedrock-eu", "anthropic.claude-3-haiku", "bedrock/haiku"):
        (250, 25, 312, 1250),
}
TEAMS = ["search", "support", "ads", None]
START = datetime(2026, 10, 1, tzinfo=timezone.utc)


def dollars(nusd):
    sign, nusd = ("-", -nusd) if nusd < 0 else ("", nusd)
    text = f"{sign}{nusd // 10**9}.{nusd % 10**9:09d}".rstrip("0")
    return text.rstrip(".")


class Decimal(float):
    """A number in JSON as it is written."""

    def __new__(cls, nusd):
        found = super().__new__(cls, nusd / 1e9)
        found.text = dollars(nusd)
        return found

    def __repr__(self):
        return self.text


def charge(tokens, thousandths):
    """Nano-dollars, half away from zero: a thousandth of a dollar per million
    tokens is a nano-dollar a token."""
    return (tokens * thousandths * 10 + 5) // 10


class Lines:
    def __init__(self, seed, node="n1"):
        self.random = random.Random(seed)
        self.node = node
        self.seq = 0
        self.lines = []

    def at(self, day, second):
        return START + timedelta(days=day, seconds=second)

    def base(self, when, **more):
        self.seq += 1
        bits = self.random.getrandbits(128) & ~(0xf << 76) | 7 << 76
        call = uuid.UUID(int=bits & ~(0xc << 60) | 0x8 << 60)
        line = {
            "@timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ"
                          % (when.microsecond // 1000),
            "llm.schema": 1, "event.id": f"{call}-0", "llm.call_id": str(call),
            "llm.seq": self.seq, "llm.attempt": 1, "llm.final": True,
            "llm.node": self.node, "llm.config_hash": "0011223344556677",
            "client.address": "10.0.0.%d" % self.random.randrange(1, 200),
            "gen_ai.operation.name": "chat", "llm.decision": "allow",
            "event.duration": self.random.randrange(10**8, 5 * 10**9),
            "http.request.body.bytes": 1000, "http.response.body.bytes": 2000,
            "http.response.status_code": 200, "event.outcome": "success",
        }
        line.update({k: v for k, v in more.items() if v is not None})
        self.lines.append(line)
        return line

    def priced(self, when, who, usage, keep=100, **more):
        """keep: per cent that a discount leaves."""
        vendor, provider, model, asked = who
        prices = MODELS[who]
        uncached, read, write, output = usage
        parts = [charge(n * keep, p) // 100 if keep != 100 else charge(n, p)
                 for n, p in zip(usage, prices)]
        total = sum(parts)
        listed = charge(uncached + read + write, prices[0]) + \
            charge(output, prices[3])
        fields = {
            "gen_ai.provider.name": vendor, "llm.provider": provider,
            "server.address": f"api.{provider}.example",
            "gen_ai.request.model": asked, "gen_ai.response.model": model,
            "llm.usage.source": "reported",
            "gen_ai.usage.input_tokens": uncached + read + write,
            "gen_ai.usage.output_tokens": output,
            "llm.cost.list": Decimal(listed), "llm.cost.source": "prices",
            "llm.cost.saved": Decimal(max(0, listed - total)),
            "llm.cost.total": Decimal(total), "llm.cost.total_nusd": total,
            "llm.price_id": asked,
        }
        for name, n in (("cache_read", read), ("cache_creation", write)):
            if n:
                fields[f"gen_ai.usage.{name}.input_tokens"] = n
        for name, part in zip(("input", "cache_read", "cache_write", "output"),
                              parts):
            if part:
                fields["llm.cost." + name] = Decimal(part)
        fields.update(more)
        return self.base(when, **fields)

    def month(self, calls):
        """Calls of each kind that there is."""
        pick = self.random
        for _ in range(calls):
            when = self.at(pick.randrange(31), pick.randrange(86400))
            who = pick.choice(list(MODELS))
            team = pick.choice(TEAMS)
            about = {
                "llm.team": team, "llm.key_id": f"key_{pick.randrange(6)}",
                "llm.tags.feature": pick.choice(["chat", 'a "b",c', "naïve\n"]),
                "gen_ai.conversation.id": pick.choice([None, f"s{_ % 40}"]),
                "gen_ai.request.stream": pick.random() < 0.3,
                "gen_ai.request.max_tokens": pick.choice([None, 1024, 4096]),
                "llm.prompt.system_tokens": pick.choice([200, 1800]),
                "llm.prefix_hash": pick.choice(["00a1" * 4, "00b2" * 4]),
            }
            usage = [pick.randrange(1, 30000), pick.choice([0, 0, 4096]),
                     pick.choice([0, 0, 0, 1024]), pick.randrange(1, 4000)]
            kind = pick.randrange(100)
            if kind < 70:
                self.priced(when, who, usage, **about)
            elif kind < 78:
                self.priced(when, who, usage, keep=88, **about)
            elif kind < 83:
                self.priced(when, who, usage, **about,
                            **{"llm.usage.source": "estimated"})
            elif kind < 87:
                self.attempt(when, who, usage, about)
            elif kind < 90:
                self.recovered(when, who, about)
            elif kind < 93:
                self.gpu(when, about)
            elif kind < 95:
                self.unpriced(when, about)
            elif kind < 97:
                self.tools(when, who, usage, about)
            else:
                self.refused(when, about)
        return self.in_order()

    def in_order(self):
        self.lines.sort(key=lambda line: line["@timestamp"])
        for self.seq, line in enumerate(self.lines, 1):
            line["llm.seq"] = self.seq
        return self

    def attempt(self, when, who, usage, about):
        first = self.priced(when, who, usage, **about)
        first.update({"llm.final": False, "http.response.status_code": 503,
                      "llm.usage.source": "estimated", "event.outcome": "failure",
                      "error.type": "server_error"})
        second = self.priced(when, who, usage, **about)
        second.update({"llm.attempt": 2, "llm.call_id": first["llm.call_id"],
                       "event.id": first["event.id"][:-1] + "1"})

    def recovered(self, when, who, about):
        held = self.random.randrange(1, 10**8)
        self.base(when, **about, **{
            "gen_ai.provider.name": who[0], "llm.provider": who[1],
            "gen_ai.request.model": who[3], "llm.usage.source": "recovered",
            "llm.cost.total": Decimal(held), "llm.cost.total_nusd": held,
            "http.response.status_code": 500, "error.type": "server_killed",
            "event.outcome": "failure", "llm.recovered": True})

    def gpu(self, when, about):
        ns = self.random.randrange(10**7, 10**10)
        cost = ns * 2100000000 // 3600 // 10**9
        self.base(when, **about, **{
            "gen_ai.provider.name": "vllm", "llm.provider": "gpu",
            "server.address": "gpu", "llm.server": "10.0.0.%d:8000"
                                                   % self.random.randrange(2),
            "gen_ai.request.model": "llama-3.1-8b",
            "gen_ai.response.model": "llama-3.1-8b",
            "llm.usage.source": "reported", "gen_ai.usage.input_tokens": 900,
            "gen_ai.usage.output_tokens": 300, "llm.cost.total": Decimal(cost),
            "llm.cost.total_nusd": cost, "llm.cost.source": "gpu",
            "llm.cost.gpu": Decimal(cost), "llm.gpu_seconds": Decimal(ns)})

    def unpriced(self, when, about):
        self.base(when, **about, **{
            "gen_ai.provider.name": "openai", "llm.provider": "openai",
            "gen_ai.request.model": "gpt-next", "gen_ai.response.model": "gpt-next",
            "llm.usage.source": "reported", "gen_ai.usage.input_tokens": 500,
            "gen_ai.usage.output_tokens": 50, "llm.cost.total_nusd": 0,
            "llm.cost.unpriced": True})

    def tools(self, when, who, usage, about):
        line = self.priced(when, who, usage, **about)
        total = line["llm.cost.total_nusd"] + 10**7
        line.update({"llm.usage.web_searches": 1, "llm.cost.tools": Decimal(10**7),
                     "llm.cost.total_nusd": total, "llm.cost.total": Decimal(total),
                     "llm.service_tier": "default"})

    def refused(self, when, about):
        self.base(when, **about, **{
            "gen_ai.provider.name": "openai", "llm.provider": "openai",
            "gen_ai.request.model": "gpt-4o", "llm.decision": "refuse",
            "llm.rule": "team_month", "llm.usage.source": "none",
            "llm.cost.total_nusd": 0, "http.response.status_code": 429,
            "error.type": "team_month", "event.outcome": "failure",
            "event.reason": "spent"})

    def text(self):
        return "".join(dump(line) + "\n" for line in self.lines)

    def write(self, path):
        path.write_text(self.text(), encoding="utf-8")
        return str(path)

    def total(self):
        return sum(line["llm.cost.total_nusd"] for line in self.lines)


def dump(line):
    """JSON of it, decimals in full."""
    parts = []
    for name, value in line.items():
        shown = repr(value) if isinstance(value, Decimal) else json.dumps(
            value, ensure_ascii=False)
        parts.append(json.dumps(name) + ":" + shown)
    return "{" + ",".join(parts) + "}"
