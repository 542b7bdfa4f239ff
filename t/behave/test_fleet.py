"""Budgets shared by several servers, by way of a real Redis."""

import concurrent.futures
import os
import shutil
import time

import calls
import pytest

from conftest import SERVERS
from keys import gated
from redis_server import BINARY, Redis
from servers import DEADLINE, server_user

pytestmark = pytest.mark.skipif(BINARY is None, reason="no redis-server")

CHAT = "/v1/chat/completions"
COST = 4 * 150 + 5 * 600


@pytest.fixture
def redis():
    made = Redis()
    yield made
    made.close()


@pytest.fixture
def server2(server):
    """A second node of the same kind."""
    made = SERVERS[server.name][0]()
    yield made
    made.finish()


def start(server, fake, redis, *quotas, lease="strict", timeout="10s",
          more=(), **site):
    words = ("size=1m", "redis=127.0.0.1:%d" % redis.port, "fleet=t",
             "lease=" + lease, "quarantine=1s", "redis_timeout=" + timeout,
             *more)
    server.expect_errors("llm_ledger: the fleet's store")     # ends before
    server.meter(fake, *gated(server, *quotas, ledger=words), **site)
    server.log_of()


def post(server, **more):
    more.setdefault("max_tokens", 8)
    return server.client.post(CHAT, calls.chat(**more)).status


def settled(server, want=200):
    """The node has joined: a call passes."""
    server.wait_until(lambda: post(server) == want)


@pytest.mark.parametrize("lease", ["strict", "ahead"])
def test_two_nodes_share_one_budget(server, server2, fake, redis, lease):
    quota = "all per=all requests=60/day wait=0s"
    for s in (server, server2):
        s.check_lines = False
        start(s, fake, redis, quota, lease=lease)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        status = list(pool.map(
            lambda i: post((server, server2)[i % 2]), range(160)))
        deadline = time.monotonic() + DEADLINE
        while status.count(200) < 60 and time.monotonic() < deadline:
            status += pool.map(lambda i: post((server, server2)[i % 2]),
                               range(20))
    assert status.count(200) == 60
    assert set(status) <= {200, 429}
    assert len(fake.requests) == 60


def test_spend_of_one_node_is_seen_by_the_other(server, server2, fake, redis):
    for s in (server, server2):
        s.check_lines = False
        start(s, fake, redis, "all per=all requests=3/day")
    assert [post(server) for _ in range(3)] == [200] * 3
    assert post(server2) == 429
    line = server2.lines(1)[0]
    assert line["llm.rule"] == "all"
    assert line["llm.quota.cap"] == 3


def test_without_the_store_calls_are_refused_in_time(server, fake, redis):
    start(server, fake, redis, "all per=all requests=1000/day",
          timeout="300ms")
    server.check_lines = False
    settled(server)
    redis.pause()
    for _ in range(3):
        began = time.monotonic()
        status = post(server)
        assert time.monotonic() - began < 10
        assert status == 503
    line = server.lines(4, exact=False)[-1]
    assert line["llm.rule"] == "redis_down"
    redis.resume()
    settled(server)


@pytest.mark.parametrize("fast", [True, False])
def test_a_server_ends_in_time_while_the_store_hangs(server, fake, redis,
                                                     fast):
    server.check_lines = False
    start(server, fake, redis, "all per=all requests=1000/day",
          timeout="500ms", workers=1)
    settled(server)
    redis.pause()
    waiting = [server.client.open("POST", CHAT, calls.chat())
               for _ in range(16)]
    server.await_taken(*waiting)
    began = time.monotonic()
    server.terminate() if fast else server.graceful()
    server.await_exit()
    assert time.monotonic() - began < 9     # both would give up after ten
    redis.resume()
    for exchange in waiting:
        exchange.close()


def test_slices_last_while_the_store_is_away(server, fake, redis):
    server.check_lines = False
    start(server, fake, redis, "all per=all requests=100000/day",
          lease="ahead")
    settled(server)
    for _ in range(200):
        assert post(server) == 200
    redis.kill()
    assert post(server) == 200
    redis.start()


def test_redis_down_allow_lets_pass(server, fake, redis):
    server.check_lines = False
    start(server, fake, redis, "all per=all requests=1000/day",
          more=("redis_down=allow",))
    settled(server)
    redis.kill()
    assert post(server) == 200


def test_what_redis_lost_is_told_anew(server, server2, fake, redis):
    for s in (server, server2):
        s.check_lines = False
        start(s, fake, redis, "all per=all requests=20/day")
    for s in (server, server2):
        settled(s)
    for _ in range(5):
        post(server), post(server2)
    passed = len(fake.requests)
    redis.ask("FLUSHALL")
    for s in (server, server2):
        settled(s)
    status = [post((server, server2)[i % 2]) for i in range(30)]
    assert 429 in status
    assert len(fake.requests) == 20
    assert passed < 20


@pytest.mark.only("nginx", "an event loop must not be held up")
def test_other_requests_do_not_wait_for_the_store(server, fake, redis):
    server.check_lines = False
    start(server, fake, redis, "all per=all requests=1000/day",
          workers=1,
          nginx_server="        location = /ping { llm off; return 204; }\n")
    settled(server)
    redis.pause()
    waiting = [server.client.open("POST", CHAT, calls.chat(max_tokens=8))
               for _ in range(8)]
    server.await_taken(*waiting)
    began = time.monotonic()
    for _ in range(50):
        assert server.client.get("/ping").status == 204
    assert time.monotonic() - began < 9
    redis.resume()
    for exchange in waiting:
        assert exchange.read().status in (200, 503)
        exchange.close()


def test_a_client_that_leaves_while_it_is_asked_for_holds_nothing(
        server, fake, redis):
    server.check_lines = False
    start(server, fake, redis, "out per=all output_tokens=15/day wait=5s")
    settled(server)
    redis.pause()
    exchange = server.client.open("POST", CHAT, calls.chat(max_tokens=10))
    server.await_taken(exchange)
    server.see_off(exchange)
    redis.resume()
    server.wait_until(lambda: post(server, max_tokens=10) == 200)


def test_password_from_a_file_and_nothing_secret_in_redis(server, fake):
    redis = Redis("--requirepass", "open-sesame-0123456789")
    try:
        path = server.write("etc/redis.pass", "open-sesame-0123456789\n")
        if server_user():
            shutil.chown(path, *server_user())
        os.chmod(path, 0o600)
        server.check_lines = False
        start(server, fake, redis, "all per=all requests=5/day",
              more=("password=file:" + path,))
        settled(server)
    finally:
        redis.close()


@pytest.mark.parametrize("words,why", [
    (("redis=127.0.0.1:6379", "lease=maybe"), "lease"),
    (("redis=127.0.0.1:6379", "redis_down=perhaps"), "redis_down"),
    (("fleet=a",), "redis=")])
def test_bad_words_are_told(server, fake, words, why):
    site = server.metered(fake, *gated(server, "q per=all requests=1/day",
                                       ledger=words))
    good, messages = server.test_config(site)
    assert not good
    assert why in messages
