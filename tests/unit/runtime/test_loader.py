"""The loader as its callers see it: order, one download for many, what is kept, and for how long."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegis.audit.event import Event
from aegis.core.actor import Actor
from aegis.core.ports.objects import ObjectInfo
from aegis.storage.content_store import ContentStore
from aegis_multimodal_ai_system.fetched import _SPARE
from aegis_multimodal_ai_system.orchestrator_verify_loader import (
    ModelRefused,
    VerifiedModel,
    fetch_and_prepare_model_for_load,
)
from aegis_multimodal_ai_system.runtime import Runtime
from tests.support.processes.forked import forked
from tests.support.runtime.deployments import MODEL, Deployment, contents, safetensors
from tests.support.signing.signing import dump, message_bundle
from tests.support.signing.verifying import KEYS, content_of, release, root_of, signed_file, signed_model

CONTENT = content_of(MODEL)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def it(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path).upload()


def test_a_model_says_what_it_is(it: Deployment) -> None:
    with it.load() as model:
        assert (model.name, model.digest, model.version, model.signer) == ("model", CONTENT, None, "keys/0.pub")
        assert model.result.sha256 == root_of(MODEL)
        assert dict(model.formats) == {"weights/a.safetensors": "safetensors", "weights/b.safetensors": "safetensors"}
        assert {name: file.size for name, file in model.files.items()} == {n: len(c) for n, c in MODEL.items()}
        assert model.sealed


def test_the_log_says_who_asked_for_what(it: Deployment) -> None:
    who = Actor(id="x|7", kind="person", display="Ann", issuer="x", subject="7")
    it.load(actor=who, correlation_id="request-1").close()
    requested, verified = it.log.events
    assert [event.actor for event in it.log.events] == [who, who]
    assert {event.correlation_id for event in it.log.events} == {"request-1"}
    assert (requested.outcome, requested.resource.sha256) == ("unknown", None)
    assert (verified.outcome, verified.resource.sha256) == ("success", CONTENT)
    assert verified.details["origin"] == "store"
    assert verified.details["bytes"] == sum(map(len, MODEL.values()))


def test_by_default_the_process_asks_for_itself(it: Deployment) -> None:
    it.load().close()
    it.load().close()
    assert {event.actor.id for event in it.log.events} == {"process:aegis"}
    assert len({event.correlation_id for event in it.log.events}) == 2


def test_the_intent_is_recorded_before_anything_is_asked(it: Deployment) -> None:
    asked: list[int] = []
    it.log.on_append = lambda event: asked.append(len(it.bucket.reads))
    it.load().close()
    assert asked[0] == 0
    assert asked[1] > 0


def test_what_is_kept_is_not_fetched_again(it: Deployment) -> None:
    it.load().close()
    it.bucket.given.clear()
    with it.load() as model:
        assert contents(model) == MODEL
    assert set(it.bucket.given) == {"m/model.sig"}
    assert it.log.events[-1].details["origin"] == "kept"


def test_sealed_memory_cannot_be_changed(it: Deployment) -> None:
    with it.load() as model:
        file = model.files["weights/a.safetensors"]
        seals = fcntl.fcntl(file.fileno(), fcntl.F_GET_SEALS)
        for seal in (fcntl.F_SEAL_WRITE, fcntl.F_SEAL_GROW, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_SEAL):
            assert seals & seal
        with pytest.raises(OSError, match=r"not permitted|Bad file descriptor"):
            os.pwrite(file.fileno(), b"x", 0)
        again = os.open(file.path, os.O_RDWR)
        try:
            for act in (
                lambda: os.pwrite(again, b"x", 0),
                lambda: os.ftruncate(again, 0),
                lambda: os.ftruncate(again, 1 << 20),
                lambda: mmap.mmap(again, 100, prot=mmap.PROT_READ | mmap.PROT_WRITE),
            ):
                with pytest.raises(OSError, match="not permitted"):
                    act()
        finally:
            os.close(again)
        assert contents(model) == MODEL


def test_safetensors_maps_the_path(it: Deployment) -> None:
    from safetensors import safe_open

    with it.load() as model, safe_open(model.files["weights/a.safetensors"].path, "np") as opened:
        assert bytes(opened.get_tensor("w")) == bytes(range(256)) * 100


def test_each_opening_has_a_place_of_its_own(it: Deployment) -> None:
    with it.load() as model:
        file = model.files["weights/a.safetensors"]
        with file.open() as one, file.open() as other:
            one.read(100)
            assert other.read() == MODEL["weights/a.safetensors"]


@pytest.mark.parametrize("handoff", ["sealed", "disk"])
def test_a_closed_model_gives_nothing(handoff: str, tmp_path: Path) -> None:
    model = Deployment(tmp_path, handoff=handoff).upload().load()
    file = model.files["config.json"]
    descriptor = file.fileno()
    model.close()
    model.close()
    with pytest.raises(ValueError, match="closed"):
        file.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_model_that_is_dropped_gives_its_memory_back(it: Deployment) -> None:
    model = it.load()
    descriptor = model.files["config.json"].fileno()
    del model
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_on_disk_the_files_are_read_only_and_where_they_are_kept(tmp_path: Path) -> None:
    it = Deployment(tmp_path, handoff="disk").upload()
    for _ in range(2):
        with it.load() as model:
            assert contents(model) == MODEL
            assert not model.sealed
            file = model.files["config.json"]
            assert Path(file.path).readlink() == it.models / f"sha256-{CONTENT}/config.json"
            assert fcntl.fcntl(file.fileno(), fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY


def test_what_is_too_large_to_be_kept_is_given_out_all_the_same(tmp_path: Path) -> None:
    for handoff in ("sealed", "disk"):
        folder = tmp_path / handoff
        folder.mkdir()
        it = Deployment(folder, handoff=handoff, kept_bytes=100).upload()
        with it.load() as model:
            assert it.kept() == []
            assert contents(model) == MODEL


def single(tmp_path: Path, key: str = "keys/0.pub") -> Deployment:
    source = {"kind": "file", "source": "s3://staging/w.safetensors", "signers": [{"key": key}]}
    return Deployment(tmp_path, model=source)


WEIGHTS = safetensors(b"x" * 100)


@pytest.mark.parametrize("handoff", ["sealed", "disk"])
def test_a_single_file_is_a_model_too_and_is_kept(handoff: str, tmp_path: Path) -> None:
    it = single(tmp_path)
    it.handoff = handoff
    it.runtime = it.process()
    it.bucket.put(signed_file("w.safetensors", WEIGHTS))
    for origin in ("store", "kept"):
        it.bucket.given.clear()
        with it.load() as model:
            assert contents(model) == {"w.safetensors": WEIGHTS}
        assert it.log.events[-1].details["origin"] == origin
    assert set(it.bucket.given) == {"w.safetensors.sigstore.json"}
    other = WEIGHTS[:-1] + b"y"
    it.bucket.put(signed_file("w.safetensors", other))
    with it.load() as model:
        assert contents(model) == {"w.safetensors": other}
    it.bucket.put({"w.safetensors": WEIGHTS})
    with it.load() as model:
        assert contents(model) == {"w.safetensors": other}, "what was signed"
    assert it.alerts.sent == []


def test_a_single_file_whose_signature_says_no_digest(tmp_path: Path) -> None:
    it = single(tmp_path)
    bundle = message_bundle(KEYS[0], WEIGHTS)
    del bundle["messageSignature"]["messageDigest"]
    it.bucket.put({"w.safetensors": WEIGHTS, "w.safetensors.sigstore.json": dump(bundle)})
    for _ in range(2):
        with it.load() as model:
            assert contents(model) == {"w.safetensors": WEIGHTS}
        assert it.log.events[-1].details["origin"] == "store"
    it.bucket.put({"w.safetensors": WEIGHTS[:-1] + b"y"})
    assert it.refused().code == "verify.wrong_signature"


def test_a_digest_that_is_not_signed_finds_nothing(tmp_path: Path) -> None:
    """Who can write to the store names a file that is kept: neither is it removed, nor does anybody cry wolf."""
    it = single(tmp_path)
    it.bucket.put(signed_file("w.safetensors", WEIGHTS))
    it.load().close()
    kept = it.kept()
    bundle = message_bundle(KEYS[1], WEIGHTS)
    it.bucket.put({"w.safetensors.sigstore.json": dump(bundle)})
    assert it.refused().code in {"verify.wrong_signature", "verify.wrong_key"}
    assert it.kept() == kept
    assert it.alerts.reasons == [it.log.events[-1].reason]


def test_a_kept_file_that_was_changed_is_not_used(tmp_path: Path) -> None:
    it = single(tmp_path)
    it.bucket.put(signed_file("w.safetensors", WEIGHTS))
    it.load().close()
    (kept,) = it.models.glob("sha256-*/w.safetensors")
    kept.chmod(0o600)
    kept.write_bytes(b"y" * len(WEIGHTS))
    with it.load() as model:
        assert contents(model) == {"w.safetensors": WEIGHTS}
    assert it.alerts.reasons == ["runtime.kept_copy_changed"]


def test_one_content_under_two_names_is_kept_twice(tmp_path: Path) -> None:
    it = single(tmp_path)
    names = ("a", "b")
    for name in names:
        it.bucket.put(signed_file(f"{name}.safetensors", WEIGHTS))
    it.write_policy(
        artifacts=[
            {
                "name": name,
                "kind": "file",
                "source": f"s3://staging/{name}.safetensors",
                "signers": [{"key": "keys/0.pub"}],
            }
            for name in names
        ]
    )
    for origin in ("store", "kept"):
        for name in names:
            with it.load(name) as model:
                assert contents(model) == {f"{name}.safetensors": WEIGHTS}
            assert it.log.events[-1].details["origin"] == origin
    assert len(it.kept()) == 2
    assert it.alerts.sent == []


def test_a_single_file_is_revoked_before_it_is_read(tmp_path: Path) -> None:
    it = single(tmp_path)
    it.bucket.put(signed_file("w.safetensors", WEIGHTS))
    it.write_policy(load={"revoked": [hashlib.sha256(WEIGHTS).hexdigest()]})
    assert it.refused().code == "runtime.model_revoked"
    assert it.bucket.given["w.safetensors"] == 0


def test_a_sharded_manifest(tmp_path: Path) -> None:
    it = Deployment(tmp_path).upload(shard_size=1000)
    for _ in range(2):
        with it.load() as model:
            assert contents(model) == MODEL


def test_a_newer_release_moves_the_floor(tmp_path: Path) -> None:
    it = Deployment(tmp_path, model={"release": {}})
    for version in ("1.0.0", "1.1.0"):
        files = {**MODEL, "config.json": version.encode()}
        it.bucket.put(signed_model("m/", files))
        it.bucket.put({"m/release.sigstore.json": release(content_of(files), name="model", version=version)})
        with it.load() as model:
            assert model.version == version
    state = it.runtime.states.get("model")
    assert state is not None
    assert state.floor_version == "1.1.0"


def test_a_refusal_does_not_lower_the_floor(tmp_path: Path) -> None:
    it = Deployment(tmp_path, model={"release": {}}).upload()
    it.bucket.put({"m/release.sigstore.json": release(CONTENT, name="model", version="2.0.0")})
    it.load().close()
    signature = it.bucket.objects.pop("m/model.sig")
    it.refused()
    it.bucket.put({"m/model.sig": signature})
    it.bucket.put({"m/release.sigstore.json": release(CONTENT, name="model", version="1.0.0")})
    assert it.refused().code == "verify.rollback"


def test_what_was_refused_is_loaded_once_it_is_right(it: Deployment) -> None:
    good = it.bucket.objects.pop("m/model.sig")
    it.refused()
    it.bucket.put({"m/model.sig": good})
    it.load().close()
    assert it.state() == "verified"


def test_released_from_quarantine_it_is_verified_anew(it: Deployment) -> None:
    it.runtime.states.quarantine("model", "odd")
    it.refused()
    it.runtime.states.release("model")
    assert it.state() == "unverified"
    it.load().close()
    assert it.state() == "verified"


def test_a_changed_policy_counts_at_once(it: Deployment) -> None:
    it.load().close()
    it.write_policy(load={"revoked": [CONTENT]})
    assert it.refused().code == "runtime.model_revoked"


def test_keys_behind_the_links_of_a_config_map(it: Deployment) -> None:
    """Kubernetes mounts `aegis.yml -> ..data/aegis.yml`, `..data -> ..2026_01`: links that stay in the folder."""
    real = it.config / "..2026_01"
    real.mkdir()
    for name in ("aegis.yml", "keys"):
        (it.config / name).rename(real / name)
        (it.config / name).symlink_to(f"..data/{name}")
    (it.config / "..data").symlink_to("..2026_01")
    it.load().close()


# --- many callers -----------------------------------------------------------------------------------------------------


class Gate:
    """Holds readers of some objects until it is opened."""

    def __init__(self, it: Deployment, *keys: str) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        original = it.bucket.read

        def read(info: ObjectInfo, start: int = 0) -> object:
            if info.key in keys:
                self.reached.set()
                assert self.go.wait(60)
            return original(info, start)

        it.bucket.read = read  # type: ignore[assignment, method-assign]


def in_threads(it: Deployment, count: int, gate: Gate) -> list[VerifiedModel | ModelRefused]:
    """The first leads; the others come while it fetches."""
    results: list[VerifiedModel | ModelRefused] = []
    asked = threading.Barrier(count)

    def together(event: Event) -> None:
        if event.action == "model.load.requested":
            asked.wait(60)

    it.log.on_append = together

    def load() -> None:
        try:
            results.append(it.load())
        except ModelRefused as refused:
            results.append(refused)

    threads = [threading.Thread(target=load) for _ in range(count)]
    for thread in threads:
        thread.start()
    assert gate.reached.wait(60)
    flights = it.runtime.flights
    waited = threading.Event()
    while sum(flight.followers for flight in list(flights._flights.values())) < count - 1:
        waited.wait(0.01)
    gate.go.set()
    for thread in threads:
        thread.join(60)
    return results


def test_one_download_serves_all_who_ask_meanwhile(it: Deployment) -> None:
    results = in_threads(it, 6, Gate(it, "m/config.json"))
    models = [each for each in results if isinstance(each, VerifiedModel)]
    assert len(models) == 6
    assert all(it.bucket.given[f"m/{name}"] == len(content) for name, content in MODEL.items())
    descriptors = [file.fileno() for model in models for file in model.files.values()]
    assert len(set(descriptors)) == len(descriptors), "each has its own"
    for model in models[:-1]:
        model.close()
    assert contents(models[-1]) == MODEL
    models[-1].close()
    assert [action for action, _ in it.log.told].count("verified") == 6
    assert sorted(str(e.details["origin"]) for e in it.log.events if e.action == "model.load.verified") == [
        *["shared"] * 5,
        "store",
    ]


def test_a_download_that_fails_fails_for_all(it: Deployment) -> None:
    gate = Gate(it, "m/config.json")
    it.bucket.put({"m/config.json": b'{"layers": 9}\n'})
    results = in_threads(it, 4, gate)
    assert [getattr(each, "code", None) for each in results] == ["verify.file_differs"] * 4
    assert [reason for _, reason in it.log.told].count("verify.file_differs") == 4
    assert it.kept() == []
    state = it.runtime.states.get("model")
    assert state is not None
    assert state.digest == CONTENT, "the followers, who saw no manifest, leave what the first one wrote"


def test_who_asks_by_another_policy_does_not_share(it: Deployment) -> None:
    """The policy is tightened while an earlier caller still fetches."""
    gate = Gate(it, "m/config.json")
    first: list[VerifiedModel] = []
    thread = threading.Thread(target=lambda: first.append(it.load()))
    thread.start()
    assert gate.reached.wait(60)
    it.write_policy(load={"formats": ["gguf"]})
    second: list[ModelRefused] = []
    other = threading.Thread(target=lambda: second.append(it.refused()))
    other.start()
    gate.go.set()
    thread.join(60)
    other.join(60)
    assert second[0].code == "runtime.format_not_allowed"
    first[0].close()


def test_who_asks_by_another_key_does_not_share(it: Deployment) -> None:
    """The policy is the same, and the key's file is exchanged while an earlier caller still fetches."""
    gate = Gate(it, "m/config.json")
    first: list[VerifiedModel] = []
    thread = threading.Thread(target=lambda: first.append(it.load()))
    thread.start()
    assert gate.reached.wait(60)
    another = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = another.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (it.config / "keys/0.pub").write_bytes(pem)
    second: list[ModelRefused | VerifiedModel] = []

    def load() -> None:
        try:
            second.append(it.load())
        except ModelRefused as refused:
            second.append(refused)

    other = threading.Thread(target=load)
    other.start()
    waited = threading.Event()
    flights = it.runtime.flights
    while other.is_alive() and len(flights._flights) < 2 and not any(f.followers for f in flights._flights.values()):
        waited.wait(0.01)
    gate.go.set()
    thread.join(60)
    other.join(60)
    assert [getattr(each, "code", None) for each in second] == ["verify.wrong_key"]
    first[0].close()


