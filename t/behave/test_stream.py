"""Streams: as they come, byte for byte, and exact at their end."""

import json
import threading

import pytest

import calls
from client import Broken

CHAT = "/v1/chat/completions"
CUT = r"upstream prematurely closed|error reading|Error reading|AH01102|AH10"


@pytest.mark.parametrize("chunk", [None, 1, 7])
@pytest.mark.parametrize("call", calls.STREAMS, ids=calls.by_name)
def test_stream_passes_untouched_and_is_counted(server, fake, call, chunk):
    server.meter(fake, host=call.host, keepalive=True)
    knobs = {} if chunk is None else {"chunk": chunk}
    r = call.send(server.client, fake=knobs)
    assert r.complete
    assert r.body == fake.requests[0].answer
    calls.check(server.line(), call)


@pytest.mark.parametrize("keepalive", [False, True],
                         ids=["defaults", "http11"])
@pytest.mark.parametrize("call", calls.STREAMS, ids=calls.by_name)
def test_first_event_arrives_before_the_second_is_sent(server, fake, call,
                                                       keepalive):
    if call.name == "gemini-array" and not keepalive:
        pytest.skip("plain JSON by its type: buffered by HTTP/1.0 proxying")
    server.meter(fake, host=call.host, keepalive=keepalive)
    stream = call.open(server.client, fake={"gate": 1})
    fake.wait(1)
    first = stream.read_until(b"}").body
    assert first and not stream.response.complete
    fake.release()
    assert stream.read_rest().body == fake.requests[0].answer
    stream.close()
    calls.check(server.line(), call)


def test_each_event_arrives_as_it_is_sent(server, fake):
    server.meter(fake)
    stream = server.client.open("POST", CHAT, calls.asked_stream(),
                                fake={"delay": 0.05})
    pieces = list(stream.pieces())
    stream.close()
    assert len(pieces) >= 6
    assert server.line().output == 5


def test_long_stream_is_exact(server, fake):
    server.meter(fake)
    r = server.client.post(CHAT, calls.asked_stream(), fake={"words": 3000})
    assert r.body == fake.requests[0].answer
    line = server.line()
    assert line.output == 3000
    assert line["http.response.body.bytes"] == len(r.body)


