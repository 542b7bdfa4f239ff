"""llmctl budget, explain, why, ledger, report: what a server keeps, looked at
and changed from outside while it runs."""

import datetime
import json
import os
import pwd
import re
import signal
import subprocess
import time
import zoneinfo

import pytest

from calls import chat
from keys import sha256
from servers import DEADLINE, Loc, Site

HERE = os.path.dirname(os.path.abspath(__file__))
LLMCTL = os.environ.get("TG_LLMCTL",
                        os.path.join(HERE, "..", "..", "build", "llmctl"))
PATH = "/v1/chat/completions"
NUSD = 10 ** 9


def key(name, team=None, **more):
    """A record; the secret of each is its name and the same rest."""
    made = {"id": name, "sha256": sha256(secret(name)), **more}

    return {**made, "team": team} if team else made


def secret(name):
    return "tg_%s_0123456789abcdef" % name


def auth(name):
    return {"Authorization": "Bearer " + secret(name)}


class Shop:
    """A server with keys and quotas, and llmctl beside it."""

    def __init__(self, server, fake, quotas, keys=(), teams=None,
                 enable=("on",), zone="UTC", more=()):
        self.server = server
        self.ledger = os.path.join(server.mkdir("led"), "ledger")
        text = {"tollgate_keys": 1, "keys": list(keys)}

        if teams:
            text["teams"] = teams

        self.keys = server.write("etc/keys.json", json.dumps(text))
        self.llm = [("llm_log", server.log, "flush=0"),
                    ("llm_prices", server.prices)]
        self.llm += [("llm_keys", self.keys)] if keys else []
        self.llm += [("llm_ledger", self.ledger, "size=1m", "tz=" + zone)]
        self.llm += [("llm_quota", *words.split()) for words in quotas]
        self.llm += list(more)
        self.site = Site(locs=[Loc("/", [("llm", *enable)], fake)],
                         llm=self.llm, workers=2)
        server.start(self.site)

    def call(self, name=None, body=None):
        return self.server.client.post(
            PATH, body or chat("gpt-4o-mini", max_tokens=100),
            auth(name) if name else {})

    def ctl(self, *args, code=0, text=None, user=None):
        done = subprocess.run(
            [LLMCTL, *args, *(() if args[0] == "report"
                              else ("--ledger", self.ledger))],
            input=text, capture_output=True, text=True, timeout=DEADLINE,
            user=user, group=user and "nogroup")
        assert done.returncode == code, (args, done.stdout, done.stderr)

        return done.stdout if code == 0 else done.stderr

    def json(self, *args, **more):
        return json.loads(self.ctl(*args, "--json", **more))

    def rows(self):
        return {(r["quota"], r["subject"], r["limit"]): r
                for r in self.json("budget", "list")["budgets"]}

    def change(self, *args, **more):
        return self.ctl("budget", *args, "--reason=because", **more)

    def audited(self):
        with open(self.ledger + ".audit") as f:
            return [json.loads(line) for line in f]

    def await_status(self, status, name=None):
        """Returns how many calls it took."""
        end, n = time.monotonic() + DEADLINE, 0

        while True:
            n += 1
            if self.call(name).status == status:
                return n
            assert time.monotonic() < end, "no %d came" % status
            time.sleep(0.1)

    def lines(self, n):
        """They come a moment after the answer."""
        return self.server.lines(n)


KEYS = [key("k1", "search"), key("k2", "search"), key("k3", "ads")]
TWO = ["calls per=team requests=2/day"]


