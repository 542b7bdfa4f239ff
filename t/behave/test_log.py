"""Where cost lines go, and that each is whole and valid."""

import json
import os
import socket
import subprocess
import threading
import time

import pytest

import calls
from costlines import parse
from servers import Loc, Site

CHAT = "/v1/chat/completions"


def test_lines_of_many_clients_are_whole_and_numbered(server, fake):
    server.meter(fake, ("llm_tag", "n", "from=header:x-n"), workers=2,
                 log=("flush=100ms",))

    def some(n):
        for i in range(25):
            server.client.post(CHAT, calls.chat(),
                               {"x-n": "%d-%d-%s" % (n, i, "y" * 400)})

    threads = [threading.Thread(target=some, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = server.lines(200)
    assert len({line["llm.tags.n"] for line in lines}) == 200
    assert len({line["event.id"] for line in lines}) == 200
    assert sorted(line["llm.seq"] for line in lines) == list(
        range(min(line["llm.seq"] for line in lines),
              min(line["llm.seq"] for line in lines) + 200))


def test_buffered_lines_come_after_the_flush_time(server, fake):
    server.meter(fake, log=("buffer=64k", "flush=700ms"))
    began = time.monotonic()
    for _ in range(3):
        server.client.post(CHAT, calls.chat())
    raw = server.log_of().raw()
    if server.buffers and time.monotonic() - began < 0.7:
        assert raw == b""
    began = time.monotonic()
    server.lines(3)
    assert time.monotonic() - began < 30


def test_buffer_is_written_when_it_is_full(server, fake):
    server.meter(fake, ("llm_tag", "n", "from=header:x-n"),
                 log=("buffer=64k", "flush=60s"), keepalive=True)
    sock = server.client.connect()
    for _ in range(150):
        server.client.post(CHAT, calls.chat(), {"x-n": "z" * 400}, sock=sock)
    sock.close()
    raw = server.log_of().raw()
    assert raw.count(b"\n") >= 40
    assert raw.endswith(b"\n")
    server.reload()
    server.lines(150)


def test_underscore_format_turns_the_dots(server, fake):
    under = server.path("log", "under.jsonl")
    server.meter(fake, ("llm_log", under, "format=underscore", "flush=0"),
                 ("llm_tag", "team", "from=header:x-team"),
                 ("llm_tag", "app", "from=header:x-app"))
    server.client.post(CHAT, calls.chat(), {"x-team": "a.b", "x-app": "c.d"})
    dotted = server.line()
    with open(under) as f:
        line = json.loads(f.read())
    assert all("." not in name and "@" not in name for name in line)
    assert line["llm_cost_total_nusd"] == dotted.nusd
    assert line["gen_ai_usage_input_tokens"] == 4
    assert line["llm_team"] == "a.b"
    assert line["llm_tags_app"] == "c.d"
    assert line["timestamp"] == dotted["@timestamp"]
    assert len(line) == len(dotted)


def test_location_has_a_log_of_its_own_or_none(server, fake):
    own = server.path("log", "own.jsonl")
    on = ("llm", "on")
    server.start(Site(
        [Loc("/own/", [on, ("llm_log", own, "flush=0")], fake),
         Loc("/none/", [on, ("llm_log", "off")], fake),
         Loc("/", [on], fake)],
        [("llm_log", server.log, "flush=0")]))
    for prefix in ("/own", "/none", ""):
        r = server.client.post(prefix + CHAT, calls.chat())
        assert r.status == 200
    server.line()
    server.line(own)


@pytest.mark.only("nginx", "conditions are the server's own: variables")
def test_condition_leaves_lines_out(server, fake):
    server.meter(fake, log=("flush=0", "if=$wanted"), nginx_http="""
    map $http_x_log $wanted { default 1; no 0; never ""; }
""")
    for value in ("yes", "no", "never", "please"):
        server.client.post(CHAT, calls.chat(), {"x-log": value})
    server.lines(2)


@pytest.mark.only("nginx", "conditions are the server's own: variables")
def test_condition_can_be_what_the_call_was(server, fake):
    server.meter(fake, log=("flush=0", "if=$dear"), nginx_http="""
    map $llm_model $dear { default 0; gpt-4o 1; }
""")
    for model in ("gpt-4o-mini", "gpt-4o"):
        server.client.post(CHAT, calls.chat(model))
    assert server.line().model == "gpt-4o"


def test_syslog_gets_each_line(server, fake):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(60)
        server.meter(fake, (
            "llm_log", "syslog:server=127.0.0.1:%d,tag=llm,facility=local3"
            % s.getsockname()[1]))
        for _ in range(3):
            server.client.post(CHAT, calls.chat())
        for _ in range(3):
            packet = s.recv(65536)
            assert packet.startswith(b"<")
            assert b"llm: {" in packet
            line = parse(packet[packet.index(b"{"):].rstrip(b"\n"))
            assert line.input == 4
    server.lines(3)


HOSTILE = ["\x00\x01\x1f\x7f", '"}\n{"a":"', "\u2028\u2029", "\\u0000\\",
           "\ud83d", "\U0001f600" * 3000, "</script>", "x" * 100000,
           "../../etc/passwd", "%s%n%x", "\r\nHTTP/1.1 200 OK\r\n"]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_give_one_valid_line(server, fake, value):
    server.meter(fake, ("llm_tag", "t", "from=metadata.t"))
    body = calls.chat(value, user=value, metadata={"t": value},
                      service_tier=value)
    answer = {"id": value, "model": value, "service_tier": value,
              "choices": [{"finish_reason": value, "message": {}}],
              "usage": {"prompt_tokens": 1, "completion_tokens": 1},
              "error": {"type": value, "code": value}}
    server.client.post(CHAT, body, fake={"body": json.dumps(answer)}
                       if len(value) < 1000 else None)
    line = server.line()
    if len(value) < 200:                # longer ones may be left out
        assert line["llm.tags.t"][:3] == value.encode(
            "utf-16", "surrogatepass").decode("utf-16", "replace")[:3]


def test_hostile_path_gives_one_valid_line(server, fake):
    server.meter(fake, host=calls.GOOGLE)
    for name in ("a%22%0a%00b", "%ff%fe", "x" * 3000, "..%2f..%2f",
                 "%F0%9F%98%80"):
        server.client.post("/v1beta/models/%s:generateContent" % name,
                           {"contents": calls.CONTENTS})
    server.check_lines = True
    server.log_of().wait(4, exact=False)    # httpd itself refuses some
    server.lines(server.log_of().count())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_disk_does_not_harm_the_call(server, fake):
    server.expect_errors("/dev/full")
    server.meter(fake, ("llm_log", "/dev/full", "flush=0"))
    for _ in range(5):
        r = server.client.post(CHAT, calls.chat())
        assert r.status == 200
        assert r.body == fake.requests[-1].answer
    server.await_message("/dev/full")
    server.lines(5)


@pytest.fixture
def small_disk(server):
    """A directory that has room for so many pages."""
    path = server.mkdir("small")

    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=60k,mode=777", "none", path],
            stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("nothing can be mounted here")

    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_line_behind_a_torn_one_is_whole(server, fake, small_disk):
    """Whichever process tore the one, and whichever writes the other."""
    server.expect_errors("bytes of cost lines are lost")
    site = server.metered(fake, workers=2)
    path = os.path.join(small_disk, "llm.jsonl")
    site.llm[0] = ("llm_log", path, "flush=0")
    server.start(site)
    log = server.log_of(path)
    good = torn = 0

    for size in (32, 16, 8):            # each time there is more room
        with open(os.path.join(small_disk, "else"), "wb") as f:
            f.write(b"x" * (size << 10))
        full = -1
        while full != len(log.raw()):
            full = len(log.raw())
            assert server.client.post(CHAT, calls.chat()).status == 200
            server.await_stillness()
        good = log.raw().count(b"\n") - torn
        torn += not log.raw().endswith(b"\n")
        os.unlink(os.path.join(small_disk, "else"))
        for _ in range(2):
            assert server.client.post(CHAT, calls.chat()).status == 200
        server.wait_until(
            lambda: log.raw().count(b"\n") == good + torn + 2)

    assert torn > 0
    lines = log.raw().split(b"\n")
    assert lines.pop() == b""
    broken = [line for line in lines if not line.endswith(b"}")]
    assert len(broken) == torn and all(broken)
    for line in lines:
        if line not in broken:
            parse(line)
    server.logs.clear()                 # some are not whole