def test_streams_side_by_side_are_not_mixed_up(server, fake):
    server.meter(fake, ("llm_tag", "n", "from=header:x-n"), workers=2)

    def one(n):
        server.client.post(CHAT, calls.asked_stream(), [("x-n", str(n))],
                           fake={"words": n, "chunk": 50, "delay": 0.001})

    threads = [threading.Thread(target=one, args=(n,)) for n in range(1, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = server.lines(30)
    assert sorted(line.output for line in lines) == list(range(1, 31))
    assert all(line["llm.tags.n"] == str(line.output) for line in lines)


def test_stream_cut_by_upstream_is_estimated(server, fake):
    server.expect_errors(CUT)
    server.meter(fake, keepalive=True)
    stream = server.client.open("POST", CHAT, calls.asked_stream(),
                                fake={"words": 400, "cut": 20000})
    with pytest.raises(Broken):
        stream.read()
    stream.close()
    line = server.line()
    assert line.source == "estimated"
    assert 20 < line.output < 400
    assert line["error.type"] == "upstream_cut"
    assert line["event.outcome"] == "failure"


def test_stream_cut_by_upstream_is_billed_while_its_client_lingers(
        server, fake):
    server.expect_errors(CUT)
    server.meter(fake, keepalive=True,
                 nginx_server="        lingering_close always;\n"
                              "        lingering_time 300s;\n"
                              "        lingering_timeout 300s;\n")
    stream = server.client.open("POST", CHAT, calls.asked_stream(),
                                fake={"words": 400, "cut": 20000})
    with pytest.raises(Broken):
        stream.read()
    line = server.line()
    stream.close()
    assert line.source == "estimated"
    assert line["error.type"] == "upstream_cut"


def test_usage_seen_before_the_cut_is_kept(server, fake):
    server.expect_errors(CUT)
    server.meter(fake, host="generativelanguage.googleapis.com",
                 keepalive=True)
    stream = server.client.open(
        "POST", calls.GEMINI + "streamGenerateContent?alt=sse",
        {"contents": calls.CONTENTS}, fake={"cut": 700})
    with pytest.raises(Broken):
        stream.read()
    stream.close()
    line = server.line()
    assert line.input == 4
    assert line.output >= 1


def test_last_event_without_its_blank_line_is_counted(server, fake):
    server.meter(fake)
    body = 'data: {"id":"x","model":"gpt-4o","choices":[{"index":0,' \
        '"delta":{},"finish_reason":"stop"}],"usage":null}\n\n' \
        'data: {"id":"x","model":"gpt-4o","choices":[],"usage":' \
        '{"prompt_tokens":7,"completion_tokens":9,"total_tokens":16}}'
    r = server.client.post(CHAT, calls.asked_stream("gpt-4o"), fake={
        "body": body, "type": "text/event-stream"})
    assert r.text == body
    line = server.line()
    assert (line.input, line.output) == (7, 9)


@pytest.mark.parametrize("eol", ["\r", "\n", "\r\n"])
def test_line_ends_of_any_kind_are_understood(server, fake, eol):
    server.meter(fake)
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    body = eol.join([
        "\ufeff: a comment", "", "event: x", "data: " + json.dumps({
            "model": "gpt-4o", "choices": [{"index": 0, "delta": {
                "content": "hi"}}]}), "",
        "data:" + json.dumps({"choices": []})[:-1],
        'data: , "usage": ' + json.dumps(usage) + "}", "", "data: [DONE]",
        "", ""])
    r = server.client.post(CHAT, calls.asked_stream("gpt-4o"), fake={
        "body": body, "type": "text/event-stream", "chunk": 1,
        "framing": "chunked"})
    assert r.text == body
    line = server.line()
    assert (line.input, line.output, line.model) == (7, 9, "gpt-4o")


def test_half_a_character_does_not_hide_the_usage(server, fake):
    server.meter(fake)
    usage = '"usage":{"prompt_tokens":7,"completion_tokens":9}'
    plain = '{"model":"gpt-4o","choices":[{"index":0,"message":{"content":' \
        '"half \ud83d"},"finish_reason":"stop"}],%s}' % usage
    event = 'data: {"model":"gpt-4o","choices":[{"index":0,"delta":{' \
        '"content":"\ud83d"},"finish_reason":"stop"}],%s}\n\n' % usage
    for body, type in ((plain, "application/json"),
                       (event + "data: [DONE]\n\n", "text/event-stream")):
        sent = body.encode("utf-8", "surrogatepass")
        asked = calls.chat("gpt-4o", stream=body is not plain)
        r = server.client.post(CHAT, asked, fake={"body": body, "type": type})
        assert r.body == sent
    for line in server.lines(2):
        assert line.source == "reported"
        assert (line.input, line.output) == (7, 9)


def test_error_in_mid_stream_is_told(server, fake):
    server.meter(fake)
    body = 'data: {"model":"gpt-4o","choices":[{"index":0,"delta":' \
        '{"content":"some words here"}}]}\n\n' \
        'data: {"error":{"type":"server_error","message":"oops"}}\n\n'
    r = server.client.post(CHAT, calls.asked_stream("gpt-4o"), fake={
        "body": body, "type": "text/event-stream"})
    assert r.text == body
    line = server.line()
    assert line["error.type"] == "server_error"
    assert line["event.outcome"] == "failure"
    assert line.status == 200


def test_stream_without_usage_is_estimated(server, fake):
    server.meter(fake, ("llm_provider", "default", "stream_usage=off"))
    server.client.post(CHAT, calls.chat(stream=True), fake={"words": 300})
    line = server.line()
    assert line.source == "estimated"
    assert 150 < line.output < 900


def test_tool_calls_are_counted(server, fake):
    server.meter(fake)
    tools = [{"type": "function", "function": {
        "name": "weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}}}}]
    for body in (calls.chat(tools=tools), calls.asked_stream(tools=tools)):
        server.client.post(CHAT, body)
    for line in server.lines(2):
        assert line["gen_ai.response.finish_reasons"] == ["tool_calls"]
        assert line["llm.tool_calls"] == 1


def test_usage_of_several_choices_is_counted_once(server, fake):
    server.meter(fake)
    server.client.post(CHAT, calls.asked_stream(n=3))
    assert server.line().output == 15
