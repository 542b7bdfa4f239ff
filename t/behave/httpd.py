"""Apache httpd, as it is configured and run by the tests."""

import os
import re
import signal
import subprocess
import time

from servers import (Server, StartError, Upstream, at_rest, free_port, root,
                     server_user)

BINARY = os.environ.get("TG_HTTPD", "/usr/sbin/apache2")
MODULES = os.environ.get("TG_HTTPD_MODULES", "/usr/lib/apache2/modules")
MODULE = os.environ.get(
    "TG_HTTPD_MODULE", root("build", "apache", "mod_llm.so"))
OURS = {"llm": MODULE,
        "llm_upstream": os.path.join(os.path.dirname(MODULE),
                                     "mod_llm_upstream.so")}
LOADED = ("authn_core", "authz_core", "authz_host", "env", "setenvif",
          "headers", "alias", "rewrite", "slotmem_shm", "proxy", "proxy_http",
          "proxy_balancer", "lbmethod_byrequests", "lbmethod_bybusyness",
          "filter", "deflate", "dir", "mime", "socache_shmcb", "ssl", "http2")
MPM = os.environ.get("TG_HTTPD_MPM", "event")
REST = 3                                # seconds

NAMES = {"llm": "LLMEngine", "llm_prices": "LLMPrices", "llm_log": "LLMLog",
         "llm_tag": "LLMTag", "llm_provider": "LLMProvider",
         "llm_keys": "LLMKeys", "llm_ledger": "LLMLedger",
         "llm_quota": "LLMQuota", "llm_alert": "LLMAlert",
         "llm_pass": "LLMPass", "llm_route": "LLMRoute",
         "llm_guard": "LLMGuard", "llm_geoip": "LLMGeoIP",
         "llm_cache": "LLMCache", "llm_metrics": "LLMMetrics",
         "llm_status": "LLMStatus", "llm_backend": "LLMBackend",
         "llm_health_check": "LLMHealthCheck", "llm_balance": "LLMBalance",
         "llm_dcgm": "LLMDcgm", "llm_scale": "LLMScale",
         "llm_me": "LLMMe", "llm_outcome": "LLMOutcome",
         "llm_trace": "LLMTrace", "llm_prefix_hash": "LLMPrefixHash",
         "llm_upstream_state": "LLMUpstreamState",
         "llm_upstream_status": "LLMUpstreamStatus"}

METHODS = {"": "", "least_conn": "bybusyness"}


def member(address, words, up):
    """A server's line, of what nginx says of it."""
    text = "    BalancerMember %s://%s" % (up.scheme, address)

    for word in words:
        name, _, value = word.partition("=")
        text += {"weight": " loadfactor=" + value, "backup": " status=+H",
                 "down": " status=+D", "max_conns": " max=" + value,
                 "max_fails": " retry=0" if value == "0" else "",
                 "fail_timeout": " retry=" + value.rstrip("s")}[name]

    return text + ("" if up.keepalive else " disablereuse=on") + "\n"


def quote(arg):
    if arg and re.fullmatch(r"[^\s\"'\\<>#]+", arg):
        return arg

    return '"%s"' % arg.replace("\\", "\\\\").replace('"', '\\"')


def directives(llm, indent):
    return "".join("%s%s\n" % (" " * indent, " ".join(
        [NAMES.get(name, name), *(quote(a) for a in args)]))
        for name, *args in llm)


