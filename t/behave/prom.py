"""A real Prometheus of one's own, and what dashboards and rules ask it."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from servers import die_with_parent, free_port, root

BINARY = shutil.which("prometheus")
PROMTOOL = shutil.which("promtool")
EXAMPLES = root("conf-examples", "prometheus")
BOARDS = root("conf-examples", "grafana")
DEADLINE = 60

# What Grafana puts in place of its own words, and of a dashboard's variables where
# all is chosen.
GRAFANA = {"__rate_interval": "10s", "__range": "1m", "__interval": "1s"}


class Prometheus:
    """Scrapes `pages`: {job: [(port, path), ...]}; rules as shipped."""

    def __init__(self, pages, rules=True):
        self.dir = tempfile.mkdtemp(prefix="tollgate-prometheus-")
        self.port = free_port()
        self.pages = pages
        jobs = [{"job_name": "%s-%d" % (job, i), "metrics_path": path,
                 "static_configs": [{"targets": ["127.0.0.1:%d" % port]}]}
                for job, all_of in pages.items()
                for i, (port, path) in enumerate(all_of)]
        config = {"global": {"scrape_interval": "300ms",
                             "scrape_timeout": "300ms",
                             "evaluation_interval": "500ms"},
                  "scrape_configs": jobs}

        if rules:
            config["rule_files"] = [self.rules(name) for name in
                                    ("recording.rules.yml",
                                     "alerts.rules.yml")]

        path = os.path.join(self.dir, "prometheus.yml")

        with open(path, "w") as f:
            json.dump(config, f)        # YAML it is, too

        self.log = open(os.path.join(self.dir, "log"), "w")
        self.process = subprocess.Popen(
            [BINARY, "--config.file=" + path,
             "--storage.tsdb.path=" + os.path.join(self.dir, "data"),
             "--web.listen-address=127.0.0.1:%d" % self.port,
             "--enable-feature=exemplar-storage", "--log.level=warn"],
            stdout=self.log, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)
        self.wait(self.ready, "Prometheus is ready")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def rules(self, name):
        """As shipped, but for the intervals: a test has no minutes."""
        with open(os.path.join(EXAMPLES, name)) as f:
            text = re.sub(r"(\n *interval:) \S+", r"\1 500ms", f.read())

        path = os.path.join(self.dir, name)

        with open(path, "w") as f:
            f.write(text)

        return path

    def messages(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def wait(self, condition, what):
        end = time.monotonic() + DEADLINE

        while True:
            got = condition()
            if got:
                return got
            assert time.monotonic() < end, "%s: in vain\n%s" % (
                what, self.messages())
            time.sleep(0.1)

    def ready(self):
        try:
            url = "http://127.0.0.1:%d/-/ready" % self.port
            return urllib.request.urlopen(url, timeout=DEADLINE).status == 200
        except OSError:
            return False

    def api(self, name, **words):
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (
            self.port, name, urllib.parse.urlencode(words, doseq=True))

        try:
            with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as e:
            raise AssertionError("%s: %s" % (words, e.read().decode())) from e

        assert told["status"] == "success", told

        return told["data"]

    def query(self, text):
        """[({label: value}, float)] of now."""
        got = self.api("query", query=text)

        if got["resultType"] == "scalar":
            return [({}, float(got["result"][1]))]

        return [(one["metric"], float(one["value"][1]))
                for one in got["result"]]

    def value(self, text):
        """Of the only one."""
        (_, value), = self.query(text)

        return value

    def since(self, text, seconds=600):
        """Those that had a value in the last ten minutes."""
        now = time.time()

        return self.api("query_range", query=text, start=now - seconds,
                        end=now, step=1)["result"]

    def loaded(self):
        """[(name, expression, its state)] of the rules."""
        return [(r["name"], r["query"], r)
                for group in self.api("rules")["groups"]
                for r in group["rules"]]

    def scraped(self):
        """All pages were read, twice more from now on."""
        def last():
            return {t["labels"]["job"]: (t["health"], t["lastScrape"],
                                         t["lastError"])
                    for t in self.api("targets")["activeTargets"]}

        for _ in range(2):
            before = self.wait(last, "pages are known")
            self.wait(lambda: all(now[1] != before[job][1]
                                  for job, now in last().items()),
                      "pages are read")

        assert all(health == "up" for health, _, _ in last().values()), last()


def promtool(*words, **more):
    return subprocess.run([PROMTOOL, *words], capture_output=True, text=True,
                          **more)


def boards():
    """{name: dashboard}"""
    out = {}

    for name in sorted(os.listdir(BOARDS)):
        with open(os.path.join(BOARDS, name)) as f:
            out[name] = json.load(f)

    return out


def in_place(text):
    """As Grafana asks it."""
    for name, value in GRAFANA.items():
        text = re.sub(r"\$%s\b|\$\{%s\}" % (name, name), value, text)

    return re.sub(r"\$\{?(?!__)[a-z]+\}?", ".*", text)


def panels(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(board):
    """[(title, query)]"""
    return [(panel["title"], in_place(target["expr"]))
            for panel in panels(board) for target in panel.get("targets", [])]


def variables(board):
    """[(metric, label)] of what the variables ask for."""
    return [re.fullmatch(r"label_values\((\w+), (\w+)\)",
                         one["query"]["query"]).groups()
            for one in board["templating"]["list"] if one["type"] == "query"]
