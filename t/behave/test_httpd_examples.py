"""conf-examples/apache: complete files, started as they are but for their
paths, ports and upstreams."""

import contextlib
import glob
import json
import os
import re
import shutil

import pytest

import budgets
import calls
import httpd
import routes
import visible
from hooks import Hook
from pki import secure
from servers import free_port, root, server_user

pytestmark = pytest.mark.only("httpd", "the files are httpd's")

CHAT = calls.chat(metadata={"team": "red"})


def start(server, name, fake, place=lambda text: text):
    """Only what names this machine is changed."""
    with open(root("conf-examples", "apache", name)) as f:
        text = place(f.read())

    server.port = free_port()
    shutil.copy(root("prices", "default.json"), server.path("prices.json"))

    text = re.sub(r"/usr/lib/apache2/modules/(mod_llm\w*\.so)",
                  lambda m: os.path.join(os.path.dirname(httpd.MODULE), m[1]),
                  text)
    text = text.replace("${APACHE_LOCK_DIR}", server.path("tmp"))
    text = text.replace("/usr/lib/apache2/modules", httpd.MODULES)
    text = text.replace("/usr/share/tollgate/", server.dir + "/")
    text = text.replace("/var/log/apache2/", server.path("log") + "/")
    text = text.replace("/run/apache2/", server.dir + "/")
    text = text.replace("ServerRoot /etc/apache2", "ServerRoot %s\n"
                        "DefaultRuntimeDir %s" % (server.dir, server.dir))
    text = text.replace("Listen     8080", "Listen 127.0.0.1:%d" % server.port)
    text = text.replace("*:8080", "127.0.0.1:%d" % server.port)
    text = re.sub(r"(BalancerMember) http://127.0.0.1:\d+",
                  r"\1 " + fake.url, text, count=1)
    text = re.sub(r".*BalancerMember http://127.0.0.1:800\d\n", "", text)
    text = re.sub(r"https://(api\.\w+\.com|\w+\.googleapis\.com)/",
                  fake.url + "/", text)

    if not server_user():
        text = re.sub(r"(User|Group) +www-data\n", "", text)

    server.write("httpd.conf", text)
    server.spawn([httpd.BINARY, "-f", server.path("httpd.conf"),
                  "-DFOREGROUND"])


def test_metering_example(server, fake):
    start(server, "metering.conf", fake)

    for path, body in (("/v1/chat/completions", CHAT),
                       ("/v1/messages", calls.CLAUDE),
                       (calls.GEMINI + "generateContent",
                        {"contents": calls.CONTENTS})):
        assert server.client.post(path, body, {"X-Team": "red"}).status == 200

    lines = server.lines(3)
    lines.sort(key=lambda line: line["llm.seq"])
    assert [line["gen_ai.operation.name"] for line in lines] == [
        "chat", "chat", "generate_content"]
    assert all(line["llm.team"] == "red" for line in lines)
    assert all(line.nusd > 0 for line in lines)

    with open(server.access_log) as f:
        assert "gpt-4o-mini 4/5 0.0000036 USD " in f.read()


def test_own_gpus_example(server, fake):
    start(server, "own-gpus.conf", fake)
    server.check_lines = False      # format=underscore is not the schema's

    assert server.client.post("/v1/chat/completions", CHAT).status == 400
    assert server.client.post("/v1/nothing", CHAT,
                              {"X-Team": "red"}).status in (400, 403)
    assert server.client.post("/v1/chat/completions", CHAT,
                              {"X-Team": "red"}).status == 200

    def log():
        text = ""
        for path in glob.glob(server.path("log", "llm.*.jsonl")):
            with open(path) as f:
                text += f.read()
        return text

    server.wait_until(lambda: log().count("\n") == 3)
    lines = sorted(map(json.loads, log().splitlines()),
                   key=lambda line: line["llm_seq"])
    assert [line["llm_decision"] for line in lines] == [
        "refuse", "refuse", "allow"]
    assert lines[2]["llm_provider"] == "gpu"
    assert lines[2]["gen_ai_provider_name"] == "vllm"


def balanced(server, up, text):
    """The providers are reached by their names, through balancers."""
    text = re.sub(r"(ProxyPass +\S+ +)https:", r"\1balancer:", text)
    text += "".join(
        "LoadModule %s_module %s/mod_%s.so\n" % (n, httpd.MODULES, n)
        for n in ("slotmem_shm", "proxy_balancer", "lbmethod_byrequests"))
    text += "Mutex file:%s proxy\n" % server.path("tmp")

    return text + "".join(
        "<Proxy balancer://%s>\n    BalancerMember"
        " https://localhost:%d\n</Proxy>\n" % (host, up.port)
        for host in ("api.openai.com", "api.anthropic.com"))


def test_budgets_example(server, pki):
    secret = budgets.prepare(server)

    with secure(pki) as up, contextlib.closing(Hook()) as hook:
        start(server, "budgets.conf", up, lambda text: balanced(
            server, up, budgets.place(server, text, pki, hook)))
        budgets.check(server, up, hook, secret)


def test_visibility_example(server, pki):
    server.check_lines = False      # one of the logs is format=underscore
    secret = budgets.prepare(server)

    def read():
        files = set(glob.glob(server.path("log", "llm*.jsonl")))
        under = {name for name in files if "llm_warehouse." in name}
        for names in (files - under, under):
            lines = []
            for name in names:
                with open(name) as f:
                    lines += map(json.loads, f)
            yield lines

    with secure(pki) as up:
        start(server, "visibility.conf", up, lambda text: balanced(
            server, up, budgets.place(server, text, pki)))
        visible.check(server, up, secret, lambda: list(read()))


@pytest.mark.parametrize("name", routes.CHECKS)
def test_routing_example(server, pki, name):
    server.expect_errors("proxy|AH01102|AH01114|AH00957|AH01084|AH00898")

    with routes.Scene(server, pki, name) as scene:
        start(server, name, scene.gpu, scene.place)
        assert not re.search(r"warn.*llm: ", server.messages())
        routes.CHECKS[name](scene)

    server.terminate()
    server.lines(server.log_of().count())


def test_every_example_is_tested(server):
    """A file without a test of its name would be an untested one."""
    with open(__file__) as f:
        tests = f.read()

    for path in glob.glob(root("conf-examples", "apache", "*.conf")):
        assert '"%s"' % os.path.basename(path) in tests \
            or os.path.basename(path) in routes.CHECKS
