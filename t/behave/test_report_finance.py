"""What finance is told: FOCUS, invoices, sealed months, commitments, batches, own
GPUs, prompts. What is expected is worked out here, from the lines alone."""

import csv
import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict

import pytest

import calls
from costlines import check as check_line
from costlines import parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "t", "report"))

import focus_check                                      # noqa: E402
from ledger_lines import Lines, dollars                 # noqa: E402

LLMCTL = os.path.join(ROOT, "build", "llmctl")
CHAT = "/v1/chat/completions"


def llmctl(*args, rc=0):
    done = subprocess.run([LLMCTL, *args], capture_output=True, text=True,
                          check=False)
    assert done.returncode == rc, done.stdout + done.stderr
    return done


def table(*args, rc=0, name):
    """The rows of a report, and its notes."""
    told = json.loads(llmctl(*args, "--format=json", "--quiet", rc=rc).stdout)
    return told[name], told


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    made = Lines(7).month(600)
    made.path = made.write(tmp_path_factory.mktemp("finance") / "a.jsonl")
    return made


def test_made_lines_are_as_the_schema_has_them(month):
    for raw in open(month.path, "rb"):
        line = parse(raw)
        line.pop("llm.prefix_hash", None)
        check_line(line)


def focus(path, *more):
    done = llmctl("report", "focus", "--quiet", *more, path)
    return focus_check.check(done.stdout.splitlines(keepends=True))


@pytest.mark.parametrize("more", [
    [], ["--by=key,tag:feature"], ["--period=hour", "--zone=Europe/Berlin"],
    ["--by=team,session", "--account=acme", "--invoice=INV-7"]])
def test_focus_is_valid_and_adds_up_to_the_nano_dollar(month, more):
    problems, rows = focus(month.path, *more)
    assert problems == []
    for name in ("BilledCost", "EffectiveCost", "ContractedCost"):
        assert focus_check.total(rows, name) == \
            focus_check.lines_total([month.path])
    assert sum(int(r["x_Calls"]) for r in rows) == sum(
        line["llm.final"] and line["llm.decision"] == "allow"
        for line in month.lines)


def test_focus_is_a_format_of_spend_too(month):
    one = llmctl("report", "spend", "--format=focus", "--quiet", month.path)
    two = llmctl("report", "focus", "--quiet", month.path)
    assert one.stdout == two.stdout


def by_class(lines):
    """Tokens and nano-dollars of a model's classes."""
    found = defaultdict(lambda: [0, 0])
    for line in lines:
        if line.get("llm.usage.source") in (None, "none", "recovered") \
                or line.get("llm.cost.source") == "gpu":
            continue
        read = line.get("gen_ai.usage.cache_read.input_tokens", 0)
        wrote = line.get("gen_ai.usage.cache_creation.input_tokens", 0)
        tokens = {"input": line["gen_ai.usage.input_tokens"] - read - wrote,
                  "cache_read": read, "cache_write": wrote,
                  "output": line["gen_ai.usage.output_tokens"]}
        for name, n in tokens.items():
            at = found[line["gen_ai.response.model"], name]
            at[0] += n
            at[1] += round(float(line.get("llm.cost." + name, 0)) * 1e9)
    return found


def test_focus_has_each_class_of_tokens_at_its_price(month):
    rows = focus(month.path)[1]
    told = defaultdict(lambda: [0, 0])
    for r in rows:
        name = json.loads(r["SkuPriceDetails"])["x_TokenClass"]
        if r["ConsumedUnit"] == "Tokens":
            at = told[r["x_Model"], name]
            at[0] += int(r["ConsumedQuantity"])
            at[1] += int(focus_check.Decimal(r["BilledCost"]) / focus_check.NANO)
            assert focus_check.Decimal(r["PricingQuantity"]) * 1000000 == \
                int(r["ConsumedQuantity"])
    assert told == {k: v for k, v in by_class(month.lines).items() if v[0]}
    whole = [r for r in rows if r["x_PriceId"] == "gpt-4o-mini"
             and r["SkuMeter"] == "Output Tokens"
             and r["ContractedUnitPrice"] == r["ListUnitPrice"]]
    assert {r["ListUnitPrice"] for r in whole} == {"0.6"}


