"""The resources of the AWS overlay, made in a moto server with botocore: what moto does not do is refused, not played.

moto checks neither trust nor rights; those are judged from what stands in it afterwards.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.support.infra.terraform_provider import Values

_ACCOUNTS = count(200000000001)
"""moto keeps what it holds for all servers of a process; an account of its own keeps tests apart."""
REGION = "eu-central-1"


@contextmanager
def moto() -> Iterator[Moto]:
    """A moto server, and an account with nothing in it."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else a line a request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address, account = f"http://{host}:{port}", str(next(_ACCOUNTS))
        sts = boto3.client(
            "sts", endpoint_url=address, region_name=REGION, aws_access_key_id="t", aws_secret_access_key="t"
        )
        role = f"arn:aws:iam::{account}:role/tests"
        keys = sts.assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
        yield Moto(address, account, keys)
    finally:
        server.stop()


@dataclass(slots=True)
class Moto:
    """The AWS provider's cloud."""

    address: str
    account: str
    keys: dict[str, Any]
    """Credentials for the account, as STS gives them."""
    made: list[str] = field(default_factory=list)
    """Kinds in the order in which they were made."""
    given: dict[str, Values] = field(default_factory=dict)
    """By kind, what the last one was made or changed with: write-only values too."""
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """One call after the other: Terraform makes ten at once, and moto goes over dictionaries that another changes."""

    def client(self, service: str) -> Any:
        """botocore's client of a service here, for the account."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.address,
                region_name=REGION,
                aws_access_key_id=self.keys["AccessKeyId"],
                aws_secret_access_key=self.keys["SecretAccessKey"],
                aws_session_token=self.keys["SessionToken"],
            )
        return self._clients[service]

    def create(self, kind: str, values: Values) -> Values:
        """Make it."""
        with self._turn:
            found = _CREATE[kind](self, values)
        self.made.append(kind)
        self.given[kind] = values
        return {"region": REGION, "tags_all": values.get("tags") or {}, **found}

    def update(self, kind: str, before: Values, values: Values) -> Values:
        """Only what tests change."""
        with self._turn:
            found = _UPDATE[kind](self, before, values)
        self.given[kind] = values
        return {**before, **found}

    def delete(self, kind: str, values: Values) -> None:
        """Remove it."""
        with self._turn:
            _DELETE.get(kind, _nothing)(self, values)

    def exists(self, kind: str, values: Values) -> bool:
        """Ask for it, where it can be asked for."""
        look = _EXISTS.get(kind)
        if look is None:
            return True
        try:
            with self._turn:
                look(self, values)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in {400, 404}:
                raise
            return False
        return True

    def data(self, kind: str, values: Values) -> Values:
        """The three data sources of the overlay."""
        with self._turn:
            return self._data(kind)

    def _data(self, kind: str) -> Values:
        if kind == "aws_caller_identity":
            told = self.client("sts").get_caller_identity()
            return {"account_id": told["Account"], "arn": told["Arn"], "user_id": told["UserId"], "id": told["Account"]}
        if kind == "aws_partition":
            return {
                "partition": "aws",
                "dns_suffix": "amazonaws.com",
                "id": "aws",
                "reverse_dns_prefix": "com.amazonaws",
            }
        zones = self.client("ec2").describe_availability_zones()["AvailabilityZones"]
        return {
            "names": [zone["ZoneName"] for zone in zones],
            "zone_ids": [zone["ZoneId"] for zone in zones],
            "group_names": [],
            "id": REGION,
        }


def _bucket(moto: Moto, values: Values) -> Values:
    place = {"LocationConstraint": REGION}
    locked = {"ObjectLockEnabledForBucket": True} if values["object_lock_enabled"] else {}
    moto.client("s3").create_bucket(Bucket=values["bucket"], CreateBucketConfiguration=place, **locked)
    return {"id": values["bucket"], "arn": f"arn:aws:s3:::{values['bucket']}"}


def _empty_bucket(moto: Moto, values: Values) -> None:
    s3, name = moto.client("s3"), values["bucket"]
    kept = s3.list_object_versions(Bucket=name)
    for one in (*kept.get("Versions", ()), *kept.get("DeleteMarkers", ())) if values["force_destroy"] else ():
        s3.delete_object(Bucket=name, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=name)


def _block_public(moto: Moto, values: Values) -> Values:
    moto.client("s3").put_public_access_block(
        Bucket=values["bucket"],
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": values["block_public_acls"],
            "BlockPublicPolicy": values["block_public_policy"],
            "IgnorePublicAcls": values["ignore_public_acls"],
            "RestrictPublicBuckets": values["restrict_public_buckets"],
        },
    )
    return {"id": values["bucket"]}


def _ownership(moto: Moto, values: Values) -> Values:
    rules = [{"ObjectOwnership": rule["object_ownership"]} for rule in values["rule"]]
    moto.client("s3").put_bucket_ownership_controls(Bucket=values["bucket"], OwnershipControls={"Rules": rules})
    return {"id": values["bucket"]}


def _versioning(moto: Moto, values: Values) -> Values:
    status = values["versioning_configuration"][0]["status"]
    moto.client("s3").put_bucket_versioning(Bucket=values["bucket"], VersioningConfiguration={"Status": status})
    return {"id": values["bucket"]}


def _bucket_encryption(moto: Moto, values: Values) -> Values:
    (rule,) = values["rule"]
    (by_default,) = rule["apply_server_side_encryption_by_default"]
    wanted = {"SSEAlgorithm": by_default["sse_algorithm"]}
    if by_default["kms_master_key_id"]:
        wanted["KMSMasterKeyID"] = by_default["kms_master_key_id"]
    rules = [{"ApplyServerSideEncryptionByDefault": wanted, "BucketKeyEnabled": rule["bucket_key_enabled"]}]
    moto.client("s3").put_bucket_encryption(Bucket=values["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})
    return {"id": values["bucket"]}


def _bucket_policy(moto: Moto, values: Values) -> Values:
    moto.client("s3").put_bucket_policy(Bucket=values["bucket"], Policy=values["policy"])
    return {"id": values["bucket"]}


def _lifecycle(moto: Moto, values: Values) -> Values:
    rules = [
        {
            "ID": rule["id"],
            "Status": rule["status"],
            "Filter": {"Prefix": rule["filter"][0]["prefix"]},
            "AbortIncompleteMultipartUpload": {
                "DaysAfterInitiation": rule["abort_incomplete_multipart_upload"][0]["days_after_initiation"]
            },
            "NoncurrentVersionExpiration": {
                "NoncurrentDays": rule["noncurrent_version_expiration"][0]["noncurrent_days"]
            },
        }
        for rule in values["rule"]
    ]
    moto.client("s3").put_bucket_lifecycle_configuration(
        Bucket=values["bucket"], LifecycleConfiguration={"Rules": rules}
    )
    return {"id": values["bucket"]}


def _vpc(moto: Moto, values: Values) -> Values:
    vpc = moto.client("ec2").create_vpc(CidrBlock=values["cidr_block"])["Vpc"]["VpcId"]
    return {"id": vpc, "arn": f"arn:aws:ec2:{REGION}:{moto.account}:vpc/{vpc}"}


def _default_group(moto: Moto, values: Values) -> Values:
    """Adopted, and emptied, as the provider does."""
    ec2 = moto.client("ec2")
    here = [{"Name": "vpc-id", "Values": [values["vpc_id"]]}, {"Name": "group-name", "Values": ["default"]}]
    (group,) = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
    if group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    if group["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])
    return {"id": group["GroupId"], "name": "default"}


def _subnet(moto: Moto, values: Values) -> Values:
    subnet = moto.client("ec2").create_subnet(
        VpcId=values["vpc_id"], CidrBlock=values["cidr_block"], AvailabilityZone=values["availability_zone"]
    )["Subnet"]
    return {"id": subnet["SubnetId"], "arn": subnet["SubnetArn"]}


def _route_table(moto: Moto, values: Values) -> Values:
    return {"id": moto.client("ec2").create_route_table(VpcId=values["vpc_id"])["RouteTable"]["RouteTableId"]}


def _route_association(moto: Moto, values: Values) -> Values:
    done = moto.client("ec2").associate_route_table(RouteTableId=values["route_table_id"], SubnetId=values["subnet_id"])
    return {"id": done["AssociationId"]}


def _endpoint(moto: Moto, values: Values) -> Values:
    made = moto.client("ec2").create_vpc_endpoint(
        VpcId=values["vpc_id"],
        ServiceName=values["service_name"],
        VpcEndpointType=values["vpc_endpoint_type"],
        RouteTableIds=values["route_table_ids"],
    )
    return {"id": made["VpcEndpoint"]["VpcEndpointId"]}


def _flow_log(moto: Moto, values: Values) -> Values:
    made = moto.client("ec2").create_flow_logs(
        ResourceIds=[values["vpc_id"]],
        ResourceType="VPC",
        TrafficType=values["traffic_type"],
        LogDestination=values["log_destination"],
        DeliverLogsPermissionArn=values["iam_role_arn"],
    )
    assert not made["Unsuccessful"], made["Unsuccessful"]
    return {"id": made["FlowLogIds"][0]}


def _log_group(moto: Moto, values: Values) -> Values:
    logs = moto.client("logs")
    logs.create_log_group(logGroupName=values["name"], **_given(kmsKeyId=values["kms_key_id"]))
    logs.put_retention_policy(logGroupName=values["name"], retentionInDays=values["retention_in_days"])
    return {"id": values["name"], "arn": f"arn:aws:logs:{REGION}:{moto.account}:log-group:{values['name']}"}


def _kms_key(moto: Moto, values: Values) -> Values:
    kms = moto.client("kms")
    key = kms.create_key(Description=values["description"], Policy=values["policy"])["KeyMetadata"]
    if values["enable_key_rotation"]:
        kms.enable_key_rotation(KeyId=key["KeyId"])
    return {"id": key["KeyId"], "key_id": key["KeyId"], "arn": key["Arn"]}


def _kms_alias(moto: Moto, values: Values) -> Values:
    moto.client("kms").create_alias(AliasName=values["name"], TargetKeyId=values["target_key_id"])
    return {"id": values["name"], "arn": f"arn:aws:kms:{REGION}:{moto.account}:{values['name']}"}


def _security_group(moto: Moto, values: Values) -> Values:
    made = moto.client("ec2").create_security_group(
        GroupName=values["name"], Description=values["description"], VpcId=values["vpc_id"]
    )
    return {"id": made["GroupId"], "owner_id": moto.account}


def _ingress(moto: Moto, values: Values) -> Values:
    made = moto.client("ec2").authorize_security_group_ingress(
        GroupId=values["security_group_id"],
        IpPermissions=[
            {
                "IpProtocol": values["ip_protocol"],
                "FromPort": values["from_port"],
                "ToPort": values["to_port"],
                "IpRanges": [{"CidrIp": values["cidr_ipv4"], "Description": values["description"]}],
            }
        ],
    )
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return {"id": rule, "security_group_rule_id": rule}


def _subnet_group(moto: Moto, values: Values) -> Values:
    made = moto.client("rds").create_db_subnet_group(
        DBSubnetGroupName=values["name"],
        DBSubnetGroupDescription=values["description"],
        SubnetIds=values["subnet_ids"],
    )
    return {"id": values["name"], "arn": made["DBSubnetGroup"]["DBSubnetGroupArn"]}


def _parameter_group(moto: Moto, values: Values) -> Values:
    rds = moto.client("rds")
    made = rds.create_db_parameter_group(
        DBParameterGroupName=values["name"],
        DBParameterGroupFamily=values["family"],
        Description=values["description"],
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName=values["name"],
        Parameters=[
            {"ParameterName": one["name"], "ParameterValue": one["value"], "ApplyMethod": "immediate"}
            for one in values["parameter"]
        ],
    )
    return {"id": values["name"], "arn": made["DBParameterGroup"]["DBParameterGroupArn"]}


def _database(moto: Moto, values: Values) -> Values:
    assert values["password"] is None, "the password is given by the write-only argument"
    made = moto.client("rds").create_db_instance(
        DBInstanceIdentifier=values["identifier"],
        Engine=values["engine"],
        EngineVersion=values["engine_version"],
        DBInstanceClass=values["instance_class"],
        AllocatedStorage=int(values["allocated_storage"]),
        MasterUsername=values["username"],
        MasterUserPassword=values["password_wo"],
        DBName=values["db_name"],
        DBSubnetGroupName=values["db_subnet_group_name"],
        DBParameterGroupName=values["parameter_group_name"],
        VpcSecurityGroupIds=values["vpc_security_group_ids"],
        PubliclyAccessible=values["publicly_accessible"],
        MultiAZ=values["multi_az"],
        StorageEncrypted=values["storage_encrypted"],
        BackupRetentionPeriod=int(values["backup_retention_period"]),
        DeletionProtection=values["deletion_protection"],
        EnableIAMDatabaseAuthentication=values["iam_database_authentication_enabled"],
        **_given(KmsKeyId=values["kms_key_id"]),
    )["DBInstance"]
    end = made["Endpoint"]
    return {
        "id": values["identifier"],
        "arn": made["DBInstanceArn"],
        "address": end["Address"],
        "port": end["Port"],
        "endpoint": f"{end['Address']}:{end['Port']}",
        "resource_id": made["DbiResourceId"],
    }


def _database_changed(moto: Moto, before: Values, values: Values) -> Values:
    changes: Values = {}
    if values["password_wo_version"] != before["password_wo_version"]:
        changes["MasterUserPassword"] = values["password_wo"]
    moto.client("rds").modify_db_instance(
        DBInstanceIdentifier=values["identifier"], DeletionProtection=values["deletion_protection"], **changes
    )
    return {}


def _database_gone(moto: Moto, values: Values) -> None:
    """moto keeps AWS's rule that a protected database cannot be removed."""
    moto.client("rds").delete_db_instance(
        DBInstanceIdentifier=values["identifier"],
        SkipFinalSnapshot=values["skip_final_snapshot"],
        **_given(FinalDBSnapshotIdentifier=values["final_snapshot_identifier"]),
    )


