"""make install: what it puts where."""

import re
import subprocess

from servers import root


def test_install_is_complete(tmp_path):
    subprocess.run(["make", "-s", "-C", root(), "install",
                    "DESTDIR=%s" % tmp_path], check=True, capture_output=True)
    done = subprocess.run([tmp_path / "usr/bin/llmctl", "check",
                           tmp_path / "usr/share/tollgate/prices.json"])
    assert done.returncode == 0
    assert list((tmp_path / "usr/lib").rglob("*.so"))
    assert (tmp_path / "usr/share/man/man5/tollgate.5").is_file()
    assert (tmp_path / "usr/share/man/man1/llmctl.1").is_file()
    assert (tmp_path / "etc/nginx/llm_proxy_params").is_file()
    assert (tmp_path / "var/lib/tollgate").is_dir()

    doc = tmp_path / "usr/share/doc/tollgate"

    for page in [doc / "README.md", *(doc / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert "://" in link or (page.parent / link).exists(), link