def test_focus_says_who_and_what(month):
    rows = focus(month.path, "--by=team,tag:feature")[1]
    bedrock = [r for r in rows if r["BillingAccountId"] == "bedrock-eu"]
    assert {(r["ProviderName"], r["PublisherName"], r["ServiceName"])
            for r in bedrock if "haiku" in r["x_Model"] and "anthropic" in
            r["x_Model"]} == {("AWS", "Anthropic", "Amazon Bedrock")}
    assert {r["SubAccountId"] for r in rows} == {"search", "support", "ads", None}
    features = {json.loads(r["Tags"]).get("feature") for r in rows}
    assert features == {"chat", 'a "b",c', "naïve\n"}
    own = [r for r in rows if r["x_CostSource"] == "gpu"]
    assert own and all(r["ConsumedUnit"] == "Seconds" and r["ResourceId"]
                       for r in own)


def test_focus_list_price_is_the_lines_own(month):
    rows = focus(month.path)[1]
    expected = sum(round(float(line["llm.cost.list"]) * 1e9)
                   if "llm.cost.list" in line else line["llm.cost.total_nusd"]
                   for line in month.lines)
    assert focus_check.total(rows, "ListCost") == expected * focus_check.NANO


def test_focus_spreads_what_was_committed_to_over_what_used_it(month, tmp_path):
    """A purchase is billed; its use and what was left have the same amount, and
    the same hours. The second takes fewer tokens than there were."""
    made = tmp_path / "commitments.json"
    made.write_text(json.dumps({"commitments": [
        {"id": "scale", "vendor": "openai", "model": "gpt-4o-2024*",
         "usd_per_hour": "0.10", "tokens_per_minute": 1000},
        {"id": "small", "vendor": "aws.bedrock", "usd_per_hour": "0.07",
         "tokens_per_minute": 1, "until": "2026-10-20"},
        {"id": "any", "vendor": "azure.ai.openai", "usd_per_hour": "1.5",
         "from": "2026-10-31"}]}))
    problems, rows = focus(month.path, f"--commitments={made}", "--by=key",
                           "--since=2026-10-01", "--until=2026-11-01")
    assert problems == []
    lines = focus_check.lines_total([month.path])
    bought = {"scale": "74.4", "small": "31.92", "any": "36"}
    committed = sum(map(focus_check.Decimal, bought.values()))
    assert focus_check.total(rows, "BilledCost") == lines + committed
    assert focus_check.total(rows, "EffectiveCost") == lines + committed
    for name, nusd in bought.items():
        mine = [r for r in rows if r["CommitmentDiscountId"] == name]
        split = {kind: [r for r in mine if r["CommitmentDiscountStatus"] == kind]
                 for kind in (None, "Used", "Unused")}
        assert focus_check.total(split[None], "BilledCost") == \
            focus_check.Decimal(nusd)
        assert focus_check.total(split["Used"] + split["Unused"],
                                 "EffectiveCost") - \
            focus_check.total(split["Used"], "BilledCost") == \
            focus_check.Decimal(nusd)
        assert focus_check.total(split["Used"] + split["Unused"],
                                 "CommitmentDiscountQuantity") == \
            focus_check.total(split[None], "PricingQuantity")
        assert bool(split["Used"]) == (name != "any")
    used_days = {r["ChargePeriodStart"] for r in rows
                 if r["CommitmentDiscountId"] == "small"
                 and r["CommitmentDiscountStatus"] == "Used"}
    left_days = {r["ChargePeriodStart"] for r in rows
                 if r["CommitmentDiscountId"] == "small"
                 and r["CommitmentDiscountStatus"] == "Unused"}
    assert used_days and not used_days & left_days


def test_a_clients_tag_is_no_formula_for_a_spreadsheet(tmp_path):
    lines = Lines(1)
    lines.priced(lines.at(1, 1), next(iter_models()), [10, 0, 0, 5],
                 **{"llm.team": "=cmd|' /C calc'!A0"})
    rows = focus(lines.write(tmp_path / "x"))[1]
    assert {r["SubAccountId"] for r in rows} == {"'=cmd|' /C calc'!A0"}


def iter_models():
    from ledger_lines import MODELS
    return iter(MODELS)


