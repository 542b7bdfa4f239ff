"""Files of conf-examples/shipping for what Debian does not have: read by the
parsers of their languages, held against the options that their documentation
names, and what they do to a line done again by what it says."""

import configparser
import fnmatch
import json
import re
import sys

import pytest
import yaml

import calls
import nginx
import test_examples
from servers import root

sys.path.append(root("t", "shipping"))
import documented                                       # noqa: E402
import ottl                                             # noqa: E402
from documented import unknown                          # noqa: E402

GLOB = ("/var/log/nginx/llm.jsonl", "/var/log/apache2/llm.*.jsonl")


def example(name):
    with open(root("conf-examples", "shipping", name)) as f:
        return f.read()


def load(name):
    return yaml.safe_load(example(name))


def without(value, *names):
    return {k: v for k, v in value.items() if k not in names}


def test_an_option_that_is_in_no_list_is_found():
    """The check itself."""
    assert unknown("vector", "sources.file", {"type": "file", "includes": []}
                   ) == ["includes"]
    assert unknown("otel", "signal_to_metrics",
                   {"logs": [{"sum": {"valu": 1}}]}) == ["logs[].sum.valu"]


def fields():
    with open(root("docs", "costline.schema.json")) as f:
        return list(json.load(f)["properties"])


def test_no_field_is_a_value_and_an_object_at_once():
    """Where dots become objects (Elasticsearch), a.b and a.b.c can't both be."""
    names = set(fields()) | {"llm.tags.x", "event.kind", "llm.outcome.name"}
    assert not [(a, b) for a in names for b in names if b.startswith(a + ".")]


@pytest.mark.parametrize("name, renamed", (
    ("filebeat.yml", True), ("fluent-bit-splunk.yaml", False),
    ("otel-collector.yaml", True), ("rsyslog.conf", False),
    ("vector.yaml", True)))
def test_a_log_is_read_under_its_names_and_no_other_is(name, renamed):
    """What logrotate makes of a name, with dateext and without; not what it has
    compressed, nor the log of format=underscore beside it (visibility.conf)."""
    patterns = re.findall(r"/var/log/[^\s\",]+", example(name))

    def read(path):
        return any(fnmatch.fnmatchcase(path, p) for p in patterns)

    logs = {"/var/log/nginx/llm.jsonl": "/var/log/nginx/llm_warehouse.jsonl",
            "/var/log/apache2/llm.20261122.jsonl":
            "/var/log/apache2/llm_warehouse.20261122.jsonl"}

    for log, other in logs.items():
        assert read(log) or name == "rsyslog.conf" and "apache2" in log
        assert not read(other) and not read(other + "-20261122")
        assert not read(log + "-20261122.gz") and not read(log + ".1.gz")

    for end in ("-20261122", ".1") if renamed else ():
        assert read("/var/log/nginx/llm.jsonl" + end)


def test_vector():
    conf = load("vector.yaml")
    assert not unknown("vector", "global", dict.fromkeys(conf))

    for kind in ("sources", "transforms", "sinks"):
        for name, part in conf[kind].items():
            assert not unknown("vector", kind + "." + part["type"], part)
            for other in part.get("inputs", ()):
                assert other.split(".")[0] in {
                    **conf["sources"], **conf["transforms"]}

    source, sink = conf["sources"]["cost_lines"], conf["sinks"]["clickhouse"]
    assert set(GLOB) <= set(source["include"])
    assert source["max_line_bytes"] > 32768
    assert sink["acknowledgements"]["enabled"]
    with open(root("conf-examples", "sql", "clickhouse.sql")) as f:
        sql = f.read()
    assert "CREATE DATABASE IF NOT EXISTS %s " % sink["database"] in sql
    assert "CREATE TABLE IF NOT EXISTS %s\n" % sink["table"] in sql

    # What the program does to names is what makes columns of fields.
    program = conf["transforms"]["columns"]["source"]
    steps = re.findall(r'"([@.])", "(_?)"', program)
    assert steps == [("@", ""), (".", "_")]
    for name in fields():
        column = name
        for old, new in steps:
            column = column.replace(old, new)
        assert "\n    %s " % column in sql


@pytest.mark.parametrize("name, field", (("fluent-bit-bigquery.yaml",
                                          "timestamp"),
                                         ("fluent-bit-splunk.yaml",
                                          "@timestamp")))
def test_fluent_bit(name, field):
    conf = load(name)
    assert set(conf) == {"service", "parsers", "pipeline"}
    flat = {".".join(p): v for p, v in (((k,), v) for k, v
                                        in conf["service"].items())}
    assert not unknown("fluent-bit", "service", flat)
    parser, = conf["parsers"]
    assert not unknown("fluent-bit", "parsers", parser)
    assert parser["time_key"] == field
    tail, = conf["pipeline"]["inputs"]
    out, = conf["pipeline"]["outputs"]
    assert not unknown("fluent-bit", "inputs.tail", tail)
    assert not unknown("fluent-bit", "outputs." + out["name"], out)
    assert tail["parser"] == parser["name"] and out["match"] == tail["tag"]
    assert int(tail["buffer_max_size"][:-1]) * 1024 > 32768
    assert int(tail["buffer_chunk_size"][:-1]) * 1024 > 32768
    assert tail["storage.type"] == "filesystem"
    assert conf["service"]["storage.path"]

    # YAML 1.1's "on" is a boolean to some parsers, a word to Fluent Bit's.
    assert parser["time_keep"] in (True, "on")


