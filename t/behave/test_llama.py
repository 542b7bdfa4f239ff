"""A real llama.cpp server behind each of ours: make test-llama LLAMA_SERVER=path
MODEL=path.gguf.  Nothing here without them."""

import concurrent.futures
import contextlib
import os
import subprocess
import time
import urllib.request

import pytest

from boxes import servers
from servers import Loc, Site, Upstream, die_with_parent, free_port

BINARY = os.environ.get("LLAMA_SERVER")
MODEL = os.environ.get("MODEL")
CHAT = "/v1/chat/completions"
STATUS = Loc("/status", [("llm_upstream_status",)])
CHECK = ("llm_health_check", "interval=100ms", "jitter=0%", "timeout=20s",
         "rise=1", "fall=2")


class Llama:
    def __init__(self, *words, slots=2):
        self.port = free_port()
        self.words = [BINARY, "-m", MODEL, "--host", "127.0.0.1", "--port",
                      str(self.port), "--metrics", "-c", "8192", "-np",
                      str(slots), "-t", "1", *words]
        self.process = None

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def start(self):
        self.process = subprocess.Popen(
            self.words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def metrics(self):
        with urllib.request.urlopen("http://%s/metrics" % self.address,
                                    timeout=20) as answer:
            lines = answer.read().decode().splitlines()

        return {line.split()[0]: float(line.split()[1]) for line in lines
                if line.startswith("llamacpp:")}


@contextlib.contextmanager
def llamas(n, start=True, **more):
    made = [Llama(**more) for _ in range(n)]

    try:
        for one in made if start else ():
            one.start()
        yield made
    finally:
        for one in made:
            one.stop()


def begin(server, made, *llm, meter=False):
    up = Upstream("gpu", [one.address for one in made],
                  [("llm_backend", "type=llamacpp"), CHECK, *llm])
    site = Site(locs=[Loc("/v1/", [("llm", "on")] if meter else [], up), STATUS],
                upstreams=[up], modules=("llm", "llm_upstream"),
                llm=[("llm_log", server.log, "flush=0")])
    server.start(site)


def told(server, one):
    return servers(server)[one.address]


def await_up(server, made):
    server.wait_until(
        lambda: all(told(server, one)["state"] == "up" for one in made), 120,
        "the model to be loaded")


def ask(server, text, tokens=8):
    r = server.client.post(CHAT, {
        "model": "m", "max_tokens": tokens,
        "messages": [{"role": "user", "content": text}]})
    assert r.status == 200, r.body

    return r.json


def test_loading_is_waited_for_and_then_it_is_used(server):
    with llamas(1, start=False) as made:
        begin(server, made)
        server.wait_until(lambda: told(server, made[0])["state"] == "down")
        made[0].start()
        seen = []

        def up():
            state = told(server, made[0])["state"]
            if seen[-1:] != [state]:
                seen.append(state)
            return state == "up"

        server.wait_until(up, 120, "the model to be loaded")
        assert seen[-1] == "up" and set(seen) <= {"down", "loading", "up"}
        # A model that is loaded within one interval is never seen loading.
        if os.path.getsize(MODEL) > 256 * 1024 * 1024:
            assert "loading" in seen
        assert ask(server, "hello")["usage"]["completion_tokens"] > 0


def test_busy_and_waiting_are_what_its_metrics_say(server):
    with llamas(1) as made, concurrent.futures.ThreadPoolExecutor(4) as pool:
        begin(server, made)
        await_up(server, made)
        calls = [pool.submit(ask, server, "tell me number %d" % i, 200)
                 for i in range(4)]
        most = {"running": 0, "waiting": 0, "in_flight": 0}

        def seen():
            one = told(server, made[0])
            for name in ("running", "waiting"):
                most[name] = max(most[name], one["load"][name] or 0)
            most["in_flight"] = max(most["in_flight"],
                                    one["calls"]["in_flight"])
            return all(c.done() for c in calls)

        server.wait_until(seen, 300, "the answers")
        assert all(c.result() for c in calls)
        assert most["in_flight"] == 4
        assert 1 <= most["running"] <= 2
        server.wait_until(lambda: told(server, made[0])["calls"]["in_flight"]
                          == 0 and told(server, made[0])["load"]["running"]
                          == 0, what="rest")
        assert told(server, made[0])["seconds"]["busy"] > 0


def test_prompts_that_begin_alike_find_their_cache_again(server):
    with llamas(2) as made:
        begin(server, made, ("llm_balance", "prefix_affinity"), meter=True)
        await_up(server, made)
        # Two conversations that grow: each is read once, and then its end only.
        texts = ["%s %s" % (name, "remember this. " * 80)
                 for name in ("first", "second")]
        cached = 0

        for turn in range(3):
            for i in range(2):
                texts[i] += " and number %d" % turn
                usage = ask(server, texts[i])["usage"]
                if turn > 0:
                    part = usage["prompt_tokens_details"]["cached_tokens"] \
                        / usage["prompt_tokens"]
                    assert part > 0.8, usage
                    cached += 1

        assert cached == 4
        time.sleep(0.2)
        assert sum(m.metrics()["llamacpp:prompt_tokens_cached_total"]
                   for m in made) > 0
        assert sum(line.get("gen_ai.usage.cache_read.input_tokens", 0)
                   for line in server.lines(6)) > 0