def _secret(moto: Moto, values: Values) -> Values:
    arn = moto.client("secretsmanager").create_secret(Name=values["name"], **_given(KmsKeyId=values["kms_key_id"]))
    return {"id": arn["ARN"], "arn": arn["ARN"]}


def _secret_value(moto: Moto, values: Values) -> Values:
    assert values["secret_string"] is None, "the password is given by the write-only argument"
    made = moto.client("secretsmanager").put_secret_value(
        SecretId=values["secret_id"], SecretString=values["secret_string_wo"]
    )
    return {"id": f"{made['ARN']}|{made['VersionId']}", "arn": made["ARN"], "version_id": made["VersionId"]}


def _secret_changed(moto: Moto, before: Values, values: Values) -> Values:
    return _secret_value(moto, values)


def _secret_gone(moto: Moto, values: Values) -> None:
    moto.client("secretsmanager").delete_secret(SecretId=values["id"], ForceDeleteWithoutRecovery=True)


def _oidc(moto: Moto, values: Values) -> Values:
    made = moto.client("iam").create_open_id_connect_provider(Url=values["url"], ClientIDList=values["client_id_list"])
    return {"id": made["OpenIDConnectProviderArn"], "arn": made["OpenIDConnectProviderArn"]}


def _role(moto: Moto, values: Values) -> Values:
    made = moto.client("iam").create_role(
        RoleName=values["name"],
        AssumeRolePolicyDocument=values["assume_role_policy"],
        **_given(
            Description=values["description"],
            MaxSessionDuration=values["max_session_duration"],
            PermissionsBoundary=values["permissions_boundary"],
        ),
    )["Role"]
    return {"id": values["name"], "arn": made["Arn"], "unique_id": made["RoleId"], "max_session_duration": 3600}