def test_the_checker_finds_what_is_wrong(month):
    good = llmctl("report", "focus", "--quiet", month.path).stdout
    rows = good.splitlines()
    for old, new in [("Usage,,", "Use,,"), (",USD,", ",usd,"),
                     ("Usage-Based", "Sometimes"), ("Generative AI", "Search"),
                     ("1000000 Tokens", "tokens"), ("T00:00:00Z", " 00:00:00")]:
        bad = [rows[0], rows[1].replace(old, new, 1)]
        assert bad[1] != rows[1], old
        assert focus_check.check([r + "\r\n" for r in bad])[0], old


def test_focus_of_a_servers_own_log(server, fake):
    server.meter(fake, ("llm_tag", "team", "from=header:x-team"))
    for team in ("a", "b", "b"):
        server.client.post(CHAT, calls.chat(), {"x-team": team})
    server.lines(3)
    problems, rows = focus(server.log_of().path)
    assert problems == []
    assert focus_check.total(rows, "BilledCost") == \
        focus_check.lines_total([server.log_of().path])
    assert {(r["SubAccountId"], r["SkuMeter"]) for r in rows} == {
        (team, meter) for team in "ab" for meter in ("Input Tokens",
                                                     "Output Tokens")}
    assert sum(int(r["x_Calls"]) for r in rows) == 3


# Invoices.

ANTHROPIC = ("usage_date_utc,model,workspace,api_key,usage_type,context_window,"
             "token_type,cost_usd,list_price_usd,cost_type")
OPENAI = ("start_time,end_time,start_time_iso,end_time_iso,amount_value,"
          "amount_currency,quantity,quantity_unit,line_item,user_id,api_key_id,"
          "project_id,organization_id,project_name,organization_name")
SHOWN = {"claude-3-5-haiku-20241022": "Claude Haiku 3.5",
         "claude-sonnet-4-5-20250929": "Claude Sonnet 4.5"}


def of_vendor(month, vendor):
    return [line for line in month.lines
            if line.get("gen_ai.provider.name") == vendor
            and line["llm.cost.total_nusd"]]


def anthropic_bill(month, path, change=lambda name, nusd: nusd):
    bill = defaultdict(int)
    for line in of_vendor(month, "anthropic"):
        model = line.get("gen_ai.response.model", line["gen_ai.request.model"])
        model = {"claude-sonnet-4-5": "claude-sonnet-4-5-20250929"}.get(model, model)
        bill[line["@timestamp"][:10], model] += line["llm.cost.total_nusd"]
    rows = [ANTHROPIC]
    for (day, model), nusd in sorted(bill.items()):
        half = change(model, nusd) // 2
        for kind, part in (("input", half),
                           ("output", change(model, nusd) - half)):
            rows.append(f'{day},"{SHOWN[model]}",Default,k,message,≤ 200k,{kind},'
                        f"{dollars(part)},0,token")
    path.write_text("\ufeff" + "\r\n".join(rows) + "\r\n", encoding="utf-8")
    return str(path)


def test_an_invoice_that_is_ours_has_no_difference(month, tmp_path):
    bill = anthropic_bill(month, tmp_path / "bill.csv")
    for by in ("model", "day,model", "day"):
        rows, told = table("reconcile", bill, f"--by={by}", "--tolerance=0",
                           "--log", month.path, name="reconcile")
        assert all(r["difference_nusd"] == 0 and r["within"] == "yes"
                   for r in rows)
        assert sum(r["ours_nusd"] for r in rows) == sum(
            line["llm.cost.total_nusd"] for line in of_vendor(month, "anthropic"))
    assert {r["model"] for r in table("reconcile", bill, month.path,
                                      name="reconcile")[0]} == {
        "claude-haiku-3-5", "claude-sonnet-4-5"}