def test_raise_lifts_a_refusal_and_is_audited(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    assert [shop.call("k1").status for _ in range(3)] == [200, 200, 429]

    out = shop.change("raise", "calls", "team=search", "+1")
    assert "2 of 3 used" in out and "raised by 1" in out
    assert [shop.call("k2").status for _ in range(2)] == [200, 429]
    assert shop.call("k3").status == 200
    shop.lines(6)

    line, = shop.audited()
    assert line["event.action"] == "budget.raise"
    assert line["event.reason"] == "because"
    assert line["llm.rule"] == "calls"
    assert line["llm.quota.subject"] == "team search"
    assert line["llm.quota.raise"] == "1" and line["llm.quota.spent"] == "2"
    assert line["user.id"] == os.getuid() and line["user.name"]
    assert os.stat(shop.ledger + ".audit").st_mode & 0o777 == 0o640


def test_raise_expires_by_itself_and_survives_reload(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    shop.change("raise", "calls", "team=search", "+2", "--until", "1h")
    assert [shop.call("k1").status for _ in range(3)] == [200] * 3

    server.reload()

    row = shop.rows()["calls", "team search", "requests/day"]
    assert (row["used"], row["cap"], row["raise"]) == (3, 4, 2)
    assert shop.call("k1").status == 200
    assert shop.call("k1").status == 429

    shop.change("raise", "calls", "team=search", "+2", "--until", "2s")
    server.wait_until(lambda: "raise" not in
                      shop.rows()["calls", "team search", "requests/day"])
    assert shop.rows()["calls", "team search", "requests/day"]["cap"] == 2
    assert shop.call("k1").status == 429
    shop.lines(6)


def test_raise_ends_with_zero_and_takes_away(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    shop.change("raise", "calls", "team=search", "+5", "--until=never")
    shop.change("raise", "calls", "team=search", "+0")
    shop.change("raise", "calls", "team=ads", "-1")
    rows = shop.rows()
    assert rows["calls", "team search", "requests/day"]["cap"] == 2
    assert rows["calls", "team ads", "requests/day"]["cap"] == 1
    assert [shop.call("k3").status for _ in range(2)] == [200, 429]
    shop.lines(2)


def test_raise_names_nested_quotas_and_what_still_stops_it(server, fake):
    shop = Shop(server, fake,
                TWO + ["everyone per=all requests=2/day",
                       "own per=key requests=1/day"],
                KEYS, {"search": {"budgets": ["usd=5/day"]}, "ads": {}})
    assert [shop.call(k).status for k in ("k1", "k2", "k3")] \
        == [200, 200, 429]
    out = shop.change("raise", "calls", "team=search", "+5")
    assert re.search(r"^still stops it: everyone of all calls, requests/day:"
                     r" 2 of 2 used; full$", out, re.M)
    assert re.search(r"^also applies:   team of team search, usd/day: \S+ of 5"
                     r" used$", out, re.M)
    assert re.search(r"^stops a key:    own of key k1", out, re.M)
    assert shop.call("k1").status == 429
    shop.lines(4)


def test_reset_begins_the_window_anew(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    assert [shop.call("k1").status for _ in range(3)] == [200, 200, 429]
    assert "0 of 2 used" in shop.change("reset", "calls", "team=search")
    assert [shop.call("k1").status for _ in range(3)] == [200, 200, 429]
    shop.lines(6)


def test_latch_is_opened(server, fake):
    shop = Shop(server, fake, ["once per=key requests=1/second latch"], KEYS)
    assert shop.call("k1").status == 200
    server.wait_until(lambda: shop.call("k1").status == 429
                      and shop.call("k1").status == 429
                      and "latched" in shop.ctl("budget", "list"))
    time.sleep(1.1)                     # another window: closed all the same
    assert shop.call("k1").status == 429
    assert "latched" not in shop.change("open", "once", "key=k1")
    time.sleep(1.1)
    assert shop.call("k1").status == 200
    server.log_of().wait(5, exact=False)


def test_list_says_what_the_lines_sum_to(server, fake):
    shop = Shop(server, fake,
                ["money per=team usd=100/month", "words per=key"
                 " tokens=1M/day", "all per=all requests=1000/total",
                 "model per=model usd=50/day"],
                KEYS[:2] + [key("k3", "ads", budgets=["usd=7/day alert=50%"])],
                zone="Europe/Berlin")

    for i, name in enumerate(["k1", "k2", "k3", "k1", "k3"]):
        assert shop.call(name, chat("gpt-4o", "word " * (i + 3),
                                    max_tokens=200)).status == 200

    lines = shop.lines(5)
    server.wait_until(lambda: not any(r["held"] for r in shop.rows().values()))
    rows = shop.rows()

    def sums(what, **who):
        return sum(what(line) for line in lines
                   if all(line["llm." + k] == v for k, v in who.items()))

    def nusd(line):
        return line["llm.cost.total_nusd"]

    for team in ("search", "ads"):
        row = rows["money", "team " + team, "usd/month"]
        assert row["used"] == sums(nusd, team=team) > 0
        assert row["cap"] == row["stop"] == 100 * NUSD

    for name in ("k1", "k2", "k3"):
        assert rows["words", "key " + name, "tokens/day"]["used"] \
            == sums(lambda x: x.input + x.output, key_id=name)

    assert rows["all", "all calls", "requests/total"]["used"] == 5
    budget = rows["key", "key k3", "usd/day"]
    assert budget["kind"] == "budget"
    assert budget["used"] == sums(nusd, key_id="k3")
    assert budget["alerts"] == [{"percent": 50, "reached": False}]
    assert shop.json("budget", "list")["other_buckets"] == 1

    row, = shop.json("budget", "show", "model", "model=gpt-4o")
    assert row["used"] == sums(nusd)
    assert "money" in shop.ctl("budget", "list")
    assert "alert" in shop.ctl("budget", "show", "key", "key=k3")


def test_explain_says_what_the_server_then_does(server, fake):
    shop = Shop(server, fake,
                TWO + ["dear per=key usd=0.001/day",
                       "big per=key output_tokens=1000/day when=stream"],
                KEYS[:2] + [key("k3", "ads", models=["gpt-4o-mini"])])
    shop.call("k3")
    bodies = [("k1", chat("gpt-4o-mini", max_tokens=100)),
              ("k3", chat("gpt-4o", max_tokens=1)),
              ("k1", chat("gpt-4o", max_tokens=1000)),
              ("k1", chat("no-price", max_tokens=1)),
              ("k1", chat("gpt-4o-mini", stream=True, max_tokens=1001)),
              ("nobody", chat("gpt-4o-mini")),
              ("k2", chat("gpt-4o-mini", max_tokens=100)),
              ("k1", chat("gpt-4o-mini", max_tokens=100))]
    seen = []

    for i, (name, body) in enumerate(bodies):
        said = shop.json("explain", "--key", secret(name), "--upstream",
                         "api.openai.com", "-", text=json.dumps(body))
        answer = shop.call(name, body)
        line = shop.lines(i + 2)[-1]
        seen.append((answer.status, line.get("llm.rule")))

        for field in ("llm.decision", "llm.rule", "event.reason",
                      "llm.key_id", "llm.team", "gen_ai.request.model",
                      "gen_ai.provider.name"):
            assert said.get(field) == line.get(field), (i, field)

        assert said.get("status", answer.status) == answer.status
        server.wait_until(lambda: not any(r["held"]
                                          for r in shop.rows().values()))

    assert seen == [(200, None), (403, "model_not_allowed"), (429, "dear"),
                    (403, "model_not_priced"), (429, "big"),
                    (401, "invalid_api_key"), (200, None), (429, "calls")]

    out = shop.ctl("explain", "--key-id=k1", "-", text=json.dumps(bodies[0][1]))
    assert re.search(r"^quota      calls of team search, requests/day: 2 used,"
                     r" 0 held, of 2; takes 1: does not fit$", out, re.M)
    assert re.search(r"^verdict    refused with 429, by calls$", out, re.M)
    assert re.search(r"^at most    \d+ input tokens, 100 output tokens,"
                     r" 0\.00\d+ USD$", out, re.M)

    out = shop.ctl("explain", "--key-id=k3", "--model=gpt-4o-mini", "-",
                   text=json.dumps(bodies[1][1]))
    assert "verdict    let through" in out


def test_explain_reads_tags_as_the_server_does(server, fake):
    shop = Shop(server, fake, ["apps per=tag:app requests=5/day"],
                more=[("llm_tag", "app", "from=header:x-app", "required")])
    body = json.dumps(chat("gpt-4o-mini"))
    said = shop.json("explain", "-", text=body)
    assert said["llm.rule"] == "missing_attribution"
    said = shop.json("explain", "--header=X-App: one", "-", text=body)
    assert said["quotas"][0]["subject"] == "app one"
    assert said["quotas"][0]["verdict"] == "fits"
    report = shop.json("ledger", "check")
    assert report["entries"] == report["slots"] == 0


def test_explain_tells_of_a_wait(server, fake):
    shop = Shop(server, fake, ["one per=all concurrent=1 wait=300ms"])
    body = json.dumps(chat("gpt-4o-mini"))
    exchange = server.client.open("POST", PATH,
                                  chat("gpt-4o-mini", stream=True),
                                  fake={"words": 20, "gate": 5})
    exchange.head()
    out = shop.ctl("explain", "-", text=body)
    assert "0 used, 1 held, of 1; takes 1: fits when others have ended" in out
    assert "by one, unless there is room for it within 300 ms" in out
    assert shop.call().status == 429
    fake.release()
    assert exchange.read().status == 200
    exchange.close()
    assert "let through" in shop.ctl("explain", "-", text=body)
    shop.lines(2)


def test_why_tells_who_refused_and_what_would_help(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    answers = [shop.call("k1") for _ in range(3)]
    lines = shop.lines(3)
    ids = [line["llm.call_id"] for line in lines]
    assert answers[2].status == 429

    out = shop.ctl("why", ids[2])
    assert "by calls" in out and "key k1" in out
    assert re.search(r"llmctl budget raise calls 'team=search' \+AMOUNT", out)
    assert "2 spent, 0 held, of 2 requests" in out

    out = shop.ctl("why", ids[0], "--log", server.log)
    assert "let through" in out and "USD" in out
    assert "none of the logs" in shop.ctl("why", "no-such-call", code=1)


def test_ledger_is_checked_and_dumped(server, fake):
    shop = Shop(server, fake, TWO + ["session per=session requests=9/day"],
                KEYS, more=[("llm_tag", "session", "from=header:x-s")])
    server.client.post(PATH, chat("gpt-4o-mini"),
                       {**auth("k1"), "x-s": "one"})
    shop.lines(1)
    report = shop.json("ledger", "check")
    assert report["sound"] and report["bad_held"] == 0
    assert report["entries"] == 2
    assert shop.json("ledger", "check", "--lock")["sound"]

    entries = [json.loads(line) for line in
               shop.ctl("ledger", "dump", "--json").splitlines()]
    named = {(e["quota"], e["subject"]): e for e in entries if "quota" in e}
    assert named["calls", "team search"]["used"] == 1
    assert len([e for e in entries if "quota" not in e]) == 1

    server.terminate()
    assert shop.json("ledger", "check")["sound"]
    assert "sound" in shop.ctl("ledger", "check")

    with open(shop.ledger, "r+b") as f:
        data = f.read()
        at = data.rfind(bytes.fromhex(named["calls", "team search"]["key"]))
        f.seek(at + 40)                 # held
        f.write(b"\x07")

    done = subprocess.run([LLMCTL, "ledger", "check", "--ledger", shop.ledger],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "NOT SOUND" in done.stdout


def test_report_tells_who_would_have_been_refused(server, fake):
    shop = Shop(server, fake, ["calls per=team requests=1/day dry_run"], KEYS)
    assert [shop.call(k).status for k in ("k1", "k2", "k3", "k1")] == [200] * 4
    lines = shop.lines(4)
    dry = [x for x in lines if x["llm.decision"] == "dry_refuse"]
    assert len(dry) == 2
    group, = json.loads(shop.ctl("report", "dry-run", "--json", server.log))
    assert group["rule"] == "calls" and group["subject"] == "team search"
    assert group["calls"] == 2
    assert group["nusd"] == sum(x.nusd for x in dry) > 0
    assert group["since"] == dry[0]["@timestamp"]
    assert group["last"] == dry[1]["@timestamp"]
    assert "2 calls would have been refused" in shop.ctl(
        "report", "dry-run", server.log)


def test_until_is_by_the_ledgers_clocks(server, fake):
    shop = Shop(server, fake, TWO, KEYS, zone="Europe/Berlin")
    now = time.time()

    def until(word):
        shop.change("raise", "calls", "team=search", "+1", "--until", word)
        row = shop.rows()["calls", "team search", "requests/day"]
        return row["raise_until"]

    assert until("never") is None
    assert until("2060-01-31") == "2060-01-30T23:00:00.000Z"
    assert until("2060-07-31T09:00") == "2060-07-31T07:00:00.000Z"
    assert until("2060-07-31 09:00:30Z") == "2060-07-31T09:00:30.000Z"
    assert until("2060-07-31T09:00:00-01:00") == "2060-07-31T10:00:00.000Z"

    berlin = zoneinfo.ZoneInfo("Europe/Berlin")

    for clock in ("00:00", "09:00", "23:59"):
        at = datetime.datetime.fromisoformat(until(clock)[:-1] + "+00:00")
        assert at.astimezone(berlin).strftime("%H:%M:%S") == clock + ":00"
        assert 0 < at.timestamp() - now < 25 * 3600 + 60

    at = datetime.datetime.fromisoformat(until("1h30m")[:-1] + "+00:00")
    assert abs(at.timestamp() - now - 5400) < 300
    row = shop.rows()["calls", "team search", "requests/day"]
    shop.change("raise", "calls", "team=search", "+1")
    after = shop.rows()["calls", "team search", "requests/day"]
    assert after["raise_until"] == row["reset"]
    assert "no time to come" in shop.change(
        "raise", "calls", "team=search", "+1", "--until=1700", code=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_others_than_root_and_the_servers_user_are_told_so(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    shop.change("raise", "calls", "team=search", "+1")
    owner = pwd.getpwuid(os.stat(shop.ledger).st_uid).pw_name
    assert owner != "root"
    out = shop.change("raise", "calls", "team=search", "+2", user=owner)
    assert "0 of 4 used" in out
    assert [line["user.name"] for line in shop.audited()][1] == owner
    stranger = "games" if owner == "nobody" else "nobody"
    said = shop.ctl("budget", "list", code=1, user=stranger)
    assert "root or as the server's user, " + owner in said
    said = shop.ctl("ledger", "check", code=1, user=stranger)
    assert "root or as the server's user, " + owner in said


def test_mistakes_are_told_and_change_nothing(server, fake):
    shop = Shop(server, fake,
                TWO + ["many per=key requests=1/day usd=1/month",
                       "so_far per=all requests=9/total"], KEYS)
    before = shop.rows()
    both = "requests/day usd/month"

    for said, args in [
            ("no quota has this name", ("raise", "cals", "team=search", "+1")),
            ("named nowhere", ("raise", "calls", "team=serach", "+1")),
            ("is per team=", ("raise", "calls", "key=k1", "+1")),
            ("is per team=", ("raise", "calls", "+1")),
            ("no key of this id", ("raise", "many", "key=k9", "+1")),
            (both, ("raise", "many", "key=k1", "+1")),
            ("whole number", ("raise", "calls", "team=search", "+1.5")),
            ("no time to come", ("raise", "calls", "team=search", "+1",
                                 "--until=2020-01-01")),
            ("no end", ("raise", "so_far", "+1")),
            ("has no limit", ("raise", "many", "key=k1", "+1",
                              "--limit=usd/day")),
            ("no part of a subject", ("reset", "calls", "search"))]:
        assert said in shop.change(*args, code=1), args

    assert "--reason" in shop.ctl("budget", "reset", "calls", "team=search",
                                  code=1)
    assert "usage" in shop.change("raise", "calls", "team=search", code=2)
    assert shop.rows() == before
    assert not os.path.exists(shop.ledger + ".audit")
    shop.change("raise", "many", "key=k1", "+2.5", "--limit=usd/month",
                "--until=09:00")
    assert shop.rows()["many", "key k1", "usd/month"]["raise"] == 5 * NUSD // 2


def test_configuration_beside_the_ledger_is_the_servers(server, fake):
    shop = Shop(server, fake, TWO, KEYS)
    conf = shop.ledger + ".conf"
    st, led = os.stat(conf), os.stat(shop.ledger)
    assert st.st_mode & 0o777 == 0o600
    assert (st.st_uid, st.st_gid) == (led.st_uid, led.st_gid)

    # one that is refused leaves it alone

    before = open(conf).read()
    shop.site.llm.append(("llm_quota", "bad"))
    assert not server.test_config(shop.site)[0]
    shop.site.llm.pop()
    shop.site.llm[-1:] = [("llm_quota", "other", "per=key", "requests=1/day")]
    assert server.test_config(shop.site)[0]
    assert open(conf).read() == before

    if server.name == "nginx":          # httpd stops where it can't go on
        shop.site.llm.append(("llm_quota", "bad"))
        server.expect_errors(r"\[emerg\]")
        server.write("etc/nginx.conf", server.render(shop.site))
        server.signal(signal.SIGHUP)
        server.await_message(r"\[emerg\]")
        assert open(conf).read() == before
        shop.site.llm.pop()

    server.reload(shop.site)
    server.wait_until(lambda: ("other", "key k1", "requests/day")
                      in shop.rows())

    os.chmod(conf, 0o666)
    assert "may have written it" in shop.ctl("budget", "list", code=1)
    os.unlink(conf)
    assert "starts or reloads" in shop.ctl("budget", "list", code=1)
