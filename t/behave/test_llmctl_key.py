"""llmctl key: one secret printed once, and a file that is never half of one."""

import calendar
import csv
import hashlib
import io
import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
LLMCTL = os.environ.get("TG_LLMCTL",
                        os.path.join(HERE, "..", "..", "build", "llmctl"))

# Kills the process where the file would take its name, or be written.
CRASH = """
#include <signal.h>
#include <unistd.h>
int %s { raise(SIGKILL); return -1; }
"""


def start(*args, **kw):
    return subprocess.Popen([LLMCTL, "key", *map(str, args)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, **kw)


def run(*args, text=None, code=0, **kw):
    done = subprocess.run([LLMCTL, "key", *map(str, args)], input=text,
                          capture_output=True, text=True, timeout=300, **kw)
    assert done.returncode == code, done.stderr

    return done


def new(file, *args):
    """(id, secret) of a new key."""
    made = json.loads(run("new", file, "--json", *args).stdout)

    return made["id"], made["secret"]


def read(file):
    return json.loads(file.read_text())


def sha256(secret):
    return hashlib.sha256(secret.encode()).hexdigest()


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "keys.json"
    made.write_text('{"tollgate_keys": 1, "keys": []}\n')

    return made


def test_new_key_is_printed_once_and_kept_as_a_hash(file):
    done = run("new", file, "--id=ann", "--team", "search", "--model=gpt-*",
               "--tag=cc=42", "--budget", "usd=50/month alert=80%",
               "--rate=tokens=1000/minute", "--expires=2030-01-01T00:00:00Z")
    secret = re.search(r"^secret\s+(\S+)$", done.stdout, re.M).group(1)
    assert re.fullmatch(r"tg_[0-9A-Za-z]{32}", secret)
    assert secret not in file.read_text() + done.stderr
    assert read(file)["keys"] == [{
        "id": "ann", "sha256": sha256(secret), "team": "search",
        "models": ["gpt-*"], "tags": {"cc": "42"},
        "budgets": ["usd=50/month alert=80%"],
        "rates": ["tokens=1000/minute"],
        "expires": "2030-01-01T00:00:00.000Z"}]


def test_secrets_and_ids_differ(file):
    made = [new(file) for _ in range(8)]
    assert len({key for key, _ in made}) == 8
    assert len({secret for _, secret in made}) == 8
    run("check", file)


def test_a_file_that_does_not_exist_is_made_for_its_owner_only(tmp_path):
    file = tmp_path / "fresh.json"
    new(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run("list", tmp_path / "none.json", code=1)
    run("rotate", tmp_path / "none.json", "x", code=1)
    assert not (tmp_path / "none.json").exists()


def test_rotation_keeps_the_id_and_both_secrets_for_the_grace_period(file):
    key, old = new(file, "--team=search")
    rotated = json.loads(run("rotate", file, key, "--grace=2h", "--json")
                         .stdout)
    assert rotated["id"] == key and rotated["secret"] != old
    (record,) = read(file)["keys"]
    assert record["id"] == key and record["team"] == "search"
    assert record["sha256"] == sha256(rotated["secret"])
    assert record["previous"]["sha256"] == sha256(old)
    left = calendar.timegm(time.strptime(
        record["previous"]["expires"][:19], "%Y-%m-%dT%H:%M:%S")) - time.time()
    assert 7100 < left < 7300

    # a third secret would end the first one early
    assert "--force" in run("rotate", file, key, code=1).stderr
    run("rotate", file, key, "--force", "--grace=0")
    assert "previous" not in read(file)["keys"][0]


def test_revoked_key_keeps_its_record(file):
    key, _ = new(file)
    run("rotate", file, key)
    run("revoke", file, key)
    (record,) = read(file)["keys"]
    assert record["disabled"] is True and "previous" not in record
    run("rotate", file, key, code=1)
    assert "no key" in run("revoke", file, "nobody", code=1).stderr
    assert "also that of" in run("new", file, "--id", key, code=1).stderr


def test_list_shows_no_whole_hash_and_no_secret(file):
    key, secret = new(file, "--team=search", "--name=Ann's key")
    run("rotate", file, key)
    other, _ = new(file)
    run("revoke", file, other)
    hashes = re.findall(r"[0-9a-f]{64}", file.read_text())
    assert len(hashes) == 3
    for shown in (run("list", file).stdout, run("list", "--json", file).stdout):
        assert key in shown and "search" in shown and "Ann's key" in shown
        assert "rotating" in shown and "disabled" in shown
        assert secret not in shown
        assert not re.search(r"[0-9a-f]{17}", shown)


def test_import_from_csv(file):
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["id", "secret", "sha256", "team", "name", "models",
                   "budgets", "tag.cc", "disabled"])
    rows.writerow(["a", "sk-0123456789abcdef", "", "search", 'a "b",\nc',
                   "gpt-4o;claude-*", "usd=5/day stop=90%;requests=9/minute",
                   "42", ""])
    rows.writerow(["b", "", sha256("any"), "", "", "", "", "", "true"])
    done = run("import", file, "-", "--format=csv", text=out.getvalue(),
               code=1)
    assert "control character" in done.stderr
    assert read(file)["keys"] == []
    text = out.getvalue().replace(",\nc", ", c")
    run("import", file, "-", "--format=csv", text="\ufeff" + text)
    assert read(file)["keys"] == [
        {"id": "a", "team": "search", "name": 'a "b", c',
         "models": ["gpt-4o", "claude-*"],
         "budgets": ["usd=5/day stop=90%", "requests=9/minute"],
         "tags": {"cc": "42"}, "sha256": sha256("sk-0123456789abcdef")},
        {"id": "b", "sha256": sha256("any"), "disabled": True}]


def test_import_from_json_lines(file, tmp_path):
    source = tmp_path / "keys.jsonl"
    source.write_text('{"id": "a", "secret": "sk-0123456789abcdef"}\n\n'
                      '{"sha256": "%s", "team": "t"}' % sha256("any"))
    run("import", file, source)
    first, second = read(file)["keys"]
    assert first == {"id": "a", "sha256": sha256("sk-0123456789abcdef")}
    assert re.fullmatch(r"key_\w{12}", second["id"])


@pytest.mark.parametrize("text,why", [
    ('{"id": "a", "secret": "canary"}', "fewer than 16"),
    ('{"id": "a"}', "neither a secret"),
    ('{"id": "a", "secret": "canary_canary_canary", "sha256": "x"}', "both"),
    ('{"id": "a", "secret": "canary_canary_canary"', "not a JSON object"),
    ('{"id": "a", "secret": "canary_canary_canary", "teem": "x"}', "teem"),
    ('{"id": "a", "secret": "canary_canary_canary"}\n'
     '{"id": "b", "secret": "canary_canary_canary"}', "also that of"),
    ("", "no keys"),
])
def test_import_is_all_or_nothing_and_quotes_no_secret(file, text, why):
    good = '{"id": "good", "secret": "0123456789abcdef"}\n' if text else ""
    before = file.read_bytes()
    done = run("import", file, "-", text=good + text, code=1)
    assert why in done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", [
    "id,secret\na", "id,sceret\na,b", "id,id\na,b", 'id,secret\n"a,b',
    'id,secret\n"a"x,b', "id,secret\na,b,c", ""])