def test_another_process_waits_for_the_one_that_fetches(it: Deployment) -> None:
    """Both have runtimes of their own, as two processes have."""
    gate = Gate(it, "m/config.json")
    other = it.process()
    models: list[VerifiedModel] = []
    first = threading.Thread(target=lambda: models.append(it.load()))
    first.start()
    assert gate.reached.wait(60)
    second = threading.Thread(target=lambda: models.append(fetch_and_prepare_model_for_load("model", runtime=other)))
    second.start()
    gate.go.set()
    first.join(60)
    second.join(60)
    assert [contents(model) == MODEL for model in models] == [True, True]
    assert all(it.bucket.given[f"m/{name}"] == len(content) for name, content in MODEL.items())
    for model in models:
        model.close()


# --- memory for several -----------------------------------------------------------------------------------------------


def sealed() -> dict[int, int]:
    """Memory of ours: the bytes that are written so far, by inode."""
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if "memfd:aegis" in entry.readlink().as_posix():
                about = entry.stat()
                found[about.st_ino] = about.st_size
    return found


@pytest.fixture
def sealed_bytes() -> Callable[[], int]:
    """How many there are of this test; what another one left may go at any moment."""
    before = sealed()
    return lambda: sum(size for inode, size in sealed().items() if inode not in before)


