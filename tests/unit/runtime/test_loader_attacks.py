"""What must not be loaded: each attack alone, on a model that is loaded without it. None may leave anything behind."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from aegis.artifacts.reading import Wanted
from aegis.audit.disk import DiskLog
from aegis.audit.event import Event
from aegis.audit.keys import load_or_create_key
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo
from aegis.report import json_report
from aegis_multimodal_ai_system import descriptors
from tests.doubles.objects import Bucket, denied
from tests.support.runtime.deployments import MODEL, Deployment, contents
from tests.support.signing.signing import NOW, dump, envelope_bundle, message_bundle
from tests.support.signing.verifying import (
    KEYS,
    content_of,
    judged,
    model_artifact,
    model_signature,
    policy,
    release,
    request,
    root_of,
    signed_model,
    verdict_of,
)

CONTENT = content_of(MODEL)
Act = Callable[[Deployment], object]


@dataclass(frozen=True)
class Attack:
    name: str
    act: Act
    code: str
    kept: bool = False
    """The model was loaded once before, and a copy of it is kept."""
    fetched: bool = False
    """Bytes of its files are read before it shows."""
    late: bool = False
    """It shows when everything is verified: what was kept may stay."""


def replace(name: str, content: bytes) -> Act:
    return lambda it: it.bucket.put({f"m/{name}": content})


def remove(name: str) -> Act:
    return lambda it: it.bucket.objects.pop(f"m/{name}")


def rename(old: str, new: str) -> Act:
    return lambda it: it.bucket.put({f"m/{new}": it.bucket.objects.pop(f"m/{old}")})


def sign_with(key: int) -> Act:
    return lambda it: it.bucket.put(signed_model("m/", MODEL, KEYS[key]))


def rules(**changes: object) -> Act:
    return lambda it: it.write_policy(**changes)


def swap(it: Deployment) -> None:
    """Two files of the same size change places."""
    one, other = "m/weights/a.safetensors", "m/weights/b.safetensors"
    it.bucket.objects[one], it.bucket.objects[other] = it.bucket.objects[other], it.bucket.objects[one]


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def after_listing(it: Deployment) -> None:
    """The store exchanges a file after its signature was read."""
    listed = it.bucket.list

    def lists(prefix: str) -> object:
        infos = listed(prefix)
        it.bucket.objects["m/weights/a.safetensors"] = flipped(MODEL["weights/a.safetensors"], 5000)
        return infos

    it.bucket.list = lists  # type: ignore[assignment, method-assign]


def longer_than_listed(it: Deployment) -> None:
    listed = it.bucket.list

    def lists(prefix: str) -> object:
        infos = listed(prefix)
        it.bucket.objects["m/config.json"] += b"more"
        return infos

    it.bucket.list = lists  # type: ignore[assignment, method-assign]
    original = it.bucket.read

    def reads(info: ObjectInfo, start: int = 0) -> Iterator[bytes | memoryview]:
        return iter([it.bucket.objects[info.key][start:]]) if "config" in info.key else original(info, start)

    it.bucket.read = reads  # type: ignore[method-assign]


def fault(code: str) -> Act:
    error = CouldNotDecide(code, "the store is ill", expected="health", remedy="wait")
    return lambda it: it.bucket.faults.update({"m/weights/a.safetensors": error})


def break_store(it: Deployment) -> None:
    it.bucket.fault = denied()


def quarantine(it: Deployment) -> None:
    it.runtime.states.quarantine("model", "looks odd")


def revoke(it: Deployment) -> None:
    it.runtime.states.revoke("model", "poisoned")


def other_statement(it: Deployment) -> None:
    """A signature of the right key over something else."""
    it.bucket.put({"m/model.sig": dump(envelope_bundle(KEYS[0], b'{"_type":"https://in-toto.io/Statement/v1"}'))})


def old_release(it: Deployment) -> None:
    """A newer version was loaded; the store goes back to the older one, whose signatures all hold."""
    it.model = {"release": {}}
    it.write_policy()
    new = {**MODEL, "config.json": b'{"layers": 4}\n'}
    it.bucket.put(signed_model("m/", new))
    it.bucket.put({"m/release.sigstore.json": release(content_of(new), name="model", version="2.0.0")})
    it.load().close()
    it.bucket.put(signed_model("m/", MODEL))
    it.bucket.put({"m/release.sigstore.json": release(CONTENT, name="model", version="1.9.9")})


def same_version_other_bytes(it: Deployment) -> None:
    it.model = {"release": {}}
    it.write_policy()
    it.bucket.put({"m/release.sigstore.json": release(CONTENT, name="model", version="2.0.0")})
    it.load().close()
    new = {**MODEL, "config.json": b'{"layers": 4}\n'}
    it.bucket.put(signed_model("m/", new))
    it.bucket.put({"m/release.sigstore.json": release(content_of(new), name="model", version="2.0.0")})


def released_as(**changes: object) -> Act:
    def act(it: Deployment) -> None:
        it.model = {"release": {}}
        it.write_policy()
        it.bucket.put({"m/release.sigstore.json": release(CONTENT, **{"name": "model", **changes})})  # type: ignore[arg-type]

    return act


def locked_to_newer(it: Deployment) -> None:
    released_as(version="1.0.0")(it)
    entry = f'{{"version": "1.5.0", "sha256": "{"0" * 64}", "statement": "{"0" * 64}", "accepted": "2026-01-01"}}'
    (it.config / "aegis.lock").write_text(f'{{"version": 1, "artifacts": {{"model": {entry}}}}}')


def link_key_out(it: Deployment) -> None:
    """The key leads to another's, outside of the policy's folder."""
    (it.folder / "evil.pub").write_bytes((it.config / "keys/1.pub").read_bytes())
    (it.config / "keys/0.pub").unlink()
    (it.config / "keys/0.pub").symlink_to(it.folder / "evil.pub")


def link_keys_folder_out(it: Deployment) -> None:
    (it.config / "keys").rename(it.folder / "elsewhere")
    (it.config / "keys").symlink_to(it.folder / "elsewhere")


def key_is_pipe(it: Deployment) -> None:
    (it.config / "keys/0.pub").unlink()
    os.mkfifo(it.config / "keys/0.pub")


def named_key(path: str) -> Act:
    def act(it: Deployment) -> None:
        it.model = {"signers": [{"key": path}]}
        it.write_policy()

    return act


def no_policy(it: Deployment) -> None:
    (it.config / "aegis.yml").unlink()


def policy_text(text: str) -> Act:
    return lambda it: (it.config / "aegis.yml").write_text(text)


def audit_down(*actions: str) -> Act:
    def act(it: Deployment) -> None:
        it.log.broken = frozenset(actions)

    return act


def log_crashes(it: Deployment) -> None:
    it.log.broken = frozenset({"model.load.requested"})
    it.log.error = RuntimeError("a defect of the log")


def states_down(it: Deployment) -> None:
    it.runtime.database.close()
    (it.data / "aegis.db").unlink()
    (it.data / "aegis.db").mkdir()


def quarantined_meanwhile(it: Deployment) -> None:
    """Somebody takes it out of service while it is being fetched."""
    it.log.on_append = lambda event: quarantine(it) if event.action == "model.load.verified" else None


def states_down_at_the_end(it: Deployment) -> None:
    it.log.on_append = lambda event: states_down(it) if event.action == "model.load.verified" else None


def little_memory(it: Deployment) -> None:
    it.memory = lambda: 1 << 20


DEMANDED = {"verdict": {"source": "s3://staging/v/", "signers": [{"key": "keys/3.pub"}], "max-age-days": 7}}


def verdict(*, key: int = 3, files: Mapping[str, bytes] = MODEL, days: int = 0) -> Act:
    """The policy demands the gate's verdict, and there is this one."""

    def act(it: Deployment) -> None:
        bucket = Bucket()
        bucket.put(signed_model("m/", files))
        asked = policy(model_artifact())
        ago = NOW - timedelta(days=days)
        document = json_report.render(verdict_of(judged(asked, bucket, now=ago), request(asked)))
        it.bucket.put({"v/verdict.json": document})
        it.bucket.put({"v/verdict.json.sigstore.json": dump(message_bundle(KEYS[key], document))})
        it.write_policy(load=DEMANDED)

    return act