class Httpd(Server):
    name = "httpd"
    buffers = MPM != "prefork"
    one_pool = MPM != "prefork"         # each call may have another child

    def modules(self, site):
        names = ("mpm_" + MPM,) + LOADED
        text = "".join(
            "LoadModule %s_module %s\n" % (
                n, os.path.join(MODULES, "mod_%s.so" % n))
            for n in names
            if os.path.exists(os.path.join(MODULES, "mod_%s.so" % n)))

        return text + "".join("LoadModule %s_module %s\n" % (n, OURS[n])
                              for n in site.modules)

    def processes(self, site):
        """As many as asked for: none that is just being born when a test ends,
        which httpd does not always survive."""
        n = max(1, site.workers)

        if MPM == "prefork":
            return ("StartServers %d\nMinSpareServers 1\nMaxSpareServers 32\n"
                    % (8 * n))

        return "StartServers %d\n" % n + (
            "ServerLimit %d\nThreadLimit 64\nThreadsPerChild 64\n"
            "MaxRequestWorkers %d\nMinSpareThreads 1\n"
            "MaxSpareThreads %d\n" % (8 * n, 64 * n, 64 * n))

    def upstream(self, up):
        """In the main server, whose balancers all virtual hosts have."""
        method = METHODS[up.method]
        text = "<Proxy balancer://%s>\n" % up.name
        text += "".join(member(*server, up) for server in up.addresses())
        text += "    ProxySet lbmethod=%s\n" % method if method else ""
        text += directives(up.llm, 4)
        text += "    %s\n" % up.httpd if up.httpd else ""

        return text + "</Proxy>\n"

    def balancers(self, site):
        text, passes = "", {}

        for loc in site.locs:
            if loc.to is None:
                continue
            if isinstance(loc.to, Upstream):
                passes[id(loc)] = "balancer://" + loc.to.name
                continue
            url = getattr(loc.to, "url", loc.to)
            if not loc.host or not hasattr(loc.to, "url"):
                passes[id(loc)] = url
                continue
            name = "balancer://" + loc.host
            if "<Proxy %s>" % name not in text:
                text += ("<Proxy %s>\n    BalancerMember %s retry=0%s\n"
                         "</Proxy>\n") % (
                    name, url, "" if loc.keepalive else " disablereuse=on")
            passes[id(loc)] = name

        return text, passes

    def location(self, loc, target):
        text = "    <Location %s>\n" % quote(loc.path)
        text += directives(loc.llm, 8)
        text += "        LLMPass On\n" if loc.passes else ""
        text += "        %s\n" % loc.httpd if loc.httpd else ""

        if target:
            slash = "/" if loc.path.endswith("/") else ""
            text += "        ProxyPass %s%s\n" % (target, slash)

        return text + "    </Location>\n"

    def render(self, site):
        """Mutex: see "What to know" in the README."""
        user = server_user()
        balancers, passes = self.balancers(site)
        text = self.modules(site)
        text += "ServerRoot %s\nServerName localhost\n" % self.dir
        text += "PidFile %s\nDefaultRuntimeDir %s\n" % (
            self.path("httpd.pid"), self.path("tmp"))
        text += "Mutex file:%s proxy\n" % self.path("tmp")
        text += "ErrorLog %s\nLogLevel info\n" % self.error_log
        text += "Listen 127.0.0.1:%d\nTypesConfig /dev/null\n" % self.port
        text += "Timeout 60\nKeepAliveTimeout 5\nGracefulShutdownTimeout 30\n"
        text += "MaxKeepAliveRequests 0\n"
        text += "LimitRequestBody 0\nProxyRequests Off\n"

        if user:
            text += "User %s\nGroup %s\n" % user

        text += self.processes(site)
        text += 'LogFormat "%h %t \\"%r\\" %>s %b" usual\n'
        text += "CustomLog %s usual\n" % self.access_log
        text += directives(site.llm, 0) + site.httpd_main
        text += "".join(map(self.upstream, site.upstreams))
        ports = [self.port]

        if site.tls:
            text += "Listen 127.0.0.1:%d\n" % self.tls_port
            ports.append(self.tls_port)

        for port in ports:
            text += self.virtual_host(site, balancers, passes, port)

        return text

    def virtual_host(self, site, balancers, passes, port):
        text = "<VirtualHost 127.0.0.1:%d>\n%s" % (port, balancers)

        if port == self.tls_port:
            text += ("    SSLEngine on\n    SSLCertificateFile %s\n"
                     "    SSLCertificateKeyFile %s\n"
                     "    Protocols h2 http/1.1\n") % (
                self.path("etc/cert.pem"), self.path("etc/key.pem"))

        text += "    AllowEncodedSlashes NoDecode\n"
        text += directives(site.server_llm, 4)
        text += self.authorities(site) + site.httpd_server + "\n"
        text += "".join(self.location(loc, passes.get(id(loc)))
                        for loc in reversed(site.locs))

        return text + "</VirtualHost>\n"

    def authorities(self, site):
        """httpd verifies by virtual host."""
        asked = {loc.ca for loc in site.locs if loc.passes}
        assert len(asked) < 2, "one file of authorities is possible"

        if not any(arg.startswith("url=https:") for d in site.llm for arg in d):
            return ""

        return "".join("    SSLProxyEngine on\n    SSLProxyVerify require\n"
                       "    SSLProxyCACertificateFile %s\n" % ca
                       for ca in asked)

    def argv(self, *more):
        return [BINARY, "-f", self.path("etc", "httpd.conf"), *more]

    def _start(self, site):
        self.write("etc/httpd.conf", self.render(site))
        self.spawn(self.argv("-DFOREGROUND"))
        self.wait_until(lambda: self.process.poll() is not None or
                        "resuming normal operations" in self.messages())

        if self.process.poll() is not None:
            raise StartError("httpd did not start: " + self.messages())

    def environment(self):
        """The server itself is not sanitized: the library comes first."""
        env = super().environment()

        if os.environ.get("TG_ASAN"):
            env["LD_PRELOAD"] = " ".join(subprocess.check_output(
                ["gcc", "-print-file-name=lib%s.so" % name],
                text=True).strip() for name in ("asan", "ubsan"))

        return env

    def test_config(self, site):
        self.port = self.port or free_port()
        self.write("etc/httpd.conf", self.render(site))
        done = subprocess.run(self.argv("-t"), cwd=self.dir, text=True,
                              env=self.environment(), timeout=300,
                              capture_output=True)

        return done.returncode == 0, done.stderr + done.stdout

    def reload(self, site=None):
        """A graceful restart; returns when it has happened."""
        old = set(self.workers())
        done = self.messages().count("resuming normal operations")

        if site is not None:
            self.site = site
            self.write("etc/httpd.conf", self.render(site))

        self.signal(signal.SIGUSR1)
        self.wait_until(lambda: self.messages().count(
            "resuming normal operations") > done, what="the restart")

        return old

    def graceful(self):
        self.signal(signal.SIGWINCH)

    def reopen(self):
        self.reload()

    def await_rest(self):
        """A fast stop closes the sockets that event's (and worker's) threads have
        in hand, and has no lock against the thread that ends such a connection
        and frees its memory: a child crashes now and then, with or without us
        (AH00052).  So connections that are ending are waited for; that of a
        client who has not left does not end.  Not for long: there may be
        traffic."""
        end = time.monotonic() + REST

        while not at_rest(self.workers()) and time.monotonic() < end:
            time.sleep(0.002)

    def await_everywhere(self, pattern):
        self.wait_until(lambda: len(re.findall(pattern, self.messages()))
                        >= (len(self.workers()) if MPM == "prefork" else 1))

    def bad_lines(self):
        levels = re.compile(r":(error|crit|alert|emerg)\]|Sanitizer|"
                            r"runtime error|exit signal")

        return [line for line in self.messages().splitlines()
                if levels.search(line) and not self.own_noise(line)]

    def own_noise(self, line):
        """What httpd itself says of a fast stop that it was told.  A child of
        prefork dies of an upstream connection that is in use (apr_reslist.c),
        with or without us."""
        return self.stopped_by == "TERM" and (
            "apr_pollset_add failure" in line or (
                MPM == "prefork" and "exit signal Abort" in line))


def available():
    return os.path.exists(MODULE) and os.path.exists(BINARY)
