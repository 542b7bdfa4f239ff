"""What the cost line of a recorded call has to say, by the corpus's index.

The same for every server.  Each function yields its misses as sentences.
"""

import json

# norm class: field of the cost line
CLASSES = {
    "in": "gen_ai.usage.input_tokens",
    "out": "gen_ai.usage.output_tokens",
    "cr": "gen_ai.usage.cache_read.input_tokens",
    "cw": "gen_ai.usage.cache_creation.input_tokens",
    "cw5m": "llm.usage.cache_write_5m",
    "cw1h": "llm.usage.cache_write_1h",
    "rsn": "gen_ai.usage.reasoning.output_tokens",
    "ain": "llm.usage.audio_input",
    "aout": "llm.usage.audio_output",
    "iin": "llm.usage.image_input",
    "iout": "llm.usage.image_output",
    "billed_in": "llm.usage.billed_input",
    "billed_out": "llm.usage.billed_output",
    "web_search": "llm.usage.web_searches",
    "web_fetch": "llm.usage.web_fetches",
    "search_units": "llm.usage.search_units",
    "images": "llm.usage.images",
    "chars": "llm.usage.characters",
    "pages": "llm.usage.pages",
    "seconds": "llm.usage.duration_ms",
}

EXTRA = {"in": "input_tokens", "cr": "cache_read", "cw": "cache_write",
         "out": "output_tokens"}

COUNTING = {"count_tokens", "countTokens", "count-tokens", "tokenize-v1"}


class Apart(str):
    """A difference where the index, not the line, is wrong or silent."""


def modalities(usage):
    """Gemini splits its counts by modality, and what is not text is priced
    apart; the index has them only for other providers.
    https://ai.google.dev/api/generate-content#UsageMetadata
    """
    said = {}

    for where, letter in (("promptTokensDetails", "in"),
                          ("candidatesTokensDetails", "out"),
                          ("input_tokens_by_modality", "in"),
                          ("output_tokens_by_modality", "out")):
        for part in usage.get(where) or []:
            kind = str(part.get("modality")).lower()[:1]
            if kind in "ai":
                said[kind + letter] = part.get("tokenCount",
                                               part.get("tokens"))

    return said


def number(value):
    return value if isinstance(value, (int, float)) else 0


def usage_misses(norm, line, usage):
    said = modalities(usage)

    for name, field in CLASSES.items():
        want = norm.get(name) or 0
        got = number(line.get(field))

        if name == "seconds":
            want = round(want * 1000)

        if got != want and got == said.get(name) and name not in norm:
            yield Apart("%s is %s, of which the index is silent" % (
                field, got))
        elif got != want:
            yield "%s is %s, not %s" % (field, got, want)

    yield from extra_misses(norm.get("extra") or [],
                            line.get("llm.usage.extra") or [])


def extra_misses(wanted, got):
    if len(wanted) != len(got):
        yield "%d extra usages, not %d" % (len(got), len(wanted))
        return

    for want, have in zip(wanted, got):
        for name in ("type", "model"):
            if (want.get(name) or "") != (have.get(name) or ""):
                yield "extra %s is %s, not %s" % (name, have.get(name),
                                                  want.get(name))
        for name, field in EXTRA.items():
            if (want.get(name) or 0) != number(have.get(field)):
                yield "extra %s is %s, not %s" % (field, have.get(field),
                                                  want.get(name))


def line_tokens(usage):
    """(input, output) of one line of a batch's results, by its API's
    documentation."""
    if "promptTokenCount" in usage:
        return (usage["promptTokenCount"]
                + usage.get("toolUsePromptTokenCount", 0),
                usage.get("candidatesTokenCount", 0)
                + usage.get("thoughtsTokenCount", 0))

    if "prompt_tokens" in usage:
        out = usage.get("completion_tokens", 0)
        if "cost_in_usd_ticks" in usage:        # reasoning is outside
            out += (usage.get("completion_tokens_details") or {}).get(
                "reasoning_tokens", 0)
        return usage["prompt_tokens"], out

    if "input_tokens_details" in usage:
        return usage["input_tokens"], usage["output_tokens"]

    return (usage.get("input_tokens", 0)
            + usage.get("cache_creation_input_tokens", 0)
            + usage.get("cache_read_input_tokens", 0),
            usage.get("output_tokens", 0))


def batch_misses(usage, line):
    if line.get("gen_ai.operation.name") != "batch":
        yield "the operation is %s, not batch" \
            % line.get("gen_ai.operation.name")

    results = usage["per_line"]
    half = len(results) // 2

    # Gemini's finished operation has its results twice: in metadata.output
    # and in response.  https://ai.google.dev/api/batch-mode
    if results[:half] == results[half:] and "promptTokenCount" in results[0]:
        results = results[:half]

    sums = [sum(pair) for pair in zip(*map(line_tokens, results))]

    for name, want in zip(("in", "out"), sums or (0, 0)):
        got = number(line.get(CLASSES[name]))
        if got != want:
            yield "%s is %s, not the results' sum %s" % (
                CLASSES[name], got, want)


def counts_nothing(row, line):
    """A question that is answered consumes nothing."""
    if row["endpoint"] not in COUNTING or int(row["status"]) >= 400:
        return

    if line.get("gen_ai.operation.name") != "count_tokens":
        yield "the operation is %s, not count_tokens" \
            % line.get("gen_ai.operation.name")

    if number(line.get("llm.cost.total_nusd")) != 0:
        yield "counting costs %s" % line["llm.cost.total_nusd"]


def tokens(row, line):
    usage = json.loads(row["usage"]) if row["usage"] else None
    source = line.get("llm.usage.source", "none")

    if row["norm"]:
        if source != "reported":
            yield "the usage source is %s, not reported" % source
        yield from usage_misses(json.loads(row["norm"]), line, usage)

    elif usage and "per_line" in usage:
        yield from batch_misses(usage, line)

    elif usage is None and source not in ("estimated", "none") \
            and row["endpoint"] not in COUNTING:
        yield "the usage source is %s, but the answer has no usage" % source

    yield from counts_nothing(row, line)


def finish(row, line):
    """The index is silent on the finish of some legacy APIs."""
    want = [f for f in row["finish"].split(",") if f]
    got = [str(f) for f in line.get("gen_ai.response.finish_reasons") or []]

    if want and sorted(want) != sorted(got):
        yield "the finish reasons are %s, not %s" % (
            ",".join(got) or "none", ",".join(want) or "none")


def rest(row, line):
    model = line.get("gen_ai.response.model") \
        or line.get("gen_ai.request.model") or ""

    # An ARN is one path segment, its colons and slashes percent-encoded.
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/
    if row["model"] == "arn" and model:
        yield Apart("the model is %s, not arn" % model)
    elif row["model"] and model != row["model"]:
        yield "the model is %s, not %s" % (model or "none", row["model"])

    status = line.get("http.response.status_code")

    if status != int(row["status"]):
        yield "the status is %s, not %s" % (status, row["status"])

    # What a refused call had asked for is not in the index.
    if int(row["status"]) < 400:
        streams = bool(line.get("gen_ai.request.stream"))
        if streams != (row["stream"] == "y"):
            yield "stream is %s, not %s" % (streams, row["stream"] == "y")


def misses(row, line):
    """Everything that the line gets wrong."""
    return [*rest(row, line), *tokens(row, line), *finish(row, line)]


def stripped(body):
    """A stream without the usage that had to be asked for: events whose
    choices are empty and whose usage is an object, and null usages."""
    out = []

    for event in body.split(b"\n\n"):
        data = event.partition(b"data:")[2].strip()
        try:
            parsed = json.loads(data)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict) and parsed.get("choices") == [] \
                and isinstance(parsed.get("usage"), dict):
            continue
        for null in (b',"usage":null', b', "usage": null', b',"usage": null',
                     b', "usage":null'):
            event = event.replace(null, b"")
        out.append(event)

    return b"\n\n".join(out)
