import json, os, pytest, calls
from fake.provider import Fake
CHAT = "/v1/chat/completions"

def three(*fs, more=()):
    return [("F%d" % i, f, "dialect=openai", *more) for i, f in enumerate(fs)]

LOG = "log_format up '$status $upstream_addr | $upstream_status | $request_uri | $proxy_host $http_authorization';"

def access(server):
    with open(server.path("log", "up.log")) as f:
        return f.read().splitlines()

def site(server, *fs, **more):
    return server.route(three(*fs), nginx="access_log %s up;" % server.path("log", "up.log"), nginx_http=LOG, **more)

@pytest.mark.parametrize("size", [10, 200000])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 529])
def test_status(server, fake, fake2, status, size):
    site(server, fake, fake2)
    fake.scripts["x"] = {"status": status}
    for _ in range(3):
        text = "abc " * (size // 4)
        r = server.client.post(CHAT, calls.chat(text=text, stream=True), [("x-fake", json.dumps({"script": "x"}))])
        assert r.status == 200, r.body
    for f in (fake, fake2):
        assert [req.json for req in f.requests] == [{**calls.chat(text=text, stream=True), "stream_options": {"include_usage": True}}] * 3
        assert f.malformed == []
        assert {req.header("Host") for req in f.requests} == {"127.0.0.1:%d" % f.port}
    server.lines(3)
    print("\n".join(access(server)))
    assert "%d, 200" % status in access(server)[0]
    assert len({req.connection for req in fake2.requests}) == 1

def test_404_is_the_answer(server, fake, fake2):
    site(server, fake, fake2)
    fake.scripts["x"] = {"status": 404}
    r = server.client.post(CHAT, calls.chat(), [("x-fake", json.dumps({"script": "x"}))])
    assert r.status == 404
    server.line()

def test_gone(server, fake):
    server.expect_errors("refused")
    with Fake() as gone: url = gone.url
    site(server, url, url, fake)
    for _ in range(3):
        assert server.client.post(CHAT, calls.chat()).status == 200
    server.lines(3)
    print("\n".join(access(server)))

def test_all_gone(server, fake):
    server.expect_errors("refused")
    with Fake() as gone: url = gone.url
    site(server, url, url)
    assert server.client.post(CHAT, calls.chat()).status == 502
    server.lines(1)

@pytest.mark.parametrize("knob", [{"drop": True}, {"drop": True, "reset": True}, {"raw": "garbage\r\n\r\n"}, {"raw": "HTTP/1.1 200 OK\r\nbad header\x00\r\n\r\n"}, {"raw":"HTTP/1.1 200 OK\r\nX: %s" % ("a" * 100000)}])
def test_broken(server, fake, fake2, knob):
    server.expect_errors("prematurely", "no valid", "no HTTP", "invalid header", "too big", "reset by peer")
    site(server, fake, fake2)
    fake.scripts["x"] = knob
    for _ in range(3):
        r = server.client.post(CHAT, calls.chat(), [("x-fake", json.dumps({"script": "x"}))])
        assert r.status == 200
    server.lines(3)
    print("\n".join(access(server)))

def test_timeout(server, fake, fake2):
    server.expect_errors("timed out")
    s = server.routed(three(fake, fake2))
    text = server.path("etc", "p")
    site_nginx = "proxy_read_timeout 1s;"
    with open(os.path.join(os.path.dirname(__file__), "../../conf/llm_proxy_params")) as f:
        pass
    s.locs[0].passes = False
    t = open(os.path.join(os.path.dirname(__file__), "../../conf/llm_proxy_params")).read().replace("600s", "1s")
    server.write("etc/p", t)
    s.locs[0].nginx = "include %s; proxy_pass $llm_proxy_url;" % text
    server.start(s)
    fake.scripts["x"] = {"hang": "headers"}
    r = server.client.post(CHAT, calls.chat(), [("x-fake", json.dumps({"script": "x"}))])
    assert r.status == 200
    server.line()

def test_user_upstream(server, fake, fake2):
    server.expect_errors("refused", "no live")
    with Fake() as gone: url = gone.url
    addr = url.partition("//")[2]
    server.route(three("http://grp", fake), nginx_http="upstream grp { server %s; server %s; keepalive 4; }" % (addr, addr.replace("127.0.0.1", "127.0.0.2")))
    for _ in range(3):
        assert server.client.post(CHAT, calls.chat()).status == 200
    server.lines(3)