def test_broken_csv_is_refused(file, text):
    before = file.read_bytes()
    run("import", file, "-", "--format=csv", text=text, code=1)
    assert file.read_bytes() == before


def test_owner_mode_and_link_are_kept(file, tmp_path):
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12346)
    link = tmp_path / "link.json"
    link.symlink_to(file.name)
    new(link)
    assert link.is_symlink()
    st = file.stat()
    assert stat.S_IMODE(st.st_mode) == 0o640
    if os.geteuid() == 0:
        assert (st.st_uid, st.st_gid) == (12345, 12346)
    assert len(read(file)["keys"]) == 1


def test_concurrent_edits_all_arrive(file):
    made = [start("new", file, "--json", "--id=k%d" % i) for i in range(16)]
    secrets = {}
    for process in made:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        secrets[json.loads(out)["id"]] = json.loads(out)["secret"]
    assert {k["id"]: k["sha256"] for k in read(file)["keys"]} \
        == {key: sha256(secret) for key, secret in secrets.items()}


def test_readers_never_see_half_a_file(file):
    for i in range(200):
        new(file, "--id=k%d" % i) if i < 5 else None
    writer = [start("new", file) for _ in range(6)]
    while any(process.poll() is None for process in writer):
        assert len(read(file)["keys"]) >= 5
    for process in writer:
        process.communicate()
    assert len(read(file)["keys"]) == 11