@pytest.mark.parametrize(("room", "second"), [(51_000, False), (53_000, True)], ids=["too little", "enough"])
@pytest.mark.parametrize("kept", [False, True], ids=["fetched", "kept"])
def test_two_models_at_once_do_not_count_on_the_same_memory(
    room: int, second: bool, kept: bool, tmp_path: Path, sealed_bytes: Callable[[], int]
) -> None:
    """Each has about 26 kB. What the first has written is counted as used, and not once more."""
    it = Deployment(tmp_path)
    others(it, "one", "two")
    if kept:
        it.load("two").close()
    it.memory = lambda: _SPARE + room - sealed_bytes()
    gate = Gate(it, "one/config.json")
    models: list[VerifiedModel] = []
    first = threading.Thread(target=lambda: models.append(it.load("one")))
    first.start()
    assert gate.reached.wait(60)
    waited = threading.Event()
    while sealed_bytes() < sum(len(MODEL[name]) for name in MODEL if name != "config.json"):
        waited.wait(0.01)
    try:
        if second:
            it.load("two").close()
        else:
            assert it.refused("two").code == "runtime.memory_short"
            assert it.alerts.reasons == ["runtime.memory_short"]
    finally:
        gate.go.set()
        first.join(60)
    models[0].close()
    it.load("two").close()


