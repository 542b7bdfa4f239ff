"""The store of a fleet as it is set up: Sentinel, ACL, what is checked at the
start."""

import os
import re
import shutil
import socket
import subprocess
import time

import pytest

from redis_server import BINARY, Redis
from servers import (DEADLINE, StartError, die_with_parent, free_port, root,
                     server_user)
from keys import gated
from test_fleet import post, settled

pytestmark = pytest.mark.skipif(BINARY is None, reason="no redis-server")


class Sentinel(Redis):
    """Watches one master, and decides alone."""

    def __init__(self, master):
        self.master = master
        super().__init__()

    def start(self):
        path = os.path.join(self.dir, "sentinel.conf")

        with open(path, "w") as f:
            f.write("port %d\nbind 127.0.0.1\ndir %s\n"
                    "sentinel monitor main 127.0.0.1 %d 1\n"
                    "sentinel down-after-milliseconds main 1000\n"
                    "sentinel failover-timeout main 6000\n"
                    % (self.port, self.dir, self.master.port))

        self.process = subprocess.Popen(
            [BINARY, path, "--sentinel"], stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent)
        until(lambda: answers(self, "PING") == "+PONG")

        return self

    def knows(self):
        """The port of the master."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(b"SENTINEL get-master-addr-by-name main\r\n")
            f = s.makefile()
            return int([f.readline() for _ in range(5)][4])


def answers(redis, *words):
    try:
        return redis.ask(*words)
    except OSError:
        return None


def until(condition, timeout=DEADLINE):
    end = time.monotonic() + timeout

    while not condition():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.05)


def info(redis, section):
    return subprocess.run(["redis-cli", "-p", str(redis.port), "INFO",
                           section], capture_output=True, text=True).stdout


@pytest.fixture
def closing():
    """What is put into it is closed at the end, the last first."""
    made = []
    yield made

    for one in reversed(made):
        one.close()


def begin(server, fake, *words, quota="all per=all requests=1000/day"):
    server.check_lines = False
    server.expect_errors("llm_ledger: the fleet's store")
    server.meter(fake, *gated(server, quota, ledger=(
        "size=1m", "fleet=t", "lease=strict", "quarantine=1s",
        "redis_timeout=10s", *words)))


def refused(server, fake, redis):
    """It does not start, and says why."""
    site = server.metered(fake, *gated(server, "all per=all requests=9/day",
                                       ledger=("size=1m", "fleet=t",
                                               "redis=127.0.0.1:%d"
                                               % redis.port)))
    server.expect_errors("the fleet's store", "Unable to open logs")

    with pytest.raises(StartError):
        server.start(site)

    return server.messages()


def test_sentinel_leads_to_the_new_master(server, fake, closing):
    master = Redis()
    closing.append(master)
    replica = Redis("--replicaof", "127.0.0.1", str(master.port),
                    "--repl-diskless-sync-delay", "0")
    closing.append(replica)
    master.ask("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    master.ask("CONFIG", "SET", "min-replicas-to-write", "0")
    until(lambda: "master_link_status:up" in info(replica, "replication"))
    sentinel = Sentinel(master)
    closing.append(sentinel)
    assert sentinel.knows() == master.port
    until(lambda: "slaves=1" in info(sentinel, "sentinel"))

    begin(server, fake, "sentinel=main@127.0.0.1:%d" % sentinel.port,
          quota="all per=all requests=9/day")
    settled(server)
    assert post(server) == 200

    until(lambda: answers(sentinel, "SENTINEL", "FAILOVER", "main") == "+OK")
    until(lambda: sentinel.knows() == replica.port)
    until(lambda: "role:master" in info(replica, "replication"))
    master.kill()

    # it follows, tells the new one what it has used, and the cap holds
    settled(server)
    status = [post(server) for _ in range(12)]
    assert status[-1] == 429
    assert len(fake.requests) == 9


def acl_line():
    """As the manual has it."""
    with open(root("docs", "fleet.md")) as f:
        text = f.read()

    line = re.search(r"^ACL SETUSER.*?```", text, re.M | re.S).group()

    return line.rstrip("`").split()


@pytest.mark.only("nginx", "what the store allows is one matter of both")
def test_the_acl_of_the_manual_is_enough(server, fake, closing):
    redis = Redis()
    closing.append(redis)
    password = "open-sesame-0123456789"
    words = [w.replace(">PASSWORD", ">" + password).replace("tg:edge", "tg:t")
             for w in acl_line()]
    assert redis.ask(*words) == "+OK"
    assert redis.ask("ACL", "SETUSER", "default", "off") == "+OK"

    path = server.write("etc/redis.pass", password + "\n")
    if server_user():
        shutil.chown(path, *server_user())
    os.chmod(path, 0o600)

    begin(server, fake, "redis=127.0.0.1:%d" % redis.port, "user=tollgate",
          "password=file:" + path, "node=one", quota="all per=all"
          " requests=3/day")
    settled(server)
    assert [post(server) for _ in range(3)] == [200, 200, 429]

    ctl = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
    ledger = "--ledger=" + server.path("ledger", "tollgate")

    for args in (("budget", "raise", "all", "+1"), ("budget", "raise", "all",
                                                    "+0")):
        subprocess.run([ctl, *args, "--reason=because", ledger], check=True,
                       stdout=subprocess.DEVNULL)

    out = subprocess.run([ctl, "node", "list", ledger], check=True,
                         capture_output=True, text=True).stdout
    number = re.search(r"^(\d+) +one ", out, re.M).group(1)

    # its process is stopped, so that it may be given up
    server.terminate()
    server.await_exit()
    until(lambda: subprocess.run(
        [ctl, "node", "retire", number, "--reason=because", ledger],
        capture_output=True).returncode == 0)
    assert server.messages().count("NOPERM") == 0


def test_a_wrong_password_is_told_and_nothing_passes(server, fake, closing):
    redis = Redis("--requirepass", "open-sesame-0123456789")
    closing.append(redis)
    path = server.write("etc/redis.pass", "something-else\n")
    if server_user():
        shutil.chown(path, *server_user())
    os.chmod(path, 0o600)
    begin(server, fake, "redis=127.0.0.1:%d" % redis.port,
          "password=file:" + path)
    server.await_message("AUTH: WRONGPASS")
    assert post(server) == 503
    assert "something-else" not in server.messages()


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
def test_a_store_that_evicts_is_refused(server, fake, closing, policy):
    redis = Redis("--maxmemory-policy", policy)
    closing.append(redis)
    assert "maxmemory-policy is %s" % policy in refused(server, fake, redis)


def test_a_replica_is_refused(server, fake, closing):
    master = Redis()
    closing.append(master)
    replica = Redis("--replicaof", "127.0.0.1", str(master.port))
    closing.append(replica)
    assert "it is a replica" in refused(server, fake, replica)


def test_replicas_that_may_be_cut_off_are_warned_of(server, fake, closing):
    master = Redis("--repl-diskless-sync-delay", "0")
    closing.append(master)
    closing.append(Redis("--replicaof", "127.0.0.1", str(master.port)))
    until(lambda: "connected_slaves:1" in info(master, "replication"))
    begin(server, fake, "redis=127.0.0.1:%d" % master.port)
    server.await_message("min-replicas-to-write")
    settled(server)


def test_a_store_that_is_away_is_no_reason_not_to_start(server, fake, closing):
    begin(server, fake, "redis=127.0.0.1:%d" % free_port())
    server.await_message("the fleet's store: it can't be reached")
    assert post(server) == 503
