"""Cost lines of a made-up company: teams with features on several models, working
hours and weekends, holidays, month ends, growth, calls whose sizes have long
tails, sessions of agents, nightly batches, a key that is replaced.  By a seed, all
of it; and with a plant in it what goes wrong."""

import datetime
import math
import random

UTC = datetime.timezone.utc

# Dollars a million tokens: input, cached input, output.
MODELS = {
    "gpt-4o": (2.5, 1.25, 10.0), "gpt-4o-mini": (0.15, 0.075, 0.6),
    "claude-sonnet-4-5": (3.0, 0.3, 15.0), "claude-haiku-4-5": (1.0, 0.1, 5.0),
    "gemini-2.5-pro": (1.25, 0.31, 10.0), "o4-mini": (1.1, 0.275, 4.4),
}
VENDORS = {"g": "openai", "o": "openai", "c": "anthropic"}

HOLIDAYS = {(1, 1), (1, 6), (4, 3), (4, 6), (5, 1), (5, 14), (5, 25), (6, 4),
            (10, 3), (11, 1), (12, 24), (12, 25), (12, 26), (12, 27), (12, 28),
            (12, 29), (12, 30), (12, 31)}

OFFICE = [1, 1, 1, 1, 1, 2, 5, 20, 60, 90, 100, 95, 70, 80, 100, 95, 85, 60, 30,
          15, 10, 6, 3, 2]
PUBLIC = [20, 12, 8, 6, 6, 10, 20, 35, 50, 60, 65, 70, 75, 70, 65, 65, 70, 80,
          90, 100, 100, 85, 60, 35]
NIGHT = [0, 0, 60, 100, 90, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
         0]

# kind: hours, weekend, holiday, input tokens, sigma, output tokens
KINDS = {
    "chat": (OFFICE, 0.15, 0.2, 3000, 1.0, 450),
    "rag": (OFFICE, 0.2, 0.25, 12000, 0.7, 600),
    "public": (PUBLIC, 1.1, 1.2, 3000, 0.9, 350),
    "agent": (OFFICE, 0.1, 0.15, 18000, 0.6, 500),
    "batch": (NIGHT, 1.0, 1.0, 5000, 0.5, 250),
    "finance": (OFFICE, 0.1, 0.1, 8000, 0.8, 900),
}


class Feature:
    def __init__(self, rng, team, name, kind, weight):
        self.team, self.name, self.kind = team, name, kind
        (self.hours, self.weekend, self.holiday, size, self.sigma,
         self.output) = KINDS[kind]
        self.input = size * math.exp(rng.gauss(0, 0.3))
        self.model = rng.choice(sorted(MODELS))
        self.growth = rng.uniform(-0.03, 0.12) / 30
        self.calls = weight
        self.keys = ["key_%s" % name.replace("-", "_")]
        self.shape = [h / sum(self.hours) for h in self.hours]

    def cost(self):
        price = MODELS[self.model]
        tail = math.exp(self.sigma ** 2 / 2)
        return self.calls * (self.input * tail * price[0]
                             + self.output * price[2]) / 1e6


class Plant:
    """kind: retrieval, loop, price, key.  From hour `at` on, for `hours`."""

    def __init__(self, kind, at, hours, **more):
        self.kind, self.at, self.hours = kind, at, hours
        self.__dict__.update(more)

    def on(self, hour):
        return self.at <= hour < self.at + self.hours