def test_memory_that_is_promised_is_not_there_though_nothing_is_written_yet(
    tmp_path: Path, sealed_bytes: Callable[[], int]
) -> None:
    it = Deployment(tmp_path)
    others(it, "one", "two")
    it.memory = lambda: _SPARE + 51_000 - sealed_bytes()
    gate = Gate(it, *(f"one/{name}" for name in MODEL))
    first = threading.Thread(target=lambda: it.load("one").close())
    first.start()
    assert gate.reached.wait(60)
    assert sealed_bytes() == 0
    assert it.refused("two").code == "runtime.memory_short"
    gate.go.set()
    first.join(60)
    it.load("two").close()


# --- what is kept -----------------------------------------------------------------------------------------------------


def others(it: Deployment, *names: str) -> None:
    """Further models in the policy and the bucket, each of about 26 kB."""
    artifacts = []
    for name in names:
        files = {**MODEL, "config.json": name.encode()}
        it.bucket.put(signed_model(f"{name}/", files))
        artifacts.append(
            {"name": name, "kind": "model", "source": f"s3://staging/{name}/", "signers": [{"key": "keys/0.pub"}]}
        )
    it.write_policy(artifacts=artifacts)


def kept_as(name: str) -> str:
    return f"sha256-{content_of({**MODEL, 'config.json': name.encode()})}"


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    it = Deployment(tmp_path, kept_bytes=60_000)
    others(it, "one", "two", "three")
    it.load("one").close()
    it.load("two").close()
    os.utime(it.models / kept_as("one"), (2e9, 2e9))
    it.load("three").close()
    assert it.kept() == sorted([kept_as("one"), kept_as("three")])


