"""conf-examples/shipping/otel-collector.yaml in a real OpenTelemetry collector:
make test-otel OTELCOL=path.  One without the otlp_json connector does: what it
would take is given to the collector's own OTLP receiver, which has the same
parser."""

import contextlib
import http.server
import json
import os
import re
import subprocess
import threading
import urllib.request

import pytest
import yaml

import calls
from servers import die_with_parent, free_port
from shippers import example, wait_until

OTELCOL = os.environ.get("TG_OTELCOL")
CHAT = "/v1/chat/completions"
HOSTILE = 'x"}],{\\%s{}\x7f'

pytestmark = pytest.mark.skipif(not OTELCOL, reason="TG_OTELCOL=path")


class Sink(http.server.ThreadingHTTPServer):
    """Takes OTLP's JSON."""
    daemon_threads = True

    def __init__(self):
        self.got = {"logs": [], "traces": [], "metrics": [], "spans": []}
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server_address[1]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            size = int(self.headers["Content-Length"])
            self.server.got[self.path.rsplit("/", 1)[1]].append(
                json.loads(self.rfile.read(size)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    def all(self, kind, *path):
        found = list(self.got[kind])
        for name in path:
            found = [inner for one in found for inner in one.get(name, ())]
        return found

    def logs(self, kind="logs"):
        return [log["body"]["stringValue"] for log in self.all(
            kind, "resourceLogs", "scopeLogs", "logRecords")]

    def spans(self):
        return self.all("traces", "resourceSpans", "scopeSpans", "spans")

    def points(self):
        """(metric, what its values are in, its points)"""
        for m in self.all("metrics", "resourceMetrics", "scopeMetrics",
                          "metrics"):
            how = m.get("histogram") or m["sum"]
            yield m["name"], how, how["dataPoints"]


def configuration(folder, log, sink, port):
    conf = yaml.safe_load(example("otel-collector.yaml"))
    conf["receivers"]["file_log"]["include"] = [log]
    conf["extensions"]["file_storage"]["directory"] = folder
    out = conf["exporters"]["otlp_http"]
    out.update(endpoint=sink.url, encoding="json", compression="none")
    conf["service"]["telemetry"] = {"metrics": {"level": "none"}}
    has = subprocess.run([OTELCOL, "components"], capture_output=True,
                         text=True, check=True, timeout=60).stdout

    if "otlp_json" not in has:
        del conf["connectors"]["otlp_json"]
        conf["exporters"]["otlp_http/spans"] = {
            "logs_endpoint": sink.url + "/spans", "encoding": "json",
            "compression": "none"}
        conf["receivers"]["otlp"] = {"protocols": {"http": {
            "endpoint": "127.0.0.1:%d" % port}}}
        pipes = conf["service"]["pipelines"]
        pipes["logs/spans"]["exporters"] = ["otlp_http/spans"]
        pipes["traces"]["receivers"] = ["otlp"]

    return conf


@contextlib.contextmanager
def collector(folder, log):
    sink, port = Sink(), free_port()
    os.makedirs(folder)
    conf = os.path.join(folder, "conf.yaml")
    with open(conf, "w") as f:
        yaml.safe_dump(configuration(folder, log, sink, port), f)
    out = os.path.join(folder, "out")

    with open(out, "wb") as told:
        process = subprocess.Popen([OTELCOL, "--config", conf], stdout=told,
                                   stderr=told, preexec_fn=die_with_parent)
    try:
        yield sink, port
    finally:
        process.terminate()
        process.wait(60)
        sink.shutdown()
        sink.server_close()

    with open(out) as f:
        assert not re.search("\t(warn|error)\t", text := f.read()), text


def value_of(attribute):
    value = attribute["value"]

    return int(value["intValue"]) if "intValue" in value \
        else value["stringValue"]


def test_a_collector_has_spans_and_metrics_of_each_line(server, fake,
                                                        tmp_path):
    server.meter(fake, ("llm_tag", "team", "from=header:x-team"))
    trace = "00-%s-%s-01" % ("ab" * 16, "cd" * 8)
    server.client.post(CHAT, calls.chat(), {"traceparent": trace})
    server.client.post(CHAT, calls.chat(HOSTILE), {"x-team": 'a"b\\'})
    server.client.post(CHAT, calls.chat(), fake={"status": 500, "body": "{}"})
    lines = server.lines(3)
    raw = server.log_of().raw().decode()
    alert = '{"@timestamp":"2026-11-22T10:00:00.000Z","event.kind":"alert"}'
    log = tmp_path / "llm.jsonl"
    log.write_text(raw + alert + "\n")

    with collector(str(tmp_path / "otel"), str(log)) as (sink, port):
        wait_until(lambda: len(sink.logs()) == 4, "logs")
        wait_until(lambda: len(sink.spans()) + len(sink.logs("spans")) == 3,
                   "spans")
        for body in sink.logs("spans"):
            urllib.request.urlopen(urllib.request.Request(
                "http://127.0.0.1:%d/v1/traces" % port, body.encode(),
                {"Content-Type": "application/json"}), timeout=60).close()
        wait_until(lambda: len(sink.spans()) == 3, "spans")
        wait_until(lambda: len(list(sink.points())) >= 4, "metrics")
        assert sorted(sink.logs()) == sorted(
            [*raw.splitlines(), alert])
        check_spans(sink.spans(), lines)
        check_metrics(list(sink.points()), lines)


def check_spans(spans, lines):
    got = {value_of(a): span for span in spans for a in span["attributes"]
           if a["key"] == "llm.call_id"}

    for line in lines:
        span = got.pop(line["llm.call_id"])
        assert span["traceId"] == line.get(
            "trace.id", line["llm.call_id"].replace("-", ""))
        assert span.get("parentSpanId", "") == line.get("span.id", "")
        assert span["name"] == "chat " + line["gen_ai.request.model"]
        assert int(span["endTimeUnixNano"]) \
            - int(span["startTimeUnixNano"]) == line["event.duration"]
        assert span["status"].get("code", 0) == (
            2 if line["event.outcome"] == "failure" else 0)
        for attribute in span["attributes"]:
            assert value_of(attribute) == line[attribute["key"]]

    assert not got


def check_metrics(points, lines):
    sums = {}

    for name, how, found in points:
        assert name != "llm.cost" or how["isMonotonic"]
        for point in found:
            kind = [value_of(a) for a in point["attributes"]
                    if a["key"] == "gen_ai.token.type"]
            key = ".".join([name, *kind])
            sums[key] = sums.get(key, 0) + (
                point["sum"] if "sum" in point else int(point["asInt"]))

    assert sums == {
        "llm.cost": sum(line.nusd for line in lines),
        "gen_ai.client.token.usage.input": sum(line.input for line in lines),
        "gen_ai.client.token.usage.output": sum(line.output
                                                for line in lines),
        "gen_ai.client.operation.duration": pytest.approx(
            sum(line["event.duration"] for line in lines) / 1e9)}