def test_a_discount_shows_at_its_model_alone(month, tmp_path):
    def change(model, nusd):
        return nusd * 80 // 100 if "sonnet" in model else nusd

    bill = anthropic_bill(month, tmp_path / "bill.csv", change)
    rows, _ = table("reconcile", bill, month.path, rc=1, name="reconcile")
    rows = {r["model"]: r for r in rows}
    assert rows["claude-haiku-3-5"]["within"] == "yes"
    assert rows["claude-sonnet-4-5"]["within"] == "NO"
    assert rows["claude-sonnet-4-5"]["difference_part"] == pytest.approx(0.25,
                                                                         abs=1e-4)
    of_all = 100 * rows["claude-sonnet-4-5"]["difference_nusd"] / sum(
        r["theirs_nusd"] for r in rows.values())
    llmctl("reconcile", bill, f"--tolerance={of_all * 0.99}%", month.path, rc=1)
    llmctl("reconcile", bill, f"--tolerance={of_all * 1.01}%", month.path)
    dollars_off = rows["claude-sonnet-4-5"]["difference_nusd"] / 1e9
    llmctl("reconcile", bill, f"--tolerance={dollars_off * 0.99}", month.path,
           rc=1)
    llmctl("reconcile", bill, f"--tolerance={dollars_off * 1.01}", month.path)


def test_an_openai_export_is_read_and_says_what_is_not_on_it(month, tmp_path):
    """Failed attempts and killed calls are not billed there; a day has an empty
    row, as where nothing was used."""
    ours, theirs, failed = defaultdict(int), defaultdict(int), 0
    for line in of_vendor(month, "openai"):
        nusd = line["llm.cost.total_nusd"]
        model = line.get("gen_ai.response.model", line["gen_ai.request.model"])
        model = "gpt-4o" if model == "gpt-4o-2024-08-06" else model
        ours[model] += nusd
        if line["llm.final"] and "llm.recovered" not in line:
            theirs[model] += nusd
        if not line["llm.final"]:
            failed += nusd
    rows = [OPENAI, "1790812800,1790899200,2026-10-01T00:00:00+00:00,,,,,,,,,,,,"]
    for model, nusd in theirs.items():
        amount = dollars(nusd) + "0" * 12
        rows.append(f"1791072000,1791158400,2026-10-04T00:00:00,,{amount},usd,,,"
                    f'"{model}-2024-08-06, input",,,,org-1,,Acme')
    bill = tmp_path / "openai.csv"
    bill.write_text("\n".join(rows) + "\n")
    told, more = table("reconcile", str(bill), "--since=2026-10-01",
                       "--until=2026-11-01", "--tolerance=0", month.path, rc=1,
                       name="reconcile")
    found = {r["model"]: r for r in told if r["ours_nusd"]}
    assert {m: r["ours_nusd"] for m, r in found.items()} == ours
    assert {m: r["theirs_nusd"] for m, r in found.items()} == theirs
    assert all("killed" in r["why"] or "failed" in r["why"]
               for r in found.values() if r["difference_nusd"])
    assert sum(r["failed_attempts_nusd"] for r in found.values()) == failed
    assert "vendor is openai" in json.dumps(more)


def test_any_csv_whose_columns_are_told_or_usual(month, tmp_path):
    total = sum(line["llm.cost.total_nusd"] for line in month.lines)
    plain = tmp_path / "plain.csv"
    plain.write_text(f'Note;"Amount (USD)"\nall;"${dollars(total - 10**9)}"\n'
                     ";1.00\n")
    rows, more = table("reconcile", str(plain), "--amount=Amount (USD)",
                       "--tolerance=0", month.path, name="reconcile")
    assert [r["difference_nusd"] for r in rows] == [0]
    assert "no models" in json.dumps(more)
    cents = tmp_path / "cents.csv"
    cents.write_text("what,money\ngpt-4o,12.5\ntotal,12.5\n")
    rows, _ = table("reconcile", str(cents), "--model=what", "--amount=money",
                    "--cents", "--where=model=gpt-4o*", month.path, rc=1,
                    name="reconcile")
    assert {r["model"]: r["theirs_nusd"] for r in rows}["gpt-4o"] == 125000000


def test_our_own_focus_is_an_invoice_without_differences(month, tmp_path):
    bill = tmp_path / "focus.csv"
    llmctl("report", "focus", "--quiet", f"--output={bill}", month.path)
    rows, _ = table("reconcile", str(bill), "--by=day,model", "--tolerance=0",
                    "--log", month.path, name="reconcile")
    assert all(r["difference_nusd"] == 0 for r in rows)
    assert sum(r["theirs_nusd"] for r in rows) == month.total()


