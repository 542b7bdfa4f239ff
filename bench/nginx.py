"""nginx, as it is configured to be measured."""

import grp
import os
import pwd

import traffic
from rig import BUILD, PRICES, ROOT, Server

BINARY = os.environ.get("TG_NGINX", "/usr/sbin/nginx")
MODULE = os.path.join(BUILD, "nginx", "ngx_http_llm_module.so")
TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

CONF = """%(load)s
user %(user)s;
daemon off;
worker_processes %(workers)d;
worker_rlimit_nofile %(files)d;
pid %(dir)s/nginx.pid;
error_log %(dir)s/error.log warn;
events {
    worker_connections %(connections)d;
}
http {
%(temp)s    access_log %(dir)s/access.log;
    keepalive_requests 10000000;
    upstream api.openai.com {
        server 127.0.0.1:%(upstream)d;
        keepalive 512;
        keepalive_requests 10000000;
    }
    upstream api.anthropic.com {
        server 127.0.0.1:%(upstream)d;
        keepalive 512;
        keepalive_requests 10000000;
    }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_read_timeout 300s;
    client_max_body_size 64m;
    ssl_certificate %(tls)s/cert.pem;
    ssl_certificate_key %(tls)s/key.pem;
%(llm)s%(servers)s}
"""

LLM = """    llm on;
    llm_prices %s;
    llm_log %s/llm.jsonl;
    llm_tag team from=header:x-team;
    llm_tag session from=metadata.session_id;
"""

GATE = """    llm_keys %(dir)s/keys.json;
    llm_ledger %(dir)s/tmp/ledger size=16m%(fleet)s;
    llm_quota team_month per=team usd=9000000/month alert=50%%,80%%,100%%;
    llm_quota key_tpm per=key tokens=1000000000/minute;
    llm_quota task per=key+session usd=1000000/hour;
"""

# What else a server is told that is called by such a name.
MORE = {
    "routed": """    llm_provider openai url=http://api.openai.com models=gpt-*;
    llm_route small "%s" to=openai/gpt-4.1-nano;
""" % traffic.ROUTED,
    "translated": """    llm_provider anthropic url=http://api.anthropic.com;
    llm_route small "%s" to=anthropic/claude-haiku-4-5;
""" % traffic.ROUTED,
    "guarded": "".join('    llm_guard words_%d "deny=~%s" action=reject;\n' % it
                       for it in enumerate(traffic.DENIED)),
}

STATIC = "            proxy_pass http://api.openai.com;\n"
PASS = ("            include %s/conf/llm_proxy_params;\n"
        "            proxy_pass $llm_proxy_url;\n" % ROOT)

# What differs of a server's settings, each on a port of its own.
SITES = {
    "memory": ("", "client_body_buffer_size 512k;"),
    "file": ("", ""),
    "unbuffered": ("", "client_body_buffer_size 512k; proxy_buffering off;"),
    "tls": (" ssl", "client_body_buffer_size 512k;"),
}


class Nginx(Server):
    kind = "nginx"
    sites = tuple(SITES)
    connections = 4096

    def room(self, streams):
        # Two a stream; workers don't share evenly.
        return streams * 2 // self.workers + 3000

    def conf(self, folder, upstream, ours):
        more = MORE.get(ours, "")
        user = "%s %s" % (pwd.getpwuid(os.geteuid()).pw_name,
                          grp.getgrgid(os.getegid()).gr_name)

        return CONF % {
            "load": "load_module %s;" % MODULE if ours else "",
            "user": user, "dir": self.dir, "workers": self.workers,
            "files": self.connections + 64, "connections": self.connections,
            "upstream": upstream.port, "tls": folder,
            "temp": "".join("    %s_temp_path %s/tmp/%s;\n"
                            % (t, self.dir, t) for t in TEMP),
            "llm": self.llm(ours) + more,
            "servers": "".join(
                "    server {\n        listen 127.0.0.1:%d%s;\n        %s\n"
                "        location / {\n%s        }\n    }\n" % (
                    self.ports[site], tls, settings,
                    PASS if "llm_route" in more else STATIC)
                for site, (tls, settings) in SITES.items())}

    def llm(self, ours):
        return ((LLM % (PRICES, self.dir) if ours else "")
                + self.gate(GATE, ours))

    def argv(self, conf):
        return [BINARY, "-p", self.dir, "-c", conf]
