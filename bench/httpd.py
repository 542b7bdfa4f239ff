"""Apache httpd under the event MPM, as it is configured to be measured."""

import os
import pwd

import traffic
from rig import BUILD, PRICES, Server

BINARY = os.environ.get("TG_HTTPD", "/usr/sbin/apache2")
MODULES = os.environ.get("TG_HTTPD_MODULES", "/usr/lib/apache2/modules")
MODULE = os.path.join(BUILD, "apache", "mod_llm.so")

# What Debian enables by itself, and the proxy.
LOADED = ("mpm_event", "access_compat", "alias", "auth_basic", "authn_core",
          "authn_file", "authz_core", "authz_host", "authz_user", "autoindex",
          "deflate", "dir", "env", "filter", "mime", "negotiation",
          "reqtimeout", "setenvif", "status", "proxy", "proxy_http")

CONF = """%(load)s
ServerRoot %(dir)s
ServerName localhost
DefaultRuntimeDir %(dir)s/tmp
PidFile %(dir)s/httpd.pid
ErrorLog %(dir)s/error.log
LogLevel warn
User %(user)s
Listen 127.0.0.1:%(port)d
TypesConfig /dev/null
StartServers %(workers)d
ServerLimit %(workers)d
ThreadLimit %(threads)d
ThreadsPerChild %(threads)d
MaxRequestWorkers %(all)d
MinSpareThreads 1
MaxSpareThreads %(all)d
MaxConnectionsPerChild 0
ListenBacklog 4096
Timeout 300
KeepAliveTimeout 60
MaxKeepAliveRequests 0
LimitRequestBody 0
%(lean)s\
LogFormat "%%h %%l %%u %%t \\"%%r\\" %%>s %%O \
\\"%%{Referer}i\\" \\"%%{User-Agent}i\\"" combined
CustomLog %(dir)s/access.log combined
%(llm)s<VirtualHost 127.0.0.1:%(port)d>
%(pass)s</VirtualHost>
"""

LLM = """LLMEngine On
LLMPrices %s
LLMLog %s/llm.jsonl
LLMTag team from=header:x-team
LLMTag session from=metadata.session_id
LLMProvider openai dialect=openai url=http://127.0.0.1:%d
"""

# What else a server is told that is called by such a name.
MORE = {
    "routed": """LLMRoute small "%s" to=openai/gpt-4.1-nano
""" % traffic.ROUTED,
    "translated": """LLMProvider anthropic dialect=anthropic url=URL
LLMRoute small "%s" to=anthropic/claude-haiku-4-5
""" % traffic.ROUTED,
    "guarded": "".join('LLMGuard words_%d "deny=~%s" action=reject\n' % it
                       for it in enumerate(traffic.DENIED)),
}

STATIC = "    ProxyPass / URL/\n"
PASS = "    <Location />\n        LLMPass On\n    </Location>\n"

GATE = """LLMKeys %(dir)s/keys.json
LLMLedger %(dir)s/tmp/ledger size=16m%(fleet)s
LLMQuota team_month per=team usd=9000000/month alert=50%%,80%%,100%%
LLMQuota key_tpm per=key tokens=1000000000/minute
LLMQuota task per=key+session usd=1000000/hour
"""


class Httpd(Server):
    kind = "httpd"
    connections = 160                   # each has a thread

    def room(self, streams):
        return streams // self.workers + 40

    def conf(self, folder, upstream, ours):
        load = "".join("LoadModule %s_module %s/mod_%s.so\n"
                       % (name, MODULES, name) for name in LOADED)
        url = "http://127.0.0.1:%d" % upstream.port
        more = MORE.get(ours, "")
        way = PASS if "LLMRoute" in more else STATIC

        if ours:
            load += "LoadModule llm_module %s\n" % MODULE

        return CONF % {
            "load": load, "dir": self.dir, "port": self.port,
            "user": self.user(), "workers": self.workers,
            "threads": self.connections,
            "all": self.connections * self.workers,
            "lean": "MaxMemFree 64\n" if self.lean else "",
            "llm": self.llm(ours, upstream) + more.replace("URL", url),
            "pass": way.replace("URL", url)}

    def llm(self, ours, upstream):
        return ((LLM % (PRICES, self.dir, upstream.port) if ours else "")
                + self.gate(GATE, ours))

    def user(self):
        """Its workers won't be root, even where all is thrown away."""
        if os.geteuid() != 0:
            return pwd.getpwuid(os.geteuid()).pw_name

        os.chmod(self.dir, 0o755)
        os.chmod(os.path.dirname(self.dir), 0o755)

        return "www-data"

    def argv(self, conf):
        return [BINARY, "-f", conf, "-DFOREGROUND"]