def test_filebeat():
    conf = load("filebeat.yml")
    stream, = conf["filebeat.inputs"]
    assert not unknown("filebeat", "filestream", {
        k: v for k, v in stream.items() if k != "file_identity.fingerprint"})
    assert "file_identity.fingerprint" in documented.names("filebeat",
                                                           "filestream")
    drop, = conf["processors"]
    assert not unknown("filebeat", "drop_fields", drop["drop_fields"])
    for part in ("queue.disk", "output.elasticsearch"):
        assert not unknown("filebeat", part, conf[part])
    assert not unknown("filebeat", "setup.template",
                       without(conf["setup.template"], "append_fields"))
    assert set(conf) == {"filebeat.inputs", "processors", "queue.disk",
                         "output.elasticsearch", "setup.template"}
    assert set(GLOB) <= set(stream["paths"])
    assert stream["message_max_bytes"] > 32768
    ndjson = stream["parsers"][0]["ndjson"]
    assert ndjson["document_id"] in fields() and ndjson["target"] == ""
    for field in conf["setup.template"]["append_fields"]:
        assert field["name"] in fields()

    dropped = set(drop["drop_fields"]["fields"])
    assert not [f for f in fields() if f.split(".")[0] in dropped]


def test_splunk_props():
    conf = configparser.RawConfigParser(delimiters="=")
    conf.optionxform = str
    conf.read_string(example("splunk-props.conf"))
    props = dict(conf["tollgate"])
    assert not unknown("splunk", "props.conf", props)
    line = '{"@timestamp":"2026-11-22T10:00:00.123Z","llm.schema":1}'
    at = re.search(props["TIME_PREFIX"], line).end()
    assert line[at:at + 24] == "2026-11-22T10:00:00.123Z"
    assert props["TIME_FORMAT"] == "%Y-%m-%dT%H:%M:%S.%3NZ"
    assert int(props["TRUNCATE"]) > 32768
    assert int(props["MAX_TIMESTAMP_LOOKAHEAD"]) >= 24
    assert '"sourcetype":"tollgate"' in example("splunk-hec.conf")


# The collector


def kind(name):
    return name.split("/")[0]


def test_collector_is_wired_by_what_is_there():
    conf = load("otel-collector.yaml")

    for part in ("extensions", "receivers", "processors", "connectors",
                 "exporters"):
        for name, inner in conf[part].items():
            assert not unknown("otel", kind(name), without(
                inner or {}, "operators")), name

    for operator in conf["receivers"]["file_log"]["operators"]:
        assert not unknown("otel", operator["type"], operator)

    used, made = set(), set()
    for name, pipe in conf["service"]["pipelines"].items():
        for one in pipe["receivers"]:
            assert one in {**conf["receivers"], **conf["connectors"]}
            used.add(one)
        for one in pipe["exporters"]:
            assert one in {**conf["exporters"], **conf["connectors"]}
            made.add(one)
        for one in pipe.get("processors", ()):
            assert one in conf["processors"]
    assert used & set(conf["connectors"]) == made & set(
        conf["connectors"]) == set(conf["connectors"])
    assert set(conf["service"]["extensions"]) == set(conf["extensions"])


def spans(conf, raw):
    """As the collector's pipelines would have them, from lines as they are."""
    drop, = conf["processors"]["filter/calls"]["logs"]["log_record"]
    steps = conf["processors"]["transform/spans"]["log_statements"]
    found = []

    for line in raw:
        log = ottl.log_of(line.decode())
        if ottl.holds("log." + drop, log):
            continue
        body = json.loads(ottl.run(steps, log)["body"])
        resource, = body["resourceSpans"]
        scope, = resource["scopeSpans"]
        found += scope["spans"]

    return found


def value_of(attribute):
    (name, value), = attribute["value"].items()
    assert name in ("stringValue", "intValue")
    assert isinstance(value, str)           # OTLP's JSON has 64 bits as text

    return int(value) if name == "intValue" else value


