"""What budgets.conf of conf-examples names, and what it has to do: the same for
both servers."""

import json
import os
import re

import calls
from hooks import SECRET
from keys import CARRIERS
from test_llmctl_key import new

CHAT = "/v1/chat/completions"
OWN = {"openai": "sk-openais-own-0123456789", "anthropic": "sk-ant-own-012345"}


def prepare(server):
    """Writes the files, returns a key's secret: two calls a day."""
    for name, text in (*OWN.items(), ("hook", "whsec_" + SECRET)):
        suffix = ".secret" if name == "hook" else ".key"
        os.chmod(server.write("etc/" + name + suffix, text + "\n"), 0o600)

    server.mkdir("ledger")
    path = server.write("etc/keys.json", '{"tollgate_keys": 1, "keys": []}')

    return new(path, "--team=search", "--budget=requests=2/day alert=50%")[1]


def place(server, text, pki, hook=None):
    """The same configuration where this machine's files are."""
    text = text.replace("/etc/tollgate/", server.path("etc") + "/")
    text = text.replace("/var/lib/tollgate/", server.path("ledger") + "/")
    text = text.replace("/etc/ssl/certs/ca-certificates.crt",
                        str(pki / "ca.pem"))

    return text.replace("https://hooks.example.com/finops",
                        hook.url if hook else "")


def check(server, up, hook, secret, log=None):
    assert not re.search(r"warn.*llm: ", server.messages())
    post = server.client.post
    assert post(CHAT, calls.chat()).status == 401

    own = CARRIERS["authorization"](secret)
    assert post(CHAT, calls.chat(max_tokens=8), own).status == 200
    assert post("/v1/messages", calls.CLAUDE,
                CARRIERS["x-api-key"](secret)).status == 200
    refused = post(CHAT, calls.chat(max_tokens=8), own)
    assert refused.status == 429
    assert "2 of 2 requests used today" in refused.json["error"]["message"]

    openai, anthropic = up.requests
    assert openai.header("Authorization") == "Bearer " + OWN["openai"]
    assert anthropic.header("x-api-key") == OWN["anthropic"]
    assert not anthropic.header("Authorization")

    server.wait_until(lambda: hook.posts, what="the alert")
    headers, body = hook.posts[0]
    assert json.loads(body)["tollgate"]["threshold"] == 50
    assert any(name.lower() == "webhook-signature" for name in headers)

    lines = server.lines(4, log)
    assert [line["llm.decision"] for line in lines].count("allow") == 2
    assert {line.get("llm.team") for line in lines} == {None, "search"}
