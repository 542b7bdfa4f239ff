"""docs/: its configurations are taken by a real server, its files by who reads
them, and its commands have the options that it names."""

import glob
import os
import re
import subprocess

import httpd
import nginx
import pytest
import routes
import yaml
from costlines import ROOT
from servers import free_port, root
from test_readme_conf import statements

LLMCTL = os.environ.get("TG_LLMCTL", root("build", "llmctl"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^ *```", re.S | re.M)
PAGES = sorted(os.path.basename(p) for p in glob.glob(root("docs", "*.md"))
               if not p.endswith("directives.md"))

# What pages take to be there.
OF_OTHERS = {"llm_keys": "llm_keys /etc/tollgate/keys.json;",
             "llm_ledger": "llm_ledger /var/lib/tollgate/ledger size=1m;"}
PROVIDER = {"openai": "https://api.openai.com",
            "anthropic": "https://api.anthropic.com", "gpu": "http://gpu"}
QUOTA = re.compile(r"(?:used\(|quota=)(\w+)")
TARGET = re.compile(r"\b(%s)(?:/|\))" % "|".join(PROVIDER))


def blocks(page, *languages):
    with open(root("docs", page)) as f:
        return [text for language, text in BLOCK.findall(f.read())
                if language in languages]


def all_of(language):
    return [pytest.param(page, text, id="%s-%d" % (page, i))
            for page in PAGES
            for i, text in enumerate(blocks(page, language))]


def missing(said):
    """Directives that a page's own name, and that are on another page."""
    for name, line in OF_OTHERS.items():
        if not re.search(r"^\s*%s " % name, said, re.M):
            yield line

    if "countries=" in said:
        yield "llm_geoip /var/lib/GeoIP/GeoLite2-Country.mmdb;"

    for name in sorted(set(TARGET.findall(said))):
        if not re.search(r"llm_provider +%s " % name, said):
            yield "llm_provider %s url=%s;" % (name, PROVIDER[name])

    for name in sorted(set(QUOTA.findall(said))):
        if not re.search(r"llm_quota +%s " % name, said):
            yield "llm_quota %s per=team usd=5/month;" % name


def sorted_out(text):
    """Statements of nginx by where they belong."""
    places = {"main": [], "http": [], "server": [], "location": [],
              "upstream": []}

    for one in statements(text):
        name = one.split()[0]
        if name == "http":
            inner = sorted_out(one[one.index("{") + 1:-1])
            for place, lines in inner.items():
                places[place] += lines
        else:
            places[{"load_module": "main", "location": "server",
                    "llm_scale": "upstream"}.get(name, "http")].append(one)

    return places


def put_together(text):
    places = sorted_out(text)
    http = "\n".join(places["http"])
    where = os.path.dirname(nginx.MODULE)
    modules = ["load_module %s/%s.so;" % (where, m) for m in (
        "ngx_http_llm_module", "ngx_http_llm_upstream_module")]
    temp = ["%s_temp_path tmp/%s;" % (t, t) for t in nginx.TEMP]
    listen = "listen 127.0.0.1:%d;" % free_port()

    if "upstream gpu" not in http:
        places["http"].append("upstream gpu { server 127.0.0.1:8000;"
                              " llm_health_check; %s }"
                              % " ".join(places["upstream"]))
    if "server {" not in http:
        places["server"].append("location /x { llm on; }")
    else:
        places["http"] = [s.replace("server {", "server { " + listen, 1)
                          if s.startswith("server") else s
                          for s in places["http"]]

    return "\n".join([
        *modules, "pid nginx.pid;", "events {}", "http {", *temp,
        "access_log off;",
        "llm_prices %s;" % root("prices", "default.json")
        if "llm_prices " not in http else "",
        "llm_log logs/x.jsonl;", *missing(text), *places["http"],
        "server { %s client_max_body_size 64m;" % listen,
        *places["server"], "}", "}"])


@pytest.mark.only("nginx", "the blocks are nginx's")
@pytest.mark.parametrize("page, text", all_of("nginx"))
def test_configurations_for_nginx_are_taken(server, pki, page, text):
    if "otel_" in text:
        pytest.skip("Debian 12 has no ngx_otel_module")

    with routes.Scene(server, pki) as scene:
        for name in ("logs", "cache"):
            server.mkdir(name)
        for name in ("pagerduty.key", "hook.secret", "redis.password"):
            os.chmod(server.write("etc/" + name, "whsec_" + "A" * 32 + "\n"),
                     0o600)
        server.write("etc/contract.json", '{"tollgate_prices": 1, "date":'
                     ' "2026-01-31", "currency": "USD", "models": {"m":'
                     ' {"input": "1", "output": "2"}}}')
        conf = put_together(text).replace("http://vllm:8000", "http://gpu")
        conf = conf.replace("/var/cache/nginx", server.path("cache"))
        conf = conf.replace("/usr/share/tollgate/prices.json",
                            root("prices", "default.json"))
        server.write("nginx.conf", scene.place(conf))
        done = subprocess.run(
            [nginx.BINARY, "-t", "-p", server.dir, "-e", server.error_log,
             "-c", server.path("nginx.conf")], capture_output=True, text=True,
            env=server.environment(), timeout=300)
        assert done.returncode == 0, done.stderr


@pytest.mark.only("httpd", "the blocks are httpd's")
@pytest.mark.parametrize("page, text", all_of("apache"))
def test_configurations_for_httpd_are_taken(server, fake, page, text):
    here = os.path.dirname(httpd.MODULE)
    text = text.replace("/usr/lib/apache2/modules", here)
    text = text.replace("/var/lib/tollgate", server.dir)
    head = "".join("LoadModule %s_module %s/mod_%s.so\n"
                   % (name, httpd.MODULES, name) for name in (
                       "mpm_event", "authn_core", "authz_core", "authz_host",
                       "slotmem_shm", "proxy", "proxy_http", "proxy_balancer",
                       "lbmethod_byrequests", "socache_shmcb", "ssl"))
    server.write("httpd.conf", "%sLoadModule llm_module %s\nServerRoot %s\n"
                 "ServerName localhost\nDefaultRuntimeDir %s\nListen"
                 " 127.0.0.1:1\nErrorLog %s\n%s" % (
                     head, httpd.MODULE, server.dir, server.path("tmp"),
                     server.error_log, text))
    conf = server.path("httpd.conf")
    done = subprocess.run([httpd.BINARY, "-t", "-f", conf],
                          capture_output=True, text=True,
                          env=server.environment(), timeout=300)
    assert done.returncode == 0, done.stderr


def run(*args, **kw):
    return subprocess.run([str(a) for a in args], capture_output=True,
                          text=True, timeout=60, **kw)


@pytest.mark.parametrize("page, words", (("keys.md", ("key", "check")),
                                         ("prices.md", ("check",))))
def test_files_are_taken(tmp_path, page, words):
    text, = blocks(page, "json")
    file = tmp_path / "file.json"
    file.write_text(text)
    done = run(LLMCTL, *words, file)
    assert done.returncode == 0, done.stderr


def test_rules_of_gpus_are_prometheus_own(tmp_path):
    text, = blocks("gpu.md", "yaml")
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [
        {"name": "gpu", "rules": yaml.safe_load(text)}]}))
    done = run("promtool", "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def commands():
    """(command, verb or none, its options), of all that pages and the README
    say to type."""
    found = {}

    for path in [os.path.join(ROOT, "README.md"),
                 *glob.glob(root("docs", "*.md"))]:
        with open(path) as f:
            text = f.read()
        for m in re.finditer(r"llmctl ((?:[a-z-]+ )+)"
                             r"((?:[^\n`|]|\\\n|\n {12,})*)", text):
            words = m[1].split()
            found.setdefault(tuple(words[:2]), set()).update(
                re.findall(r"(?<![\w-])--([a-z][a-z-]+)", m[2]))

    return found


VERBS = ("key", "budget", "ledger", "node", "backend", "report")


def test_commands_have_the_options_that_are_named():
    asked = 0

    for words, options in commands().items():
        words = words if words[0] in VERBS else words[:1]
        for option in options - {"help"}:
            done = run(LLMCTL, *words, "--" + option, cwd="/")
            said = done.stdout + done.stderr
            assert "unrecognized" not in said and "no command" not in said, (
                words, option, said)
            asked += 1

    assert asked > 60
