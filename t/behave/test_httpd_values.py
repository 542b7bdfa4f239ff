"""What httpd's environment and notes say of a call, and to whom."""

import os

import pytest

import calls
import httpd
from keys import bearer, gated, key, keys
from servers import Loc, Site

pytestmark = pytest.mark.only("httpd", "nginx has variables instead")

CHAT = "/v1/chat/completions"
ON = ("llm", "on")


def site(server, locs, *llm, **more):
    return Site(locs, [("llm_log", server.log, "flush=0"),
                       ("llm_prices", server.prices), *llm], **more)


def wait_for(server, name):
    path = server.path("log", name)
    server.wait_until(lambda: os.path.exists(path) and os.path.getsize(path))
    with open(path) as f:
        return f.read()


def test_values_are_there_for_logs_and_headers(server, fake):
    server.meter(fake, ("llm_tag", "team", "from=header:x-team"),
                 httpd='Header set X-Model "%{llm_model}e"\n'
                 '        Header set X-Class "expr=%{reqenv:llm_provider}"\n'
                 '        RequestHeader set X-Asked "%{llm_request_model}e"',
                 httpd_main='LogFormat "%%{llm_call_id}e|%%{llm_model}n|'
                 "%%{llm_provider}e|%%{llm_operation}n|%%{llm_input_tokens}e|"
                 "%%{llm_output_tokens}n|%%{llm_cost_usd}e|"
                 "%%{llm_usage_source}n|%%{llm_finish_reason}e|"
                 '%%{llm_total_tokens}n|%%{llm_tag_team}e" llm\n'
                 "CustomLog %s llm\n" % server.path("log", "own.log"))
    r = server.client.post(CHAT, calls.chat(), {"X-Team": "blue"})
    assert r.header("X-Model") == "gpt-4o-mini"
    assert r.header("X-Class") == "openai"
    assert fake.requests[0].header("X-Asked") == "gpt-4o-mini"
    line = server.line()

    # The last: a connection that asked for nothing may have a line before it.

    assert wait_for(server, "own.log").split()[-1] == "|".join([
        line["llm.call_id"], "gpt-4o-mini", "openai", "chat", "4", "5",
        "0.0000036", "reported", "stop", "9", "blue"])


def test_values_are_absent_where_the_engine_is_off(server, fake):
    server.start(site(server, [Loc(
        "/", [], fake, httpd='Header set X-Model "[%{llm_model}e]"')]))
    assert server.client.post(CHAT, calls.chat()).header("X-Model") \
        == "[(null)]"


@pytest.mark.parametrize("said", [
    'Header set X-Model "%{LLM_Model}e"',
    '<If "true">\n Header set X-Model "%{llm_model}e"\n</If>',
    '<If "reqenv(\'llm_model\') != \'x\'">\n'
    ' Header set X-Model "expr=%{reqenv:llm_model}"\n</If>',
    'Define name llm_model\nHeader set X-Model "%{${name}}e"'])
def test_values_are_found_wherever_they_are_said(server, fake, said):
    server.meter(fake, httpd=said)
    assert server.client.post(CHAT, calls.chat()).header("X-Model") \
        == "gpt-4o-mini"
    server.line()


def test_answer_changes_a_value_that_was_there_before(server, fake):
    server.meter(fake, httpd='RequestHeader set X-Asked "%{llm_model}e"',
                 httpd_main='LogFormat "%%{llm_model}e" llm\n'
                 "CustomLog %s llm\n" % server.path("log", "own.log"))
    server.client.post(CHAT, calls.chat(), fake={"model": "gpt-4o-2024-11-20"})
    assert fake.requests[0].header("X-Asked") == "gpt-4o-mini"
    assert wait_for(server, "own.log").split()[-1] \
        == server.line()["gen_ai.response.model"] == "gpt-4o-2024-11-20"


def test_key_goes_upstream_by_its_name(server, fake):
    server.meter(fake, *gated(server, text=keys(key("ann"))),
                 httpd='RequestHeader set X-Key "%{llm_key_id}e"')
    server.client.post(CHAT, calls.chat(), bearer("ann"))
    assert fake.requests[0].header("X-Key") == "key_ann"
    server.line()


def test_htaccess_has_the_values_too(server, fake):
    """Which the configuration does not say anywhere."""
    www = server.path("www")
    with open(os.path.join(www, ".htaccess"), "w") as f:
        f.write('RewriteEngine On\nRewriteRule (.*) http://127.0.0.1:%d/$1 [P]\n'
                'Header set X-Operation "%%{llm_operation}e"\n' % fake.port)
    server.start(site(server, [], ON, httpd_server="""
    DocumentRoot %s
    <Directory %s>
        AllowOverride FileInfo
        Require all granted
    </Directory>
""" % (www, www)))
    r = server.client.post(CHAT, calls.chat())
    assert r.header("X-Operation") == "chat"
    server.line()


@pytest.mark.skipif(not os.path.exists(os.path.join(
    httpd.MODULES, "mod_lua.so")), reason="there is no mod_lua")
def test_program_has_the_values_too(server, fake):
    """What it asks for is in no configuration."""
    out = server.path("log", "lua.log")
    script = server.write("etc/log.lua", """
function log(r)
    local f = io.open("%s", "a")
    f:write(r.subprocess_env["llm_cost_usd"], "\\n")
    f:close()
    return apache2.DECLINED
end
""" % out)
    server.meter(fake, httpd_main="LoadModule lua_module %s/mod_lua.so\n"
                 "LuaHookLog %s log\n" % (httpd.MODULES, script))
    server.client.post(CHAT, calls.chat())
    assert wait_for(server, "lua.log") == "0.0000036\n"
    server.line()
