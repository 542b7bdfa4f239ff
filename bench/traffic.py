"""What is sent and answered: shaped as the official SDKs and OpenAI do it."""

import hashlib
import json
import random

PATH = "/v1/chat/completions"
EVENTS = 1000
PROMPT = 200 * 1024
GUARDED = 20 * 1024

SECRET = "sk-proj-" + "Bq7ZkW2m" * 6

HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Authorization": "Bearer " + SECRET,
    "User-Agent": "OpenAI/Python 1.54.3",
    "X-Stainless-Lang": "python",
    "X-Stainless-Package-Version": "1.54.3",
    "X-Stainless-OS": "Linux",
    "X-Stainless-Arch": "x64",
    "X-Stainless-Runtime": "CPython",
    "X-Stainless-Retry-Count": "0",
    "X-Team": "search",
}

WORDS = """the of and to in a is that for it as was with be by on not he his
but at are this have from or had an they which one you were all her she there
would their we him been has when who will no more if out so said what up its
about into than them can only other new some could time these two may then do
first any my now such like our over man me even most made after also did many
before must through back years where much your way well down should because
each just those people how too little state good very make world still own see
men work long here get both between life being under never day same another
know while last might us great old year off come since against go came right
used take three states himself few house use during without again place around
however home small found thought went say part once general high upon school
every""".split()


def english(size, seed=1):
    """Sentences and paragraphs of about so many bytes."""
    rnd, out, n = random.Random(seed), [], 0

    while n < size:
        words = [rnd.choice(WORDS) for _ in range(rnd.randrange(6, 22))]
        text = " ".join(words).capitalize() + rnd.choice([". ", ". ", "? "])
        if rnd.random() < 0.08:
            text = '"%s"\n\n' % text.strip()
        out.append(text)
        n += len(text)

    return "".join(out)[:size]


# What route takes a call to a smaller model.
ROUTED = ("when=input_tokens < 4000 and not tools and not images"
          " and model ~ '^gpt-4o'")

# Such as people write, and nothing here has what they look for.
DENIED = (
    r"(?i)ignore (all )?previous instructions", r"\bconfidential\b",
    r"(?i)\bpassword\s*[:=]", r"\b[A-Z]{2}\d{6}\b",
    r"(?i)project[- ](falcon|eagle|condor)", r"BEGIN RSA",
    r"[\w.]+@corp\.example", r"\b10\.\d+\.\d+\.\d+\b",
    r"(?i)drop\s+table", r"(?i)(kill|bomb|weapon)s?\b",
    r"customer[_ ]id[': ]+\d+", r"\bEMP-\d{4,}", r"(?i)do anything now",
    r"https?://[^\s]*\.internal\b", r"(?i)system prompt",
    r"\b\d{3}-\d{2}-\d{4}\b", r"(?i)\bjailbreak", r"eyJ[\w-]+\.eyJ",
    r"(?i)salary.{0,40}\d{5}", r"(?i)as an? (unrestricted|evil) ai")


def request(messages, **more):
    body = {"model": "gpt-4o-mini", "messages": messages, "temperature": 0.2,
            "max_tokens": 256, "user": "u-10042",
            "metadata": {"session_id": "b1946ac9-2492-4d23"}, **more}

    return json.dumps(body, separators=(",", ":")).encode()


def small(**more):
    return request([
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Which of the two plans that I sent you"
         " is the cheaper one over three years, and why?"},
    ], **more)


def prompt(size=PROMPT):
    return request([{"role": "user", "content": english(size)}])


def kilobyte():
    """Some turns of a talk, in 1,024 bytes."""
    words = english(1024, 4).replace('"', "'").replace("\n", " ")

    def turns(size):
        return request([
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": words[:size // 3]},
            {"role": "assistant", "content": words[size // 3:size // 2]},
            {"role": "user", "content": words[size // 2:size]}])

    return turns(1024 - len(turns(0)))


def answer():
    return json.dumps({
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion", "created": 1741570283,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": english(150, 2),
                        "refusal": None, "annotations": []},
            "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 46, "completion_tokens": 31, "total_tokens": 77,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0}},
        "service_tier": "default",
        "system_fingerprint": "fp_fc9f1d7035"}, separators=(",", ":")).encode()


def event(choices, usage=None):
    chunk = {"id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
             "object": "chat.completion.chunk", "created": 1741570283,
             "model": "gpt-4o-mini-2024-07-18", "service_tier": "default",
             "system_fingerprint": "fp_fc9f1d7035", "choices": choices,
             "usage": usage}

    return "data: %s\n\n" % json.dumps(chunk, separators=(",", ":"))


def choice(delta, finish=None):
    return [{"index": 0, "delta": delta, "logprobs": None,
             "finish_reason": finish}]


def stream():
    """EVENTS events: role, words, the reason of the end, usage, [DONE]."""
    rnd, words = random.Random(3), EVENTS - 4
    out = [event(choice({"role": "assistant", "content": "",
                         "refusal": None}))]
    out += [event(choice({"content": " " + rnd.choice(WORDS)}))
            for _ in range(words)]
    out.append(event(choice({}, "stop")))
    out.append(event([], {"prompt_tokens": 46, "completion_tokens": words,
                          "total_tokens": 46 + words}))
    out.append("data: [DONE]\n\n")

    return "".join(out).encode()


def message(type, **more):
    return "event: %s\ndata: %s\n\n" % (type, json.dumps(
        {"type": type, **more}, separators=(",", ":")))


def messages():
    """The same as Anthropic writes it: EVENTS events, of which most are words.

    https://docs.claude.com/en/docs/build-with-claude/streaming
    """
    rnd, words = random.Random(3), EVENTS - 6
    out = [message("message_start", message={
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message",
        "role": "assistant", "model": "claude-haiku-4-5-20251001",
        "content": [], "stop_reason": None, "stop_sequence": None,
        "usage": {"input_tokens": 46, "cache_creation_input_tokens": 0,
                  "cache_read_input_tokens": 0, "output_tokens": 1,
                  "service_tier": "standard"}}),
           message("content_block_start", index=0,
                   content_block={"type": "text", "text": ""}),
           message("ping")]
    out += [message("content_block_delta", index=0, delta={
        "type": "text_delta", "text": " " + rnd.choice(WORDS)})
            for _ in range(words)]
    out += [message("content_block_stop", index=0),
            message("message_delta",
                    delta={"stop_reason": "end_turn", "stop_sequence": None},
                    usage={"output_tokens": words}),
            message("message_stop")]

    return "".join(out).encode()


def keys():
    """Of a company with some keys, of which the load's is one."""
    records = [{"id": "key_%d" % i, "team": "team_%d" % (i % 20),
                "sha256": hashlib.sha256(
                    (SECRET if i == 500 else "secret %d" % i).encode()
                ).hexdigest()} for i in range(1000)]

    return json.dumps({"tollgate_keys": 1, "keys": records})
