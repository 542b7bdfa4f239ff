"""A bad value is refused with its file, its line and the reason."""

import re

import pytest

from keys import gated, key, keys
from servers import Loc, Site

BAD = [
    (("llm", "maybe"), "on, off or dry_run", "maybe"),
    (("llm", "on", "on_disconnect=never"), "on_disconnect", "never"),
    (("llm", "on", "on_disconnect=drain:x"), "drain", "x"),
    (("llm", "on", "unknown=what"), "pass or reject", "what"),
    (("llm", "on", "colour=red"), "colour=red", "unknown"),
    (("llm_log", "{log}", "format=xml"), "json or underscore", "xml"),
    (("llm_log", "{log}", "buffer=7"), "buffer", "7"),
    (("llm_log", "{log}", "flush=soon"), "flush", "soon"),
    (("llm_log", "{log}", "colour=red"), "colour=red", "unknown"),
    (("llm_log", "off", "flush=1s"), "off", "alone"),
    (("llm_log", "/no/such/x.log"), "/no/such/x.log", ""),
    (("llm_log", "syslog:server=127.0.0.1,colour=red"), "colour", ""),
    (("llm_tag", "team"), "", ""),
    (("llm_tag", "te am", "from=header:x"), "te am", "letters"),
    (("llm_tag", "team", "from=header:"), "source", "header:"),
    (("llm_tag", "team", "from=planet:x"), "source", "planet:x"),
    (("llm_tag", "team", "from=header:x,,header:y"), "empty", ""),
    (("llm_tag", "team", "from=json:x"), "json:", "field"),
    (("llm_tag", "team", "required"), "from=", ""),
    (("llm_tag", "team", "from=header:x", "please"), "please", "unknown"),
    (("llm_provider", "x", "dialect=klingon"), "klingon", "openai"),
    (("llm_provider", "x", "url=ftp://x"), "ftp://x", "http"),
    (("llm_provider", "x", "stream_usage=perhaps"), "perhaps", "inject"),
    (("llm_provider", "x", "colour=red"), "colour=red", "unknown"),
    (("llm_prices", "/no/such/prices.json"), "/no/such/prices.json", ""),
    (("llm_quota", "q", "per=all", *(m + "=1/day" for m in (
        "requests", "tokens", "input_tokens", "output_tokens")),
      "alert=50%", "stop=90%", "wait=1s", "repeats=3", "latch", "colour=red"),
     "colour", ""),
    (("llm_quota", "q", "per=all", "usd=1/day", "when=team == search"),
     "team == ", "a string is in quotes"),
    (("llm", "on", "unknown=pass", "unknown=reject"), "unknown=", "twice"),
    (("llm_log", "{log}", "flush=1s", "flush=2s"), "flush=", "twice"),
    (("llm_log", "syslog:server=127.0.0.1", "flush=0"), "flush=", "syslog"),
    (("llm_tag", "x", "from=header:$http_x_team"), "$http_x_team", "header"),
    (("llm_tag", "x", "from=json:x y:z"), "x y:z", "json:"),
    (("llm_tag", "x", "from=header:x,header:y,header:x"), "header:x", "twice"),
    (("llm_provider", "x", "url=http://a", "url=http://b"), "url=", "twice"),
    (("llm_metrics", "labels=team,model,team"), "team", "twice"),
    (("llm_metrics", "series=5", "series=6"), "series=", "twice"),
    (("llm_ledger", "{dir}/l", "size=1m", "size=2m"), "size=", "twice"),
    (("llm_quota", "q", "per=all", "usd=1/day", "clamp=min:1", "clamp=min:2"),
     "clamp=", "twice"),
    (("llm_guard", "g", "deny=~(a", "action=reject"), "(a", "parenthesis"),
    (("llm_ledger", "{dir}/ledger", "redis=a", "fleet=x", "lease=maybe"),
     "ahead or strict", "maybe"),
    (("llm_prices", *["a.json"] * 17), "takes", ""),
    (("llm_prices", *["a.json"] * 40), "takes", ""),
]

ANYWHERE = "/no/such/"                  # a file that is opened only later


def where(server, messages):
    """The file and line that the message names."""
    return re.search(r"(?:in|of) ?\S*?(?:nginx|httpd)\.conf:? ?(?:line )?\d+|"
                     r"on line \d+ of \S*httpd\.conf", messages)


@pytest.mark.parametrize("directive,word,other", BAD,
                         ids=[" ".join(b[0]) for b in BAD])
def test_bad_value_is_named_with_its_place(server, fake, directive, word,
                                           other):
    directive = [d.format(log=server.log, dir=server.dir) for d in directive]
    site = server.metered(fake)
    site.llm.append(tuple(directive))
    ok, messages = server.test_config(site)
    assert not ok
    assert word in messages and other in messages
    assert where(server, messages) or ANYWHERE in directive[1], messages
    assert "\\n" not in messages        # httpd's log has a line for each


