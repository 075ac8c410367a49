"""The AWS overlay, applied by a real Terraform to a moto server through the real provider's schema."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doubles.aws import iam_policy
from tests.e2e.infra.conftest import GITHUB, PASSWORD, SETTINGS, Aws

pytestmark = pytest.mark.xdist_group("terraform")

ALWAYS = {
    "cloud", "region", "bucket_name", "database_url", "database_secret_ref", "models_url", "backups_url",
    "evidence_url", "workload_role_arn", "backup_writer_role_arn", "backup_reader_role_arn",
}  # fmt: skip
_PAINT = re.compile(r"\x1b\[[0-9;]*m")


def test_the_line_of_the_runbook(aws: Aws) -> None:
    """Word for word, in a fresh copy without any settings."""
    line = 'cd infra/terraform/overlays/aws && terraform init && terraform apply -var="db_password=..." -auto-approve'
    line = line.replace("infra/terraform", str(aws.work.folder)).replace("...", PASSWORD)
    ran = subprocess.run(
        line, shell=True, env=aws.work.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "role_arn, drill_role_arn, canary_role_arn and evidence_role_arn are missing" in " ".join(
        _PAINT.sub("", ran.stdout).replace("│", " ").split()
    )
    outputs = aws.outputs()
    assert set(outputs) == ALWAYS
    assert not any(one["sensitive"] for one in outputs.values())
    assert PASSWORD not in ran.stdout + ran.stderr


def test_outputs(staging: Aws) -> None:
    outputs = {name: one["value"] for name, one in staging.outputs().items()}
    asked = {"role_arn", "drill_role_arn", "canary_role_arn", "evidence_role_arn", "secrets_role_arn"}
    assert set(outputs) == ALWAYS | asked
    account = staging.moto.account
    assert outputs["bucket_name"] == f"aegis-staging-models-{account}"
    assert outputs["models_url"] == f"s3://aegis-staging-models-{account}/staging/"
    assert outputs["backups_url"] == f"s3://aegis-staging-backups-{account}/postgresql/"
    assert outputs["evidence_url"] == f"s3://aegis-staging-evidence-{account}/verdicts/"
    (instance,) = staging.moto.client("rds").describe_db_instances()["DBInstances"]
    address = instance["Endpoint"]["Address"]
    assert outputs["database_url"] == f"postgresql://aegis@{address}:5432/aegis?sslmode=verify-full"
    for name in filter(lambda name: name.endswith("role_arn"), outputs):
        arn = str(outputs[name])
        assert staging.moto.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]["Arn"] == arn


def test_a_second_plan_is_empty(staging: Aws) -> None:
    ran = staging.work.run("aws", "plan", "-no-color", "-detailed-exitcode", **SETTINGS)
    assert (ran.code, "No changes." in ran.out) == (0, True), ran.said


def test_the_password_is_where_it_belongs_and_nowhere_else(aws: Aws) -> None:
    """In the database and the secret; not in plan, state, or anything that was printed, traces of the core included."""
    folder = aws.work.folder / "overlays" / "aws"
    trace = aws.work.folder / "trace.log"
    logged = {"TF_LOG": "TRACE", "TF_LOG_PATH": str(trace)}
    aws.work.ran("aws", "plan", "-no-color", "-out=plan.bin", **logged, db_password=PASSWORD)
    aws.work.ran("aws", "show", "-no-color", "-json", "plan.bin")
    aws.work.ran("aws", "apply", "-no-color", "plan.bin", **logged, db_password=PASSWORD)
    aws.work.ran("aws", "show", "-no-color", "-json")
    aws.work.ran("aws", "output", "-json")

    secret = aws.moto.client("secretsmanager").get_secret_value(SecretId="aegis-staging/database")
    assert secret["SecretString"] == PASSWORD
    assert aws.moto.given["aws_db_instance"]["password_wo"] == PASSWORD
    plan = zipfile.ZipFile(folder / "plan.bin")
    texts = {
        "plan": b"".join(plan.read(name) for name in plan.namelist()),
        "state": (folder / "terraform.tfstate").read_bytes(),
        "printed": "".join(aws.work.said).encode(),
    }
    assert len(texts["state"]) > 10_000
    for where, text in texts.items():
        assert PASSWORD.encode() not in text, where
    # what Terraform itself logs of the protocol and of its environment
    assert trace.stat().st_size > 100_000
    assert PASSWORD not in trace.read_text(encoding="utf-8")

    # nothing shows that a password is new but its version
    new = "Another-Horse-Battery-1"
    same = aws.work.run("aws", "plan", "-no-color", "-detailed-exitcode", db_password=new)
    assert same.code == 0, same.said
    aws.work.ran("aws", "apply", "-auto-approve", "-no-color", db_password=new, db_password_version="2")
    secret = aws.moto.client("secretsmanager").get_secret_value(SecretId="aegis-staging/database")
    assert secret["SecretString"] == new
    assert aws.moto.given["aws_db_instance"]["password_wo"] == new


@pytest.mark.parametrize("kind", ["models", "backups"])
def test_buckets_are_private_keep_versions_and_speak_tls(staging: Aws, kind: str) -> None:
    bucket = f"aegis-staging-{kind}-{staging.moto.account}"
    s3 = staging.moto.client("s3")
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (owner,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    (denied,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert denied["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    (lifecycle,) = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert lifecycle["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 2
    assert lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"] == 14


def test_the_database_is_private(staging: Aws) -> None:
    (instance,) = staging.moto.client("rds").describe_db_instances()["DBInstances"]
    assert not instance["PubliclyAccessible"]
    assert instance["StorageEncrypted"]
    assert instance["BackupRetentionPeriod"] == 7
    assert len(instance["DBSubnetGroup"]["Subnets"]) == 2
    ec2 = staging.moto.client("ec2")
    (group,) = instance["VpcSecurityGroups"]
    (allowed,) = ec2.describe_security_groups(GroupIds=[group["VpcSecurityGroupId"]])["SecurityGroups"]
    (rule,) = allowed["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], [one["CidrIp"] for one in rule["IpRanges"]]) == (
        5432, 5432, ["10.40.0.0/16"],
    )  # fmt: skip
    settings = staging.moto.client("rds").describe_db_parameters(DBParameterGroupName="aegis-staging")["Parameters"]
    assert ("rds.force_ssl", "1") in {(one["ParameterName"], one.get("ParameterValue")) for one in settings}


def test_nothing_leads_to_the_internet(staging: Aws) -> None:
    ec2 = staging.moto.client("ec2")
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.40.0.0/16"]}])["Vpcs"]
    here = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = ec2.describe_subnets(Filters=here)["Subnets"]
    assert len({one["AvailabilityZone"] for one in subnets}) == 2
    assert not any(one["MapPublicIpOnLaunch"] for one in subnets)
    gateways = [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
    assert ec2.describe_internet_gateways(Filters=gateways)["InternetGateways"] == []
    groups = ec2.describe_security_groups(Filters=[*here, {"Name": "group-name", "Values": ["default"]}])
    assert (groups["SecurityGroups"][0]["IpPermissions"], groups["SecurityGroups"][0]["IpPermissionsEgress"]) == (
        [],
        [],
    )


def test_production_is_one_variable_and_is_not_destroyed_by_mistake(aws: Aws) -> None:
    settings = SETTINGS | {"production": "true"}
    aws.work.ran("aws", "apply", "-auto-approve", "-no-color", **settings)
    (instance,) = aws.moto.client("rds").describe_db_instances()["DBInstances"]
    assert instance["MultiAZ"]
    assert instance["DeletionProtection"]
    assert instance["BackupRetentionPeriod"] == 30
    assert len(instance["DBSubnetGroup"]["Subnets"]) == 3
    kms = aws.moto.client("kms")
    (alias,) = (one for one in kms.list_aliases()["Aliases"] if one["AliasName"] == "alias/aegis-production")
    assert kms.get_key_rotation_status(KeyId=alias["TargetKeyId"])["KeyRotationEnabled"]
    key = kms.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]["Arn"]
    assert instance["KmsKeyId"] == key
    s3 = aws.moto.client("s3")
    (rule,) = s3.get_bucket_encryption(Bucket=f"aegis-production-models-{aws.moto.account}")[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    (log,) = aws.moto.client("ec2").describe_flow_logs()["FlowLogs"]
    assert log["TrafficType"] == "ALL"
    _secrets_are_decrypted_and_nothing_else(aws, key)
    clean = aws.work.run("aws", "plan", "-no-color", "-detailed-exitcode", **settings)
    assert clean.code == 0, clean.said

    # a model that somebody needs, and a database that is protected: destroy must stop
    _store(aws, f"aegis-production-models-{aws.moto.account}", "production/model")
    destroyed = aws.work.run("aws", "destroy", "-auto-approve", "-no-color", **settings)
    assert destroyed.code == 1
    assert "aws_db_instance" in destroyed.said
    assert len(aws.moto.client("rds").describe_db_instances()["DBInstances"]) == 1
    assert s3.head_object(Bucket=f"aegis-production-models-{aws.moto.account}", Key="production/model")


def test_staging_becomes_no_production(staging: Aws) -> None:
    """Every name would change, so every bucket and the database would be replaced."""
    for change in ({"production": "true"}, {"name": "other"}):
        ran = staging.work.run("aws", "plan", "-no-color", **SETTINGS, **change)
        assert (ran.code, "This state is of aegis-staging" in ran.said) == (1, True), ran.said


def test_what_is_missing_is_made_again_and_destroy_leaves_nothing(aws: Aws) -> None:
    settings: dict[str, str] = {"db_password": PASSWORD, "github": json.dumps(GITHUB)}
    aws.work.ran("aws", "apply", "-auto-approve", "-no-color", **settings)
    aws.moto.client("iam").delete_role_policy(RoleName="aegis-staging-api", PolicyName="may")
    planned = aws.work.run("aws", "plan", "-no-color", "-detailed-exitcode", **settings)
    assert planned.code == 2
    assert 'aws_iam_role_policy.pod["api"] will be created' in planned.out

    _store(aws, f"aegis-staging-models-{aws.moto.account}", "staging/model")
    _store(aws, backups := f"aegis-staging-backups-{aws.moto.account}", "postgresql/aegis/base")
    client: Any = aws.moto.client
    stopped = aws.work.run("aws", "destroy", "-auto-approve", "-no-color", **settings)
    assert (stopped.code, "BucketNotEmpty" in stopped.said) == (1, True), stopped.said
    (kept,) = client("s3").list_object_versions(Bucket=backups)["Versions"]
    client("s3").delete_object(Bucket=backups, Key=kept["Key"], VersionId=kept["VersionId"])
    aws.work.ran("aws", "destroy", "-auto-approve", "-no-color", **settings)
    assert client("s3").list_buckets()["Buckets"] == []
    assert client("rds").describe_db_instances()["DBInstances"] == []
    assert client("iam").list_roles()["Roles"] == []
    assert client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert client("secretsmanager").list_secrets()["SecretList"] == []
    assert client("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.40.0.0/16"]}])["Vpcs"] == []


def test_state_with_a_lock(aws: Aws) -> None:
    """The example of remote state, with only its addresses changed: two people cannot apply at once."""
    example = Path(aws.work.folder / "overlays/aws/backend.tf.example").read_text(encoding="utf-8")
    address, keys = aws.moto.address, aws.moto.keys
    more = (
        f'endpoints = {{ s3 = "{address}" }}\n    use_path_style = true\n    access_key = "{keys["AccessKeyId"]}"\n'
        f'    secret_key = "{keys["SecretAccessKey"]}"\n    token = "{keys["SessionToken"]}"\n'
        "    skip_credentials_validation = true\n    skip_requesting_account_id = true\n"
        "    skip_metadata_api_check = true\n"
    )
    place = aws.work.folder / "overlays/aws/backend.tf"
    place.write_text(example.replace("use_lockfile = true", f"{more}    use_lockfile = true"), encoding="utf-8")
    s3 = aws.moto.client("s3")
    where = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="octo-terraform-state", CreateBucketConfiguration=where)
    aws.work.ran("aws", "init", "-no-color", "-input=false")
    aws.work.ran("aws", "apply", "-auto-approve", "-no-color", db_password=PASSWORD)
    held = s3.get_object(Bucket="octo-terraform-state", Key="aegis/staging.tfstate")["Body"].read()
    assert b"aws_db_instance" in held
    assert PASSWORD.encode() not in held
    assert not (aws.work.folder / "overlays/aws/terraform.tfstate").exists()

    lock = {"ID": "somebody-else", "Operation": "OperationTypeApply", "Who": "mona", "Version": "1.15.5"}
    s3.put_object(
        Bucket="octo-terraform-state", Key="aegis/staging.tfstate.tflock", Body=BytesIO(json.dumps(lock).encode())
    )
    refused = aws.work.run("aws", "apply", "-auto-approve", "-no-color", db_password=PASSWORD)
    assert refused.code == 1
    assert "Error acquiring the state lock" in refused.said


def _secrets_are_decrypted_and_nothing_else(aws: Aws, key: str) -> None:
    """By the role of External Secrets: the key is that of the models and backups too."""
    role = aws.moto.client("iam").get_role_policy(RoleName="aegis-production-secrets", PolicyName="may")
    password = aws.moto.client("secretsmanager").describe_secret(SecretId="aegis-production/database")
    assert password["KmsKeyId"] == key

    def decrypts(context: dict[str, list[str]]) -> bool:
        return iam_policy.allows([role["PolicyDocument"]], action="kms:Decrypt", resource=key, context=context)

    other = password["ARN"].replace("aegis-production/database", "shop/database")
    assert decrypts({"kms:EncryptionContext:SecretARN": [password["ARN"]]})
    assert not decrypts({"kms:EncryptionContext:SecretARN": [other]})
    assert not decrypts({"kms:EncryptionContext:aws:s3:arn": [f"arn:aws:s3:::aegis-production-models-{other}"]})
    assert not decrypts({})


def _store(aws: Aws, bucket: str, key: str) -> None:
    """moto heeds the bucket's policy: over plain HTTP nothing gets in until it is gone."""
    s3 = aws.moto.client("s3")
    with pytest.raises(ClientError, match="Forbidden"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"weights")
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=b"weights")
