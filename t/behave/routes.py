"""What the examples of routing name, and what each has to do: the same for both
servers."""

import concurrent.futures
import contextlib
import os
import re
import shutil

import calls
import mmdb
from budgets import CHAT, OWN
from engines import Engines
from fake.provider import Fake
from keys import CARRIERS
from pki import secure
from servers import root
from test_llmctl_key import new

KEYS = {"anyone": (), "search": ("--team=search",),
        "eu": ("--tag=region=eu",)}
CARD = "4111 1111 1111 1111"


class Scene:
    """Providers behind TLS, GPUs of one's own, and keys."""

    def __init__(self, server, pki, name=""):
        self.server = server
        self.pki = pki
        self.stack = contextlib.ExitStack()
        self.openai = self.stack.enter_context(secure(pki))
        self.anthropic = self.stack.enter_context(secure(pki))
        self.engines = self.stack.enter_context(
            Engines(2, seqs=1, speed=20)) if name in ENGINES else []
        self.gpu = self.engines[0] if self.engines \
            else self.stack.enter_context(Fake())
        self.providers_keys()
        self.keys = {who: self.make_key(*args) for who, args in KEYS.items()}
        shutil.copy(root("conf-examples", "own-prices.json"),
                    server.path("etc", "own-prices.json"))
        server.write("etc/country.mmdb", mmdb.database(
            {"127.0.0.0/8": {"country": {"iso_code": "US"}}}))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def providers_keys(self):
        for name, text in OWN.items():
            os.chmod(self.server.write("etc/%s.key" % name, text + "\n"), 0o600)

        self.server.write("etc/keys.json", '{"tollgate_keys": 1, "keys": []}')
        self.server.mkdir("ledger")

    def make_key(self, *args):
        """What a caller sends."""
        secret = new(self.server.path("etc", "keys.json"), *args)[1]

        return CARRIERS["authorization"](secret)

    def place(self, text):
        """The same configuration where this machine's files and ports are."""
        server = self.server

        for name, to in (("openai", self.openai),
                         ("anthropic", self.anthropic)):
            url = "https://api.%s.com" % name
            text = "\n".join(
                line.replace(url, "https://localhost:%d%s" % (
                    to.port, "" if "dialect=" in line else " dialect=" + name))
                for line in text.split("\n"))

        for i, engine in enumerate(self.engines):
            text = text.replace("127.0.0.1:800%d" % i, engine.address)

        gpu = self.gpu.url.partition("//")[2]
        text = re.sub(r"server 127\.0\.0\.1:800\d;", "server %s;" % gpu, text)
        text = text.replace("http://127.0.0.1:8000", self.gpu.url)
        text = text.replace("/var/lib/GeoIP/GeoLite2-Country.mmdb",
                            server.path("etc", "country.mmdb"))
        text = text.replace("/etc/tollgate/", server.path("etc") + "/")
        text = text.replace("/var/lib/tollgate/", server.path("ledger") + "/")
        text = text.replace("usd=5000/month", "usd=0.0025/month")

        with open(root("conf", "llm_proxy_params")) as f:
            params = self.authorities(f.read())
        text = text.replace("llm_proxy_params", server.write(
            "etc/llm_proxy_params", params))

        return self.authorities(text)

    def authorities(self, text):
        return text.replace("/etc/ssl/certs/ca-certificates.crt",
                            str(self.pki / "ca.pem"))

    def ask(self, own, model="gpt-4o", status=200, path=CHAT, **more):
        headers = dict(own)
        headers.update(more.pop("headers", {}))
        body = more.pop("body", None) or calls.chat(model, max_tokens=8,
                                                    **more)
        r = self.server.client.post(path, body, headers)
        assert r.status == status, r.body

        return r


