"""A certificate authority, and providers behind TLS with what it signed."""

import contextlib
import ssl
import subprocess

import pytest

from fake.provider import Fake


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def key_pair(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-out", path)

    return path


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """A folder: ca.pem, and <name>.pem with <name>.key."""
    path = tmp_path_factory.mktemp("pki")
    path.chmod(0o755)
    ca = ("-CA", path / "ca.pem", "-CAkey", key_pair(path / "ca.key"))
    openssl("req", "-x509", "-new", "-key", path / "ca.key", "-days", "2",
            "-subj", "/CN=Test authority", "-out", path / "ca.pem")

    for name, names, signer in (
            ("good", "DNS:api.openai.com,DNS:api.anthropic.com,"
             "DNS:generativelanguage.googleapis.com,"
             "DNS:unit.openai.azure.com,DNS:localhost,IP:127.0.0.1", ca),
            ("other", "DNS:other.test", ca),
            ("self", "DNS:api.openai.com,DNS:localhost",
             ("-signkey", path / "self.key"))):
        csr, ext = path / (name + ".csr"), path / (name + ".ext")
        ext.write_text("subjectAltName=%s\n" % names)
        openssl("req", "-new", "-key", key_pair(path / (name + ".key")),
                "-subj", "/CN=" + name, "-out", csr)
        openssl("x509", "-req", "-in", csr, *signer, "-days", "2",
                "-set_serial", str(len(name)), "-extfile", ext,
                "-out", path / (name + ".pem"))

    return path


@contextlib.contextmanager
def secure(pki, name="good"):
    """A provider that has this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / (name + ".pem"), pki / (name + ".key"))

    with Fake(tls=context) as made:
        yield made