@pytest.mark.parametrize("text, why", [
    ("", "is empty"), ("model,cost\ngpt,x\n", "bad.csv:2: has an amount"),
    ("model,tokens\ngpt,5\n", "no column of amounts"),
    ("model,amount,currency\ngpt,5,EUR\n", "another currency"),
    ("date,model,cost\n31.10.2026,gpt,5\n", "has a date"),
    ("model,cost\n", "has no amounts")])
def test_what_is_no_invoice_is_refused(month, tmp_path, text, why):
    bad = tmp_path / "bad.csv"
    bad.write_text(text)
    assert why in llmctl("reconcile", str(bad), month.path, rc=2).stderr


# Sealed months.

def test_a_seal_does_not_depend_on_the_files(month, tmp_path):
    seal = tmp_path / "2026-10.json"
    said = llmctl("close", "--period=2026-10", f"--output={seal}", month.path)
    sealed = json.loads(seal.read_text())
    assert sealed["hash"] in said.stdout
    assert sealed["total"]["nusd"] == month.total() == sum(
        r["nusd"] for r in sealed["rows"])
    texts = [month.text().splitlines(keepends=True)[i::3] for i in range(3)]
    texts[0].reverse()
    texts[1] += texts[1][:5]                    # five lines twice
    (tmp_path / "a.jsonl").write_text("".join(texts[2]))
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as f:
        f.write("".join(texts[0]))
    (tmp_path / "c.jsonl").write_text("".join(texts[1]))
    names = [str(tmp_path / n) for n in ("c.jsonl", "b.jsonl.gz", "a.jsonl")]
    assert "is as it was sealed" in llmctl("close", f"--verify={seal}",
                                           *names).stdout
    llmctl("close", "--period=2026-10", f"--output={seal}", month.path, rc=1)


@pytest.mark.parametrize("how", ["cost", "team", "gone", "more"])
def test_what_has_changed_since_is_told(month, tmp_path, how):
    seal = tmp_path / "seal.json"
    llmctl("close", "--period=2026-10", f"--output={seal}", month.path)
    lines = month.text().splitlines(keepends=True)
    at = next(i for i, l in enumerate(lines) if '"llm.team":"ads"' in l
              and json.loads(l)["llm.cost.total_nusd"])
    cost = json.loads(lines[at])["llm.cost.total_nusd"]
    if how == "cost":
        lines[at] = lines[at].replace(f'_nusd":{cost}', f'_nusd":{cost - 1}')
    elif how == "team":
        lines[at] = lines[at].replace('"ads"', '"support"')
    elif how == "gone":
        del lines[at]
    else:
        lines.append(lines[at].replace('"event.id":"', '"event.id":"f'))
    changed = tmp_path / "now.jsonl"
    changed.write_text("".join(lines))
    rows, _ = table("close", f"--verify={seal}", str(changed), rc=1,
                    name="differences")
    moved = {r["team"]: r["difference_nusd"] for r in rows}
    assert moved == {"cost": {"ads": -1}, "gone": {"ads": -cost},
                     "more": {"ads": cost},
                     "team": {"ads": -cost, "support": cost}}[how]


def test_an_edited_manifest_and_a_broken_chain_are_found(tmp_path):
    lines = Lines(3)
    who = next(iter_models())
    lines.priced(lines.at(5, 0), who, [100, 0, 0, 10], **{"llm.team": "a"})
    lines.priced(lines.at(30, 86399), who, [100, 0, 0, 10])
    late = lines.at(31, 0)                      # November's
    lines.priced(late, who, [7, 0, 0, 7])
    log = lines.write(tmp_path / "log")
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    llmctl("close", "--period=2026-10", f"--output={first}", log)
    llmctl("close", "--period=2026-11-01", f"--previous={first}",
           f"--output={second}", log)
    assert json.loads(first.read_text())["total"]["calls"] == 2
    assert json.loads(second.read_text())["total"]["calls"] == 1
    assert json.loads(second.read_text())["previous"]["hash"] == \
        json.loads(first.read_text())["hash"]
    llmctl("close", f"--verify={second}", f"--previous={first}", log)
    text = first.read_text()
    edited = tmp_path / "edited.json"
    nusd = json.loads(text)["rows"][0]["nusd"]
    edited.write_text(text.replace(f'"nusd": {nusd}', f'"nusd": {nusd + 1}'))
    assert "has been changed" in llmctl("close", f"--verify={edited}", log,
                                        rc=1).stderr
    llmctl("close", f"--verify={second}", f"--previous={edited}", log, rc=1)
    other = tmp_path / "other.json"
    llmctl("close", "--period=2026-10-05", f"--output={other}", log)
    assert "right before" in llmctl("close", "--period=2026-11-01",
                                    f"--previous={other}", log, rc=1).stderr