class Deployment:
    def __init__(self, seed, days, calls=2200):
        rng = self.rng = random.Random(seed)
        self.days = days
        self.start = (datetime.datetime(2025, 1, 1, tzinfo=UTC)
                      + datetime.timedelta(days=rng.randrange(300)))
        self.features = []
        self.plants = []
        self.n = 0
        kinds = ["chat", "rag", "public", "agent", "batch", "finance", "rag"]
        teams = ["search", "support", "sales", "finance", "platform", "growth"]
        k = 0
        for i, team in enumerate(teams):
            for j in range(rng.choice((1, 2, 2, 3))):
                kind = "finance" if team == "finance" and j == 0 \
                    else kinds[k % 7] if k < 7 else rng.choice(kinds)
                k += 1
                self.features.append(Feature(
                    rng, team, "%s-%s%d" % (team, kind, j), kind,
                    rng.uniform(0.5, 1.5) / (1 + 0.35 * i)))
        scale = calls / sum(f.calls for f in self.features)
        for f in self.features:
            f.calls *= scale
        # A key each that is replaced, that comes up with little to spend, and
        # that is given up early.
        self.replaced = (rng.choice(self.features), rng.uniform(0.3, 0.9) * days)
        self.small = (rng.choice(self.features), rng.uniform(0.3, 0.8) * days)
        self.dead = (rng.choice(self.features), rng.uniform(4, 9))
        self.noise = {}

    def daily(self):
        return sum(f.cost() for f in self.features)

    def hour_of(self, when):
        return int((when - self.start).total_seconds() // 3600)

    def time(self, hour):
        return self.start + datetime.timedelta(hours=hour)

    def factor(self, f, day, date):
        """Of a day."""
        rng = self.rng
        x = f.calls * math.exp(f.growth * day)
        if (date.month, date.day) in HOLIDAYS:
            x *= f.holiday
        elif date.weekday() >= 5:
            x *= f.weekend * (0.85 if date.weekday() == 6 else 1.0)
        elif date.weekday() == 4:
            x *= 0.9 if f.kind != "public" else 1.05
        turn = (date + datetime.timedelta(days=2)).month != date.month \
            or date.day == 1
        if turn and f.kind == "finance":
            x *= 3.0 if date.weekday() < 5 else 8.0
        x *= math.exp(rng.gauss(0, 0.1) + self.noise[f.team])
        if rng.random() < 0.02:
            x *= rng.uniform(1.3, 1.7)          # a busy day
        return x

    @staticmethod
    def poisson(rng, mean):
        if mean > 30:
            return max(0, int(rng.gauss(mean, math.sqrt(mean)) + 0.5))
        n, p, limit = 0, rng.random(), math.exp(-mean)
        while p > limit:
            n += 1
            p *= rng.random()
        return n

    def line(self, ms, team, feature, key, model, tokens, out, session,
             prices=None):
        rng = self.rng
        price = prices or MODELS[model]
        cached = int(tokens * 0.5) if session and tokens > 2000 else 0
        nano = [round((tokens - cached) * price[0] * 1000),
                round(cached * price[1] * 1000), round(out * price[2] * 1000)]
        self.n += 1
        t = datetime.datetime.fromtimestamp(ms / 1000, UTC)
        return ('{"@timestamp":"%s.%03dZ","llm.schema":1,"event.id":"%x-%d",'
                '"llm.seq":%d,"llm.final":true,%s"llm.key_id":"%s",'
                '"llm.team":"%s","llm.tags.feature":"%s",'
                '"gen_ai.provider.name":"%s","gen_ai.request.model":"%s",'
                '"gen_ai.response.model":"%s","llm.usage.source":"reported",'
                '"gen_ai.usage.input_tokens":%d,'
                '"gen_ai.usage.output_tokens":%d,%s'
                '"llm.cost.input":%.9f,"llm.cost.cache_read":%.9f,'
                '"llm.cost.output":%.9f,"llm.cost.total_nusd":%d,'
                '"llm.cost.source":"prices","llm.decision":"allow",'
                '"llm.node":"edge-1"}\n' % (
                    t.strftime("%Y-%m-%dT%H:%M:%S"), ms % 1000,
                    rng.getrandbits(48), self.n, self.n,
                    '"gen_ai.conversation.id":"%s",' % session
                    if session else "", key, team, feature,
                    VENDORS.get(model[0], "google"), model, model, tokens, out,
                    '"gen_ai.usage.cache_read.input_tokens":%d,' % cached
                    if cached else "", nano[0] / 1e9, nano[1] / 1e9,
                    nano[2] / 1e9, sum(nano)))

    def price(self, model, hour):
        for p in self.plants:
            if p.kind == "price" and p.model == model and p.on(hour):
                return tuple(a * b for a, b in zip(MODELS[model], p.by))
        return None

    def key(self, f, day):
        rng = self.rng
        if f is self.small[0] and day >= self.small[1] and rng.random() < 0.005:
            return "key_%s_try" % f.team
        if f is self.dead[0] and day < self.dead[1] and rng.random() < 0.2:
            return "key_%s_old" % f.team
        if f is self.replaced[0] and day >= self.replaced[1]:
            return f.keys[0] + "_2"
        return f.keys[0]

    def calls_of(self, f, hour, mean, out):
        rng, day = self.rng, hour // 24
        base = int(self.time(hour).timestamp() * 1000)
        prices = self.price(f.model, hour)
        longer, part = 1.0, 0
        for p in self.plants:
            if p.kind == "retrieval" and p.feature is f and p.on(hour):
                longer, part = p.by, p.part
        left = self.poisson(rng, mean / (12 if f.kind == "agent" else 1))
        while left > 0:
            left -= 1
            steps = 1
            session = None
            if f.kind == "agent":
                steps = min(60, 1 + int(rng.expovariate(1 / 11)))
                session = "s%x" % rng.getrandbits(40)
            elif f.kind in ("chat", "public", "rag") and rng.random() < 0.8:
                session = "c%x" % rng.getrandbits(40)
            size = f.input * math.exp(rng.gauss(0, f.sigma))
            if rng.random() < 0.004:
                # A whole file pasted, which an agent then goes on with.
                size *= rng.uniform(8, 30) if f.kind != "agent" \
                    else rng.uniform(2, 4)
            if part and rng.random() < part:
                size *= longer
            ms = base + rng.randrange(3600000)
            key = self.key(f, day)
            for _ in range(steps):
                o = max(1, int(f.output * math.exp(rng.gauss(-0.3, 0.8))))
                out.append((ms, self.line(
                    ms, f.team, f.name, key, f.model,
                    min(190000, max(8, int(size))), o, session, prices)))
                ms += rng.randrange(4000, 50000)
                size += o + rng.randrange(100, 1500)

    def plant(self, p, hour, out):
        rng = self.rng
        base = int(self.time(hour).timestamp() * 1000)
        if p.kind == "loop":
            for i in range(p.calls // p.hours):
                size = int(p.tokens * (1 + 0.0005 * p.done)
                           * rng.uniform(0.995, 1.005))
                p.done += 1
                ms = base + i * 3600000 // (p.calls // p.hours)
                out.append((ms, self.line(
                    ms, p.feature.team, p.feature.name, p.feature.keys[0],
                    p.feature.model, size, rng.randrange(60, 90), p.session,
                    self.price(p.feature.model, hour))))
        elif p.kind == "key":
            for _ in range(self.poisson(rng, p.rate)):
                ms = base + rng.randrange(3600000)
                out.append((ms, self.line(
                    ms, p.team, p.name, p.key, p.model,
                    int(p.tokens * math.exp(rng.gauss(0, 0.8))),
                    rng.randrange(50, 900), None,
                    self.price(p.model, hour))))

    def write(self, to):
        for day in range(self.days):
            date = self.time(day * 24).date()
            self.noise = {f.team: self.rng.gauss(0, 0.05)
                          for f in self.features}
            today = [(f, self.factor(f, day, date)) for f in self.features]
            for h in range(24):
                out = []
                for f, x in today:
                    self.calls_of(f, day * 24 + h, x * f.shape[h], out)
                for p in self.plants:
                    if p.on(day * 24 + h):
                        self.plant(p, day * 24 + h, out)
                out.sort()
                to.write("".join(line for _, line in out))
