"""conf-examples/shipping with the daemons of Debian: every line comes out as
it was written, byte by byte, whatever is rotated, full or killed meanwhile."""

import collections
import contextlib
import glob
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

import calls
import shippers
from servers import root
from shippers import wait_until

sys.path.append(root("t", "shipping"))
import warehouse_lines                                  # noqa: E402

pytestmark = pytest.mark.skipif(not shippers.available(),
                                reason="make build/shippers/.done")

CHAT = "/v1/chat/completions"
TAGS = 16                               # as many as there may be


class Relp:
    """rsyslog to rsyslog."""

    def __init__(self, folder, logs):
        self.end = shippers.Central(os.path.join(folder, "central"))
        self.node = shippers.rsyslog_node(os.path.join(folder, "node"), logs,
                                          self.end.port)
        self.end.start()
        self.node.start()

    def read(self):
        return self.end.read()

    def stop(self):
        self.node.stop()
        self.end.stop()


class Ng:
    def __init__(self, folder, logs):
        self.end = self.server()
        self.node = self.daemon(os.path.join(folder, "node"), logs,
                                self.end.port).start()

    def read(self):
        return self.end.read()

    def stop(self):
        self.node.stop()
        self.end.shutdown()
        self.end.server_close()


class NgSiem(Ng):
    server = shippers.Siem
    daemon = staticmethod(shippers.syslog_ng_siem)


class NgHec(Ng):
    server = shippers.Hec
    daemon = staticmethod(shippers.syslog_ng_hec)


WAYS = {"rsyslog": Relp, "syslog-ng": NgSiem, "splunk-hec": NgHec}


@pytest.fixture(params=WAYS)
def way(request, tmp_path):
    """Started for a folder of logs."""
    with contextlib.ExitStack() as stack:

        def start(logs):
            made = WAYS[request.param](str(tmp_path), logs)
            stack.callback(made.stop)
            return made

        yield start


def ids(text):
    return collections.Counter(json.loads(line)["event.id"]
                               for line in text.splitlines())


def count(path):
    with open(path, "rb") as f:
        return f.read().count(b"\n")


def settled(read, want):
    """Waits for all, then for more that should not come."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: len(ids(read())) >= want, "lines")
    time.sleep(0.5)

    return read()


def made_up(i):
    """As the schema allows them: up to 32 KB, of any characters."""
    kinds = ("w", "é€\U0001f600\u2028" * 900, "\x7f\\\" %s%n $MSG ${MSG}",
             "x" * 9000, "y" * 30000)
    return json.dumps({"event.id": "%d" % i, "llm.seq": i, "llm.tags.t":
                       kinds[i % 5] if i % 11 < 5 else "w"},
                      ensure_ascii=False, separators=(",", ":"))


def write(path, lines):
    """Like nginx: pieces with an end that is not a line's."""
    text = "".join(line + "\n" for line in lines).encode()

    with open(path, "ab", buffering=0) as f:
        for at in range(0, len(text), 65536):
            f.write(text[at:at + 65536])


