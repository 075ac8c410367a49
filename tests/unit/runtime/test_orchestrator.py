"""From a model's name to its tensors: verified before anything of it is read, and closed behind whoever is done."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from aegis.core.actor import Actor
from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis_multimodal_ai_system.orchestrator import Loaders, Orchestrator, loaders, register_loader
from aegis_multimodal_ai_system.orchestrator_verify_loader import ModelRefused, VerifiedModel
from tests.support.runtime.deployments import Deployment
from tests.support.runtime.pickled import EVIL, TORCH
from tests.support.runtime.weights import GGUFS, ONNXES, safetensors, tensor

WEIGHTS = {
    "model.layers.0.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "scalar": np.array(1.5),
    "empty": np.zeros((0, 3), np.int8),
    "flags": np.array([True, False, True]),
    "half": np.ones((2, 2), np.float16),
    "complex": np.array([1 + 2j], np.complex64),
}
MORE = {"model.layers.1.weight": np.full((2, 2), 7, np.int64)}
MODEL: Mapping[str, bytes] = {
    "config.json": b"{}\n",
    "model-1.safetensors": save(WEIGHTS, {"format": "pt"}),
    "model-2.safetensors": save(MORE),
}
WHO = Actor(id="github:1", kind="github-workflow", display="x", issuer="https://i", subject="s")


def descriptors() -> set[str]:
    """Of models. Those that are there before may go at any moment, with what an earlier test has left."""
    gc.collect()
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            found.add(f"{entry.name} {entry.stat().st_ino} {entry.readlink()}")
    return {each for each in found if "memfd" in each or "models" in each}


@pytest.fixture
def it(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


@pytest.fixture(params=["sealed", "disk"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, handoff=request.param)


class TestSafetensors:
    def test_its_tensors_are_the_ones_that_were_saved(self, either: Deployment) -> None:
        either.upload(MODEL)
        with Orchestrator(either.runtime).load("model", WHO) as loaded:
            assert loaded.format == "safetensors"
            assert set(loaded.value) == {*WEIGHTS, *MORE}
            assert len(loaded.value) == 7
            for name, expected in {**WEIGHTS, **MORE}.items():
                assert loaded.value[name].dtype == expected.dtype
                np.testing.assert_array_equal(loaded.value[name], expected)
            assert loaded.value.dtypes["half"] == "F16"
            assert (loaded.name, loaded.version) == ("model", None)
            assert loaded.digest == either.runtime.states.get("model").digest  # type: ignore[union-attr]
        assert [event.actor for event in either.log.events] == [WHO, WHO]

    def test_nothing_is_copied_and_nothing_can_be_written(self, it: Deployment) -> None:
        it.upload(MODEL)
        with Orchestrator(it.runtime).load("model") as loaded:
            weights = loaded.value["model.layers.0.weight"]
            assert not weights.flags.owndata
            with pytest.raises(ValueError, match="read-only"):
                weights[0, 0] = 1
            with pytest.raises(ValueError, match="cannot set WRITEABLE"):
                weights.flags.writeable = True

    @pytest.mark.parametrize(
        ("dtype", "shape", "size", "expected", "expected_shape"),
        [
            ("BF16", (2, 3), 12, np.uint16, (2, 3)),
            ("F8_E4M3", (2, 3), 6, np.uint8, (2, 3)),
            ("F8_E8M0", (), 1, np.uint8, ()),
            ("F4", (2, 3), 3, np.uint8, (3,)),
            ("F6_E2M3", (4,), 3, np.uint8, (3,)),
        ],
    )
    def test_types_that_numpy_does_not_have(
        self,
        it: Deployment,
        dtype: str,
        shape: tuple[int, ...],
        size: int,
        expected: Any,
        expected_shape: tuple[int, ...],
    ) -> None:
        it.upload({"m": safetensors({"w": tensor(dtype, shape, 0, size)}, bytes(range(size)))})
        with Orchestrator(it.runtime).load("model") as loaded:
            assert loaded.value["w"].dtype == expected
            assert loaded.value["w"].shape == expected_shape
            assert loaded.value["w"].tobytes() == bytes(range(size))
            assert loaded.value.dtypes == {"w": dtype}

    def test_a_tensor_in_two_shards(self, it: Deployment) -> None:
        it.upload({"a.safetensors": save({"w": np.ones(1)}), "b.safetensors": save({"w": np.ones(2)})})
        before = descriptors()
        with pytest.raises(ModelRefused) as caught:
            Orchestrator(it.runtime).load("model")
        assert caught.value.code == "runtime.format_malformed"
        assert "'b.safetensors'" in caught.value.problem
        assert descriptors() <= before


class TestClosing:
    def test_all_descriptors_are_given_back(self, either: Deployment) -> None:
        either.upload(MODEL)
        before = descriptors()
        loaded = Orchestrator(either.runtime).load("model")
        assert descriptors() - before
        _ = loaded.value["scalar"]
        del _
        loaded.close()
        loaded.close()
        assert loaded.value is None
        assert descriptors() <= before

    def test_an_array_that_is_still_in_use_stays_whole(self, it: Deployment) -> None:
        it.upload(MODEL)
        before = descriptors()
        loaded = Orchestrator(it.runtime).load("model")
        kept = loaded.value["model.layers.0.weight"]
        loaded.close()
        np.testing.assert_array_equal(kept, WEIGHTS["model.layers.0.weight"])
        del kept
        assert descriptors() <= before

    def test_what_the_loader_made_is_closed_first(self, it: Deployment) -> None:
        class Session:
            def __init__(self, model: VerifiedModel) -> None:
                self.model, self.closed = model, False

            def close(self) -> None:
                assert self.model.files["m"].fileno() >= 0
                self.closed = True
                raise OSError("it does not want to")

        own = Loaders()
        own.register("onnx", lambda model, names: Session(model))
        it.upload({"m": ONNXES["add"]().SerializeToString()})
        before = descriptors()
        loaded = Orchestrator(it.runtime, own).load("model")
        session = loaded.value
        with pytest.raises(OSError, match="does not want"):
            loaded.close()
        assert session.closed
        assert descriptors() <= before


class TestLoaders:
    @pytest.mark.parametrize(
        ("kind", "content"),
        [
            ("onnx", {"a/m.onnx": ONNXES["add"]().SerializeToString(), "README.md": b"# x\n"}),
            ("gguf", {"m.gguf": GGUFS["empty"]()}),
        ],
    )
    def test_one_that_was_registered_gets_the_files_of_its_format(
        self, it: Deployment, kind: Any, content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load(model: VerifiedModel, names: Sequence[str]) -> Any:
            return {name: Path(model.files[name].path).read_bytes() for name in names}

        monkeypatch.setattr(loaders.LOADERS, "_by_format", dict(loaders.LOADERS._by_format))
        register_loader(kind, load)
        it.upload(content)
        with Orchestrator(it.runtime).load("model") as loaded:
            assert loaded.format == kind
            assert loaded.value == {name: data for name, data in content.items() if name != "README.md"}

    def test_safetensors_come_first_and_pickles_last(self, it: Deployment) -> None:
        it.write_policy(load={"pickles": ["model"]})
        it.upload({"a.bin": TORCH, "b.onnx": ONNXES["add"]().SerializeToString(), "c.safetensors": save(MORE)})
        own = Loaders()
        for kind in ("pickle", "onnx"):
            own.register(kind, lambda model, names: tuple(names))
        with Orchestrator(it.runtime, own).load("model") as loaded:
            assert loaded.format == "safetensors"
        del own._by_format["safetensors"]
        with Orchestrator(it.runtime, own).load("model") as loaded:
            assert (loaded.format, loaded.value) == ("onnx", ("b.onnx",))

    def test_a_pickle_that_is_allowed_has_no_loader_of_ours(self, it: Deployment) -> None:
        it.write_policy(load={"pickles": ["model"]})
        it.upload({"a.bin": EVIL})
        with pytest.raises(ModelRefused, match="pickle") as caught:
            Orchestrator(it.runtime).load("model")
        assert caught.value.code == "runtime.loader_missing"

    @pytest.mark.parametrize("content", [{"m": GGUFS["empty"]()}, {"README.md": b"# nothing\n"}], ids=["gguf", "none"])
    def test_without_one(self, it: Deployment, content: dict[str, bytes]) -> None:
        it.upload(content)
        before = descriptors()
        with pytest.raises(ModelRefused) as caught:
            Orchestrator(it.runtime).load("model")
        assert caught.value.code == "runtime.loader_missing"
        assert descriptors() <= before
        assert it.state() == "verified"

    def test_of_a_format_that_there_is_not(self) -> None:
        with pytest.raises(UsageError, match="'torch'"):
            Loaders().register("torch", lambda model, names: None)  # type: ignore[arg-type]


class TestFailures:
    def failing(self, error: BaseException) -> Loaders:
        def load(model: VerifiedModel, names: Sequence[str]) -> Any:
            raise error

        own = Loaders()
        own.register("safetensors", load)
        return own

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (ValueError("secret text"), "runtime.loader_failed"),
            (MemoryError(), "runtime.loader_failed"),
            (Refused("runtime.format_malformed", "x", expected="y", remedy="z"), "runtime.format_malformed"),
            (CouldNotDecide("runtime.memory_short", "x", expected="y", remedy="z"), "runtime.memory_short"),
        ],
        ids=["ValueError", "MemoryError", "Refused", "CouldNotDecide"],
    )
    def test_it_is_recorded_and_the_model_stays_verified(self, it: Deployment, error: Exception, code: str) -> None:
        it.upload(MODEL)
        before = descriptors()
        with pytest.raises(ModelRefused) as caught:
            Orchestrator(it.runtime, self.failing(error)).load("model", WHO, correlation_id="abc")
        assert caught.value.code == code
        assert caught.value.__cause__ is error
        assert "secret" not in str(caught.value)
        assert it.log.told == [("requested", None), ("verified", None), ("refused", code)]
        last = it.log.events[-1]
        assert (last.outcome, last.actor, last.correlation_id) == ("failure", WHO, "abc")
        assert (last.resource.name, last.resource.sha256) == ("model", it.log.events[1].resource.sha256)
        assert "secret" not in repr(last)
        assert it.state() == "verified"
        assert it.alerts.sent == []
        assert descriptors() <= before

    def test_all_entries_of_a_load_have_one_correlation_id(self, it: Deployment) -> None:
        it.upload(MODEL)
        for _ in range(2):
            with pytest.raises(ModelRefused):
                Orchestrator(it.runtime, self.failing(ValueError())).load("model")
        ids = [event.correlation_id for event in it.log.events]
        assert len(set(ids[:3])) == len(set(ids[3:])) == 1
        assert ids[0] != ids[3]

    def test_an_entry_that_cannot_be_written_hides_nothing(self, it: Deployment) -> None:
        it.upload(MODEL)
        it.log.broken = frozenset({"model.load.refused"})
        with pytest.raises(ModelRefused) as caught:
            Orchestrator(it.runtime, self.failing(ValueError())).load("model")
        assert caught.value.code == "runtime.loader_failed"

    def test_a_signal_is_no_failure_of_the_loader(self, it: Deployment) -> None:
        it.upload(MODEL)
        before = descriptors()
        with pytest.raises(KeyboardInterrupt):
            Orchestrator(it.runtime, self.failing(KeyboardInterrupt())).load("model")
        assert len(it.log.events) == 2
        assert descriptors() <= before


class TestRefusals:
    @pytest.mark.parametrize(
        ("files", "code"),
        [
            ({**MODEL, "optimizer.pt": EVIL}, "runtime.format_pickle"),
            ({**MODEL, "config.json": b"cos\nsystem\n(S'id'\ntR."}, "runtime.format_pickle"),
            ({"model.safetensors": TORCH}, "runtime.format_archive"),
            ({**MODEL, "modeling.py": b"import os\n"}, "runtime.format_code"),
        ],
        ids=["pickle", "pickle_as_json", "archive", "script"],
    )
    def test_what_may_not_be_loaded_reaches_no_loader(self, it: Deployment, files: dict[str, bytes], code: str) -> None:
        reached = []
        own = Loaders()
        for kind in ("safetensors", "pickle"):
            own.register(kind, lambda model, names: reached.append(names))
        it.upload(files)
        before = descriptors()
        with pytest.raises(ModelRefused) as caught:
            Orchestrator(it.runtime, own).load("model")
        assert caught.value.code == code
        assert reached == []
        assert it.log.told == [("requested", None), ("refused", code)]
        assert (it.state(), it.alerts.reasons) == ("unverified", [code])
        assert descriptors() <= before

    def test_a_demanded_verdict_that_is_not_there(self, it: Deployment) -> None:
        it.write_policy(load={"verdict": {"source": "s3://staging/verdicts/", "signers": [{"key": "keys/3.pub"}]}})
        it.upload(MODEL)
        with pytest.raises(ModelRefused) as caught:
            Orchestrator(it.runtime).load("model")
        assert caught.value.code == "runtime.verdict_missing"


def test_the_package_is_light_until_it_is_used() -> None:
    lines = (
        "import sys, aegis_multimodal_ai_system.orchestrator as o",
        "heavy = {'numpy', 'safetensors', 'sqlalchemy', 'cryptography', 'obstore', 'starlette', 'yaml'}",
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)",
        "assert o.Orchestrator and o.LoadedModel and o.register_loader",
        "assert not {'numpy', 'safetensors', 'sqlalchemy', 'obstore'} & set(sys.modules)",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, cwd=Path(__file__).parents[3])


def test_it_has_no_other_names() -> None:
    import aegis_multimodal_ai_system.orchestrator as package

    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing
