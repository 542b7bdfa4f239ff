"""Calls of every API, with what their lines have to say."""

import dataclasses

WORDS = "one two three four"                # 4 tokens


@dataclasses.dataclass
class Call:
    name: str
    host: str
    path: str
    body: object
    operation: str
    provider: str
    model: str
    input: int = 4
    output: int = 5
    finish: str = "stop"
    stream: bool = False
    headers: tuple = ()

    def send(self, client, **more):
        return client.post(self.path, self.body, self.headers, **more)

    def open(self, client, **more):
        return client.open("POST", self.path, self.body, self.headers, **more)


def messages(text=WORDS):
    return [{"role": "user", "content": text}]


def chat(model="gpt-4o-mini", text=WORDS, **more):
    return {"model": model, "messages": messages(text), **more}


def asked_stream(model="gpt-4o-mini", text=WORDS, **more):
    """A stream whose client asks for the usage itself."""
    return chat(model, text, stream=True,
                stream_options={"include_usage": True}, **more)


def form(fields, boundary="frontier"):
    text = "".join(
        '--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (boundary, name, '; filename="a.wav"' if name == "file" else "",
           value) for name, value in fields)

    return (text + "--%s--\r\n" % boundary).encode()


FORM = (("Content-Type", "multipart/form-data; boundary=frontier"),)
CONTENTS = [{"role": "user", "parts": [{"text": WORDS}]}]
GEMINI = "/v1beta/models/gemini-2.5-flash:"
GOOGLE = "generativelanguage.googleapis.com"
CLAUDE = {"model": "claude-sonnet-4-5", "max_tokens": 64,
          "messages": messages()}

PLAIN = [
    Call("chat", "api.openai.com", "/v1/chat/completions", chat(), "chat",
         "openai", "gpt-4o-mini"),
    Call("completions", "api.openai.com", "/v1/completions",
         {"model": "gpt-3.5-turbo-instruct", "prompt": WORDS},
         "text_completion", "openai", "gpt-3.5-turbo-instruct"),
    Call("responses", "api.openai.com", "/v1/responses",
         {"model": "gpt-4o", "input": WORDS}, "chat", "openai", "gpt-4o",
         finish="completed"),
    Call("embeddings", "api.openai.com", "/v1/embeddings",
         {"model": "text-embedding-3-small", "input": [WORDS, "five"]},
         "embeddings", "openai", "text-embedding-3-small", 5, 0, None),
    Call("transcription", "api.openai.com", "/v1/audio/transcriptions",
         form([("model", "gpt-4o-transcribe"), ("file", "RIFF")]),
         "transcription", "openai", "gpt-4o-transcribe", 14, 3, None,
         headers=FORM),
    Call("messages", "api.anthropic.com", "/v1/messages", CLAUDE, "chat",
         "anthropic", "claude-sonnet-4-5", finish="end_turn"),
    Call("gemini", GOOGLE, GEMINI + "generateContent",
         {"contents": CONTENTS}, "generate_content", "gcp.gemini",
         "gemini-2.5-flash", finish="STOP"),
    Call("ollama", "ollama.local", "/api/chat",
         {"model": "llama3", "stream": False, "messages": messages()},
         "chat", "ollama", "llama3"),
]

STREAMS = [
    Call("chat", "api.openai.com", "/v1/chat/completions", asked_stream(),
         "chat", "openai", "gpt-4o-mini", stream=True),
    Call("completions", "api.openai.com", "/v1/completions",
         {"model": "gpt-3.5-turbo-instruct", "prompt": WORDS, "stream": True,
          "stream_options": {"include_usage": True}},
         "text_completion", "openai", "gpt-3.5-turbo-instruct", stream=True),
    Call("responses", "api.openai.com", "/v1/responses",
         {"model": "gpt-4o", "input": WORDS, "stream": True}, "chat",
         "openai", "gpt-4o", finish="completed", stream=True),
    Call("messages", "api.anthropic.com", "/v1/messages",
         {**CLAUDE, "stream": True}, "chat", "anthropic",
         "claude-sonnet-4-5", finish="end_turn", stream=True),
    Call("gemini-sse", GOOGLE, GEMINI + "streamGenerateContent?alt=sse",
         {"contents": CONTENTS}, "generate_content", "gcp.gemini",
         "gemini-2.5-flash", finish="STOP", stream=True),
    Call("gemini-array", GOOGLE, GEMINI + "streamGenerateContent",
         {"contents": CONTENTS}, "generate_content", "gcp.gemini",
         "gemini-2.5-flash", finish="STOP", stream=True),
    Call("ollama", "ollama.local", "/api/chat",
         {"model": "llama3", "messages": messages()}, "chat", "ollama",
         "llama3", stream=True),
]


def by_name(call):
    return call.name


def check(line, call):
    """The line says what the call was."""
    assert line["gen_ai.operation.name"] == call.operation
    assert line["gen_ai.provider.name"] == call.provider
    assert line["gen_ai.request.model"] == call.model
    assert line.model == call.model
    assert (line.input, line.output) == (call.input, call.output)
    assert line.source == "reported"
    assert line.status == 200
    assert bool(line.get("gen_ai.request.stream")) == call.stream
    assert line.get("gen_ai.response.finish_reasons") == (
        [call.finish] if call.finish else None)
    assert line["event.outcome"] == "success"