def test_a_month_is_of_its_zone_and_has_to_be_over(tmp_path):
    lines = Lines(4)
    who = next(iter_models())
    lines.priced(lines.at(-1, 23 * 3600), who, [10, 0, 0, 1])   # 1:00 in Berlin
    log = lines.write(tmp_path / "log")
    for zone, calls_there in (("UTC", 0), ("Europe/Berlin", 1)):
        seal = tmp_path / zone.replace("/", "-")
        llmctl("close", "--period=2026-10", f"--zone={zone}", f"--output={seal}",
               log)
        told = json.loads(seal.read_text())
        assert told["total"]["calls"] == calls_there
        llmctl("close", f"--verify={seal}", log)
    assert [r["key"][0] for r in told["rows"]] == ["2026-10-01"]
    assert "is not over" in llmctl("close", "--period=2999-01", log, rc=1).stderr


# What else the money does.

def test_commitments_are_held_against_list_prices(month, tmp_path):
    made = tmp_path / "commitments.json"
    made.write_text(json.dumps({"commitments": [
        {"id": "scale", "vendor": "openai", "model": "gpt-4o-2024*",
         "usd_per_hour": "0.10", "tokens_per_minute": 1000},
        {"id": "idle", "vendor": "azure.ai.openai", "usd_per_hour": 1.5,
         "from": "2026-10-31"}]}))
    rows, _ = table("report", "commitments", f"--commitments={made}",
                    "--since=2026-10-01", "--until=2026-11-01", month.path,
                    name="commitments")
    rows = {r["commitment"]: r for r in rows}
    mine = [line for line in month.lines
            if line.get("gen_ai.response.model") == "gpt-4o-2024-08-06"]
    listed = sum(round(float(line["llm.cost.list"]) * 1e9) for line in mine)
    tokens = sum(line["gen_ai.usage.input_tokens"]
                 + line["gen_ai.usage.output_tokens"] for line in mine)
    scale = rows["scale"]
    assert scale["committed_nusd"] == 744 * 10**8
    assert scale["on_demand_nusd"] == listed
    assert scale["saved_nusd"] == listed - 744 * 10**8
    assert scale["utilization"] == pytest.approx(tokens / (744 * 60000), abs=1e-6)
    assert (rows["idle"]["hours"], rows["idle"]["saved_nusd"]) == (24, -36 * 10**9)
    assert rows["openai/gpt-4o-mini"]["kind"] == "on demand"
    made.write_text('{"commitments": [{"id": "x", "usd_per_hour": 1, "modle": ""}]}')
    llmctl("report", "commitments", f"--commitments={made}", month.path, rc=2)


