"""The stores of a policy as the runtime opens them: which adapter, which identity, and nothing beside the policy."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.adapters.oci.workload import WorkloadSigner
from aegis.core.errors import AegisError
from aegis.core.policy import Aws, Oci, VerifyPolicy
from aegis.storage.location import parse_location
from aegis_multimodal_ai_system.stores import open_store_of
from tests.doubles.aws import s3 as double
from tests.doubles.aws.s3 import S3
from tests.doubles.oci.tenancy import BUCKET, NAMESPACE, REGION, Tenancy, tenancy
from tests.support.network.obstore import set_keys

DATA = b"weights" * 1000


def told(do: Callable[[], object]) -> AegisError:
    with pytest.raises(AegisError) as caught:
        do()
    return caught.value


def read(policy: VerifyPolicy, source: str, root: Path) -> bytes:
    location = parse_location(source)
    store = open_store_of(policy, root)(location)
    info = store.head(location.key)
    assert info is not None
    return b"".join(bytes(chunk) for chunk in store.read(info))


class TestS3:
    @pytest.fixture
    def service(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
        set_keys(monkeypatch, double.ACCESS_KEY, double.SECRET_KEY, double.TOKEN)
        monkeypatch.delenv("AWS_REGION", raising=False)
        with double.serve(S3()) as running:
            running.put("m/a", DATA)
            yield running

    def test_by_the_surroundings_credentials_at_the_policys_place(self, service: S3, tmp_path: Path) -> None:
        policy = VerifyPolicy(aws=Aws(region=service.region, s3_endpoint=service.address))
        assert read(policy, "s3://models/m/a", tmp_path) == DATA

    def test_the_region_of_the_pod(self, service: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", service.region)
        assert read(VerifyPolicy(aws=Aws(s3_endpoint=service.address)), "s3://models/m/a", tmp_path) == DATA

    def test_without_a_region(self, service: S3, tmp_path: Path) -> None:
        error = told(lambda: read(VerifyPolicy(aws=Aws(s3_endpoint=service.address)), "s3://models/m/a", tmp_path))
        assert error.code == "verify.policy_incomplete"

    def test_each_bucket_is_opened_once(self, service: S3, tmp_path: Path) -> None:
        open_store = open_store_of(VerifyPolicy(aws=Aws(region=service.region)), tmp_path)
        first, second = open_store(parse_location("s3://models/m/a")), open_store(parse_location("s3://models/m/b"))
        assert first is second
        assert open_store(parse_location("s3://other/m/a")) is not first


class TestOci:
    @pytest.fixture
    def oci(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenancy]:
        """A tenancy, and in the surroundings a resource principal that it knows."""
        with tenancy() as running:
            running.bucket.put("staging/a", DATA)
            for name, value in running.principal(tmp_path).items():
                monkeypatch.setenv(name, value)
            yield running

    def policy(self, oci: Tenancy) -> VerifyPolicy:
        return VerifyPolicy(oci=Oci(domain=oci.domain.address, region=REGION, storage_endpoint=oci.storage.address))

    def test_as_a_resource_principal(self, oci: Tenancy, tmp_path: Path) -> None:
        assert read(self.policy(oci), f"oci://{NAMESPACE}/{BUCKET}/staging/a", tmp_path) == DATA

    def test_what_its_policy_does_not_allow_is_refused(self, oci: Tenancy, tmp_path: Path) -> None:
        oci.bucket.put("elsewhere/a", DATA)
        error = told(lambda: read(self.policy(oci), f"oci://{NAMESPACE}/{BUCKET}/elsewhere/a", tmp_path))
        assert error.code == "verify.store_denied"

    def test_a_principal_without_its_files(self, oci: Tenancy, tmp_path: Path) -> None:
        token = (tmp_path / "rpst").read_text()
        (tmp_path / "key.pem").write_text("no key\n" + token)
        error = told(lambda: read(self.policy(oci), f"oci://{NAMESPACE}/{BUCKET}/staging/a", tmp_path))
        assert error.code == "verify.no_credentials"
        assert token not in "".join(traceback.format_exception(error))

    def test_without_the_sdk(self, oci: Tenancy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name == "oci" or name.startswith("oci.")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "oci", None)
        error = told(lambda: read(self.policy(oci), f"oci://{NAMESPACE}/{BUCKET}/staging/a", tmp_path))
        assert error.code == "core.package_missing"

    def test_without_a_section(self, tmp_path: Path) -> None:
        error = told(lambda: read(VerifyPolicy(), "oci://ns/bucket/a", tmp_path))
        assert error.code == "verify.policy_incomplete"

    @pytest.mark.parametrize(
        ("environ", "kind"),
        [
            ({"OCI_RESOURCE_PRINCIPAL_VERSION": "2.2", "KUBERNETES_SERVICE_HOST": "x"}, "resource principal"),
            ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "OKE workload"),
            ({}, "instance principal"),
        ],
        ids=["resource", "pod", "instance"],
    )
    def test_which_identity_is_meant(self, environ: dict[str, str], kind: str) -> None:
        assert WorkloadSigner(environ=environ).kind == kind


class TestLocal:
    def test_a_file_beside_the_policy(self, tmp_path: Path) -> None:
        (tmp_path / "a.bin").write_bytes(DATA)
        assert read(VerifyPolicy(), "a.bin", tmp_path) == DATA

    def test_another_folder_of_the_machine_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "policy").mkdir()
        (tmp_path / "a.bin").write_bytes(DATA)
        assert (
            told(lambda: read(VerifyPolicy(), f"{tmp_path}/a.bin", tmp_path / "policy")).code == "runtime.path_outside"
        )

    @pytest.mark.parametrize("what", ["file", "folder"])
    def test_a_link_that_leads_out_is_refused(self, tmp_path: Path, what: str) -> None:
        (tmp_path / "policy").mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a.bin").write_bytes(DATA)
        (tmp_path / "policy" / "x").symlink_to(tmp_path / "out" / ("a.bin" if what == "file" else ""))
        source = "x" if what == "file" else "x/a.bin"
        assert told(lambda: read(VerifyPolicy(), source, tmp_path / "policy")).code.startswith("verify.")


def test_https_is_the_origin_that_was_named(tmp_path: Path) -> None:
    store = open_store_of(VerifyPolicy(), tmp_path)(parse_location("https://models.example/a.bin"))
    assert store.location == "https://models.example"