def check_cheap_first(s):
    own = s.keys["anyone"]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {}}}}]
    assert s.ask(own).header("x-llm-route") == "small_talk"
    assert s.ask(own, tools=tools).header("x-llm-route") is None
    assert [r.json["model"] for r in s.openai.requests] \
        == ["gpt-4o-mini", "gpt-4o"]
    assert s.openai.requests[0].header("Authorization") \
        == "Bearer " + OWN["openai"]

    s.ask(own, path="/v1/messages", body=calls.CLAUDE)
    s.ask(own, "gpt-4o", tools=tools, headers={"x-feature": "bulk"})
    assert s.openai.requests[-1].json["model"] == "gpt-4o"  # a dry run

    # The provider of the small model goes away.

    s.openai.stop()
    r = s.ask(own)
    assert r.json["object"] == "chat.completion"
    assert s.anthropic.requests[-1].header("x-api-key") == OWN["anthropic"]
    assert not s.anthropic.requests[-1].header("Authorization")
    assert s.anthropic.requests[-1].json["model"] == "claude-haiku-4-5"


def check_budget_downshift(s):
    """A quarter of a cent a month, of which a call takes a thirtieth."""
    own = s.keys["search"]
    seen = []

    for _ in range(36):
        r = s.ask(own, "gpt-4o-mini", text="one two three four five " * 100)
        seen.append(r.header("x-llm-route"))

    assert seen[0] is None
    assert "economy" in seen and seen[-1] == "own"
    assert s.gpu.requests[-1].json["model"] == "llama-3.1-8b"
    assert not s.gpu.requests[-1].header("Authorization")


def check_eu_data(s):
    outside, inside = s.keys["anyone"], s.keys["eu"]
    s.ask(outside, text="my card is %s, thanks" % CARD)
    assert CARD not in s.openai.requests[0].body.decode()
    assert "thanks" in s.openai.requests[0].json["messages"][0]["content"]

    r = s.ask(inside)
    assert r.header("x-llm-route") == "eu"
    assert s.gpu.requests[0].json["model"] == "mistral-small"
    assert len(s.openai.requests) == 1

    s.gpu.stop()
    assert s.server.client.post(CHAT, calls.chat("gpt-4o", max_tokens=8),
                                inside).status in (502, 503)
    assert len(s.openai.requests) == 1


def check_gpus_first(s):
    own = s.keys["anyone"]
    assert s.ask(own, "default").header("x-llm-route") == "own"
    assert s.gpu.requests[0].json["model"] == "llama-3.1-8b"

    s.gpu.stop()
    for _ in range(4):
        assert s.ask(own, "llama-3.1-8b").json["object"] == "chat.completion"
    assert len(s.anthropic.requests) == 4


def check_gpus_burst(s):
    """One call is served at a time, by either server of the example."""
    own = s.keys["anyone"]
    status = s.server.client.get

    def upstream():
        return status("/llm/backends").json["upstreams"][0]

    s.server.wait_until(lambda: all(b["state"] == "up"
                                    for b in upstream()["servers"]))
    assert s.ask(own, "llama-3.1-8b").header("x-llm-route") == "own"
    assert not s.anthropic.requests

    for engine in s.engines:
        engine.set(stall=1)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(s.ask, own, "llama-3.1-8b") for _ in range(20)]
        s.server.wait_until(lambda: upstream()["saturated"])
        assert s.ask(own, "llama-3.1-8b").header("x-llm-route") == "burst"
        for engine in s.engines:
            engine.mend()
        assert {w.result().header("x-llm-route") for w in waiting} == {"own"}

    assert len(s.anthropic.requests) == 1
    assert b"llm_upstream_" in status("/llm/gpus").body
    assert b'llm_cost_usd_total{provider="gpu"' in status("/llm/metrics").body


CHECKS = {"cheap-first.conf": check_cheap_first,
          "budget-downshift.conf": check_budget_downshift,
          "eu-data.conf": check_eu_data,
          "gpus-first.conf": check_gpus_first,
          "gpus-burst.conf": check_gpus_burst}

# Those whose GPUs have to say how they are.
ENGINES = {"gpus-burst.conf"}