def test_what_could_go_in_batches(month):
    rows, _ = table("report", "batch", "--by=team", "--discount=40%", month.path,
                    name="batch")
    expected = defaultdict(int)
    for line in month.lines:
        if line["llm.cost.total_nusd"] and line["llm.final"] \
                and not line.get("gen_ai.request.stream") \
                and "gen_ai.conversation.id" not in line \
                and "llm.recovered" not in line \
                and line["gen_ai.provider.name"] != "vllm":
            expected[line.get("llm.team", "")] += line["llm.cost.total_nusd"]
    assert {r["team"] or "": r["eligible_nusd"] for r in rows} == expected
    assert {r["team"] or "": r["would_save_nusd"] for r in rows} == {
        team: nusd * 40 // 100 for team, nusd in expected.items()}
    for r in rows:
        assert r["cost_nusd"] == sum(r[n + "_nusd"] for n in (
            "eligible", "batched", "streamed", "in_sessions", "other"))


def test_what_is_in_batches_or_fast_could_not_go_in_one(tmp_path):
    log = tmp_path / "log"
    tiers = ("standard", "standard+us", "batch", "batch+us", "flex", "fast",
             "fast+us")
    log.write_text("".join(json.dumps({
        "@timestamp": "2026-11-01T00:00:00.000Z", "event.id": str(n),
        "llm.final": True, "llm.cost.total_nusd": 10 ** n,
        "gen_ai.provider.name": "anthropic", "gen_ai.operation.name": "chat",
        "llm.service_tier": tier}) + "\n" for n, tier in enumerate(tiers)))
    (row,), _ = table("report", "batch", "--by=vendor", log, name="batch")
    assert [row[n + "_nusd"] for n in ("eligible", "batched", "other")] \
        == [11, 11100, 1100000]


def test_where_own_gpus_and_the_cloud_cost_the_same(month):
    rows, _ = table("report", "gpu", "--gpu-cost=0.01", "--instead=openai/gpt-4o",
                    "--prices=" + os.path.join(ROOT, "prices", "default.json"),
                    "--since=2026-10-01", "--until=2026-11-01", month.path,
                    name="gpu")
    own = {r["what"]: r for r in rows if r["kind"] == "own"}
    for server, row in own.items():
        mine = [line for line in month.lines if line.get("llm.server") == server]
        instead = len(mine) * (900 * 2500 + 300 * 10000)
        assert row["calls"] == len(mine)
        assert row["tokens"] == 1200 * len(mine)
        assert row["cost_nusd"] == 744 * 10**7
        assert row["instead_nusd"] == instead
        assert row["saved_nusd"] == instead - 744 * 10**7
        per_hour = 10**7 / (instead / row["tokens"])
        assert row["break_even_tokens_per_hour"] == int(per_hour)
    cloud = next(r for r in rows if r["what"] == "openai/gpt-4o-mini")
    assert cloud["gpus_for_the_money"] == pytest.approx(
        cloud["cost_nusd"] / 744 / 10**7, rel=1e-6)


def test_prompts_by_what_they_begin_with(month):
    rows, _ = table("report", "prompts", "--by=prefix", month.path, name="prompts")
    used = [line for line in month.lines
            if line["llm.final"] and line.get("gen_ai.usage.input_tokens")]
    for row in rows:
        mine = [line for line in used if line["llm.prefix_hash"] == row["prefix"]]
        out = sorted(line["gen_ai.usage.output_tokens"] for line in mine)
        assert row["calls"] == len(mine)
        assert row["no_max_tokens"] == pytest.approx(
            sum("gen_ai.request.max_tokens" not in line for line in mine)
            / len(mine), abs=1e-6)
        assert row["cache_hits"] == pytest.approx(
            sum(line.get("gen_ai.usage.cache_read.input_tokens", 0)
                for line in mine)
            / sum(line["gen_ai.usage.input_tokens"] for line in mine), abs=1e-6)
        want = out[-(-len(out) * 95 // 100) - 1]
        assert want <= row["output_p95"] * 1.01 and row["output_p95"] <= want * 1.1
    assert {r["prefix"] for r in rows} == {"00a1" * 4, "00b2" * 4}


def test_one_line_twice_counts_once(month, tmp_path):
    twice = tmp_path / "twice"
    twice.write_text(month.text() * 2)
    rows = focus(str(twice))[1]
    assert focus_check.total(rows, "BilledCost") == month.total() * focus_check.NANO


def test_csv_of_a_report_is_what_json_says(month):
    told, _ = table("report", "batch", "--by=team", month.path, name="batch")
    text = llmctl("report", "batch", "--by=team", "--format=csv", "--quiet",
                  month.path).stdout
    found = list(csv.DictReader(text.splitlines()))
    assert [int(r["cost_nusd"]) for r in found] == [r["cost_nusd"] for r in told]


def test_focus_of_names_that_are_no_text(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b'{"@timestamp":"2026-11-05T10:00:00Z","event.id":"1",'
                    b'"llm.final":true,"llm.team":"=in\xff\\u001b\\"valid",'
                    b'"llm.tags.x":"\xfe\\"y","llm.cost.total_nusd":5}\n')
    out = llmctl("report", "focus", "--by=tag:x", str(log)).stdout
    row = next(csv.DictReader(out.splitlines()))
    assert row["SubAccountId"] == "'=in??\"valid"
    assert json.loads(row["Tags"])["x"].endswith('"y')