def test_using_counts_as_use(tmp_path: Path) -> None:
    it = Deployment(tmp_path, kept_bytes=60_000)
    others(it, "one", "two", "three")
    it.load("one").close()
    it.load("two").close()
    for name in ("one", "two"):
        os.utime(it.models / kept_as(name), (1e9, 1e9))
    it.load("one").close()
    it.load("three").close()
    assert kept_as("one") in it.kept()
    assert kept_as("two") not in it.kept()


def test_what_is_open_stays(tmp_path: Path) -> None:
    it = Deployment(tmp_path, kept_bytes=60_000, handoff="disk")
    others(it, "one", "two", "three", "four")
    one = it.load("one")
    it.load("two").close()
    os.utime(it.models / kept_as("one"), (1e9, 1e9))
    it.load("three").close()
    assert it.kept() == sorted([kept_as("one"), kept_as("three")])
    assert contents(one)["config.json"] == b"one"
    one.close()
    os.utime(it.models / kept_as("one"), (1e9, 1e9))
    it.load("four").close()
    assert kept_as("one") not in it.kept()


HOLD = """
import sys, fcntl, os
folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(folder, fcntl.LOCK_SH)
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_process_has_open_stays(tmp_path: Path) -> None:
    it = Deployment(tmp_path, kept_bytes=60_000)
    others(it, "one", "two", "three")
    it.load("one").close()
    it.load("two").close()
    os.utime(it.models / kept_as("one"), (1e9, 1e9))
    argv = [sys.executable, "-c", HOLD, str(it.models / kept_as("one"))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        it.load("three").close()
        assert it.kept() == sorted([kept_as("one"), kept_as("three")])
        holder.communicate()


def test_a_full_disk_makes_room_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Deployment(tmp_path)
    others(it, "one", "two")
    it.load("one").close()
    it.log.events.clear()

    def statvfs(folder: int) -> os.statvfs_result:
        blocks = 100 if kept_as("one") in it.kept() else 1 << 20
        return os.statvfs_result((4096, 4096, 1 << 21, blocks, blocks, 100, 10, 10, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    it.load("two").close()
    assert it.kept() == [kept_as("two")]


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from tests.support.runtime.deployments import Deployment
it = Deployment(Path(sys.argv[3])).upload()
original = it.bucket.read
def read(info, start=0):
    for chunk in original(info, start):
        yield chunk
        if info.key == "m/weights/a.safetensors" and len(it.kept()) == 1:
            print(it.kept()[0], flush=True)
            sys.stdin.read()
it.bucket.read = read
it.load()
"""


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", KILLED, str(ROOT), str(ROOT / "src"), str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        left = killed.stdout.readline().decode().strip()
        killed.kill()
    assert left.startswith(".staging-")
    it = Deployment(tmp_path).upload()
    assert it.kept() == [left]
    with it.load() as model:
        assert contents(model) == MODEL
    assert it.kept() == [f"sha256-{CONTENT}"]


