#!/usr/bin/python3
"""Whether a CSV is a Cost and Usage dataset of FOCUS 1.2.

Written from the specification alone: https://focus.finops.org/focus-specification/v1-2/
(columns, types, nullability and allowed values as of 2025-05-29, seen 2026-11-22).
It knows nothing of who made the file.

    focus_check.py FILE.csv [COST-LINES...]

prints what is wrong, one a line, and exits with 1 where anything is. With cost
lines, their sum has to be that of the costs, to the nano-dollar.
"""

import csv
import gzip
import json
import re
import sys
from collections import defaultdict
from datetime import datetime
from decimal import Decimal, InvalidOperation, localcontext

TEXT, NUMBER, TIME, PAIRS = "string", "decimal", "date/time", "key-value"

CHARGE = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
FREQUENCY = {"One-Time", "Recurring", "Usage-Based"}
PRICING = {"Standard", "Dynamic", "Committed", "Other"}
SUBCATEGORIES = {
    "AI and Machine Learning": [
        "AI Platforms", "Bots", "Generative AI", "Machine Learning",
        "Natural Language Processing", "Other (AI and Machine Learning)"],
    "Analytics": ["Analytics Platforms", "Business Intelligence", "Data Processing",
                  "Search", "Streaming Analytics", "Other (Analytics)"],
    "Business Applications": ["Productivity and Collaboration",
                              "Other (Business Applications)"],
    "Compute": ["Containers", "End User Computing", "Quantum Compute",
                "Serverless Compute", "Virtual Machines", "Other (Compute)"],
    "Databases": ["Caching", "Data Warehouses", "Ledger Databases", "NoSQL Databases",
                  "Relational Databases", "Time Series Databases",
                  "Other (Databases)"],
    "Developer Tools": ["Developer Platforms",
                        "Continuous Integration and Deployment",
                        "Development Environments", "Source Code Management",
                        "Quality Assurance", "Other (Developer Tools)"],
    "Identity": ["Identity and Access Management", "Other (Identity)"],
    "Integration": ["API Management", "Messaging", "Workflow Orchestration",
                    "Other (Integration)"],
    "Internet of Things": ["IoT Analytics", "IoT Platforms",
                           "Other (Internet of Things)"],
    "Management and Governance": ["Architecture", "Compliance", "Cost Management",
                                  "Data Governance", "Disaster Recovery",
                                  "Endpoint Management", "Observability", "Support",
                                  "Other (Management and Governance)"],
    "Media": ["Content Creation", "Gaming", "Media Streaming", "Mixed Reality",
              "Other (Media)"],
    "Migration": ["Data Migration", "Resource Migration", "Other (Migration)"],
    "Mobile": ["Other (Mobile)"],
    "Multicloud": ["Multicloud Integration", "Other (Multicloud)"],
    "Networking": ["Application Networking", "Content Delivery",
                   "Network Connectivity", "Network Infrastructure",
                   "Network Routing", "Network Security", "Other (Networking)"],
    "Security": ["Secret Management", "Security Posture Management",
                 "Threat Detection and Response", "Other (Security)"],
    "Storage": ["Backup Storage", "Block Storage", "File Storage", "Object Storage",
                "Storage Platforms", "Other (Storage)"],
    "Web": ["Application Platforms", "Other (Web)"],
    "Other": ["Other (Other)"],
}

