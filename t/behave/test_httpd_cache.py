"""Answers that have been given before, from httpd's own caches."""

import time

import pytest

import calls
import httpd
from keys import bearer, gated, key, keys
from servers import DEADLINE, Loc, Site

pytestmark = pytest.mark.only("httpd", "nginx has proxy_cache")

CHAT = "/v1/chat/completions"
STORE = ("llm_cache", "shmcb:kept(4194304)")


def post(server, body=None, headers=(), **more):
    return server.client.post(CHAT, body or calls.chat(temperature=0), headers,
                              **more)


def twice(server, body=None):
    """The answer is kept when its line is written."""
    first = post(server, body)
    server.line()

    return first, post(server, body)


def hits(lines):
    return [line.source == "cached" for line in lines]


@pytest.mark.parametrize("how", ["static", "passed"])
def test_same_call_costs_once(server, fake, how):
    if how == "static":
        server.meter(fake, STORE)
    else:
        server.route([("one", fake)], STORE)
    first, second = twice(server)
    assert len(fake.requests) == 1
    assert first.status == second.status == 200
    assert first.body == second.body
    assert first.header("Cache-Status") is None
    assert second.header("Cache-Status") == "tollgate; hit"
    assert second.header("Content-Type") == "application/json"
    paid, free = server.lines(2)
    assert (paid.source, free.source) == ("reported", "cached")
    assert paid.nusd > 0 and free.nusd == 0
    assert free["llm.cost.list"] == paid["llm.cost.list"]
    assert (free.input, free.output) == (paid.input, paid.output)


def test_call_that_leaves_something_to_chance_is_made_again(server, fake):
    server.meter(fake, STORE)
    for body in (calls.chat(), calls.chat(temperature=0.1)):
        for _ in range(2):
            assert post(server, body).status == 200
    assert len(fake.requests) == 4
    assert not any(hits(server.lines(4)))


def test_stream_is_kept_as_it_came(server, fake):
    """With the chunk that we asked for taken out, both times."""
    server.meter(fake, STORE)
    body = calls.chat(stream=True, seed=7)
    first, second = twice(server, body)
    assert len(fake.requests) == 1
    assert first.body == second.body and b"[DONE]" in second.body
    assert b'"usage": {' not in second.body
    assert second.header("Content-Type") == first.header("Content-Type")
    paid, free = server.lines(2)
    assert (free.source, free.nusd, free.output) == ("cached", 0, paid.output)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_translated_answer_is_kept(server, fake, stream):
    server.route([("claude", fake, "dialect=anthropic")], STORE,
                 ("llm_route", "all", "to=claude/claude-sonnet-4-5"))
    first, second = twice(server, calls.chat(temperature=0, stream=stream))
    assert len(fake.requests) == 1
    assert first.status == second.status == 200
    for r in (first, second):
        assert r.body.count(b"word5") == 1 and b"chat.completion" in r.body
    paid, free = server.lines(2)
    assert (free.source, free.nusd, free.output) == ("cached", 0, paid.output)


def test_embeddings_are_kept(server, fake):
    server.meter(fake, STORE)
    for _ in range(2):
        r = server.client.post("/v1/embeddings", {
            "model": "text-embedding-3-small", "input": "one two"})
        assert r.status == 200
    assert len(fake.requests) == 1
    assert hits(server.lines(2)) == [False, True]


def test_tenants_have_answers_of_their_own(server, fake):
    server.meter(fake, STORE, *gated(server, text=keys(
        key("ann", team="a"), key("bob", team="b"))))
    for who in ("ann", "bob", "ann", "bob"):
        assert post(server, headers=bearer(who)).status == 200
    assert len(fake.requests) == 2
    assert hits(server.lines(4)) == [False, False, True, True]


def test_a_hit_takes_nothing_of_a_budget(server, fake):
    server.meter(fake, STORE, *gated(server, text=keys(key(
        "ann", budgets=["tokens=240/day"]))))
    body = calls.chat(temperature=0, max_tokens=10)
    for _ in range(12):
        assert post(server, body, bearer("ann")).status == 200
    assert len(fake.requests) == 1
    assert hits(server.lines(12)) == [False] + [True] * 11