# --- after a fork -----------------------------------------------------------------------------------------------------


def test_a_child_that_was_forked_during_a_load_is_in_nobody_s_way(tmp_path: Path) -> None:
    """It shares each lock that was held then; the models can be loaded, and their copies removed, all the same."""
    it = Deployment(tmp_path, kept_bytes=60_000, handoff="disk")
    others(it, "one", "two", "three")
    gate = Gate(it, "one/config.json")
    models: list[VerifiedModel] = []
    thread = threading.Thread(target=lambda: models.append(it.load("one")))
    thread.start()
    assert gate.reached.wait(60)
    with forked():
        gate.go.set()
        thread.join(60)
        with forked():
            models[0].close()
            it.load("one").close()
            it.load("two").close()
            os.utime(it.models / kept_as("one"), (1e9, 1e9))
            it.load("three").close()
            assert kept_as("one") not in it.kept()


def test_a_child_loads_though_its_parent_was_loading(it: Deployment) -> None:
    """With connections, counts and locks of its own."""
    gate = Gate(it, "m/config.json")
    thread = threading.Thread(target=lambda: it.load().close())
    thread.start()
    assert gate.reached.wait(60)
    metrics = it.runtime.metrics

    def load() -> bool:
        gate.go.set()  # as a child sees it; the parent's other thread still has the model's lock
        with it.load() as model:
            return contents(model) == MODEL and it.runtime.metrics is not metrics

    with it.runtime._making, it.runtime.flights._lock:
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(0 if load() else 1)
            finally:
                os._exit(2)
    gate.go.set()
    thread.join(60)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_model_that_is_dropped_lets_its_copy_go(tmp_path: Path) -> None:
    it = Deployment(tmp_path, handoff="disk").upload()
    model = it.load()
    del model
    assert ContentStore(it.models).remove(CONTENT)


