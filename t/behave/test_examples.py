"""conf-examples/: complete files, started as they are but for their paths,
ports and upstreams."""

import contextlib
import glob
import json
import os
import re
import shutil

import pytest

import budgets
import calls
import nginx
import routes
import visible
from hooks import Hook
from pki import secure
from servers import free_port, root, server_user

CHAT = calls.chat(metadata={"team": "red"})


def start(server, name, fake, place=lambda text: text):
    """Only what names this machine is changed."""
    with open(root("conf-examples", "nginx", name)) as f:
        text = place(f.read())

    server.port = free_port()
    server.mkdir("logs")
    shutil.copy(root("prices", "default.json"), server.path("prices.json"))
    temp = "".join("    %s_temp_path tmp/%s;\n" % (t, t) for t in nginx.TEMP)
    where = os.path.dirname(nginx.MODULE)
    text = re.sub(r"load_module modules/(\S+);",
                  lambda m: "" if nginx.MODULE == "static"
                  else "load_module %s/%s;" % (where, m[1]), text)
    text = re.sub(r"server (127\.0\.0\.1:800\d|[\w.]+:443);",
                  "server %s;" % fake.url.split("//")[1], text)
    text = text.replace("proxy_pass https://", "proxy_pass %s://"
                        % fake.url.split(":")[0])
    text = text.replace("listen 8080;", "listen 127.0.0.1:%d;" % server.port)
    text = text.replace("http {\n", "http {\n" + temp, 1)

    if server_user():
        text = "user %s %s;\n" % server_user() + text

    server.write("nginx.conf", "daemon off;\n" + text)
    server.spawn([nginx.BINARY, "-p", server.dir, "-e", server.error_log,
                  "-c", server.path("nginx.conf")])


@pytest.mark.only("nginx", "the files are nginx's")
def test_metering_example(server, fake):
    start(server, "metering.conf", fake)

    for path, body in (("/v1/chat/completions", CHAT),
                       ("/v1/messages", calls.CLAUDE),
                       (calls.GEMINI + "generateContent",
                        {"contents": calls.CONTENTS})):
        r = server.client.post(path, body, (("X-Team", "red"), ))
        assert r.status == 200

    lines = server.lines(3, server.path("logs", "llm.jsonl"))
    lines.sort(key=lambda line: line["llm.seq"])
    assert [line["gen_ai.provider.name"] for line in lines] == [
        "openai", "anthropic", "gcp.gemini"]
    assert all(line["llm.team"] == "red" for line in lines)
    assert all(line["llm.cost.total_nusd"] > 0 for line in lines)

    with open(server.path("logs", "access.log")) as f:
        assert "gpt-4o-mini 4/5 0.0000036 USD " in f.readline()


@pytest.mark.only("nginx", "the files are nginx's")
def test_own_gpus_example(server, fake):
    server.check_lines = False      # format=underscore is not the schema's
    start(server, "own-gpus.conf", fake)

    assert server.client.post("/v1/chat/completions", CHAT).status == 400
    assert server.client.post("/v1/nothing", CHAT,
                              (("X-Team", "red"), )).status in (400, 403)
    assert server.client.post("/v1/chat/completions", CHAT,
                              (("X-Team", "red"), )).status == 200
    server.terminate()

    with open(server.path("logs", "llm.jsonl")) as f:
        lines = sorted(map(json.loads, f), key=lambda line: line["llm_seq"])

    assert [line["llm_decision"] for line in lines] == [
        "refuse", "refuse", "allow"]
    assert lines[2]["llm_provider"] == "gpu"
    assert lines[2]["gen_ai_provider_name"] == "vllm"


@pytest.mark.only("nginx", "the files are nginx's")
def test_budgets_example(server, pki):
    secret = budgets.prepare(server)

    with secure(pki) as up, contextlib.closing(Hook()) as hook:
        start(server, "budgets.conf", up,
              lambda text: budgets.place(server, text, pki, hook))
        budgets.check(server, up, hook, secret,
                      server.path("logs", "llm.jsonl"))


@pytest.mark.only("nginx", "the files are nginx's")
def test_visibility_example(server, pki):
    server.check_lines = False      # one of the logs is format=underscore
    secret = budgets.prepare(server)

    def read():
        for name in ("llm.jsonl", "llm_warehouse.jsonl"):
            with open(server.path("logs", name)) as f:
                yield [json.loads(line) for line in f]

    with secure(pki) as up:
        start(server, "visibility.conf", up,
              lambda text: budgets.place(server, text, pki))
        visible.check(server, up, secret, lambda: list(read()))


@pytest.mark.only("nginx", "the files are nginx's")
@pytest.mark.parametrize("name", routes.CHECKS)
def test_routing_example(server, pki, name):
    server.expect_errors("connect\\(\\) failed|upstream")

    with routes.Scene(server, pki, name) as scene:
        start(server, name, scene.gpu, scene.place)
        assert not re.search(r"warn.*llm: ", server.messages())
        routes.CHECKS[name](scene)

    log = server.path("logs", "llm.jsonl")
    server.terminate()
    server.lines(server.log_of(log).count(), log)


@pytest.mark.only("nginx", "the files are nginx's")
def test_every_example_is_tested(server):
    """A file without a test of its name would be an untested one."""
    with open(__file__) as f:
        tests = f.read()

    for path in glob.glob(root("conf-examples", "nginx", "*.conf")):
        assert '"%s"' % os.path.basename(path) in tests \
            or os.path.basename(path) in routes.CHECKS
