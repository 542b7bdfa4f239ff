"""What calls have cost: by the provider's books, the cost lines, the ledger."""

import collections
import dataclasses
import decimal
import json

NANO = 10 ** 9
INTERRUPTED = "recovered"               # llm.usage.source of such a line
UNHEARD = (499, 502, 504)               # the client left; no answer came


class Prices:
    """Of one model, in nano-dollars a token; read and multiplied exactly."""

    def __init__(self, path, model):
        with open(path) as f:
            entry = json.load(f, parse_float=decimal.Decimal)[model]

        self.input = entry["input_cost_per_token"] * NANO
        self.cached = entry["cache_read_input_token_cost"] * NANO
        self.output = entry["output_cost_per_token"] * NANO

    def cost(self, input, cached, output):
        total = (input - cached) * self.input + cached * self.cached \
            + output * self.output
        assert total == int(total), "%s nano-dollars" % total

        return int(total)


@dataclasses.dataclass
class Bill:
    call: str
    manner: str
    cost: int


def bills(path, prices):
    """By call.  A call that came twice has two."""
    found = collections.defaultdict(list)

    with open(path) as f:
        for line in f:
            call, manner, *tokens = line.split()
            found[call].append(Bill(call, manner,
                                    prices.cost(*map(int, tokens))))

    return found


@dataclasses.dataclass
class Counted:
    """Cost lines, those written twice counted once."""
    calls: dict                         # call -> lines
    repeated: int = 0
    differ: list = dataclasses.field(default_factory=list)


def count(lines):
    seen, out = {}, Counted(collections.defaultdict(list))

    for line in lines:
        before = seen.setdefault(line["event.id"], line)

        if before is line:
            out.calls[line.get("organization.id", "?")].append(line)
            continue

        out.repeated += 1

        if before.nusd != line.nusd:
            out.differ.append(line["event.id"])

    return out


@dataclasses.dataclass
class Verdict:
    billed: int = 0                     # nano-dollars
    counted: int = 0
    same: int = 0                       # calls
    cut: int = 0                        # whose answer ended before its usage
    cut_billed: int = 0
    cut_counted: int = 0
    unheard: int = 0                    # whose end nobody here has heard, and
    unheard_counted: int = 0            # which was free: the prompt
    interrupted: list = dataclasses.field(default_factory=list)
    wrong: list = dataclasses.field(default_factory=list)

    def judge(self, call, bill, lines):
        billed = sum(b.cost for b in bill)
        counted = sum(line.nusd for line in lines)
        self.billed += billed
        self.counted += counted

        if billed == counted:
            self.same += 1

        elif any(line.source == INTERRUPTED for line in lines) \
                and counted > billed:
            self.interrupted.append((lines[0]["llm.call_id"], call,
                                     counted - billed))

        elif bill and all(b.manner == "m" for b in bill) and lines:
            self.cut += 1
            self.cut_billed += billed
            self.cut_counted += counted

        elif not bill and all(line.source == "estimated"
                              and line.status in UNHEARD for line in lines):
            self.unheard += 1
            self.unheard_counted += counted

        else:
            self.wrong.append("call %s: billed %d as %s, counted %d: %s" % (
                call, billed, [b.manner for b in bill], counted,
                json.dumps(lines)))


def compare(books, counted):
    """Each call of the one with the same of the other."""
    verdict = Verdict()

    for call in sorted(set(books) | set(counted.calls)):
        verdict.judge(call, books.get(call, []), counted.calls.get(call, []))

    return verdict