# --- starting up ------------------------------------------------------------------------------------------------------

HEAVY = (
    "sqlalchemy", "alembic", "psycopg", "starlette", "uvicorn", "cryptography", "obstore", "botocore", "oci",
    "prometheus_client", "sigstore", "safetensors", "numpy", "msgspec", "yaml", "rfc8785",
)  # fmt: skip


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import aegis_multimodal_ai_system.orchestrator_verify_loader\n"
        "print(*sys.modules)"
    )
    argv = [sys.executable, "-I", "-c", code, str(ROOT / "src")]
    modules = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in modules} & set(HEAVY) == set()
    ours = {name for name in modules if name.startswith("aegis")}
    assert ours == {
        "aegis",
        "aegis.core",
        "aegis.core.errors",
        "aegis_multimodal_ai_system",
        "aegis_multimodal_ai_system.orchestrator_verify_loader",
        "aegis_multimodal_ai_system.refusal",
        "aegis_multimodal_ai_system.verified_model",
    }


def test_alerts_that_do_not_arrive_are_counted(it: Deployment) -> None:
    """Of a runtime as it is made from settings alone; nobody listens at the address."""
    runtime = Runtime.from_environment(
        {
            "AEGIS_POLICY": str(it.config / "aegis.yml"),
            "AEGIS_DATA": str(it.data),
            "AEGIS_ALERT_WEBHOOK": "http://127.0.0.1:9/hook",
        }
    )
    it.write_policy(load={"revoked": [CONTENT]}, aws={"region": "eu-central-1", "s3-endpoint": "http://127.0.0.1:9"})
    with pytest.raises(ModelRefused):
        fetch_and_prepare_model_for_load("model", runtime=runtime)
    told = runtime.metrics.render().decode()
    runtime.close()
    assert 'aegis_alerts_failed_total{sink="webhook"} 1.0' in told


def test_settings_that_nobody_understands_are_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    from aegis_multimodal_ai_system import runtime

    monkeypatch.setattr(runtime, "_default", None)
    monkeypatch.setenv("AEGIS_HANDOFF", "trust-me")
    with pytest.raises(ModelRefused, match="AEGIS_HANDOFF") as refused:
        fetch_and_prepare_model_for_load("model")
    assert refused.value.code == "runtime.setting_invalid"
    assert refused.value.cause.exit_code == 2