def _role_policy(moto: Moto, values: Values) -> Values:
    json.loads(values["policy"])
    moto.client("iam").put_role_policy(
        RoleName=values["role"], PolicyName=values["name"], PolicyDocument=values["policy"]
    )
    return {"id": f"{values['role']}:{values['name']}"}


def _given(**values: Any) -> Values:
    return {name: value for name, value in values.items() if value is not None}


def _nothing(moto: Moto, values: Values) -> None:
    """What goes with what it belongs to."""


def _call(service: str, operation: str, **names: str) -> Callable[[Moto, Values], Any]:
    """An operation whose parameters are attributes of the resource."""

    def call(moto: Moto, values: Values) -> Any:
        return getattr(moto.client(service), operation)(**{key: values[name] for key, name in names.items()})

    return call


def _listed(operation: str, parameter: str) -> Callable[[Moto, Values], Any]:
    def call(moto: Moto, values: Values) -> Any:
        return getattr(moto.client("ec2"), operation)(**{parameter: [values["id"]]})

    return call


_CREATE: dict[str, Callable[[Moto, Values], Values]] = {
    "aws_cloudwatch_log_group": _log_group,
    "aws_db_instance": _database,
    "aws_db_parameter_group": _parameter_group,
    "aws_db_subnet_group": _subnet_group,
    "aws_default_security_group": _default_group,
    "aws_flow_log": _flow_log,
    "aws_iam_openid_connect_provider": _oidc,
    "aws_iam_role": _role,
    "aws_iam_role_policy": _role_policy,
    "aws_kms_alias": _kms_alias,
    "aws_kms_key": _kms_key,
    "aws_route_table": _route_table,
    "aws_route_table_association": _route_association,
    "aws_s3_bucket": _bucket,
    "aws_s3_bucket_lifecycle_configuration": _lifecycle,
    "aws_s3_bucket_ownership_controls": _ownership,
    "aws_s3_bucket_policy": _bucket_policy,
    "aws_s3_bucket_public_access_block": _block_public,
    "aws_s3_bucket_server_side_encryption_configuration": _bucket_encryption,
    "aws_s3_bucket_versioning": _versioning,
    "aws_secretsmanager_secret": _secret,
    "aws_secretsmanager_secret_version": _secret_value,
    "aws_security_group": _security_group,
    "aws_subnet": _subnet,
    "aws_vpc": _vpc,
    "aws_vpc_endpoint": _endpoint,
    "aws_vpc_security_group_ingress_rule": _ingress,
}
_UPDATE: dict[str, Callable[[Moto, Values, Values], Values]] = {
    "aws_db_instance": _database_changed,
    "aws_secretsmanager_secret_version": _secret_changed,
}
_DELETE: dict[str, Callable[[Moto, Values], Any]] = {
    "aws_cloudwatch_log_group": _call("logs", "delete_log_group", logGroupName="name"),
    "aws_db_instance": _database_gone,
    "aws_db_parameter_group": _call("rds", "delete_db_parameter_group", DBParameterGroupName="name"),
    "aws_db_subnet_group": _call("rds", "delete_db_subnet_group", DBSubnetGroupName="name"),
    "aws_flow_log": lambda moto, values: moto.client("ec2").delete_flow_logs(FlowLogIds=[values["id"]]),
    "aws_iam_openid_connect_provider": _call("iam", "delete_open_id_connect_provider", OpenIDConnectProviderArn="arn"),
    "aws_iam_role": _call("iam", "delete_role", RoleName="name"),
    "aws_iam_role_policy": _call("iam", "delete_role_policy", RoleName="role", PolicyName="name"),
    "aws_kms_alias": _call("kms", "delete_alias", AliasName="name"),
    "aws_kms_key": _call("kms", "schedule_key_deletion", KeyId="key_id", PendingWindowInDays="deletion_window_in_days"),
    "aws_route_table": _call("ec2", "delete_route_table", RouteTableId="id"),
    "aws_route_table_association": _call("ec2", "disassociate_route_table", AssociationId="id"),
    "aws_s3_bucket": _empty_bucket,
    "aws_s3_bucket_policy": _call("s3", "delete_bucket_policy", Bucket="bucket"),
    "aws_secretsmanager_secret": _secret_gone,
    "aws_security_group": _call("ec2", "delete_security_group", GroupId="id"),
    "aws_subnet": _call("ec2", "delete_subnet", SubnetId="id"),
    "aws_vpc": _call("ec2", "delete_vpc", VpcId="id"),
    "aws_vpc_endpoint": lambda moto, values: moto.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[values["id"]]),
}
_EXISTS: dict[str, Callable[[Moto, Values], Any]] = {
    "aws_db_instance": _call("rds", "describe_db_instances", DBInstanceIdentifier="identifier"),
    "aws_db_parameter_group": _call("rds", "describe_db_parameter_groups", DBParameterGroupName="name"),
    "aws_db_subnet_group": _call("rds", "describe_db_subnet_groups", DBSubnetGroupName="name"),
    "aws_iam_openid_connect_provider": _call("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn="arn"),
    "aws_iam_role": _call("iam", "get_role", RoleName="name"),
    "aws_iam_role_policy": _call("iam", "get_role_policy", RoleName="role", PolicyName="name"),
    "aws_kms_key": _call("kms", "describe_key", KeyId="key_id"),
    "aws_route_table": _listed("describe_route_tables", "RouteTableIds"),
    "aws_s3_bucket": _call("s3", "head_bucket", Bucket="bucket"),
    "aws_s3_bucket_lifecycle_configuration": _call("s3", "get_bucket_lifecycle_configuration", Bucket="bucket"),
    "aws_s3_bucket_policy": _call("s3", "get_bucket_policy", Bucket="bucket"),
    "aws_s3_bucket_public_access_block": _call("s3", "get_public_access_block", Bucket="bucket"),
    "aws_secretsmanager_secret": _call("secretsmanager", "describe_secret", SecretId="id"),
    "aws_secretsmanager_secret_version": _call("secretsmanager", "get_secret_value", SecretId="secret_id"),
    "aws_security_group": _listed("describe_security_groups", "GroupIds"),
    "aws_subnet": _listed("describe_subnets", "SubnetIds"),
    "aws_vpc": _listed("describe_vpcs", "VpcIds"),
    "aws_vpc_endpoint": _listed("describe_vpc_endpoints", "VpcEndpointIds"),
}