@pytest.mark.parametrize("knobs", [
    {"status": 500}, {"status": 404}, {"body": "x" * 70000},
    {"encoding": "gzip"}, {"body": "{\"choices\": [{\"mess",
                           "framing": "close"},
    {"body": "{\"usage\": {\"prompt_tokens\": 1, \"completion_tokens\": 1},"
             " \"choices\": [{\"mess", "framing": "close"}],
    ids=["failed", "not found", "too long", "packed", "cut", "cut late"])
def test_some_answers_are_not_kept(server, fake, knobs):
    fake.scripts["this"] = knobs
    server.meter(fake, STORE)
    for _ in range(2):
        post(server, fake={"script": "this"})
    assert len(fake.requests) == 2
    assert not any(hits(server.lines(2)))


def test_broken_answer_is_not_kept(server, fake):
    server.expect_errors("AH0", "proxy")
    server.meter(fake, STORE)
    for _ in range(2):
        with pytest.raises(Exception):
            post(server, fake={"cut": 200, "framing": "chunked"})
    assert len(fake.requests) == 2
    server.lines(2)


def test_client_may_want_a_new_answer(server, fake):
    server.meter(fake, STORE)
    for word in (None, "no-cache", "max-age=0, no-store", None):
        assert post(server, headers={"Cache-Control": word} if word
                    else ()).status == 200
    assert len(fake.requests) == 3
    assert hits(server.lines(4)) == [False, False, False, True]


def test_answer_is_kept_for_a_while(server, fake):
    server.meter(fake, (*STORE, "ttl=4s", "max_size=4k"))
    began, n = time.monotonic(), 0
    while len(fake.requests) < 2:
        assert post(server).status == 200
        n += 1
        assert time.monotonic() - began < DEADLINE
        time.sleep(0.2)
    assert time.monotonic() - began > 3.9
    assert hits(server.lines(n)) == [False] + [True] * (n - 2) + [False]
    assert n > 2


def test_cache_is_switched_by_location(server, fake):
    server.start(Site(
        [Loc("/v1/", [("llm", "on"), ("llm_cache", "off")], fake),
         Loc("/kept/v1/", [("llm", "on")], fake.url + "/v1")],
        [STORE, ("llm_log", server.log, "flush=0"),
         ("llm_prices", server.prices)]))
    for path in (CHAT, "/kept" + CHAT):
        for _ in range(2):
            assert server.client.post(path, calls.chat(
                temperature=0)).status == 200
    assert len(fake.requests) == 3
    assert hits(server.lines(4)) == [False, False, False, True]


def test_dry_run_calls_every_time(server, fake):
    server.meter(fake, STORE, enable=("dry_run",))
    for _ in range(2):
        assert post(server).status == 200
    assert len(fake.requests) == 2
    server.lines(2)


@pytest.mark.parametrize("said,told", [
    ([("llm_cache", "nonsense")], "finds no cache \"nonsense\""),
    ([("llm_cache", "shmcb:/no(where")], "LLMCache"),
    ([("llm_cache", "shmcb", "ttl=never")], "is no time"),
    ([("llm_cache", "shmcb", "max_size=1g")], "is no size up to 16m"),
    ([("llm_cache", "on", "ttl=1s")], "stands by itself"),
    ([("llm_cache", "on")], "nothing says what the cache is"),
    ([("llm_cache", "shmcb"), ("llm_cache", "shmcb")], "given twice")])
def test_mistakes_are_found_by_the_configuration_test(server, said, told):
    ok, text = server.test_config(Site([Loc("/", [("llm", "on")])], said))
    assert not ok and told in text


@pytest.mark.skipif(httpd.MPM == "prefork", reason="many processes")
def test_processes_share_it(server, fake):
    server.meter(fake, STORE, workers=3)
    assert len(server.workers()) == 3
    assert post(server).status == 200
    server.lines(1)                     # written once the answer is kept
    for _ in range(29):
        assert post(server).status == 200
    assert len(fake.requests) == 1
    server.lines(30)
