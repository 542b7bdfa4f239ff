"""Requests of every size and framing arrive upstream as they were sent."""

import json
import time

import pytest

import calls
from keys import gated

CHAT = "/v1/chat/completions"
SIZES = {"small": 10, "buffer": 16 * 1024, "file": 200 * 1024,
         "large": 3 * 1024 * 1024}


def words(size):
    """A text of about that many bytes."""
    return "abc " * (size // 4)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", SIZES)
def test_body_of_any_size_is_read_and_handed_on(server, fake, size, chunked):
    server.meter(fake, keepalive=True)
    body = json.dumps(calls.chat(text=words(SIZES[size]))).encode()
    r = server.client.post(CHAT, body, chunked=chunked)
    assert r.status == 200
    assert fake.requests[0].body == body
    line = server.line()
    assert line.input == len(words(SIZES[size]).split())
    assert line["http.request.body.bytes"] == len(body)
    assert line["gen_ai.request.model"] == "gpt-4o-mini"


def test_model_behind_a_long_prompt_is_found(server, fake):
    server.meter(fake)
    body = b'{"messages":[{"role":"user","content":"%s"}],"model":"gpt-4o"}' \
        % (b"abc " * 100000)
    assert server.client.post(CHAT, body).status == 200
    assert server.line()["gen_ai.request.model"] == "gpt-4o"


def test_body_that_drips_in_is_read(server, fake):
    server.meter(fake)
    body = json.dumps(calls.chat()).encode()
    sock = server.client.connect()
    sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 b"Content-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)))
    for i in range(0, len(body), 9):
        sock.sendall(body[i:i + 9])
        time.sleep(0.005)
    while sock.recv(65536):
        pass
    sock.close()
    assert fake.requests[0].body == body
    assert server.line().input == 4


def test_chunks_of_one_byte_are_read(server, fake):
    server.meter(fake)
    body = json.dumps(calls.chat()).encode()
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
        b"Transfer-Encoding: chunked\r\n\r\n" % CHAT.encode()
    answer = server.client.raw(head + b"".join(
        b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert fake.requests[0].body == body
    assert server.line().input == 4


def test_expect_100_continue_works(server, fake):
    server.meter(fake)
    r = server.client.post(CHAT, calls.chat(), [("Expect", "100-continue")])
    assert r.status == 200
    assert server.line().input == 4


def test_pipelined_requests_each_leave_a_line(server, fake):
    server.meter(fake)
    body = json.dumps(calls.chat()).encode()
    one = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%%s\r\n%s" \
        % (CHAT.encode(), len(body), body)
    answer = server.client.raw(one % b"" + one % b"Connection: close\r\n")
    assert answer.count(b"HTTP/1.1 200") == 2
    assert [line.input for line in server.lines(2)] == [4, 4]


def test_next_request_on_an_upstream_connection_is_whole(server, fake):
    """What is sent in a body's place has just that body's length."""
    server.meter(fake, keepalive=True)
    for size in (10, 300000, 20, 40000, 10):
        r = server.client.post(CHAT, calls.chat(text=words(size),
                                                stream=True))
        assert r.status == 200
    assert [line.source for line in server.lines(5)] == ["reported"] * 5
    assert fake.malformed == []
    if server.one_pool:
        assert len({req.connection for req in fake.requests}) == 1


@pytest.mark.only("nginx", "a directive of nginx")
@pytest.mark.parametrize("setting", [
    "proxy_request_buffering off;", "client_body_in_file_only clean;",
    "client_body_in_single_buffer on;", "client_body_buffer_size 64;"])
def test_buffering_settings_change_nothing(server, fake, setting):
    server.meter(fake, keepalive=True, nginx=setting)
    for size in (10, 100000):
        body = json.dumps(calls.chat(text=words(size), stream=True)).encode()
        server.client.post(CHAT, body)
        sent = json.loads(fake.requests[-1].body)
        assert sent.pop("stream_options") == {"include_usage": True}
        assert sent == json.loads(body)
    assert [line.source for line in server.lines(2)] == ["reported"] * 2


def test_text_in_any_script_and_escapes_are_one_and_the_same(server, fake):
    server.meter(fake)
    text = "Grüße 世界 \U0001f600 \\ \" \n ok"
    for ascii_only in (True, False):
        body = json.dumps(calls.chat(text=text),
                          ensure_ascii=ascii_only).encode()
        assert server.client.post(CHAT, body).status == 200
        assert fake.requests[-1].body == body
    assert server.lines(2)[0].input == server.lines(2)[1].input


def test_escaped_key_is_the_same_key(server, fake):
    server.meter(fake)
    body = b'{"mod\\u0065l":"gpt-4o","messages":[]}'
    assert server.client.post(CHAT, body).status == 200
    assert server.line()["gen_ai.request.model"] == "gpt-4o"


def test_upload_is_passed_and_its_model_field_read(server, fake):
    server.meter(fake, keepalive=True)
    audio = "\0RIFF--frontie\r\n" * 20000
    body = calls.form([("file", audio), ("model", "whisper-1")])
    for chunked in (False, True):
        r = server.client.post("/v1/audio/transcriptions", body, calls.FORM,
                               chunked=chunked)
        assert r.status == 200
        assert fake.requests[-1].body == body
    for line in server.lines(2):
        assert line["gen_ai.request.model"] == "whisper-1"
        assert line["llm.usage.duration_ms"] == 9000


BATCH = CHAT + "/batch"
CHOICES = json.dumps({
    "id": "chatcmpl-1", "object": "chat.completion", "model": "llama",
    "choices": [{"index": i, "finish_reason": "stop", "message": {
        "role": "assistant", "content": "yes"}} for i in range(2)],
    "usage": {"prompt_tokens": 8, "completion_tokens": 2,
              "total_tokens": 10}})


def batch(*prompts):
    """vLLM's: each prompt is a conversation of its own."""
    return {"model": "llama", "max_tokens": 10, "messages": [
        [{"role": "user", "content": p}] for p in prompts]}


def test_a_batch_of_conversations_is_bounded_guarded_and_metered(server,
                                                                 fake):
    server.meter(fake, *gated(
        server, "out per=all output_tokens=25/day wait=0s",
        llm=[("llm_guard", "no", "deny=~secret")]))
    for prompts, status in ((("a", "b"), 200), (("a", "a secret"), 403),
                            (("a", "b", "c"), 429)):
        r = server.client.post(BATCH, batch(*prompts),
                               fake={"body": CHOICES})
        assert r.status == status, r.body
    line = server.lines(3)[0]
    assert line["gen_ai.operation.name"] == "chat"
    assert (line.input, line.output, line.source) == (8, 2, "reported")