def test_collector_makes_a_span_of_each_line(server, fake):
    server.meter(fake, ("llm_tag", "team", "from=header:x-team"))
    trace = "00-%s-%s-01" % ("ab" * 16, "cd" * 8)
    hostile = 'x"}],{\\\n\u2028é%s{}'
    server.client.post("/v1/chat/completions", calls.chat(),
                       {"traceparent": trace, "x-team": "search"})
    server.client.post("/v1/chat/completions", calls.chat(hostile),
                       {"x-team": 'a"b\\'})
    server.client.post("/v1/chat/completions", calls.chat(),
                       fake={"status": 500, "body": "{}"})
    lines = server.lines(3)
    conf = load("otel-collector.yaml")
    raw = server.log_of().raw().splitlines()
    alert = b'{"@timestamp":"2026-11-22T10:00:00.000Z","event.kind":"alert"}'
    got = {value_of(a): span for span in spans(conf, raw + [alert])
           for a in span["attributes"] if a["key"] == "llm.call_id"}
    assert len(got) == 3

    for line in lines:
        span = got[line["llm.call_id"]]
        assert re.fullmatch("[0-9a-f]{32}", span["traceId"])
        assert re.fullmatch("[0-9a-f]{16}", span["spanId"])
        assert span["traceId"] == line.get(
            "trace.id", line["llm.call_id"].replace("-", ""))
        assert span["parentSpanId"] == line.get("span.id", "")
        assert span["name"] == "chat " + line["gen_ai.request.model"]
        assert span["kind"] == 3            # CLIENT
        assert span["status"]["code"] == (
            2 if line["event.outcome"] == "failure" else 0)
        assert int(span["endTimeUnixNano"]) \
            - int(span["startTimeUnixNano"]) == line["event.duration"]
        for attribute in span["attributes"]:
            name = attribute["key"]
            assert value_of(attribute) == line[name]
            assert not name.startswith("gen_ai.") or name in documented.GEN_AI
        told = {a["key"] for a in span["attributes"]}
        assert {"gen_ai.provider.name", "llm.cost.total_nusd"} <= told
        assert {n for n in ("llm.team", "gen_ai.usage.input_tokens")
                if n in line} <= told

    assert len({span["spanId"] for span in got.values()}) == 3


def test_collector_metrics_add_up_to_the_lines(server, fake):
    server.meter(fake)
    for _ in range(3):
        server.client.post("/v1/chat/completions", calls.chat())
    lines = server.lines(3)
    conf = load("otel-collector.yaml")
    logs = [ottl.log_of(raw.decode())
            for raw in server.log_of().raw().splitlines()]
    sums = {}

    for name, inner in conf["connectors"].items():
        for metric in (inner or {}).get("logs", ()):
            key = metric["name"] + name[len(kind(name)):]
            how = metric.get("histogram") or metric["sum"]
            sums[key] = sum(
                ottl.value(how["value"], log) for log in logs
                if all(ottl.holds(c, log)
                       for c in metric.get("conditions", ())))
            for attribute in metric["attributes"]:
                assert attribute["key"] in (*fields(), *documented.GEN_AI)
                assert not ("optional" in attribute
                            and "default_value" in attribute)
            if metric["name"] in documented.GEN_AI_BUCKETS:
                unit, buckets = documented.GEN_AI_BUCKETS[metric["name"]]
                assert metric["unit"] == unit
                assert metric["histogram"]["buckets"] == buckets

    assert sums["llm.cost"] == sum(line.nusd for line in lines) > 0
    assert sums["gen_ai.client.token.usage"] == sum(
        line.input for line in lines)
    assert sums["gen_ai.client.token.usage/output"] == sum(
        line.output for line in lines)
    assert sums["gen_ai.client.operation.duration"] == pytest.approx(sum(
        line["event.duration"] for line in lines) / 1e9)


# ngx_otel_module

OTEL = re.compile(r"^ *(otel_\w+) (?:\{([^}]*)\}|(.*?);)$", re.M)


@pytest.mark.only("nginx", "a module of nginx's")
def test_ngx_otel_example(server, fake):
    """Without that module, and with each attribute's value in the access
    log."""
    text = example("nginx-otel.conf")
    directives = OTEL.findall(text)
    known = documented.names("nginx-otel", "directives")
    assert {d[0] for d in directives} <= known
    inner = {line.split()[0] for d in directives
             for line in d[1].splitlines() if line.strip()}
    assert inner <= documented.names("nginx-otel", "otel_exporter")
    spans = dict(d[2].split(None, 1) for d in directives
                 if d[0] == "otel_span_attr")
    assert {n for n in spans if n.startswith("gen_ai.")} <= documented.GEN_AI

    def place(conf):
        conf = OTEL.sub("", conf)
        conf = conf.replace("load_module modules/ngx_otel_module.so;", "")
        form = " ".join("%s=%s" % pair for pair in spans.items())
        return conf.replace("http {\n", "http {\n    log_format spans '%s';\n"
                            "    access_log logs/spans.log spans;\n" % form)

    test_examples.start(server, "../shipping/nginx-otel.conf", fake, place)
    server.client.post("/v1/chat/completions", calls.chat(),
                       {"x-team": "red", "x-session-id": "s1"})
    line = server.line(server.path("logs", "llm.jsonl"))
    with open(server.path("logs", "spans.log")) as f:
        told = dict(word.split("=", 1) for word in f.read().split())

    assert told.pop("gen_ai.response.finish_reasons") == line[
        "gen_ai.response.finish_reasons"][0]
    assert float(told.pop("llm.cost.total")) == line["llm.cost.total"] > 0
    assert told.pop("gen_ai.usage.cache_read.input_tokens") in ("-", "0")
    for name, value in told.items():
        assert value == str(line[name]), name
    assert nginx.available()