ATTACKS = [
    # --- what is in the store ---
    Attack("unsigned", remove("model.sig"), "verify.unsigned"),
    Attack("signed by a stranger", sign_with(1), "verify.wrong_key"),
    Attack("signature of another thing", other_statement, "verify.statement_malformed"),
    Attack("signature is noise", replace("model.sig", b"\x00\xff" * 40), "verify.bundle_malformed"),
    Attack("signature is empty", replace("model.sig", b""), "verify.bundle_malformed"),
    *(
        Attack(
            f"bit flipped {where}",
            replace("weights/a.safetensors", flipped(MODEL["weights/a.safetensors"], place)),
            "verify.file_differs",
            fetched=True,
        )
        for where, place in (
            ("in the first byte", 0),
            ("in the header", 20),
            ("in the middle", 12_000),
            ("in the last byte", -1 % len(MODEL["weights/a.safetensors"])),
        )
    ),
    Attack(
        "file cut short",
        replace("weights/a.safetensors", MODEL["weights/a.safetensors"][:-1]),
        "verify.file_differs",
        fetched=True,
    ),
    Attack(
        "file with more at its end",
        replace("weights/a.safetensors", MODEL["weights/a.safetensors"] + b"x"),
        "verify.file_differs",
        fetched=True,
    ),
    Attack("file emptied", replace("config.json", b""), "verify.file_differs", fetched=True),
    Attack("files swapped", swap, "verify.file_differs", fetched=True),
    Attack("file exchanged after listing", after_listing, "verify.file_differs", fetched=True),
    Attack("store sends more than it listed", longer_than_listed, "verify.store_wrong_size", fetched=True),
    Attack("file removed", remove("config.json"), "verify.file_missing"),
    Attack("file added", replace("weights/c.safetensors", b"x"), "verify.file_unsigned"),
    Attack("code added", replace("modeling.py", b"import os"), "verify.file_unsigned"),
    Attack("file renamed", rename("config.json", "config2.json"), "verify.file_missing"),
    Attack("file in another case", rename("config.json", "Config.json"), "verify.file_missing"),
    Attack("two names that some systems take for one", replace("CONFIG.JSON", b"{}"), "verify.duplicate_name"),
    Attack("name that leads out", replace("../../etc/cron.d/x", b"x"), "verify.unsafe_name"),
    Attack("name with a backslash", replace("..\\evil", b"x"), "verify.unsafe_name"),
    Attack("name of a device", replace("CON", b"x"), "verify.unsafe_name"),
    Attack("nothing there", lambda it: it.bucket.objects.clear(), "verify.artifact_missing"),
    # --- faults of the store ---
    Attack("store denies", break_store, "verify.store_denied"),
    *(
        Attack(f"store {code.partition('_')[2]}", fault(code), code, fetched=True)
        for code in (
            "verify.store_cut",
            "verify.store_slow",
            "verify.store_failed",
            "verify.store_changed",
            "verify.store_wrong_range",
            "verify.store_redirected",
            "verify.store_encoded",
        )
    ),
    # --- releases ---
    Attack("rolled back to an older release", old_release, "verify.rollback"),
    Attack("another content under a known version", same_version_other_bytes, "verify.version_reused"),
    Attack("older than the lock", locked_to_newer, "verify.rollback"),
    Attack("released under another name", released_as(name="other"), "verify.release_name"),
    Attack("release out of time", released_as(notAfter="2026-01-01T00:00:00Z"), "verify.release_expired"),
    Attack("release by a stranger", released_as(key=KEYS[1]), "verify.wrong_key"),
    # --- what people decided ---
    Attack("in quarantine", quarantine, "runtime.model_quarantined"),
    Attack("revoked", revoke, "runtime.model_revoked"),
    Attack("content revoked", rules(load={"revoked": [CONTENT]}), "runtime.model_revoked"),
    Attack("root digest revoked", rules(load={"revoked": [root_of(MODEL)]}), "runtime.model_revoked", fetched=True),
    Attack("content revoked after it was kept", rules(load={"revoked": [CONTENT]}), "runtime.model_revoked", kept=True),
    Attack("put in quarantine meanwhile", quarantined_meanwhile, "runtime.model_quarantined", fetched=True, late=True),
    # --- limits ---
    Attack("too many bytes", rules(load={"max-bytes": 1000}), "runtime.model_too_large"),
    Attack("too many files", rules(load={"max-files": 2}), "runtime.too_many_files"),
    Attack("too little memory", little_memory, "runtime.memory_short"),
    # --- formats ---
    Attack(
        "format that the policy does not have",
        rules(load={"formats": ["gguf"]}),
        "runtime.format_not_allowed",
        fetched=True,
    ),
    Attack(
        "format no longer allowed, from the kept copy",
        rules(load={"formats": ["gguf"]}),
        "runtime.format_not_allowed",
        kept=True,
    ),
    # --- the gate's verdict, where the policy demands one ---
    Attack("no verdict", rules(load=DEMANDED), "runtime.verdict_missing", fetched=True),
    Attack("no verdict for a kept copy", rules(load=DEMANDED), "runtime.verdict_missing", kept=True),
    Attack("verdict by a stranger", verdict(key=1), "runtime.verdict_untrusted", fetched=True),
    Attack(
        "verdict on other bytes",
        verdict(files={**MODEL, "config.json": b"{}"}),
        "runtime.verdict_other_artifact",
        fetched=True,
    ),
    Attack("verdict too old", verdict(days=8), "runtime.verdict_too_old", fetched=True),
    # --- the policy ---
    Attack(
        "key of the policy exchanged",
        lambda it: (it.config / "keys/0.pub").write_bytes((it.config / "keys/1.pub").read_bytes()),
        "verify.wrong_key",
    ),
    Attack(
        "key taken out after it was kept",
        lambda it: (it.config / "keys/0.pub").write_bytes((it.config / "keys/1.pub").read_bytes()),
        "verify.wrong_key",
        kept=True,
    ),
    Attack("key is a link that leads out", link_key_out, "runtime.policy_unreadable"),
    Attack("folder of keys is a link that leads out", link_keys_folder_out, "runtime.policy_unreadable"),
    Attack("key is a pipe", key_is_pipe, "runtime.policy_unreadable"),
    Attack("key named with ..", named_key("../evil.pub"), "runtime.policy_unreadable"),
    Attack("key named absolutely", named_key("/etc/hostname"), "runtime.policy_unreadable"),
    Attack("key named with NUL", named_key("keys/0.pub\0"), "runtime.policy_unreadable"),
    Attack("key missing", named_key("keys/none.pub"), "runtime.policy_unreadable"),
    # --- the log, the states ---
    Attack("audit log down before", audit_down("model.load.requested"), "audit.unavailable"),
    Attack("audit log down after", audit_down("model.load.verified"), "audit.unavailable", fetched=True, late=True),
    Attack("audit log down before a kept copy", audit_down("model.load.requested"), "audit.unavailable", kept=True),
    Attack("audit log crashes", log_crashes, "audit.unavailable"),
]