# name: (feature level, type, may be null, allowed values)
M, C, R = "mandatory", "conditional", "recommended"
COLUMNS = {
    "AvailabilityZone": (R, TEXT, True, None),
    "BilledCost": (M, NUMBER, False, None),
    "BillingAccountId": (M, TEXT, False, None),
    "BillingAccountName": (M, TEXT, True, None),
    "BillingAccountType": (C, TEXT, True, None),
    "BillingCurrency": (M, TEXT, False, None),
    "BillingPeriodEnd": (M, TIME, False, None),
    "BillingPeriodStart": (M, TIME, False, None),
    "CapacityReservationId": (C, TEXT, True, None),
    "CapacityReservationStatus": (C, TEXT, True, {"Used", "Unused"}),
    "ChargeCategory": (M, TEXT, False, CHARGE),
    "ChargeClass": (M, TEXT, True, {"Correction"}),
    "ChargeDescription": (M, TEXT, True, None),
    "ChargeFrequency": (R, TEXT, False, FREQUENCY),
    "ChargePeriodEnd": (M, TIME, False, None),
    "ChargePeriodStart": (M, TIME, False, None),
    "CommitmentDiscountCategory": (C, TEXT, True, {"Spend", "Usage"}),
    "CommitmentDiscountId": (C, TEXT, True, None),
    "CommitmentDiscountName": (C, TEXT, True, None),
    "CommitmentDiscountQuantity": (C, NUMBER, True, None),
    "CommitmentDiscountStatus": (C, TEXT, True, {"Used", "Unused"}),
    "CommitmentDiscountType": (C, TEXT, True, None),
    "CommitmentDiscountUnit": (C, TEXT, True, None),
    "ConsumedQuantity": (C, NUMBER, True, None),
    "ConsumedUnit": (C, TEXT, True, None),
    "ContractedCost": (M, NUMBER, False, None),
    "ContractedUnitPrice": (C, NUMBER, True, None),
    "EffectiveCost": (M, NUMBER, False, None),
    "InvoiceId": (R, TEXT, True, None),
    "InvoiceIssuerName": (M, TEXT, False, None),
    "ListCost": (M, NUMBER, False, None),
    "ListUnitPrice": (C, NUMBER, True, None),
    "PricingCategory": (C, TEXT, True, PRICING),
    "PricingCurrency": (C, TEXT, False, None),
    "PricingCurrencyContractedUnitPrice": (C, NUMBER, True, None),
    "PricingCurrencyEffectiveCost": (C, NUMBER, False, None),
    "PricingCurrencyListUnitPrice": (C, NUMBER, True, None),
    "PricingQuantity": (M, NUMBER, True, None),
    "PricingUnit": (M, TEXT, True, None),
    "ProviderName": (M, TEXT, False, None),
    "PublisherName": (M, TEXT, False, None),
    "RegionId": (C, TEXT, True, None),
    "RegionName": (C, TEXT, True, None),
    "ResourceId": (C, TEXT, True, None),
    "ResourceName": (C, TEXT, True, None),
    "ResourceType": (C, TEXT, True, None),
    "ServiceCategory": (M, TEXT, False, set(SUBCATEGORIES)),
    "ServiceName": (M, TEXT, False, None),
    "ServiceSubcategory": (R, TEXT, False,
                           {s for many in SUBCATEGORIES.values() for s in many}),
    "SkuId": (C, TEXT, True, None),
    "SkuMeter": (C, TEXT, True, None),
    "SkuPriceDetails": (C, PAIRS, True, None),
    "SkuPriceId": (C, TEXT, True, None),
    "SubAccountId": (C, TEXT, True, None),
    "SubAccountName": (C, TEXT, True, None),
    "SubAccountType": (C, TEXT, True, None),
    "Tags": (C, PAIRS, True, None),
}

# The second is null when and only when the first is.
TOGETHER = [
    ("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit"),
    ("SubAccountId", "SubAccountName"), ("SubAccountId", "SubAccountType"),
    ("ResourceId", "ResourceType"), ("BillingAccountId", "BillingAccountType"),
    ("CommitmentDiscountId", "CommitmentDiscountCategory"),
    ("CommitmentDiscountId", "CommitmentDiscountType"),
    ("CommitmentDiscountQuantity", "CommitmentDiscountUnit"),
]
# The second is null where the first is.
NULL_WITH = [
    ("ResourceId", "ResourceName"), ("SkuId", "SkuMeter"),
    ("SkuPriceId", "SkuPriceDetails"),
    ("CommitmentDiscountId", "CommitmentDiscountName"),
    ("CommitmentDiscountId", "CommitmentDiscountStatus"),
    ("RegionId", "RegionName"),
]
# Of what is used or bought, corrections aside.
PRICED = ["ListUnitPrice", "ContractedUnitPrice", "PricingQuantity",
          "PricingCategory", "SkuId", "SkuPriceId"]

DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee]-?[0-9]+)?")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UNIT = re.compile(r"([1-9][0-9]* )?[A-Z][A-Za-z]*(-[A-Z][A-Za-z]*)*"
                  r"(/([1-9][0-9]* )?[A-Z][A-Za-z]*)?")
COLUMN = re.compile(r"[A-Z][A-Za-z0-9]{0,49}")
NANO = Decimal("1e-9")


def pairs(value):
    """A JSON object of plain values whose keys are there once, or None."""
    def once(items):
        if len({k for k, _ in items}) != len(items):
            raise ValueError("a key twice")
        return dict(items)

    try:
        found = json.loads(value, object_pairs_hook=once)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    plain = (str, int, float, bool, type(None))
    return found if all(isinstance(v, plain) for v in found.values()) else None


def instant(value):
    if not INSTANT.fullmatch(value):
        return None
    try:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None


def value_problem(name, value):
    _, kind, null, allowed = COLUMNS[name]
    if value is None:
        return None if null else "is null"
    if value.strip() == "":
        return "is blank"
    if kind == NUMBER and not DECIMAL.fullmatch(value):
        return f"{value!r} is no decimal number"
    if kind == TIME and instant(value) is None:
        return f"{value!r} is no time in UTC"
    if kind == PAIRS and pairs(value) is None:
        return f"{value!r} is no JSON object of plain values"
    if allowed is not None and value not in allowed:
        return f"{value!r} is not allowed"
    if name.endswith("Unit") and kind == TEXT and not UNIT.fullmatch(value):
        return f"{value!r} is no unit"
    if name == "BillingCurrency" and not re.fullmatch("[A-Z]{3}", value):
        return f"{value!r} is no currency"
    return None


def product_problem(row, price, cost):
    if any(row.get(c) is None for c in (price, "PricingQuantity", cost)):
        return None
    with localcontext() as context:
        context.prec = 60
        product = Decimal(row[price]) * Decimal(row["PricingQuantity"])
        if abs(product - Decimal(row[cost])) > NANO / 2:
            return f"{price} x PricingQuantity is {product}, {cost} {row[cost]}"
    return None


def number_problems(row):
    for name in ("ListUnitPrice", "ContractedUnitPrice"):
        if row.get(name) is not None and Decimal(row[name]) < 0:
            yield f"{name} is negative"
    if row.get("ChargeClass") != "Correction":
        for price, cost in (("ListUnitPrice", "ListCost"),
                            ("ContractedUnitPrice", "ContractedCost")):
            problem = product_problem(row, price, cost)
            if problem:
                yield problem
    if row.get("ProviderName") != row.get("InvoiceIssuerName") \
            and Decimal(row["BilledCost"]) != 0:
        yield "BilledCost is not 0 of what a third party bills"


def charge_problems(row, columns):
    category, correction = row["ChargeCategory"], row["ChargeClass"]
    if category in ("Usage", "Purchase") and correction is None:
        for name in PRICED:
            if name in columns and row[name] is None:
                yield f"{name} is null of {category}"
    if category == "Tax":
        for name in PRICED:
            if name in columns and row[name] is not None:
                yield f"{name} is not null of a tax"
    used = category == "Usage" and row.get("CommitmentDiscountStatus") != "Unused"
    if "ConsumedQuantity" in columns:
        if not used and row["ConsumedQuantity"] is not None:
            yield "ConsumedQuantity of what was not used"
        if used and correction is None and row["ConsumedQuantity"] is None:
            yield "ConsumedQuantity is null of usage"
    if category == "Purchase" and row.get("ChargeFrequency") == "Usage-Based":
        yield "a purchase is not Usage-Based"
    if row.get("CommitmentDiscountId") is not None and category == "Usage":
        if row.get("CommitmentDiscountStatus") is None:
            yield "CommitmentDiscountStatus is null of usage"
        if row.get("PricingCategory") != "Committed":
            yield "PricingCategory of a commitment's usage"


