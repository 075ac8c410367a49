"""Outputs of Terraform: what becomes a value, and what is refused without being shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from aegis.core.errors import AegisError, Refused, UsageError
from aegis.scaffold.outputs import KNOWN, Cloud, parse_outputs

AWS: Mapping[str, Any] = {
    "cloud": "aws",
    "region": "eu-central-1",
    "bucket_name": "aegis-staging-models",
    "models_url": "s3://aegis-staging-models/staging/",
    "backups_url": "s3://aegis-staging-backups/postgresql/",
    "database_url": "postgresql://aegis@aegis.abc.eu-central-1.rds.amazonaws.com:5432/aegis?sslmode=verify-full",
    "database_secret_ref": "aegis-staging/database",
    "workload_role_arn": "arn:aws:iam::123456789012:role/aegis-workload",
    "backup_writer_role_arn": "arn:aws:iam::123456789012:role/aegis-backup",
    "backup_reader_role_arn": "arn:aws:iam::123456789012:role/aegis-restore",
    "role_arn": "arn:aws:iam::123456789012:role/aegis-verify",
}
OCI: Mapping[str, Any] = {
    "cloud": "oci",
    "region": "eu-frankfurt-1",
    "bucket_name": "aegis-staging-models",
    "bucket_namespace": "octons",
    "models_url": "oci://octons/aegis-staging-models/staging/",
    "database_url": "postgresql://aegis@primary.postgresql.eu-frankfurt-1.oci.oraclecloud.com/aegis",
    "workload_role_arn": "ocid1.policy.oc1..aaaa",
}
SECRET = "hunter2-s3cret"


def printed(outputs: Mapping[str, Any], **changes: Any) -> bytes:
    """As `terraform output -json` prints texts; a change to None takes one away, a mapping is put as it is."""
    told = {
        name: value if isinstance(value, dict) else {"sensitive": False, "type": "string", "value": value}
        for name, value in {**outputs, **changes}.items()
        if value is not None
    }
    return json.dumps(told).encode()


def read(data: bytes, cloud: Cloud = "aws") -> dict[str, str]:
    return {known.value: text for known, text in parse_outputs(data, what="the outputs").values(cloud)}


def test_every_known_output_of_aws_becomes_its_value() -> None:
    assert read(printed(AWS)) == {
        "region": AWS["region"],
        "objectStore.bucket": AWS["bucket_name"],
        "objectStore.modelsUrl": AWS["models_url"],
        "objectStore.backupsUrl": AWS["backups_url"],
        "database.url": AWS["database_url"],
        "externalSecrets.remote.database.key": AWS["database_secret_ref"],
        "identity.api.roleArn": AWS["workload_role_arn"],
        "identity.backup.roleArn": AWS["backup_writer_role_arn"],
        "identity.restore.roleArn": AWS["backup_reader_role_arn"],
    }


def test_oci_has_a_namespace_and_no_roles() -> None:
    assert read(printed(OCI), "oci") == {
        "region": OCI["region"],
        "objectStore.bucket": OCI["bucket_name"],
        "objectStore.namespace": "octons",
        "objectStore.modelsUrl": OCI["models_url"],
        "database.url": OCI["database_url"],
    }


def test_the_runbooks_two_and_a_region_are_enough() -> None:
    few = {name: AWS[name] for name in ("region", "bucket_name", "database_url")}
    assert set(read(printed(few))) == {"region", "objectStore.bucket", "database.url"}


def test_what_is_not_asked_for_is_not_looked_at() -> None:
    other = {"sensitive": True, "type": ["list", "string"], "value": [SECRET]}
    assert read(printed(AWS, master_password=other)) == read(printed(AWS))


@pytest.mark.parametrize("name", [known.name for known in KNOWN if known.required])
def test_a_required_output_that_is_not_there_is_refused(name: str) -> None:
    outputs: tuple[Mapping[str, Any], Cloud] = (OCI, "oci") if name in OCI else (AWS, "aws")
    with pytest.raises(Refused, match=f"the output {name} is not among") as caught:
        read(printed(outputs[0], **{name: None}), outputs[1])
    assert caught.value.code == "render.output_missing"


@pytest.mark.parametrize("name", [known.name for known in KNOWN if "aws" in known.clouds])
@pytest.mark.parametrize(
    ("output", "code"),
    [
        ({"sensitive": False, "value": ""}, "render.output_missing"),
        ({"sensitive": False, "value": " \n"}, "render.output_missing"),
        ({"sensitive": True, "value": SECRET}, "render.output_sensitive"),
        ({"sensitive": False, "value": None}, "render.output_invalid"),
        ({"sensitive": False, "value": 5432}, "render.output_invalid"),
        ({"sensitive": False, "value": [SECRET]}, "render.output_invalid"),
        ({"sensitive": False, "value": {"password": SECRET}}, "render.output_invalid"),
        ({"sensitive": False, "value": f"{SECRET} and words"}, "render.output_invalid"),
        ({"sensitive": False, "value": "x\ny: z"}, "render.output_invalid"),
        ({"sensitive": False, "value": "{{ .Files }}"}, "render.output_invalid"),
        ({"sensitive": False, "value": "a" * 3000}, "render.output_invalid"),
    ],
    ids=["empty", "blank", "sensitive", "null", "number", "list", "object", "words", "lines", "template", "long"],
)
def test_an_output_of_another_kind_is_refused_and_not_shown(name: str, output: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        read(printed(AWS, **{name: output}))
    assert caught.value.code == code
    assert SECRET not in f"{caught.value}{caught.value!r}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (5432, "a number"),
        (0.5, "a number"),
        (True, "true or false"),
        ([SECRET], "a list"),
        ({"password": SECRET}, "an object"),
    ],
)
def test_what_an_output_is_instead_is_told_in_the_words_of_json(value: object, said: str) -> None:
    with pytest.raises(Refused, match=f"the output region is {said}, not a text"):
        read(printed(AWS, region={"sensitive": False, "value": value}))


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (f"postgresql://aegis:{SECRET}@db:5432/aegis", "render.output_sensitive"),
        ("postgresql://aegis:@db:5432/aegis", "render.output_sensitive"),
        (f"postgresql://aegis%3A{SECRET}@db/aegis", "render.output_sensitive"),
        (f"postgresql://aegis@db/aegis?password={SECRET}", "render.output_sensitive"),
        (f"postgresql://aegis@db/aegis?sslmode=require&sslpassword={SECRET}", "render.output_sensitive"),
        (f"postgresql://aegis@db/aegis?passwor%64={SECRET}", "render.output_sensitive"),
        ("postgresql://db/aegis", "render.output_invalid"),
        ("mysql://aegis@db/aegis", "render.output_invalid"),
        ("postgresql://aegis@db", "render.output_invalid"),
        (f"host=db user=aegis password={SECRET}", "render.output_invalid"),
        (f"postgresql://aegis@[{SECRET}/aegis", "render.output_invalid"),
    ],
)
def test_an_address_with_a_password_is_refused(address: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        read(printed(AWS, database_url=address))
    assert caught.value.code == code
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("models_url", "https://bucket/staging/"),
        ("models_url", "s3://bucket/staging"),
        ("models_url", "s3://bucket"),
        ("backups_url", "oci://namespace/"),
        ("workload_role_arn", "ocid1.policy.oc1..aaaa"),
        ("backup_writer_role_arn", "arn:aws:iam::123456789012:user/somebody"),
        ("backup_reader_role_arn", "arn:aws:iam::12345:role/short"),
        ("region", "Europe"),
        ("bucket_name", "s3://bucket"),
        ("database_secret_ref", "-----BEGIN"),
        ("models_url", f"s3://bucket/{'a' * 3000}/"),
    ],
)
def test_what_is_no_such_thing_is_refused(name: str, value: str) -> None:
    with pytest.raises(Refused, match=name) as caught:
        read(printed(AWS, **{name: value}))
    assert caught.value.code == "render.output_invalid"


def test_outputs_of_another_cloud_are_refused() -> None:
    with pytest.raises(Refused, match="of 'oci'") as caught:
        read(printed(OCI))
    assert caught.value.code == "render.cloud_differs"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"No outputs found",
        b"[]",
        b'{"region": "eu-central-1"}',
        b'{"region": {"value": "eu-central-1"}}',
        b'{"region": {"sensitive": "no", "value": "eu-central-1"}}',
        b'{"region": {"sensitive": false}}',
        b'{"region": {"sensitive": false, "value": "a"}, "region": {"sensitive": false, "value": "b"}}',
        b'{"region": {"sensitive": true, "sensitive": false, "value": "eu-central-1"}}',
        b'{"region": {"sensitive": false, "value": NaN}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=[
        "empty", "words", "list", "text", "unmarked", "marked by a text", "no value", "twice", "marked twice", "NaN",
        "no UTF-8", "deep",
    ],
)  # fmt: skip
def test_what_is_no_answer_of_terraform_is_refused(data: bytes) -> None:
    with pytest.raises(AegisError) as caught:
        read(data)
    assert isinstance(caught.value, UsageError)
    assert caught.value.code == "render.outputs_unreadable"


def test_nothing_was_applied_yet() -> None:
    with pytest.raises(Refused, match="terraform apply"):
        read(b"{}")