@pytest.fixture
def it(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path).upload()


@pytest.fixture(autouse=True)
def _left_by_others() -> Iterator[None]:
    """What an earlier test of this process has left, and may let go at any moment."""
    LEFT.update(descriptors_open())
    yield
    LEFT.clear()


LEFT: set[str] = set()


def descriptors_open() -> set[str]:
    """Of this test, without those of the database, which stay open."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = entry.readlink().as_posix()
        except OSError:
            continue
        if "memfd:aegis" in target or "/models" in target:
            found.add(f"{entry.name} {target}")
    return found - LEFT


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_it_is_refused_and_everybody_is_told(attack: Attack, it: Deployment) -> None:
    if attack.kept:
        it.load().close()
    attack.act(it)
    it.log.events.clear()
    it.bucket.given.clear()
    kept, before = it.kept(), it.runtime.states.all()

    refused = it.refused()

    assert refused.code == attack.code, refused
    assert not isinstance(refused.cause, ModuleNotFoundError)
    if "audit" in attack.code:
        assert it.log.told[-1:] == [("refused", attack.code)] or "requested" in str(it.log.broken)
    else:
        assert it.log.told[-1] == ("refused", attack.code)
    held = {"runtime.model_quarantined": "quarantined", "runtime.model_revoked": "revoked"}
    if "model.load.requested" in it.log.broken:
        assert it.runtime.states.all() == before, "a state without an entry"
    else:
        assert it.state() in {"unverified", held.get(attack.code), None}
        assert it.state() is not None or attack.code in {"runtime.policy_unreadable", "runtime.model_revoked"}
    assert it.alerts.reasons[-1:] == (
        [attack.code] if attack.code != "runtime.policy_unreadable" else it.alerts.reasons[-1:]
    )
    read = sum(it.bucket.given[f"m/{name}"] for name in MODEL)
    assert bool(read) <= attack.fetched, "bytes were read in vain"
    assert attack.late or set(it.kept()) <= set(kept), "something stayed"
    assert descriptors_open() == set()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_in_files_on_disk_it_is_refused_too(attack: Attack, tmp_path: Path) -> None:
    it = Deployment(tmp_path, handoff="disk").upload()
    if attack.kept:
        it.load().close()
    attack.act(it)
    if attack.code == "runtime.memory_short":
        it.load().close()  # on disk it needs no memory
        return
    assert it.refused().code == attack.code
    assert descriptors_open() == set()


def test_with_the_verdict_that_is_demanded_it_is_loaded(it: Deployment) -> None:
    verdict(days=1)(it)
    it.load().close()


def test_without_an_attack_it_is_loaded(it: Deployment) -> None:
    with it.load() as model:
        assert contents(model) == MODEL
    assert it.log.told == [("requested", None), ("verified", None)]
    assert it.state() == "verified"
    assert it.alerts.sent == []


NAMES = {
    "empty": "", "dot": ".", "dots": "..", "traversal": "../model", "inner traversal": "a..b", "slash": "a/b",
    "backslash": "a\\b", "absolute": "/etc/passwd", "NUL": "model\0", "newline": "model\n", "space": "my model",
    "leading dot": ".model", "leading dash": "-rf", "percent": "%2e%2e", "letter of another script": "m\u043edel",
    "combining mark": "mode\u0301l", "right to left": "model\u202e", "wide": "\uff4dodel", "too long": "a" * 101,
    "very long": "a" * 100_000, "surrogate": "model\udc80", "colon": "C:model", "stream": "model::$DATA",
    "home": "~model", "variable": "$model", "quote": "model'", "bytes": b"model", "none": None,
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_what_is_no_name_is_looked_up_nowhere(name: str, it: Deployment) -> None:
    refused = it.refused(name)
    assert refused.code == "runtime.model_name_invalid"
    assert it.log.told == [("refused", "runtime.model_name_invalid")]
    shown = it.log.events[0].resource.name
    assert shown.isascii()
    assert 1 <= len(shown) <= 100
    assert it.runtime.states.all() == []
    assert not it.models.exists()


@pytest.mark.parametrize("name", ["other", "CON", "NUL.txt", "Model", "model.", "a" * 100])
def test_a_name_that_the_policy_does_not_have(name: str, it: Deployment) -> None:
    assert it.refused(name).code == "runtime.model_unknown"
    assert it.log.told == [("refused", "runtime.model_unknown")]
    # callers choose these names: they fill neither the database nor anybody's pager
    assert it.runtime.states.all() == []
    assert it.alerts.sent == []


POLICIES: dict[str, tuple[Act, str]] = {
    "missing": (no_policy, "runtime.policy_unreadable"),
    "no YAML": (policy_text("{{"), "core.policy_invalid"),
    "empty": (policy_text(""), "core.policy_invalid"),
    "of another gate": (policy_text("version: 1\nscan: {}\n"), "runtime.policy_unreadable"),
    "without artifacts": (policy_text("version: 1\nverify: {}\n"), "verify.policy_incomplete"),
    "that extends another": (
        policy_text(f"version: 1\nextends: {{repository: o/r, commit: {'a' * 40}}}\nverify: {{}}\n"),
        "runtime.policy_unreadable",
    ),
    "without signers": (
        policy_text("version: 1\nverify: {artifacts: [{name: model, kind: model, source: ./m/}]}\n"),
        "verify.policy_incomplete",
    ),
    "with a lock that is none": (lambda it: (it.config / "aegis.lock").write_text("{}"), "verify.lock_invalid"),
    "with a lock that leads out": (
        lambda it: (it.config / "aegis.lock").symlink_to("/etc/hostname"),
        "runtime.policy_unreadable",
    ),
    "with a dangling lock": (lambda it: (it.config / "aegis.lock").symlink_to("nowhere"), "runtime.policy_unreadable"),
}


@pytest.mark.parametrize(("act", "code"), POLICIES.values(), ids=POLICIES.keys())
def test_a_policy_that_cannot_be_used(act: Act, code: str, it: Deployment) -> None:
    it.load().close()
    act(it)
    it.log.events.clear()
    assert it.refused().code == code
    assert it.log.told == [("refused", code)]


def kept_folder(it: Deployment) -> Path:
    return it.models / f"sha256-{CONTENT}"


def writable(path: Path) -> Path:
    for folder in (path, *path.rglob("*")):
        if folder.is_dir():
            folder.chmod(0o700)
    return path


def in_place(it: Deployment) -> None:
    file = writable(kept_folder(it)) / "weights/a.safetensors"
    file.chmod(0o600)
    with file.open("r+b") as opened:
        opened.seek(6000)
        opened.write(b"EVIL")


def in_its_place(make: Callable[[Path], object]) -> Act:
    def act(it: Deployment) -> None:
        file = writable(kept_folder(it)) / "weights/a.safetensors"
        file.unlink()
        make(file)

    return act


def link_to_good(path: Path) -> None:
    good = path.parents[3] / "good"
    good.write_bytes(MODEL["weights/a.safetensors"])
    path.symlink_to(good)


def hard_link(path: Path) -> None:
    good = path.parents[3] / "good"
    good.write_bytes(MODEL["weights/a.safetensors"])
    path.hardlink_to(good)


def bound_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def folder_of(make: Callable[[Deployment, Path], object]) -> Act:
    def act(it: Deployment) -> None:
        folder = writable(kept_folder(it))
        folder.rename(it.folder / "moved")
        make(it, folder)

    return act


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 42)


KEPT: dict[str, Act] = {
    "written into in place": in_place,
    "file replaced": in_its_place(lambda path: path.write_bytes(b"x" * len(MODEL["weights/a.safetensors"]))),
    "file cut": in_its_place(lambda path: path.write_bytes(MODEL["weights/a.safetensors"][:100])),
    "file emptied": in_its_place(lambda path: path.write_bytes(b"")),
    "file grown": in_its_place(lambda path: path.write_bytes(MODEL["weights/a.safetensors"] + b"x")),
    "file of 4 TiB without content": in_its_place(huge),
    "file removed": in_its_place(lambda path: None),
    "file added": lambda it: (writable(kept_folder(it)) / "modeling.py").write_bytes(b"import os"),
    "empty folder added": lambda it: (writable(kept_folder(it)) / "more").mkdir(),
    "file renamed": in_its_place(lambda path: path.with_name("c").write_bytes(MODEL["weights/a.safetensors"])),
    "link": in_its_place(link_to_good),
    "hard link": in_its_place(hard_link),
    "pipe": in_its_place(os.mkfifo),
    "socket": in_its_place(bound_socket),
    "folder in a file's place": in_its_place(lambda path: path.mkdir()),
    "file in a folder's place": folder_of(lambda it, folder: folder.write_bytes(b"x")),
    "link in the folder's place": folder_of(lambda it, folder: folder.symlink_to(it.folder / "moved")),
    "dangling link in the folder's place": folder_of(lambda it, folder: folder.symlink_to("nowhere")),
    "pipe in the folder's place": folder_of(lambda it, folder: os.mkfifo(folder)),
    "empty folder in its place": folder_of(lambda it, folder: folder.mkdir()),
}


@pytest.mark.parametrize("handoff", ["sealed", "disk"])
@pytest.mark.parametrize("act", KEPT.values(), ids=KEPT.keys())
def test_a_kept_copy_that_was_changed_is_not_used(act: Act, handoff: str, tmp_path: Path) -> None:
    it = Deployment(tmp_path, handoff=handoff).upload()
    it.load().close()
    act(it)
    with it.load() as model:
        assert contents(model) == MODEL
    assert it.alerts.reasons == ["runtime.kept_copy_changed"]
    assert it.log.events[-1].details["kept_copy_changed"] is True
    assert it.log.events[-1].details["origin"] == "store"
    with it.load() as model:
        assert contents(model) == MODEL
    assert it.log.events[-1].details["origin"] == "kept"
    assert it.kept() == [f"sha256-{CONTENT}"]


def test_a_changed_copy_is_told_also_where_the_store_is_down(it: Deployment) -> None:
    it.load().close()
    in_place(it)
    it.bucket.faults = {f"m/{name}": denied() for name in MODEL}
    assert it.refused().code == "verify.store_denied"
    assert it.alerts.reasons == ["runtime.kept_copy_changed", "verify.store_denied"]
    assert it.log.events[-1].details["kept_copy_changed"] is True
    assert it.kept() == []


def test_states_that_cannot_be_read_are_a_no(it: Deployment) -> None:
    states_down(it)
    assert it.refused().code == "runtime.states_unavailable"
    assert it.log.told == [("requested", None), ("refused", "runtime.states_unavailable")]
    assert it.alerts.reasons == ["runtime.states_unavailable"]


def test_a_state_that_cannot_be_written_is_a_no(it: Deployment) -> None:
    states_down_at_the_end(it)
    assert it.refused().code == "runtime.states_unavailable"
    assert it.log.told[-1] == ("refused", "runtime.states_unavailable")
    assert descriptors_open() == set()


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), Refused("x.y", "p", expected="e", remedy="r"), OSError(5, "x")]
)
def test_alerts_that_fail_hide_nothing(error: Exception, it: Deployment) -> None:
    it.alerts.error = error
    it.bucket.objects.pop("m/model.sig")
    assert it.refused().code == "verify.unsigned"
    assert it.log.told[-1] == ("refused", "verify.unsigned")
    assert it.state() == "unverified"


def test_a_log_that_fails_at_the_refusal_hides_nothing(it: Deployment) -> None:
    it.log.broken = frozenset({"model.load.refused"})
    it.bucket.objects.pop("m/model.sig")
    assert it.refused().code == "verify.unsigned"
    assert it.state() == "unverified"
    assert it.alerts.reasons == ["verify.unsigned"]


def test_a_defect_is_a_no_without_its_text(it: Deployment) -> None:
    def crash(prefix: str) -> object:
        raise ValueError("a secret")

    it.bucket.list = crash  # type: ignore[assignment, method-assign]
    refused = it.refused()
    assert refused.code == "core.crashed"
    assert "secret" not in str(refused)
    assert it.state() == "unverified"


class PanicException(BaseException):
    """A panic of a library in Rust: no Exception, so that `except Exception` does not stop it."""


def test_a_panic_is_a_no_that_everybody_is_told(it: Deployment) -> None:
    def panic(prefix: str) -> object:
        raise PanicException("a secret")

    it.bucket.list = panic  # type: ignore[assignment, method-assign]
    refused = it.refused()
    assert refused.code == "core.crashed"
    assert "secret" not in str(refused)
    assert it.state() == "unverified"
    assert it.log.told[-1] == ("refused", "core.crashed")
    assert it.alerts.reasons == ["core.crashed"]


def test_a_log_or_alert_that_panics_hides_nothing(it: Deployment) -> None:
    it.log.broken = frozenset({"model.load.refused"})
    it.log.error = it.alerts.error = PanicException("x")  # type: ignore[assignment]
    it.bucket.objects.pop("m/model.sig")
    assert it.refused().code == "verify.unsigned"
    assert it.state() == "unverified"
    it.log.broken = frozenset({"model.load.requested"})
    assert it.refused().code == "audit.unavailable"


@pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_signal_is_no_answer(signal: type[BaseException], it: Deployment) -> None:
    def interrupted(prefix: str) -> object:
        raise signal

    it.bucket.list = interrupted  # type: ignore[assignment, method-assign]
    with pytest.raises(signal):
        it.load()
    assert it.log.told == [("requested", None)]
    assert descriptors_open() == set()


def recorded_on_disk(it: Deployment) -> DiskLog:
    """A real log beside the one that listens."""
    real = DiskLog(it.folder / "audit", "example.com/audit", load_or_create_key(it.folder / "audit.key"))

    def append(event: Event) -> None:
        real.append(event)

    it.log.on_append = append
    return real


IDS = {
    "long": ("x" * 257, "sha256:"),
    "very long": ("x" * 100_000, "sha256:"),
    "surrogate": ("a\udc80", "sha256:"),
    "line": ("a\nb", "sha256:"),
    "token": ("eyJhbGciOi.abcdef.sig", ""),
    "secret": ("password=hunter22", ""),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("given", "begins"), IDS.values(), ids=IDS.keys())
def test_an_id_that_may_not_stand_in_a_log_refuses_no_load(given: str, begins: str, it: Deployment) -> None:
    """Over a real log, which refuses it."""
    real = recorded_on_disk(it)
    it.load(correlation_id=given).close()
    real.close()
    (used,) = {event.correlation_id for event in it.log.events}
    assert used
    assert used.startswith(begins)
    assert used != given
    assert 16 < len(used) <= 256


@pytest.mark.parametrize("name", ["eyJhbGciOi.abcdef.sig", "ghp_" + "a1B2" * 9], ids=["token", "key"])
def test_a_token_in_a_name_s_place_is_recorded_without_it(name: str, it: Deployment) -> None:
    real = recorded_on_disk(it)
    assert it.refused(name).code == "runtime.model_unknown"
    real.close()
    assert it.log.told == [("refused", "runtime.model_unknown")]
    assert name.encode() not in (it.folder / "audit/journal").read_bytes()


def test_a_refusal_counts(it: Deployment) -> None:
    it.bucket.objects.pop("m/model.sig")
    it.refused()
    line = 'aegis_model_verification_failures_total{model="model",reason="verify.unsigned",version="none"} 1.0'
    assert line in it.metric()


def test_what_people_decided_keeps_its_reason(it: Deployment) -> None:
    quarantine(it)
    it.refused()
    state = it.runtime.states.get("model")
    assert state is not None
    assert (state.state, state.reason) == ("quarantined", "looks odd")


def test_an_intent_that_cannot_be_recorded_fetches_nothing(it: Deployment) -> None:
    it.log.broken = frozenset({"model.load.requested"})
    it.refused()
    assert it.bucket.reads == []
    assert not it.models.exists()


def test_a_full_disk_is_seen_before_a_byte_is_read(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 100, 10, 10, 100, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda folder: full)
    assert it.refused().code == "runtime.disk_full"
    assert sum(it.bucket.given[f"m/{name}"] for name in MODEL) == 0
    assert it.kept() == []


@pytest.mark.parametrize("handoff", ["sealed", "disk"])
def test_a_disk_that_fills_up_half_way(handoff: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Deployment(tmp_path, handoff=handoff).upload()
    write, send = os.write, os.sendfile

    def full(file: int) -> bool:
        return "/models/" in str(Path(f"/proc/self/fd/{file}").readlink())

    def writes(file: int, data: bytes) -> int:
        if full(file):
            raise OSError(28, "No space left on device")
        return write(file, data)

    def sends(file: int, source: int, offset: int, count: int) -> int:
        if full(file):
            raise OSError(28, "No space left on device")
        return send(file, source, offset, count)

    monkeypatch.setattr(os, "write", writes)
    monkeypatch.setattr(os, "sendfile", sends)
    assert it.refused().code == "verify.disk_failed"
    assert it.kept() == []
    assert descriptors_open() == set()


def test_memory_that_fills_up_half_way(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def fails(file: int, data: bytes) -> int:
        if "memfd:aegis" in str(Path(f"/proc/self/fd/{file}").readlink()):
            raise OSError(12, "Cannot allocate memory")
        return write(file, data)

    monkeypatch.setattr(os, "write", fails)
    refused = it.refused()
    assert refused.code == "runtime.memory_short"
    assert "AEGIS_HANDOFF" in refused.remedy
    assert it.kept() == []
    assert descriptors_open() == set()


def test_a_kernel_that_only_says_that_it_seals(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    control = fcntl.fcntl

    def seals_nothing(file: int, command: int, argument: int = 0) -> int:
        return 0 if command == fcntl.F_ADD_SEALS else control(file, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", seals_nothing)
    refused = it.refused()
    assert refused.code == "runtime.handoff_failed"
    assert "AEGIS_HANDOFF" in refused.remedy
    assert descriptors_open() == set()


def test_what_is_refused_is_not_kept_on(it: Deployment) -> None:
    it.load().close()
    it.write_policy(load={"formats": ["gguf"]})
    assert it.refused().code == "runtime.format_not_allowed"
    assert it.kept() == []


@pytest.mark.parametrize("size", [5, 7], ids=["longer", "shorter"])
def test_a_file_of_another_size_than_was_looked_at(size: int, tmp_path: Path) -> None:
    """Say one that grows on disk while it is hashed: what came behind was not looked at."""
    (tmp_path / "file").write_bytes(b"123456")
    wanted = Wanted(Bucket(), ObjectInfo("file", size), frozenset({"sha256"}))
    with (tmp_path / "file").open("rb") as file, pytest.raises(Refused) as refused:
        descriptors.digests(file.fileno(), wanted)
    assert refused.value.code == "verify.file_changed"


def test_too_few_descriptors_are_seen_before_a_byte_is_read(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (20, 20))
    refused = it.refused()
    assert refused.code == "runtime.too_many_open_files"
    assert "ulimit" in refused.remedy
    assert sum(it.bucket.given[f"m/{name}"] for name in MODEL) == 0


def test_descriptors_that_run_out_half_way(it: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(name: str, flags: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", none_left)
    assert it.refused().code == "runtime.too_many_open_files"
    assert it.kept() == []


def test_a_load_that_learned_no_digest_forgets_none(it: Deployment) -> None:
    it.bucket.put({"m/config.json": b'{"layers": 9}\n'})
    it.refused()
    state = it.runtime.states.get("model")
    assert state is not None
    assert state.digest == CONTENT
    it.bucket.objects.pop("m/model.sig")
    it.refused()
    state = it.runtime.states.get("model")
    assert state is not None
    assert (state.digest, state.reason) == (CONTENT, "verify.unsigned")


NEWER = "cd" * 32


def newer_meanwhile(it: Deployment, version: str = "2.0.0") -> None:
    """Another process loads this release."""
    it.process().states.mark_verified("model", NEWER, version, "keys/0.pub")


@pytest.mark.parametrize(
    ("version", "code"), [("2.0.0", "verify.rollback"), ("1.0.0", "verify.version_reused")], ids=["older", "reused"]
)
def test_a_newer_release_that_another_process_loads_meanwhile(version: str, code: str, it: Deployment) -> None:
    released_as(version="1.0.0")(it)
    it.log.on_append = lambda event: newer_meanwhile(it, version) if event.action == "model.load.verified" else None
    assert it.refused().code == code
    state = it.runtime.states.get("model")
    assert state is not None
    assert (state.state, state.reason) == ("unverified", code)
    assert (state.floor_version, state.floor_digest) == (version, NEWER)
    assert descriptors_open() == set()


def test_a_newer_release_that_the_process_loaded_which_was_waited_for(
    it: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    released_as(version="1.0.0")(it)

    @contextmanager
    def waits(folder: Path, name: str) -> Iterator[None]:
        newer_meanwhile(it)
        yield

    monkeypatch.setattr("aegis_multimodal_ai_system.loading.alone", waits)
    assert it.refused().code == "verify.rollback"
    assert sum(it.bucket.given[f"m/{name}"] for name in MODEL) == 0


def test_signing_again_does_not_bring_back_what_was_revoked(it: Deployment) -> None:
    it.write_policy(load={"revoked": [CONTENT]})
    it.bucket.put({"m/model.sig": model_signature(MODEL)})
    assert it.refused().code == "runtime.model_revoked"
