"""nginx alone: its variables, upstreams, caches and settings where the provider
of each call is chosen."""

import json
import os
import re
import subprocess

import pytest

import calls
from fake.provider import Fake
from keys import bearer, gated, key, keys
from pki import secure
from servers import Loc, root
from test_route import CHAT, REAL, named, own_key, two

pytestmark = pytest.mark.only("nginx", "the settings are nginx's")

SEEN = ("log_format seen '$status|$upstream_addr|$upstream_status|$request_uri|"
        "$uri|$http_authorization|$http_x_team|$llm_cost_usd';")
ZERO = {"temperature": 0}
FAILING = {"script": "as told"}


def seen(server):
    return "access_log %s seen;" % server.path("log", "seen.log")


def logged(server, n=1):
    def lines():
        if not os.path.exists(server.path("log", "seen.log")):
            return []
        with open(server.path("log", "seen.log")) as f:
            return [line.split("|") for line in f.read().splitlines()]

    server.wait_until(lambda: len(lines()) >= n)

    return lines()


def documented():
    """What docs/cache.md says for a location."""
    with open(root("docs", "cache.md")) as f:
        block = f.read().partition("```nginx\n")[2].partition("```")[0]

    return " ".join(re.findall(
        r"\b(?:proxy_(?:cache|no_cache|ignore|hide)\w*|add_header) [^;]*;",
        block.partition("location")[2]))


def cached(server, *providers, llm=()):
    zone = "proxy_cache_path %s keys_zone=llm:1m use_temp_path=off;\n" \
        % server.mkdir("cache")
    server.route(providers, *llm, nginx=documented(), nginx_http=zone)


def ask(server, body, **more):
    """(what the cache did, the answer)"""
    r = server.client.post(CHAT, body, **more)
    assert r.status == 200

    return r.header("X-Cache"), r


def test_access_log_has_the_clients_words_and_no_key(server, pki, tmp_path):
    with secure(pki) as up:
        server.route(
            [("own", named(up) + "/base", "dialect=openai",
              "header=X-Team:ours", own_key(tmp_path))],
            *gated(server, text=keys(key("ann"))), ca=pki / "ca.pem",
            nginx=seen(server), nginx_http=SEEN)
        server.client.post("/llm" + CHAT + "?q=1", calls.chat(),
                           {**bearer("ann"), "X-Team": "mine"})
        sent = up.requests[0]
    assert sent.target == "/base" + CHAT + "?q=1"
    assert sent.header("Authorization") == "Bearer " + REAL
    assert [v for n, v in sent.headers if n.lower() == "x-team"] == ["ours"]
    line = logged(server)[0]
    assert line[3:7] == ["/llm" + CHAT + "?q=1", "/llm" + CHAT, "-", "mine"]
    assert float(line[7]) == server.line()["llm.cost.total"]


def test_key_of_a_static_upstream_is_not_in_the_log_either(server, pki,
                                                           tmp_path):
    with secure(pki) as up:
        server.meter(
            up, ("llm_provider", "own", "url=https://api.openai.com",
                 own_key(tmp_path)), *gated(server, text=keys(key("ann"))),
            nginx="proxy_ssl_verify on; proxy_ssl_trusted_certificate %s; %s"
            % (pki / "ca.pem", seen(server)), nginx_http=SEEN)
        r = server.client.post(CHAT, calls.chat(), bearer("ann"))
        assert r.status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
    assert logged(server)[0][5] == "-"
    server.line()


def test_header_of_the_location_keeps_the_host_right(server, fake, fake2):
    """proxy_set_header in the location drops those of llm_proxy_params in the
    server."""
    site = server.routed(two(fake, fake2))
    site.locs[0].passes = False
    site.locs[0].nginx = "proxy_set_header X-Mine 1;" \
        " proxy_pass $llm_proxy_url;"
    site.nginx_server = "include %s;\n" % server.params(site.locs[0])
    server.start(site)
    for model, there in (("gpt-4o-mini", fake), ("own-8b", fake2)):
        assert server.client.post(CHAT, calls.chat(model)).status == 200
        assert there.requests[0].header("Host") == "127.0.0.1:%d" % there.port
        assert there.requests[0].header("X-Mine") == "1"
    server.lines(2)