@pytest.mark.parametrize("at", [
    "rename(const char *a, const char *b)", "fsync(int fd)",
    "fchown(int fd, unsigned a, unsigned b)"])
def test_crash_leaves_the_old_file_and_no_lock(file, tmp_path, at):
    new(file, "--id=before")
    before = file.read_bytes()
    source, shim = tmp_path / "crash.c", tmp_path / "crash.so"
    source.write_text(CRASH.replace("#include <unistd.h>\n", "") % at)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, source], check=True)
    done = subprocess.run([LLMCTL, "key", "new", str(file)],
                          capture_output=True, text=True,
                          env={**os.environ, "LD_PRELOAD": str(shim)})
    assert done.returncode == -signal.SIGKILL
    assert "tg_" not in done.stdout         # nothing that does not count
    assert file.read_bytes() == before

    # what it left is in nobody's way
    new(file, "--id=after")
    assert [k["id"] for k in read(file)["keys"]] == ["before", "after"]
    assert sorted(p.name for p in tmp_path.iterdir() if "keys" in p.name) \
        == ["keys.json", "keys.json.lock"]


def test_an_edit_behind_its_back_is_not_overwritten(file, tmp_path):
    source, shim = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text('#include <unistd.h>\n#include <stdlib.h>\n'
                      'int fsync(int fd) { (void) fd; return '
                      'system("echo >> $KEYS"); }\n')
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", shim, source], check=True)
    done = run("new", file, code=1, env={**os.environ, "KEYS": str(file),
                                         "LD_PRELOAD": str(shim)})
    assert "changed meanwhile" in done.stderr and done.stdout == ""
    assert read(file)["keys"] == []
    assert not (tmp_path / "keys.json.new").exists()


@pytest.mark.parametrize("text,why", [
    ("{", "keys.json:1"), ("", "empty"),
    ('{"tollgate_keys": 1,\n"keys": [{"id": "a"}]}', "keys.json:2"),
])
def test_broken_file_is_not_edited(file, text, why):
    file.write_text(text)
    for args in (("new", file), ("list", file), ("check", file)):
        assert why in run(*args, code=1).stderr
    assert file.read_text() == text


def test_change_that_breaks_the_file_is_refused(file):
    file.write_text('{"tollgate_keys": 1, "keys": [], "teams": {"search": {}}}')
    before = file.read_bytes()
    for args in (["--team=serach"], ["--budget=50 dollars"], ["--id=a b"],
                 ["--tag=x"], ["--expires=soon"], ["--name=\udcff"],
                 ["--budget=usd=5/day per=user"]):
        assert run("new", file, *args, code=1).stdout == ""
    assert file.read_bytes() == before


def test_what_llmctl_does_not_know_of_is_kept(file):
    file.write_text(json.dumps({
        "tollgate_keys": 1, "note": "ours", "keys": [],
        "teams": {"search": {"budgets": ["usd=5000/month"], "org": "acme"}},
        "orgs": {"acme": {}}}))
    new(file, "--team=search")
    after = read(file)
    assert after["note"] == "ours" and after["orgs"] == {"acme": {}}
    assert after["teams"]["search"]["budgets"] == ["usd=5000/month"]


def test_secret_that_could_not_be_printed_is_told(file):
    with open("/dev/full", "w") as full:
        done = subprocess.run([LLMCTL, "key", "new", str(file)], stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "rotate" in done.stderr


def test_wrong_use_is_told(file):
    for args in ((), ("frob",), ("new",), ("new", file, "--bogus"),
                 ("rotate", file), ("revoke", file)):
        done = subprocess.run([LLMCTL, "key", *map(str, args)],
                              capture_output=True, text=True)
        assert done.returncode != 0 and "usage" in done.stderr
    assert "llmctl key new" in run("help").stdout
