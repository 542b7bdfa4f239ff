"""nginx, as it is configured and run by the tests."""

import os
import re
import signal
import subprocess
import zlib

from servers import (Loc, Server, StartError, Upstream, children, free_port,
                     root, server_user)

BINARY = os.environ.get("TG_NGINX", "/usr/sbin/nginx")
MODULE = os.environ.get(
    "TG_NGINX_MODULE", root("build", "nginx", "ngx_http_llm_module.so"))
MODULES = {"llm": MODULE,
           "llm_upstream": os.path.join(os.path.dirname(MODULE),
                                        "ngx_http_llm_upstream_module.so")}
TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def quote(arg):
    """An argument of a directive."""
    if arg and re.fullmatch(r"[^\s\"';{}\\#]+", arg):
        return arg

    return '"%s"' % arg.replace("\\", "\\\\").replace('"', '\\"')


def title(pid):
    try:
        with open("/proc/%d/cmdline" % pid) as f:
            return f.read().replace("\0", " ").strip()
    except OSError:
        return ""


def directives(llm, indent):
    return "".join("%s%s;\n" % (" " * indent, " ".join(
        [name, *(quote(a) for a in args)])) for name, *args in llm)


class Nginx(Server):
    name = "nginx"

    def upstreams(self, site):
        """(text, proxy_pass argument of each location)."""
        text, passes, seen = "", {}, {}

        for loc in site.locs:
            if loc.to is None:
                continue
            if isinstance(loc.to, Upstream):
                passes[id(loc)] = "%s://%s" % (loc.to.scheme, loc.to.name)
                continue
            url = getattr(loc.to, "url", loc.to)
            scheme, _, address = url.partition("://")
            if not loc.host or not hasattr(loc.to, "url"):
                passes[id(loc)] = url
                continue
            name = loc.host
            if seen.setdefault(name, address) != address:
                raise ValueError("two upstreams are named " + name)
            if "upstream %s {" % name not in text:
                text += "    upstream %s {\n        server %s;\n%s    }\n" % (
                    name, address,
                    "        keepalive 16;\n" if loc.keepalive else "")
            passes[id(loc)] = "%s://%s" % (scheme, name)

        return text + "".join(map(self.upstream, site.upstreams)), passes

    @staticmethod
    def upstream(up):
        """In the order of nginx's documentation: the method, then keepalive."""
        text = "    upstream %s {\n" % up.name
        text += "        %s;\n" % up.method if up.method else ""
        text += "".join("        server %s;\n" % " ".join([address, *words])
                        for address, words in up.addresses())
        text += directives(up.llm, 8)
        text += "        %s\n" % up.nginx if up.nginx else ""
        text += "        keepalive %d;\n" % up.keepalive if up.keepalive else ""

        return text + "    }\n"

    def params(self, loc):
        """The file as it is installed, but for the authorities, and for what the
        location says itself."""
        own = set(re.findall(r"(?:^|[;{]\s*)(\w+)", loc.nginx))
        own.discard("proxy_set_header")

        with open(root("conf", "llm_proxy_params")) as f:
            text = "".join(line for line in f
                           if line.split(" ")[0] not in own)

        text = text.replace(Loc.ca, loc.ca)
        name = "etc/llm_proxy_params.%x" % zlib.crc32(text.encode())

        return self.write(name, text)

    def location(self, loc, target):
        text = "        location %s {\n" % loc.path
        text += directives(loc.llm, 12)

        if loc.keepalive or getattr(loc.to, "keepalive", 0):
            text += ('            proxy_http_version 1.1;\n'
                     '            proxy_set_header Connection "";\n')

        text += "            %s\n" % loc.nginx if loc.nginx else ""

        if loc.passes:
            text += ("            include %s;\n"
                     "            proxy_pass $llm_proxy_url;\n"
                     ) % self.params(loc)

        if target:
            text += "            proxy_pass %s;\n" % target

        return text + "        }\n"

    def render(self, site):
        user = server_user()
        upstreams, passes = self.upstreams(site)
        text = ""

        if MODULE != "static":
            text += "".join("load_module %s;\n" % MODULES[name]
                            for name in site.modules)
        if user:
            text += "user %s %s;\n" % user

        text += "daemon off;\nworker_processes %d;\n" % site.workers
        text += "pid %s;\nerror_log %s info;\n" % (
            self.path("nginx.pid"), self.error_log)
        text += "worker_shutdown_timeout 30s;\n" + site.nginx_main
        text += "\nevents {\n    worker_connections 4096;\n}\n\nhttp {\n"
        text += "".join("    %s_temp_path %s;\n" % (
            name, self.path("tmp", name)) for name in TEMP)
        text += "    access_log %s;\n" % self.access_log
        text += directives(site.llm, 4) + site.nginx_http + upstreams
        text += "    server {\n        listen 127.0.0.1:%d;\n" % self.port

        if site.tls:
            text += "        listen 127.0.0.1:%d ssl http2;\n" % self.tls_port
            text += "        ssl_certificate %s;\n" % self.path("etc/cert.pem")
            text += "        ssl_certificate_key %s;\n" \
                % self.path("etc/key.pem")

        text += "        client_max_body_size 0;\n"
        text += directives(site.server_llm, 8) + site.nginx_server
        text += "".join(self.location(loc, passes.get(id(loc)))
                        for loc in site.locs)

        return text + "    }\n}\n"

    def argv(self, *more):
        return [BINARY, "-p", self.dir, "-e", self.error_log,
                "-c", self.path("etc", "nginx.conf"), *more]

    def _start(self, site):
        self.write("etc/nginx.conf", self.render(site))
        self.spawn(self.argv())
        self.wait_until(lambda: len(self.workers()) >= site.workers)

    def test_config(self, site):
        self.port = self.port or free_port()
        self.write("etc/nginx.conf", self.render(site))
        done = subprocess.run(self.argv("-t"), cwd=self.dir, text=True,
                              env=self.environment(), timeout=300,
                              capture_output=True)

        return done.returncode == 0, done.stderr + done.stdout

    def workers(self):
        """Those that serve; not the cache's helpers, not those on leave."""
        return [pid for pid in children(self.process.pid)
                if title(pid).startswith("nginx: worker process")
                and "shutting down" not in title(pid)]

    def leaving(self):
        """Workers that have been told to go; their titles say so later."""
        return set(map(int, re.findall(r" (\d+)#\d+: gracefully shutting",
                                       self.messages())))

    def reload(self, site=None):
        """HUP; returns when the old workers no longer take connections."""
        old = set(self.workers()) - self.leaving()

        if site is not None:
            self.site = site
            self.write("etc/nginx.conf", self.render(site))

        self.signal(signal.SIGHUP)
        self.wait_until(lambda: len(set(self.workers()) - old)
                        >= self.site.workers, what="new workers")
        self.wait_until(lambda: old <= self.leaving(),
                        what="old workers' leave")

        return old

    def graceful(self):
        """QUIT."""
        self.signal(signal.SIGQUIT)

    def reopen(self):
        self.signal(signal.SIGUSR1)

    def bad_lines(self):
        levels = re.compile(r"\[(error|crit|alert|emerg)\]|Sanitizer|"
                            r"runtime error")

        return [line for line in self.messages().splitlines()
                if levels.search(line)]


def available():
    return MODULE == "static" or os.path.exists(MODULE)


__all__ = ["Nginx", "StartError", "available"]