def test_a_provider_has_no_say_in_where_a_call_goes(server, fake):
    fake.scripts["as told"] = {"headers": {"X-Accel-Redirect": CHAT}}
    server.route([("own", fake.url, "dialect=openai")])
    r = server.client.post(CHAT, calls.chat(), fake=FAILING)
    assert r.json["object"] == "chat.completion"
    assert len(fake.requests) == 1
    assert server.line().nusd > 0


def test_upstream_of_that_name_is_used(server, fake):
    server.route(
        [("gpus", "http://gpus", "dialect=vllm")],
        nginx_http="upstream gpus { server 127.0.0.1:%d; keepalive 4; }\n"
        % fake.port)
    for _ in range(3):
        assert server.client.post(CHAT, calls.chat("own")).status == 200
    assert {req.header("Host") for req in fake.requests} == {"gpus"}
    assert len({req.connection for req in fake.requests}) == 1
    server.lines(3)


@pytest.mark.parametrize("providers,upstream,message", [
    ([("a", "http://gpus:8000")], "upstream gpus { server 127.0.0.1:1; }",
     'upstream "gpus" may not have port 8000'),
    ([("a", "http://gpus"), ("b", "https://gpus")],
     "upstream gpus { server 127.0.0.1:1; }",
     '"a" and "b" talk to one upstream in http and in https'),
    ([("a", "http://no-such-host.invalid")], "",
     'llm_provider "a": host not found'),
])
def test_configurations_that_can_not_be(server, providers, upstream, message):
    good, messages = server.test_config(server.routed(
        [(name, url, "dialect=openai") for name, url in providers],
        nginx_http=upstream + "\n"))
    assert not good and message in messages


def test_cache_of_httpd_is_none_of_nginx(server, fake):
    good, messages = server.test_config(server.metered(
        fake, ("llm_cache", "shmcb:kept(4194304)")))
    assert not good and "here proxy_cache does it" in messages


def test_static_upstream_and_llm_pass_contradict(server, fake):
    good, messages = server.test_config(server.metered(
        fake, ("llm_provider", "a", "url=" + fake.url, "dialect=openai"),
        nginx="llm_pass on;"))
    assert not good and "llm_pass goes with" in messages


def test_key_needs_verification_in_such_a_location(server, tmp_path):
    site = server.routed([("own", "https://localhost", "dialect=openai",
                           own_key(tmp_path))])
    site.locs[0].passes = False
    site.locs[0].nginx = "llm_pass on; proxy_pass $llm_proxy_url;"
    good, messages = server.test_config(site)
    assert not good
    assert 'the key of provider "own" goes over verified TLS only' in messages


def test_url_without_the_switch_says_what_is_missing(server, fake):
    server.expect_errors("has no value here", "invalid URL prefix")
    server.start(server.metered(
        None, ("llm_provider", "a", "url=" + fake.url, "dialect=openai"),
        nginx="proxy_pass $llm_proxy_url;"))
    assert server.client.post(CHAT, calls.chat()).status == 500
    assert '"llm_pass on"' in server.messages()
    server.line()


def test_other_upstream_than_the_chosen_one_gets_nothing(server, fake, fake2):
    """A location that says llm_pass and sends calls elsewhere."""
    server.expect_errors("and no other")
    site = server.routed([("a", fake, "dialect=openai")])
    site.locs[0].passes = False
    site.locs[0].nginx = "llm_pass on; set $up 127.0.0.1:%d;" \
        " proxy_pass http://$up;" % fake.port
    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 500
    assert fake.requests == []
    server.line()


def test_no_resolver_and_no_port_are_needed(server, fake):
    """The name is found when the configuration is read."""
    server.route([("a", "http://localhost:%d" % fake.port,
                   "dialect=openai")])
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert fake.requests[0].header("Host") == "localhost:%d" % fake.port
    server.line()


