"""What the README says to configure is configured: each of its blocks on top of
those before it."""

import os
import re

import calls
import httpd
import nginx
import pytest
import routes
from costlines import ROOT
from servers import free_port, root, server_user


def blocks(language):
    with open(os.path.join(ROOT, "README.md")) as f:
        return re.findall(r"```%s\n(.*?)```" % language, f.read(), re.S)


def statements(text):
    """Of nginx's language: each with its block, at this depth."""
    text = re.sub(r"#.*", "", text)
    found, depth, begin = [], 0, 0

    for m in re.finditer(r"[;{}]|\"[^\"]*\"", text):
        depth += {"{": 1, "}": -1}.get(m[0], 0)
        if depth == 0 and m[0] in ";}":
            found.append(text[begin:m.end()].strip())
            begin = m.end()

    assert not text[begin:].strip()

    return found


def together(parts):
    """The first is a file, if a short one; what follows finds its place."""
    top = statements(parts[0])
    http = statements(top.pop()[len("http {"):-1])
    server = statements(http.pop()[len("server {"):-1])

    for part in parts[1:]:
        for one in statements(part):
            if one.startswith("load_module "):
                top.append(one)
            elif one.startswith("location "):
                server = [s for s in server
                          if s.split("{")[0] != one.split("{")[0]] + [one]
            else:
                http.append(one)

    # Log, server: as they stand in the README's first block.
    return "%s\nevents {}\nhttp {\n%s\nserver {\n%s\n}\n}\n" % tuple(
        "\n".join(lines) for lines in (top, http, server))


def place_nginx(scene, text):
    """Where this machine's files, ports and providers are."""
    server = scene.server
    server.port = free_port()
    where = os.path.dirname(nginx.MODULE)
    address = [e.address for e in scene.engines]
    text = re.sub(r"load_module modules/(\S+);",
                  lambda m: "load_module %s/%s;" % (where, m[1]), text)
    text = text.replace("/usr/share/tollgate/prices.json",
                        root("prices", "default.json"))
    text = text.replace("/var/log/nginx/", server.path("log") + "/")
    text = text.replace("listen 8080;", "listen 127.0.0.1:%d;" % server.port)
    text = text.replace("proxy_pass https://api.openai.com",
                        "proxy_ssl_name localhost; proxy_pass https://OPENAI")
    text = text.replace("http {\n", "http {\nupstream OPENAI"
                        " { server localhost:%d; }\n" % scene.openai.port, 1)
    for i, engine in enumerate(address):
        text = text.replace("10.0.0.%d:8000" % (5 + i), engine)
    temp = "".join("%s_temp_path tmp/%s;\n" % (t, t) for t in nginx.TEMP)
    text = text.replace("http {\n", "http {\naccess_log off;\n" + temp, 1)
    user = "user %s %s;\n" % server_user() if server_user() else ""

    return "%spid logs/nginx.pid;\ndaemon off;\n%s" % (
        user, scene.place(text).replace("OPENAI", "api.openai.com"))


def ask(scene, own=(), model="gpt-4o-mini", **more):
    r = scene.ask(own, model, headers={"X-Team": "search"}, **more)
    line = scene.server.lines(scene.asked + 1,
                              scene.server.path("log", "llm.jsonl"))[-1]
    scene.asked += 1

    return r, line


def check_budget(scene, last):
    """Whoever calls; a key, where that is asked for."""
    keys = last >= KEYS
    if keys:
        scene.ask((), status=401)
        scene.asked += 1
    own = scene.keys["search"] if keys else ()
    _, line = ask(scene, own, "gpt-4o")
    assert line["llm.cost.total_nusd"] > 0 and line["llm.team"] == "search"

    if last >= BUDGET:
        assert ask(scene, own, body=TOO_MUCH, status=429)[1]["llm.rule"] \
            == "team_month"


def check_routes(scene, last):
    own = scene.keys["anyone"]
    r, line = ask(scene, own, text="card 4111 1111 1111 1111")
    assert line["gen_ai.provider.name"] == "anthropic"
    assert r.json["object"] == "chat.completion"
    assert b"4111" not in scene.anthropic.requests[-1].body

    if last >= GPUS:
        r, line = ask(scene, own, "llama-3.1-8b", tools=TOOLS)
        assert line["llm.provider"] == "gpu"

    if last >= PAGES:
        get = scene.server.client.get
        assert b"<html" in get("/llm/").body
        assert b"llm_cost_usd_total{" in get("/llm/metrics").body
        assert get("/llm/me").status == 401
        assert get("/llm/me", own).json


BUDGET, KEYS, ROUTES, GPUS, PAGES = range(1, 6)
TOO_MUCH = calls.chat("gpt-4o", max_tokens=300)     # of what Scene leaves
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {
    "type": "object", "properties": {}}}}]


@pytest.mark.only("nginx", "the blocks are nginx's")
@pytest.mark.parametrize("last", range(PAGES + 1))
def test_each_block_for_nginx_works_on_those_before_it(server, pki, last):
    parts = blocks("nginx")
    assert len(parts) == PAGES + 1

    with routes.Scene(server, pki, "gpus-burst.conf") as scene:
        scene.asked = 0
        server.mkdir("logs")
        server.write("nginx.conf", place_nginx(scene, together(
            parts[:last + 1])))
        server.spawn([nginx.BINARY, "-p", server.dir, "-e", server.error_log,
                      "-c", server.path("nginx.conf")])
        assert "[warn]" not in server.messages()
        check_budget(scene, last) if last < ROUTES \
            else check_routes(scene, last)


@pytest.mark.only("httpd", "the block is httpd's")
def test_the_block_for_httpd_works(server, pki):
    text, = blocks("apache")
    server.port = free_port()
    text = text.replace("/usr/lib/apache2/modules/mod_llm.so", httpd.MODULE)
    text = text.replace("/usr/share/tollgate/prices.json",
                        root("prices", "default.json"))
    text = text.replace("/var/log/apache2/", server.path("log") + "/")

    with routes.Scene(server, pki) as scene:
        scene.asked = 0
        host = "https://localhost:%d" % scene.openai.port
        text = text.replace("https://api.openai.com", host)
        text += "LLMProvider openai dialect=openai url=%s\n" % host
        head = "".join("LoadModule %s_module %s/mod_%s.so\n"
                       % (name, httpd.MODULES, name) for name in (
                           "mpm_event", "authn_core", "authz_core", "proxy",
                           "proxy_http", "socache_shmcb", "ssl"))
        if server_user():
            head += "User %s\nGroup %s\n" % server_user()
        server.write("httpd.conf", "%sServerRoot %s\nServerName localhost\n"
                     "PidFile httpd.pid\nDefaultRuntimeDir tmp\n"
                     "ErrorLog %s\nListen 127.0.0.1:%d\n"
                     "SSLProxyCACertificateFile %s\n%s" % (
                         head, server.dir, server.error_log, server.port,
                         pki / "ca.pem", scene.place(text)))
        server.spawn([httpd.BINARY, "-f", server.path("httpd.conf"),
                      "-DFOREGROUND"])
        r = scene.ask((), "gpt-4o", headers={"X-Team": "search"})
        assert r.status == 200
        assert scene.ask((), body=TOO_MUCH, status=429,
                         headers={"X-Team": "search"})