@pytest.mark.parametrize("file,why", [
    ("/no/such/ledger", "No such file or directory"),
    ("/dev/null/ledger", "Not a directory"),
    ("/proc", "not a file"),
    ("{dir}/etc/notes", "not a ledger")])
def test_ledger_that_could_not_be_opened_is_named(server, fake, file, why):
    """By the test of the configuration, not by the start after it."""
    server.write("etc/notes", "no ledger\n")
    file = file.format(dir=server.dir)
    ok, messages = server.test_config(server.metered(
        fake, ("llm_ledger", file, "size=1m")))
    assert not ok
    assert file in messages and why in messages


@pytest.mark.parametrize("name,first,second", [
    ("llm_tag", ("team", "from=header:x"), ("team", "from=header:y")),
    ("llm_provider", ("x", "url=http://a"), ("x", "url=http://b")),
])
def test_name_declared_twice_is_refused(server, fake, name, first, second):
    ok, messages = server.test_config(
        server.metered(fake, (name, *first), (name, *second)))
    assert not ok
    assert "twice" in messages


def test_alert_of_a_quota_that_is_none_is_refused(server, fake):
    """The quotas may come later in the file."""
    alert = ("llm_alert", "url=http://127.0.0.1:9/", "quota=day,nosuch")
    ok, messages = server.test_config(server.metered(fake, *gated(
        server, "day per=all requests=9/day alert=50%",
        "week per=all requests=99/week", llm=[alert])))
    assert not ok
    assert '"nosuch"' in messages and "there are: day, week" in messages
    ok, messages = server.test_config(server.metered(fake, *gated(
        server, "day per=all requests=9/day alert=50%",
        "nosuch per=all requests=99/week", llm=[alert])))
    assert ok
    assert '"nosuch", which has no alert=' in messages


def test_alert_of_a_budget_that_is_none_is_warned_of(server, fake):
    """The keys file may get it yet, or have lost it since."""
    def said(names):
        return server.test_config(server.metered(fake, *gated(
            server, llm=[("llm_alert", "url=http://127.0.0.1:9/",
                          "quota=" + names)],
            text=keys(key("ann", rates=["requests=9/hour"], budgets=[
                {"name": "lunch", "limit": "usd=5/day"}])))))
    ok, messages = said("lunch,key")
    assert ok and "llm_alert" not in messages, messages
    ok, messages = said("lunch,dinner")
    assert ok
    assert 'budget of the keys file is named "dinner"' in messages


NAMES = [
    ("tag(nosuch) == 'x'", "llm_tag", "nosuch"),
    ("depth > 3", "llm_tag", "depth"),
    ("operation == 'chatt'", "operation", "chatt"),
    ("provider in ('openai', 'opnai')", "vendor", "opnai"),
    ("'monday' == weekday()", "mon, tue", "monday"),
    ("hour() in (22, 23, 24)", "0 to 23", "24"),
    ("not (country != 'de')", "capital", "de"),
    ("country == 'DE'", "llm_geoip", "missing"),
    ("asn == 1", "llm_geoip", "missing"),
    ("used(nosuch) > 50%", "no quota", "nosuch"),
    ("healthy(nosuch)", "llm_provider", "nosuch")]


@pytest.mark.parametrize("when,word,other", NAMES, ids=[n[0] for n in NAMES])
@pytest.mark.parametrize("what", ["llm_quota", "llm_guard", "llm_route"])
def test_when_that_names_what_is_not_there_is_refused(server, fake, what, when,
                                                      word, other):
    rest = {"llm_quota": ("per=all", "requests=9/day"), "llm_guard": (),
            "llm_route": ("to=somebody",)}[what]
    ok, messages = server.test_config(server.metered(
        fake, ("llm_ledger", server.path("ledger"), "size=1m"),
        ("llm_provider", "somebody", "url=http://127.0.0.1:1"),
        (what, "it", "when=" + when, *rest)))
    assert not ok
    assert word in messages and other in messages and '"it"' in messages
    assert "\\n" not in messages


def test_when_that_names_what_is_there_passes(server, fake):
    ok, messages = server.test_config(server.metered(
        fake, ("llm_guard", "it", "when=tag(app) == 'x' and depth > 2 and"
               " operation in ('chat', 'embeddings') and provider != 'own' and"
               " provider != 'anthropic' and weekday() != 'sun' and"
               " hour() not in (0, 23) and hour() < 24"),
        ("llm_tag", "app", "from=header:x-app"),
        ("llm_tag", "depth", "from=header:x-depth"),
        ("llm_provider", "own", "url=http://127.0.0.1:1")))
    assert ok, messages
    assert "warn]" not in messages