def row_problems(row, columns):
    wrong = False
    for name in columns:
        if name in COLUMNS:
            problem = value_problem(name, row[name])
            if problem:
                wrong = True
                yield f"{name} {problem}"
    if wrong or not columns.issuperset(n for n, c in COLUMNS.items() if c[0] == M):
        return
    for one, two in TOGETHER:
        if one in columns and two in columns \
                and (row[one] is None) != (row[two] is None):
            yield f"{one} is {row[one]!r}, {two} {row[two]!r}"
    for one, two in NULL_WITH:
        if one in columns and two in columns and row[one] is None \
                and row[two] is not None:
            yield f"{two} is not null without {one}"
    for one in ("BillingPeriod", "ChargePeriod"):
        if instant(row[one + "Start"]) >= instant(row[one + "End"]):
            yield f"{one} ends before it starts"
    if row.get("ServiceSubcategory") is not None and row["ServiceSubcategory"] \
            not in SUBCATEGORIES[row["ServiceCategory"]]:
        yield "ServiceSubcategory is of another ServiceCategory"
    yield from number_problems(row)
    yield from charge_problems(row, columns)


def header_problems(header):
    if len(set(header)) != len(header):
        yield "a column is there twice"
    for name, (level, *_) in COLUMNS.items():
        if level == M and name not in header:
            yield f"{name} is missing"
    custom = False
    for name in header:
        if name.startswith("x_"):
            custom = True
        elif custom:
            yield f"{name} stands behind custom columns"
        if not COLUMN.fullmatch(name[2:] if name.startswith("x_") else name):
            yield f"{name} is no column's name"
        elif name not in COLUMNS and not name.startswith("x_"):
            yield f"{name} is neither of FOCUS nor begins with x_"


# One value of the second to each of the first.
PARENTS = [("SkuPriceId", "SkuId"), ("ServiceName", "ServiceCategory"),
           ("ServiceName", "ServiceSubcategory"), ("SkuId", "SkuMeter"),
           ("SkuPriceId", "SkuPriceDetails"), ("SubAccountId", "SubAccountName"),
           ("BillingAccountId", "BillingAccountName")]


def check(text):
    """What is wrong, and the rows, whose values are strings or None."""
    reader = csv.reader(text, strict=True)
    header = next(reader, None)
    if header is None:
        return ["there is no header"], []
    problems, rows = list(header_problems(header)), []
    columns, parents = set(header), defaultdict(set)
    for number, fields in enumerate(reader, 2):
        if len(fields) != len(header):
            problems.append(f"line {number} has {len(fields)} fields")
            continue
        row = {n: v if v != "" else None for n, v in zip(header, fields)}
        rows.append(row)
        problems += [f"line {number}: {p}" for p in row_problems(row, columns)]
        for one, two in PARENTS:
            if one in columns and two in columns and row[one] is not None:
                parents[one, two, row[one]].add(row[two])
    problems += [f"{one} {value!r} has several {two}"
                 for (one, two, value), found in parents.items() if len(found) > 1]
    return problems, rows


def total(rows, name):
    with localcontext() as context:
        context.prec = 60
        try:
            return sum((Decimal(r[name]) for r in rows), Decimal(0))
        except (InvalidOperation, TypeError):
            return None


def lines_total(names):
    """Dollars of cost lines, each event.id once."""
    seen, nano = set(), 0
    for name in names:
        with (gzip.open if name.endswith(".gz") else open)(name, "rb") as f:
            for raw in f:
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue
                if not isinstance(line, dict) or "event.kind" in line \
                        or line.get("event.id") in seen:
                    continue
                seen.add(line.get("event.id"))
                nano += line.get("llm.cost.total_nusd", 0)
    return Decimal(nano) * NANO


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8", newline="") as f:
        problems, rows = check(f)
    if len(sys.argv) > 2:
        expected = lines_total(sys.argv[2:])
        for name in ("BilledCost", "EffectiveCost", "ContractedCost"):
            if total(rows, name) != expected:
                problems.append(f"{name} is {total(rows, name)} in all, that of the"
                                f" lines {expected}")
    for problem in problems:
        print(problem)
    print(f"{len(rows)} rows, {len(problems)} problems", file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
