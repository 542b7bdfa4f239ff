"""Reloads, stops, kills and rotations: no line is lost, none is torn."""

import os
import signal
import stat
import threading
import time

import pytest

import calls
from servers import rss

CHAT = "/v1/chat/completions"


def streams(server, fake, n, **knobs):
    """n streams of which the first words have come."""
    begun = [server.client.open("POST", CHAT, calls.asked_stream(),
                                fake={"words": 100, "gate": 30, **knobs})
             for _ in range(n)]
    for stream in begun:
        stream.read_until(b"word25")
    return begun


def test_reload_cuts_no_stream_and_loses_no_line(server, fake):
    server.meter(fake, workers=2)
    begun = streams(server, fake, 8)
    server.reload()
    assert server.client.post(CHAT, calls.chat()).status == 200
    fake.release()
    for stream in begun:
        assert stream.read_rest().complete
        assert stream.response.body.endswith(b"data: [DONE]\n\n")
        stream.close()
    assert sorted(line.output for line in server.lines(9)) == [5] + [100] * 8


def test_reload_with_lines_in_the_buffer_loses_none(server, fake):
    server.meter(fake, workers=2, log=("flush=60s",))
    for _ in range(20):
        server.client.post(CHAT, calls.chat())
    server.reload()
    assert len(server.lines(20)) == 20


def test_reload_takes_a_new_configuration(server, fake):
    site = server.meter(fake).site
    server.client.post(CHAT, calls.chat())
    other = server.path("log", "other.jsonl")
    site.llm[0] = ("llm_log", other, "flush=0")
    server.reload(site)
    server.client.post(CHAT, calls.chat())
    assert server.line()["llm.config_hash"] \
        != server.line(other)["llm.config_hash"]


def test_reloads_under_load_lose_nothing(server, fake):
    server.meter(fake, workers=2, log=("flush=200ms",))
    sent, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            r = server.client.post(CHAT, calls.asked_stream())
            sent.append(r.complete)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.2)
        server.reload()
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert all(sent)
    assert all(line.output == 5 for line in server.lines(len(sent)))


def test_fast_stop_writes_every_line(server, fake):
    server.meter(fake, workers=2, log=("flush=60s",))
    for _ in range(3):
        server.client.post(CHAT, calls.chat())
    begun = streams(server, fake, 6)
    server.terminate()
    for stream in begun:
        stream.close()
    lines = server.lines(9)
    cut = [line for line in lines if line.source == "estimated"]
    assert len(cut) == 6
    assert all(line["error.type"] == "server_shutdown" for line in cut)
    assert all(line.output > 5 for line in cut)


def test_graceful_stop_ends_the_streams_first(server, fake):
    server.meter(fake, log=("flush=60s",))
    begun = streams(server, fake, 3)
    server.graceful()
    time.sleep(0.2)
    fake.release()
    for stream in begun:
        assert stream.read_rest().complete
        stream.close()
    server.await_exit()
    assert [line.output for line in server.lines(3)] == [100] * 3


def test_killed_worker_leaves_a_valid_log(server, fake):
    server.expect_errors("exited on signal 9", "exit signal Killed")
    server.meter(fake, workers=1)
    for _ in range(5):
        server.client.post(CHAT, calls.chat())
    begun = streams(server, fake, 3)
    victims = server.workers()
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    server.wait_until(lambda: server.workers() and not set(
        server.workers()) & set(victims), what="another worker")
    for stream in begun:
        stream.close()
    for _ in range(5):
        assert server.client.post(CHAT, calls.chat()).status == 200
    assert [line.output for line in server.lines(10)] == [5] * 10


@pytest.mark.only("nginx", "httpd reopens its logs by a graceful restart")
def test_log_is_reopened_after_a_rotation(server, fake):
    server.meter(fake, workers=2, log=("flush=60s",))
    for _ in range(10):
        server.client.post(CHAT, calls.chat())
    old = server.path("log", "llm.jsonl.1")
    os.rename(server.log, old)
    server.reopen()
    server.wait_until(lambda: os.path.exists(server.log))
    server.lines(10, old)
    for _ in range(5):
        server.client.post(CHAT, calls.chat())
    server.reload()
    server.lines(5)


def test_log_is_closed_to_strangers(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.chat())
    server.line()
    assert stat.S_IMODE(os.stat(server.log).st_mode) == 0o640


@pytest.mark.only("nginx", "httpd's children come and go")
@pytest.mark.memory
def test_memory_does_not_grow_with_calls(server, fake):
    server.meter(fake, keepalive=True)
    fake.keep = False
    sock = server.client.connect()

    def some(n):
        for i in range(n):
            server.client.post(CHAT, calls.chat(stream=i % 2 == 0),
                               sock=sock)

    some(200)
    pid = server.workers()[0]
    before = rss(pid)
    some(800)
    sock.close()
    assert rss(pid) - before < (1 << 20)
    server.lines(1000)