def test_a_switch_may_leave_its_key_where_it_is(server, fake):
    ok, messages = server.test_config(server.metered(
        fake, ("llm_prefix_hash", "off", "key=file:/etc/hostname")))
    assert ok, messages


NEVER = [
    ([("llm_guard", "g", "when=team == 'a'")], "team", "never known"),
    ([("llm_tag", "team", "from=key,header:x")], "source key", "llm_keys"),
    ([("llm_provider", "a", "url=http://127.0.0.1:8000"),
      ("llm_provider", "b", "url=http://127.0.0.1:8001")], '"b"', "port")]


@pytest.mark.parametrize("llm,word,other", NEVER, ids=[n[1] for n in NEVER])
def test_what_never_happens_is_warned_of(server, fake, llm, word, other):
    ok, messages = server.test_config(server.metered(fake, *llm))
    assert ok, messages
    assert "warn]" in messages and word in messages and other in messages


def test_condition_of_a_log_is_one(server, fake):
    """A variable whose $ was forgotten would let every line by."""
    ok, messages = server.test_config(
        server.metered(fake, ("llm_log", server.log, "if=cheap")))
    assert not ok
    assert "if=" in messages and where(server, messages)


def twice(first, second, inside=False):
    """Two llm_log of one file: of the whole server, or one of a location."""
    def site(server, fake):
        log = [("llm_log", server.path("log/two"), *words)
               for words in (first, second)]
        return Site([Loc("/", [("llm", "on"), *log[1:][:inside]], fake)],
                    [log[0], *log[1:][:not inside]])
    return site


IF = {"nginx": ("if=$arg_a", "if=$arg_b"),
      "httpd": ("if=%{QUERY_STRING} =~ /a/", "if=%{QUERY_STRING} =~ /b/")}


@pytest.mark.parametrize("first,second,inside,word", [
    ((), (), False, "twice"),
    ((), ("format=underscore",), False, "twice"),
    ((), (0,), False, "twice"),
    ((0,), (1,), False, None),
    ((), (), True, None),
    (("buffer=1m",), ("flush=1s",), True, None),
    (("buffer=1m",), ("buffer=2m",), True, "buffer="),
    ((), ("flush=0",), True, "flush="),
], ids=str)
def test_two_logs_of_one_file_have_to_agree(server, fake, first, second,
                                            inside, word):
    words = [[IF[server.name][w] if w in (0, 1) else w for w in part]
             for part in (first, second)]
    ok, messages = server.test_config(twice(*words, inside)(server, fake))
    assert ok is (word is None), messages
    assert word is None or (word in messages and "log/two" in messages)


def test_switch_given_twice_in_one_place_is_refused(server, fake):
    ok, messages = server.test_config(
        Site([Loc("/", [("llm", "on"), ("llm", "off")], fake)]))
    assert not ok
    assert "twice" in messages or "duplicate" in messages


@pytest.mark.parametrize("text", ["{not json", "[]"])
def test_broken_price_file_is_named_with_the_place_in_it(server, fake, text):
    server.write("etc/prices.json", text)
    ok, messages = server.test_config(server.metered(fake))
    assert not ok
    assert "prices.json" in messages


def test_price_that_makes_no_sense_is_named(server, fake):
    server.write("etc/prices.json",
                 '{"some-model":{"input_cost_per_token":-1},'
                 '"other":{"input_cost_per_token":1e-06}}')
    ok, messages = server.test_config(server.metered(fake))
    assert not ok
    assert "some-model" in messages
    assert "input_cost_per_token" in messages


def test_good_configuration_passes_without_a_word(server, fake):
    ok, messages = server.test_config(server.metered(
        fake, ("llm_tag", "team", "from=header:x-team,metadata.team"),
        ("llm_provider", "openai", "dialect=openai",
         "url=https://api.openai.com")))
    assert ok, messages
    assert "[warn]" not in messages and ":warn]" not in messages


@pytest.mark.parametrize("site,words", [
    (lambda s, f: Site([Loc("/", [("llm", "on")], f)]), ("log", "price")),
    (lambda s, f: Site([Loc("/", [], f)], [("llm_log", s.log)]), ("llm", )),
], ids=["no log", "never on"])
def test_what_has_no_effect_is_warned_of(server, fake, site, words):
    ok, messages = server.test_config(site(server, fake))
    assert ok
    assert "warn" in messages
    assert all(word in messages for word in words)


@pytest.mark.only("nginx", "a limit of nginx's own, 1 MB by default")
def test_small_limit_of_bodies_is_warned_of(server, fake):
    site = server.metered(fake, nginx="client_max_body_size 1m;")
    ok, messages = server.test_config(site)
    assert ok
    assert "client_max_body_size" in messages


def test_configuration_test_leaves_no_log_behind(server, fake):
    """It opens what nginx itself opens, and writes nothing."""
    server.test_config(server.metered(fake))
    assert server.log_of().raw() == b""