def test_static_locations_beside_it(server, fake, fake2):
    site = server.routed([("a", fake, "dialect=openai")])
    site.locs.append(Loc("/static/", [("llm", "on")], fake2))
    server.start(site)
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert server.client.post("/static" + CHAT, calls.chat()).status == 200
    assert len(fake.requests) == len(fake2.requests) == 1
    server.lines(2)


def test_error_page_of_the_operator_is_kept(server, fake):
    site = server.routed([("a", fake, "dialect=openai")],
                         nginx="proxy_intercept_errors on;"
                         " error_page 500 = @sorry;")
    site.locs.append(Loc("@sorry", [], nginx="return 503 sorry;"))
    server.start(site)
    r = server.client.post(CHAT, calls.chat("error-500"))
    assert (r.status, r.body) == (503, b"sorry")
    server.line()


@pytest.mark.parametrize("size", [10, 200000], ids=["memory", "file"])
def test_same_call_is_answered_by_the_cache(server, fake, size):
    cached(server, ("a", fake, "dialect=openai"))
    body = calls.chat(text="abc " * (size // 4), **ZERO)
    first, again = ask(server, body), ask(server, body)
    assert (first[0], again[0]) == ("MISS", "HIT")
    assert first[1].body == again[1].body
    assert [req.json for req in fake.requests] == [body]
    paid, free = server.lines(2)
    assert paid.nusd > 0 and free.nusd == 0
    assert (paid.source, free.source) == ("reported", "cached")
    assert free["llm.cost.saved"] == paid["llm.cost.total"]
    assert free.output == paid.output


def test_stream_is_kept_too_and_comes_at_once(server, fake):
    cached(server, ("a", fake, "dialect=openai"))
    body = calls.chat(stream=True, **ZERO)
    exchange = server.client.open("POST", CHAT, body,
                                  [("x-fake", '{"gate": 2}')])
    assert exchange.head().header("X-Cache") == "MISS"
    pieces = exchange.pieces()
    first = next(pieces)
    assert b"data:" in first
    fake.release()
    whole = first + b"".join(pieces)
    state, r = ask(server, body)
    assert state == "HIT" and r.body == whole and b"usage" not in whole
    assert len(fake.requests) == 1
    assert [line.source for line in server.lines(2)] == ["reported", "cached"]


def test_what_is_left_to_chance_is_not_kept(server, fake):
    cached(server, ("a", fake, "dialect=openai"))
    for _ in range(2):
        assert ask(server, calls.chat())[0] == "BYPASS"
    assert len(fake.requests) == 2
    server.lines(2)


def test_forgotten_bypass_is_no_leak(server, fake):
    cached(server, ("a", fake, "dialect=openai"))
    site = server.site
    site.locs[0].nginx = re.sub(r"\S+ +\$llm_no_cache;", "", documented())
    assert "proxy_no_cache" not in site.locs[0].nginx
    server.reload(site)
    for text in ("one", "two"):
        assert ask(server, calls.chat(text=text))[0] == "MISS"
    server.lines(2)


def test_teams_do_not_share_a_cache(server, fake):
    cached(server, ("a", fake, "dialect=openai"), llm=gated(
        server, text=keys(key("ann", team="red"), key("bob", team="red"),
                          key("eve", team="blue"))))
    states = [ask(server, calls.chat(**ZERO), headers=bearer(name))[0]
              for name in ("ann", "bob", "eve")]
    assert states == ["MISS", "HIT", "MISS"]
    server.lines(3)


def test_answer_of_another_target_is_not_kept(server, fake, fake2):
    """The key is of the first; by the next call it may be well again."""
    cached(server, ("a", fake, "dialect=openai"),
           ("b", fake2, "dialect=anthropic"),
           llm=[("llm_route", "all", "to=a,b/claude-sonnet-4-5")])
    fake.scripts["as told"] = {"status": 503}
    body = calls.chat(**ZERO)
    state, r = ask(server, body, fake=FAILING)
    assert state == "MISS" and b"chat.completion" in r.body
    fake.scripts["as told"] = {}
    state, again = ask(server, body, fake=FAILING)
    assert state == "MISS" and again.json["model"] == "gpt-4o-mini"
    assert ask(server, body, fake=FAILING)[0] == "HIT"
    assert (len(fake.requests), len(fake2.requests)) == (2, 1)
    server.lines(3)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_kept_answer_is_translated_again(server, fake, stream):
    cached(server, ("a", fake, "dialect=anthropic"),
           llm=[("llm_route", "all", "to=a/claude-sonnet-4-5")])
    body = calls.asked_stream(**ZERO) if stream else calls.chat(**ZERO)
    first, again = ask(server, body), ask(server, body)
    assert (first[0], again[0]) == ("MISS", "HIT")
    assert len(fake.requests) == 1 and fake.requests[0].path == "/v1/messages"
    for _, r in first, again:
        assert b"chat.completion" in r.body and b"word5" in r.body
    assert [line.output for line in server.lines(2)] == [5, 5]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_packed_answer_is_unpacked_to_be_translated(server, fake, stream):
    server.route([("a", fake, "dialect=anthropic")],
                 ("llm_route", "all", "to=a/claude-sonnet-4-5"))
    body = calls.asked_stream() if stream else calls.chat()
    r = server.client.post(CHAT, body, fake={"encoding": "gzip"})
    assert r.status == 200 and r.header("Content-Encoding") is None
    assert b"chat.completion" in r.body and b"word5" in r.body
    assert server.line().source == "reported"


def test_answer_packed_in_an_unknown_way_is_none(server, fake):
    server.expect_errors("packed in a way that is not known")
    server.route([("a", fake, "dialect=anthropic")],
                 ("llm_route", "all", "to=a/claude-sonnet-4-5"))
    with pytest.raises(Exception):
        server.client.post(CHAT, calls.chat(),
                           fake={"headers": {"Content-Encoding": "br"}})
    server.line()


def claude(server, fake, **more):
    server.route([("a", fake, "dialect=anthropic")],
                 ("llm_route", "all", "to=a/claude-sonnet-4-5"), **more)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_translated_answer_that_breaks_off_is_an_error(server, fake, framing):
    """Nothing of it has gone out by then."""
    server.expect_errors("prematurely closed")
    claude(server, fake)
    r = server.client.post(CHAT, calls.chat(),
                           fake={"cut": 100, "framing": framing})
    assert r.status == 502 and r.complete
    assert "message" in r.json["error"]
    line = server.line()
    assert (line.status, line["event.outcome"]) == (502, "failure")


def test_translated_answer_has_a_length(server, fake):
    claude(server, fake)
    with server.client.connect() as sock:
        for status, words in ((200, 5), (200, 16000), (503, 0), (200, 3)):
            knobs = {"words": words} if words else {"status": 529}
            r = server.client.post(CHAT, calls.chat(), sock=sock, fake=knobs)
            assert r.status == status and r.complete
            assert int(r.header("Content-Length")) == len(r.body)
            assert b"word%d" % words in r.body or not words
    server.lines(4)


def test_client_that_leaves_a_gathered_answer(server, fake):
    claude(server, fake, enable=("on", "on_disconnect=drain:5s"))
    exchange = server.client.open("POST", CHAT, calls.chat(),
                                  fake={"gate": 1, "chunk": 20})
    fake.wait(1)
    exchange.close()
    server.wait_until(lambda: "answer is drained" in server.messages()
                      or server.log_of().count())
    fake.release()
    line = server.line()
    assert (line["error.type"], line.output) == ("client_closed", 5)


def test_translated_events_come_one_by_one(server, fake):
    server.route([("a", fake, "dialect=anthropic")],
                 ("llm_route", "all", "to=a/claude-sonnet-4-5"))
    exchange = server.client.open("POST", CHAT, calls.asked_stream(),
                                  [("x-fake", '{"gate": 4}')])
    exchange.head()
    pieces, got = exchange.pieces(), b""
    while b"word1" not in got:
        got += next(pieces)
    assert b"word5" not in got
    fake.release()
    assert b"[DONE]" in b"".join(pieces)
    server.line()


def test_servers_of_one_upstream_come_first(server, fake, fake2):
    """As proxy_next_upstream says, before the next target."""
    server.expect_errors("Connection refused")
    server.route(
        [("gpus", "http://gpus", "dialect=vllm"),
         ("cloud", fake2, "dialect=openai")],
        ("llm_route", "all", "to=gpus,cloud"),
        nginx=seen(server), nginx_http=SEEN + "upstream gpus {"
        " server 127.0.0.2:1 max_fails=0; server 127.0.0.1:%d; }\n"
        % fake.port)
    for _ in range(4):
        assert server.client.post(CHAT, calls.chat()).status == 200
    assert len(fake.requests) == 4 and fake2.requests == []
    assert "127.0.0.2:1, 127.0.0.1:%d" % fake.port \
        in [line[1] for line in logged(server, 4)]
    server.lines(4)


@pytest.mark.parametrize("setting,there", [
    ("", [1, 0, 1]), ("proxy_next_upstream http_503 non_idempotent;",
                      [1, 1, 0])])
def test_status_goes_on_within_an_upstream_where_told_so(server, fake, fake2,
                                                         setting, there):
    with Fake() as second:
        for one in fake, second:
            one.scripts["as told"] = {}
        fake.scripts["as told"] = {"status": 503}
        server.route(
            [("gpus", "http://gpus", "dialect=vllm"),
             ("cloud", fake2, "dialect=openai")],
            ("llm_route", "all", "to=gpus,cloud"), nginx=setting,
            nginx_http="upstream gpus { server 127.0.0.1:%d;"
            " server 127.0.0.1:%d backup; }\n" % (fake.port, second.port))
        fake2.scripts["as told"] = {}
        r = server.client.post(CHAT, calls.chat(), fake=FAILING)
        assert r.status == 200
        assert [len(f.requests) for f in (fake, second, fake2)] == there
    server.line()


def test_upstream_without_live_servers_is_passed_over(server, fake):
    server.expect_errors("no live upstreams")
    server.route(
        [("gpus", "http://gpus", "dialect=vllm"),
         ("cloud", fake, "dialect=openai")],
        ("llm_route", "all", "to=gpus,cloud"),
        nginx=seen(server), nginx_http=SEEN + "upstream gpus {"
        " server 127.0.0.1:1 down; server 127.0.0.2:1 down; }\n")
    assert server.client.post(CHAT, calls.chat()).status == 200
    assert len(fake.requests) == 1
    assert logged(server)[0][2] == "502, 200"
    server.line()


def test_states_of_all_attempts_are_in_the_log(server, fake, fake2):
    fake.scripts["as told"] = {"status": 529}
    fake2.scripts["as told"] = {}
    server.route(
        [("a", fake, "dialect=openai"), ("b", fake2, "dialect=openai")],
        ("llm_route", "all", "to=a,b"), nginx=seen(server), nginx_http=SEEN)
    r = server.client.post(CHAT + "?q=1", calls.chat(), fake=FAILING)
    assert r.status == 200
    line = logged(server)[0]
    assert line[:3] == ["200", "127.0.0.1:%d, 127.0.0.1:%d"
                        % (fake.port, fake2.port), "529, 200"]
    assert line[3] == CHAT + "?q=1"
    assert fake2.requests[0].header("Host") == "127.0.0.1:%d" % fake2.port
    server.line()


def test_each_target_gets_its_own_key_over_its_own_tls(server, pki, tmp_path,
                                                       fake):
    """Plain and without a key, then verified with one, then another."""
    keys_of = [own_key(tmp_path, "k%d" % i, "sk-own-%d-0123456789" % i)
               for i in range(2)]
    with secure(pki) as first, secure(pki) as second:
        for up in fake, first:
            up.scripts["as told"] = {"status": 503}
        second.scripts["as told"] = {}
        server.route(
            [("plain", fake, "dialect=openai"),
             ("one", named(first), "dialect=openai", keys_of[0]),
             ("two", named(second), "dialect=openai", keys_of[1])],
            ("llm_route", "all", "to=plain,one,two"),
            *gated(server, text=keys(key("ann"))), ca=pki / "ca.pem",
            nginx=seen(server), nginx_http=SEEN)
        r = server.client.post(CHAT, calls.chat(), bearer("ann"),
                               fake=FAILING)
        assert r.status == 200
        assert [up.requests[0].header("Authorization")
                for up in (fake, first, second)] \
            == [None, "Bearer sk-own-0-0123456789",
                "Bearer sk-own-1-0123456789"]
        assert second.requests[0].header("Host") == "localhost:%d" % second.port
    assert logged(server)[0][5] == "-"
    server.line()


def test_unverified_target_is_passed_over(server, pki, tmp_path):
    server.expect_errors("certificate")
    with secure(pki, "other") as bad, secure(pki) as good:
        server.route(
            [("bad", named(bad), "dialect=openai", own_key(tmp_path)),
             ("good", named(good), "dialect=openai", own_key(tmp_path))],
            ("llm_route", "all", "to=bad,good"),
            *gated(server, text=keys(key("ann"))), ca=pki / "ca.pem")
        r = server.client.post(CHAT, calls.chat(), bearer("ann"))
        assert r.status == 200 and bad.requests == []
        assert len(good.requests) == 1
    server.line()


def test_mirror_does_not_see_the_key(server, pki, tmp_path, fake):
    with secure(pki) as up:
        site = server.routed(
            [("own", named(up), "dialect=openai", own_key(tmp_path))],
            *gated(server, text=keys(key("ann"))), ca=pki / "ca.pem",
            nginx="mirror /copy;")
        site.locs.append(Loc("/copy", [("llm", "off")], fake,
                             nginx="internal;"))
        server.start(site)
        assert server.client.post(CHAT, calls.chat(),
                                  bearer("ann")).status == 200
        assert up.requests[0].header("Authorization") == "Bearer " + REAL
        fake.wait(1)
        assert REAL not in repr(fake.requests[0].headers)
        assert fake.requests[0].json == calls.chat()
        assert fake.malformed == []
    server.line()


def test_worker_remembers_what_another_saw_fail(server, fake, fake2):
    """The circuit breaker is the workers' in common."""
    server.expect_errors("upstream")
    fake.scripts["as told"] = {"status": 429,
                               "headers": {"retry-after": "60"}}
    fake2.scripts["as told"] = {}
    server.route(
        [("a", fake, "dialect=openai"), ("b", fake2, "dialect=openai")],
        ("llm_route", "all", "to=a,b"), workers=2)
    for _ in range(20):
        assert server.client.post(CHAT, calls.chat(),
                                  fake=FAILING).status == 200
    assert len(fake.requests) == 1
    server.lines(20)


@pytest.mark.parametrize("size", [10, 200000], ids=["memory", "file"])
def test_http2_call_goes_to_the_next_target(server, fake, fake2, tls, tmp_path,
                                            size):
    fake.scripts["as told"] = {"status": 503}
    fake2.scripts["as told"] = {}
    server.route(
        [("a", fake, "dialect=openai"), ("b", fake2, "dialect=openai")],
        ("llm_route", "all", "to=a,b/gpt-4.1-nano"), tls=True)
    body = calls.chat(text="abc " * (size // 4))
    (tmp_path / "body").write_text(json.dumps(body))
    out = subprocess.run(
        ["curl", "-sS", "-k", "--http2", "-w", "%{http_code} %{http_version}",
         "-H", "x-fake: " + json.dumps(FAILING), "-H",
         "Content-Type: application/json", "-d", "@%s" % (tmp_path / "body"),
         "-o", "/dev/null",
         "https://localhost:%d%s" % (server.tls_port, CHAT)],
        capture_output=True, text=True, timeout=300).stdout
    assert out == "200 2"
    assert fake.requests[0].json == body
    assert fake2.requests[0].json == {**body, "model": "gpt-4.1-nano"}
    assert fake.malformed == fake2.malformed == []
    server.line()