def test_lines_come_out_byte_by_byte_and_in_order(way, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    path = str(logs / "llm.jsonl")
    write(path, map(made_up, range(500)))
    shipping = way(str(logs))
    write(path, map(made_up, range(500, 2000)))

    got = settled(shipping.read, 2000)
    with open(path, "rb") as f:
        assert got == f.read()


def test_nothing_is_lost_by_rotation(way, tmp_path):
    """As logrotate does it: a new name, and for a while the server still writes
    to the old file.  The next rotation comes when all that was is read: a
    daemon that is behind by a whole file does not know of that file."""
    logs = tmp_path / "logs"
    logs.mkdir()
    path = str(logs / "llm.jsonl")
    write(path, map(made_up, range(50)))
    shipping = way(str(logs))
    wait_until(lambda: shipping.read().count(b"\n") == 50, "what was there")
    i = 50

    for turn in range(4):
        f = open(path, "ab", buffering=0)
        for part in range(3):
            for _ in range(40):
                f.write(made_up(i).encode() + b"\n")
                i += 1
            if part == 0:
                time.sleep(0.3 * (turn % 3))
            if part == 1:               # two thirds in: the name goes
                os.rename(path, path + "-2026112%d" % turn)
                time.sleep(0.2 * (turn % 2))
                if turn > 1:            # nginx's master is before its workers
                    open(path, "ab").close()
                    time.sleep(0.01)
        f.close()
        write(path, map(made_up, range(i, i + 10)))
        i += 10
        wait_until(lambda: len(ids(shipping.read())) >= i, "%d lines" % i)

    found = ids(settled(shipping.read, i))
    assert sorted(map(int, found)) == list(range(i))
    assert max(found.values()) == 1


def test_real_lines_through_reopening(server, fake, way):
    """nginx reopens at USR1, httpd by its own rotatelogs."""
    names = ["t%d" % n for n in range(TAGS)]
    tags = [("llm_tag", name, "from=header:x-" + name) for name in names]
    tag = "ü" * 250
    logs = server.path("log")
    to = server.log if server.name == "nginx" else \
        "|/usr/bin/rotatelogs %s/llm.%%s.jsonl 2" % logs
    server.start(server.metered(fake, *tags, log=("flush=200ms",)))
    site = server.metered(fake, *tags, log=("flush=200ms",))
    site.llm[0] = ("llm_log", to, "flush=200ms")
    server.check_lines = False
    server.reload(site)
    shipping = way(logs)
    headers = {"x-" + name: tag.encode().decode("latin-1") for name in names}

    def some(n):
        for i in range(40):
            server.client.post(CHAT, calls.chat(), headers if i % 2 else {})
            time.sleep(0.1)

    threads = [threading.Thread(target=some, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()

    for turn in range(2):
        time.sleep(2)
        if server.name == "nginx":      # all before this file has been read
            gone = sum(map(count, glob.glob(server.log + "-*")))
            wait_until(lambda: len(ids(shipping.read())) > gone, "lines")
            os.rename(server.log, server.log + "-2026112%d" % turn)
            server.reopen()

    for thread in threads:
        thread.join()

    text = settled(shipping.read, 120)
    written = []
    for name in glob.glob(os.path.join(logs, "llm*.jsonl*")):
        with open(name, "rb") as f:
            written += f.read().splitlines()
    assert len(written) == 120
    got = collections.Counter(text.splitlines())
    assert set(got) == set(written)
    assert max(got.values()) == 1
    assert "ü" * 100 in text.decode()
    server.log_of().seen = 120


@pytest.mark.parametrize("name, kill", (("rsyslog", False),
                                        ("splunk-hec", False),
                                        ("splunk-hec", True)))
def test_a_shipper_that_ends_and_starts_again_loses_no_line(tmp_path, name,
                                                            kill):
    """At least once: after kill -9 some may come again, with their ids.  rsyslog
    loses lines by that."""
    logs = tmp_path / "logs"
    logs.mkdir()
    path = str(logs / "llm.jsonl")
    shipping = WAYS[name](str(tmp_path), str(logs))
    n = 0

    with contextlib.ExitStack() as stack:
        stack.callback(shipping.stop)

        for turn in range(3):
            write(path, map(made_up, range(n, n + 700)))
            n += 700
            time.sleep(0.15 + 0.2 * turn)
            shipping.node.stop(kill)
            write(path, map(made_up, range(n, n + 50)))
            n += 50
            shipping.node.start()

        wait_until(lambda: len(ids(shipping.read())) == n, "%d lines" % n)
        found = ids(shipping.read())
        assert kill or sum(found.values()) == n
        print("%s: %d lines, %d of them again" % (
            name, n, sum(found.values()) - n))


def test_an_end_that_is_away_or_busy_costs_no_line(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    path = str(logs / "llm.jsonl")
    write(path, map(made_up, range(300)))

    for name in ("rsyslog", "splunk-hec"):
        folder = str(tmp_path / name)
        shipping = WAYS[name](folder, str(logs))
        with contextlib.ExitStack() as stack:
            stack.callback(shipping.stop)
            wait_until(lambda: len(ids(shipping.read())) == 300, "lines")
            if name == "rsyslog":
                shipping.end.stop()
            else:
                shipping.end.refuse = 3
            write(path, map(made_up, range(300, 600)))
            time.sleep(1)
            if name == "rsyslog":
                shipping.end.start()
            wait_until(lambda: len(ids(shipping.read())) == 600, "the rest")
            assert not getattr(shipping.end, "faults", None)
        os.truncate(path, 0)
        write(path, map(made_up, range(300)))


def test_socket_takes_long_lines_whole(server, fake, tmp_path):
    """llm_log syslog:server=unix:..."""
    sock = os.path.join(server.mkdir("socket"), "s")
    names = ["t%d" % n for n in range(TAGS)]
    central = shippers.Central(str(tmp_path / "central")).start()
    node = shippers.rsyslog_node(str(tmp_path / "node"), sock, central.port,
                                 "rsyslog-socket.conf").start()

    with contextlib.ExitStack() as stack:
        stack.callback(central.stop)
        stack.callback(node.stop)
        wait_until(lambda: os.path.exists(sock), "the socket")
        server.meter(fake, ("llm_log", "syslog:server=unix:%s,nohostname"
                            % sock),
                     *[("llm_tag", name, "from=header:x-" + name)
                       for name in names])
        headers = {"x-" + name: ("ü" * 250).encode().decode("latin-1")
                   for name in names}
        for _ in range(20):
            server.client.post(CHAT, calls.chat(user="\x7f ü"), headers)
        server.lines(20)
        long = [made_up(i).encode() for i in range(20)]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            for line in long:
                told.sendto(b"<190>Nov 22 10:00:00 llm: " + line, sock)
        got = settled(central.read, 40)
        assert sorted(got.splitlines()) == sorted(
            server.log_of().raw().splitlines() + long)


def test_a_full_socket_loses_lines_and_the_error_log_says_so(server, fake):
    """No call waits for it."""
    server.expect_errors("syslog")
    path = os.path.join(server.mkdir("socket"), "s")

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.bind(path)
        os.chmod(path, 0o777)
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with open("/proc/sys/net/unix/max_dgram_qlen") as f:
            room = int(f.read())
        n = min(room, 600) + 40
        server.meter(fake, ("llm_log", "syslog:server=unix:%s,nohostname"
                            % path))
        for _ in range(n):
            assert server.client.post(CHAT, calls.chat()).status == 200
        server.lines(n)                 # the file beside it has all
        full.setblocking(False)
        got = 0
        with contextlib.suppress(BlockingIOError):
            while full.recv(65536):
                got += 1

    assert 0 < got < n
    assert re.search("syslog", server.messages())
    print("%d of %d lines were lost" % (n - got, n))


@pytest.mark.parametrize("command", ("jq", "sqlite3"))
def test_commands_of_the_documentation(tmp_path, command):
    made = warehouse_lines.lines(7, 500)
    warehouse_lines.write(str(tmp_path / "llm.jsonl"), made)
    with open(root("docs", "shipping.md")) as f:
        text, = [block for block in re.findall(r"```sh\n(.*?)```", f.read(),
                                               re.S)
                 if block.startswith(command)]
    done = subprocess.run(["bash", "-c", text], cwd=tmp_path, text=True,
                          capture_output=True, check=True, timeout=300)
    want = collections.Counter()

    for line in warehouse_lines.once(made, None):
        want[json.dumps(line.get("llm.team", "-"), ensure_ascii=False)] \
            += line["llm.cost.total_nusd"]

    # A quote and a new line are in a team's name: only sums are compared.
    sums = [int(line.rsplit("\t", 1)[1]) for line in done.stdout.splitlines()
            if re.search(r"\t\d+$", line)]
    assert sorted(sums) == sorted(want.values())
