"""The catalogue's answers: traps seen in real repositories, services, choice of providers, faults, age."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import CouldNotDecide, UsageError
from aegis.gates.scan.catalogue import load, lookup
from aegis.gates.scan.catalogue.names import parents
from aegis.gates.scan.model import Surface

CATALOGUE = load()

TRAPS: tuple[tuple[Surface, str], ...] = (
    ("python", "boto3_helpers"),
    ("python", "boto3x"),
    ("python", "my.boto3"),
    ("python", ".azure"),
    ("python", "..azure.storage"),
    ("python", "myapp.google"),
    ("python", "google"),
    ("python", "google.protobuf"),
    ("python", "google.protobuf.json_format"),
    ("python", "google.rpc"),
    ("python", "google.type"),
    ("python", "google.cloudx"),
    ("python", "google.colab"),
    ("python", "googletrans"),
    ("python", "azure_helpers"),
    ("python", "azure.functions"),
    ("python", "azure.functions.decorators"),
    ("python", "ocifs_helpers"),
    ("python", "ociutils"),
    ("python", "airflow.providers"),
    ("python", "airflow.providers.oracle.hooks.oracle"),
    ("python", "airflow.providers.microsoft.mssql"),
    ("python", "aws_lambda_powertools"),
    ("python", "aws_cdk.aws_s3"),
    ("python", "mypy_boto3_"),
    ("python", "fsspec"),
    ("python", "smart_opener"),
    ("python", "llama_index.llms"),
    ("python", "apiclient"),
    ("python", ""),
    ("npm", "./aws-sdk"),
    ("npm", "../@aws-sdk/client-s3"),
    ("npm", "@aws-sdk-mock/x"),
    ("npm", "@aws-cdk/core"),
    ("npm", "aws-cdk-lib"),
    ("npm", "aws-sdk-helpers"),
    ("npm", "aws-lambda"),
    ("npm", "@types/aws-lambda"),
    ("npm", "@google-cloud/functions-framework"),
    ("npm", "google-protobuf"),
    ("npm", "google-libphonenumber"),
    ("npm", "@azure/functions"),
    ("npm", "azure-devops-node-api"),
    ("npm", "azure-pipelines-task-lib"),
    ("npm", "oci-registry-client"),
    ("go", "github.com/aws/aws-lambda-go/lambda"),
    ("go", "github.com/aws/aws-sdk-gopher"),
    ("go", "google.golang.org/grpc"),
    ("go", "google.golang.org/protobuf/proto"),
    ("go", "google.golang.org/genproto/googleapis/rpc/status"),
    ("go", "golang.org/x/oauth2"),
    ("go", "gocloud.dev/blob"),
    ("go", "gocloud.dev/blob/fileblob"),
    ("go", "github.com/opencontainers/image-spec/specs-go/v1"),
    ("java", "com.google.common.collect.ImmutableList"),
    ("java", "com.google.gson.Gson"),
    ("java", "com.google.protobuf.Message"),
    ("java", "com.google.cloudera.X"),
    ("java", "com.google.cloud.tools.jib.api.Jib"),
    ("java", "com.amazonaws.services.lambda.runtime.Context"),
    ("java", "com.microsoft.azure.functions.HttpMethod"),
    ("java", "software.amazon.awscdk.App"),
    ("java", "com.oracle.jdbc.Driver"),
    ("maven", "com.amazonaws:aws-lambda-java-core"),
    ("maven", "com.amazonaws:aws-lambda-java-events"),
    ("maven", "com.google.cloud.tools:jib-maven-plugin"),
    ("maven", "com.google.guava:guava"),
    ("maven", "com.google.protobuf:protobuf-java"),
    ("maven", "com.microsoft.azure.functions:azure-functions-java-library"),
    ("maven", "org.apache.hadoop:hadoop-common"),
    ("pypi", "aws-lambda-powertools"),
    ("pypi", "aws-cdk-lib"),
    ("pypi", "aws-error-utils"),
    ("pypi", "azure-functions"),
    ("pypi", "azure-storage-logging"),
    ("pypi", "google-re2"),
    ("pypi", "google-pasta"),
    ("pypi", "oci-squash"),
    ("pypi", "boto3-helpers"),
    ("pypi", "fsspec"),
    ("command", "awsome run"),
    ("command", "aws-cdk deploy"),
    ("command", "cdk deploy"),
    ("command", "echo aws s3 cp"),
    ("command", "copilot suggest"),
    ("command", "python -m awscli_helpers"),
    ("command", "samtools view"),
    ("command", "azurite --silent"),
    ("command", "./az.py"),
    ("image", "public.ecr.aws/lambda/python:3.12"),
    ("image", "amazon/dynamodb-local"),
    ("image", "mcr.microsoft.com/dotnet/sdk:8.0"),
    ("image", "gcr.io/distroless/static"),
    ("image", "ghcr.io/oracle/oraclelinux:9"),
    ("image", "google/cadvisor"),
    ("action", "azure/setup-helm@v4"),
    ("action", "Azure/k8s-deploy@v5"),
    ("action", "azure/docker-login@v2"),
    ("action", "oracle-actions/setup-java@v1"),
    ("action", "google-github-actions/release-please-action@v4"),
    ("action", "actions/checkout@v4"),
    ("action", "./.github/actions/aws-actions"),
    ("terraform", "hashicorp/random"),
    ("terraform", "terraform-aws-modules/vpc/aws"),
    ("terraform", "acme/aws"),
    ("scheme", "https"),
    ("scheme", "s3s"),
)

USES: tuple[tuple[Surface, str, str, str, str | None], ...] = (
    # surface, name, provider, kind, service
    ("python", "boto3.session", "aws", "sdk", None),
    ("python", "mypy_boto3_rds", "aws", "stub", "rds"),
    ("python", "mypy_boto3_cognito_idp.client", "aws", "stub", "cognito-idp"),
    ("python", "types_aiobotocore_pinpoint_sms_voice_v2", "aws", "stub", "pinpoint-sms-voice-v2"),
    ("python", "airflow.providers.amazon.aws.hooks.s3", "aws", "wrapper", None),
    ("python", "google.cloud", "gcp", "sdk", None),
    ("python", "google.cloud.storage_v1.blob", "gcp", "sdk", "storage"),
    ("python", "googleapiclient.discovery", "gcp", "sdk", None),
    ("python", "apiclient.discovery", "gcp", "sdk", None),
    ("python", "airflow.providers.google.cloud", "gcp", "wrapper", None),
    ("python", "azure.storage.blob.aio", "azure", "sdk", "storage-blob"),
    ("python", "azure.mgmt.compute", "azure", "sdk", "compute"),
    ("python", "azure.identity", "azure", "sdk", "identity"),
    ("python", "oci.object_storage", "oci", "sdk", "objectstorage"),
    ("python", "smart_open", "aws", "wrapper", None),
    ("npm", "@aws-sdk/client-s3/dist-cjs", "aws", "sdk", "s3"),
    ("npm", "@aws-sdk/client-cloudwatch-logs", "aws", "sdk", "logs"),
    ("npm", "aws-sdk/clients/dynamodb", "aws", "sdk", "dynamodb"),
    ("npm", "@smithy/types", "aws", "shared", None),
    ("npm", "@google-cloud/storage", "gcp", "sdk", "storage"),
    ("npm", "@azure/storage-blob", "azure", "sdk", "storage-blob"),
    ("npm", "@azure/arm-compute", "azure", "sdk", "compute"),
    ("npm", "oci-objectstorage", "oci", "sdk", "objectstorage"),
    ("go", "github.com/aws/aws-sdk-go-v2/service/s3/types", "aws", "sdk", "s3"),
    ("go", "github.com/aws/aws-sdk-go/service/sqs/sqsiface", "aws", "sdk", "sqs"),
    ("go", "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob", "azure", "sdk", "storage-blob"),
    ("go", "cloud.google.com/go/pubsub", "gcp", "sdk", "pubsub"),
    ("go", "github.com/oracle/oci-go-sdk/v65/objectstorage", "oci", "sdk", "objectstorage"),
    ("go", "gocloud.dev/blob/s3blob", "aws", "wrapper", None),
    ("java", "com.amazonaws.services.s3.AmazonS3", "aws", "sdk", "s3"),
    ("java", "software.amazon.awssdk.services.cognitoidentityprovider.X", "aws", "sdk", "cognito-idp"),
    ("java", "aws.sdk.kotlin.services.s3.S3Client", "aws", "sdk", "s3"),
    ("java", "com.google.cloud.storage.Storage", "gcp", "sdk", "storage"),
    ("java", "com.azure.storage.blob.BlobClient", "azure", "sdk", "storage-blob"),
    ("java", "com.oracle.bmc.objectstorage.ObjectStorage", "oci", "sdk", "objectstorage"),
    ("maven", "software.amazon.awssdk:bom", "aws", "sdk", None),
    ("maven", "com.amazonaws:aws-java-sdk-s3", "aws", "sdk", "s3"),
    ("maven", "com.google.cloud:google-cloud-storage", "gcp", "sdk", "storage"),
    ("maven", "com.google.cloud:spring-cloud-gcp-starter", "gcp", "wrapper", None),
    ("pypi", "Boto3", "aws", "sdk", None),
    ("pypi", "Azure_Storage.Blob", "azure", "sdk", "storage-blob"),
    ("pypi", "google--cloud__storage", "gcp", "sdk", "storage"),
    ("pypi", "mypy-boto3-s3", "aws", "stub", "s3"),
    ("command", "/usr/local/bin/aws s3api list-buckets", "aws", "sdk", "s3"),
    ("command", "aws.exe configure", "aws", "sdk", None),
    ("command", "gcloud compute ssh", "gcp", "sdk", "compute"),
    ("command", "python3 -m awscli s3 ls", "aws", "sdk", None),
    ("image", "docker.io/amazon/aws-cli:2.1", "aws", "sdk", None),
    ("image", "localhost:5000/google/cloud-sdk@sha256:00", "gcp", "sdk", None),
    ("action", "Azure/Login@v2", "azure", "sdk", None),
    ("action", "google-github-actions/auth@v2", "gcp", "sdk", None),
    ("action", "oracle-actions/run-oci-cli-command@v1", "oci", "sdk", None),
    ("terraform", "aws", "aws", "sdk", None),
    ("terraform", "registry.opentofu.org/hashicorp/azurerm", "azure", "sdk", None),
    ("terraform", "oracle/oci", "oci", "sdk", None),
    ("scheme", "S3A", "aws", "wrapper", None),
)


@pytest.mark.parametrize(("surface", "name"), TRAPS)
def test_traps_are_silent(surface: Surface, name: str) -> None:
    assert CATALOGUE.match(surface, name) is None


@pytest.mark.parametrize(("surface", "name", "provider", "kind", "service"), USES)
def test_uses_are_found(surface: Surface, name: str, provider: str, kind: str, service: str | None) -> None:
    found = CATALOGUE.match(surface, name)
    assert found is not None
    assert (found.provider, found.kind, found.service) == (provider, kind, service)


@pytest.mark.parametrize(
    ("provider", "client", "service"),
    [
        ("aws", "s3", "s3"),
        ("aws", "cognito-idp", "cognito-idp"),
        ("aws", "no-such-service", None),
        ("gcp", "compute", "compute"),
        ("oci", "object_storage", "objectstorage"),
        ("acme", "s3", None),
    ],
)
def test_service_of_client(provider: str, client: str, service: str | None) -> None:
    assert CATALOGUE.service_of_client(provider, client) == service


def test_only_the_named_providers_count() -> None:
    catalogue = load(["gcp", "gcp"])
    assert catalogue.providers == ("gcp",)
    assert catalogue.match("python", "boto3") is None
    assert catalogue.match("python", "google.cloud.storage") is not None
    assert not {"boto", "azure"} & set(catalogue.roots)
    assert catalogue.service_of_client("aws", "s3") is None


def test_all_providers_by_default() -> None:
    assert CATALOGUE.providers == ("aws", "azure", "gcp", "oci")


def test_unknown_provider_names_the_known_and_the_nearest() -> None:
    with pytest.raises(UsageError, match="no provider 'asure'") as caught:
        load(["aws", "asure"])
    assert caught.value.code == "scan.unknown_provider"
    assert caught.value.expected == "one of: aws, azure, gcp, oci"
    assert "'azure'" in caught.value.remedy


def test_entries_and_exclusions_are_those_of_the_providers_in_force() -> None:
    catalogue = load(["azure"])
    entries = catalogue.entries("python")
    assert {entry.provider for entry in entries} == {"azure"}
    assert ("azure", "sdk") in {(entry.literal, entry.kind) for entry in entries}
    assert "azure.functions" not in {entry.literal for entry in entries}
    assert "azure.functions" in catalogue.exclusions("azure", "python")
    assert catalogue.exclusions("azure", "scheme") == ()


def test_no_provider_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        load([])


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"providers": {"aws": {}}}'])
def test_broken_index_is_no_clean_answer(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index.json"
    if content is not None:
        index.write_bytes(content)
    monkeypatch.setattr(lookup, "INDEX", index)
    with pytest.raises(CouldNotDecide) as caught:
        load()
    assert caught.value.code == "scan.catalogue_invalid"


def test_age_is_warned_about_after_ninety_days() -> None:
    last = CATALOGUE.as_of + datetime.timedelta(days=90)
    assert CATALOGUE.age_notice(last) is None
    notice = CATALOGUE.age_notice(last + datetime.timedelta(days=1))
    assert notice is not None
    assert "91 days" in notice
    assert str(CATALOGUE.as_of) in notice


@settings(deadline=None)
@given(st.text(alphabet="ab./:@ _-", max_size=20))
def test_parents_are_the_name_cut_at_each_separator(name: str) -> None:
    for surface, separators in (("python", "."), ("maven", ":."), ("npm", "/")):
        cut = [name[:at] for at in range(1, len(name)) if name[at] in separators]
        assert parents(surface, name) == [name, *reversed(cut)]  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.sampled_from(["python", "npm", "go", "java", "pypi", "maven", "command", "image", "action", "terraform"]),
    st.text(),
)
def test_any_text_has_an_answer(surface: Surface, name: str) -> None:
    CATALOGUE.match(surface, name)
