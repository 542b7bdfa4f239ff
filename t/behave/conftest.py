import os
import shutil
import subprocess
import sys
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

pytest.register_assert_rewrite("calls", "costlines", "servers")

import httpd                                            # noqa: E402
import nginx                                            # noqa: E402
from fake.provider import Fake                          # noqa: E402
from pki import pki                                     # noqa: E402,F401

# A server of inference and a model are not for every day: make test-llama.
collect_ignore = [] if os.environ.get("LLAMA_SERVER") else ["test_llama.py"]

# Seconds before an hour ends in which no test begins: quotas, reports and prices
# would see two hours, or days, or months.
EDGE = 60

SERVERS = {"nginx": (nginx.Nginx, nginx.available),
           "httpd": (httpd.Httpd, httpd.available)}


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "only(server, why): runs on this server alone")
    config.addinivalue_line(
        "markers", "quiet: measures time: runs when nothing else does")
    config.addinivalue_line(
        "markers", "memory: looks at resident memory (not under sanitizers)")


def pytest_collection_modifyitems(items):
    if os.environ.get("TG_ASAN"):
        for item in items:
            if item.get_closest_marker("memory"):
                item.add_marker(pytest.mark.skip(reason="sanitized build"))


def pytest_sessionstart(session):
    if not any(available() for _, available in SERVERS.values()):
        pytest.exit("no module is built: run make first", 2)


def pytest_generate_tests(metafunc):
    if "server" not in metafunc.fixturenames:
        return

    names = [n for n, (_, available) in SERVERS.items() if available()]
    only = metafunc.definition.get_closest_marker("only")

    if only:
        names = [n for n in names if n == only.args[0]]

    wanted = os.environ.get("TG_SERVER")
    names = [n for n in names if wanted in (None, "", n)]
    metafunc.parametrize("server", names, indirect=True)


def pytest_runtest_setup():
    left = 3600 - time.time() % 3600

    if left < EDGE:
        time.sleep(left + 0.1)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()

    if report.when == "call":
        item.failed_call = report.failed


@pytest.fixture
def server(request):
    """Not started; server.start(site) does it."""
    made = SERVERS[request.param][0]()
    yield made

    made.finish(getattr(request.node, "failed_call", False))


@pytest.fixture
def fake():
    with Fake() as made:
        yield made
        assert not made.malformed, made.malformed


@pytest.fixture
def fake2():
    with Fake() as made:
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """(certificate, key) of localhost."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", cert], check=True, capture_output=True)

    return cert, key


@pytest.fixture
def tls(server, certificate):
    """Certificates in place for a site with tls=True."""
    for source, name in zip(certificate, ("cert.pem", "key.pem")):
        shutil.copy(source, server.path("etc", name))

    return certificate[0]
