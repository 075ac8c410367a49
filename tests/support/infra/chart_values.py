"""Values of the chart: those that it takes, and those that its schema must refuse."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).resolve().parents[3] / "helm"
DIGEST: Final = f"sha256:{'1' * 64}"
BACKUP_DIGEST: Final = f"sha256:{'2' * 64}"
Values = Mapping[str, Any]


def _shipped(cloud: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / f"values.{cloud}.yaml").read_text())
    return values


AWS: Final[Values] = {
    "policy": _shipped("aws")["policy"],
    "auth": _shipped("aws")["auth"],
    "region": "eu-central-1",
    "image": {"digest": DIGEST},
    "objectStore": {"bucket": "aegis-staging-models"},
    "database": {"url": "postgresql://aegis@db.example.org:5432/aegis?sslmode=verify-full"},
}
"""The least: what has no default."""
OCI: Final[Values] = {
    "cloud": "oci",
    "region": "eu-frankfurt-1",
    "policy": _shipped("oci")["policy"],
    "auth": _shipped("oci")["auth"],
    "image": {"digest": DIGEST},
    "objectStore": {"bucket": "aegis-staging-models", "namespace": "octons"},
    "database": {"url": "postgresql://aegis@db.example.org/aegis"},
}
BACKUP: Final[Values] = {
    "backup": {"enabled": True, "image": {"digest": BACKUP_DIGEST}, "policy": _shipped("aws")["backup"]["policy"]},
}
OPERATORS: Final[Values] = {
    "externalSecrets": {
        "enabled": True,
        "store": {"kind": "ClusterSecretStore", "name": "aws"},
        "remote": {
            "database": {"key": "aegis/database"},
            "audit": {"key": "aegis/audit", "property": "pem"},
            "cosign": {"key": "aegis/cosign"},
        },
    },
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    },
}
EVERYTHING: Final[Values] = {
    "identity": {
        "api": {"roleArn": "arn:aws:iam::123456789012:role/aegis"},
        "backup": {"roleArn": "arn:aws:iam::123456789012:role/aegis-backup"},
        "restore": {"annotations": {"example.org/team": "ml"}},
    },
    "database": {"authority": {"configMap": "database-authority"}},
    "auth": {"file": "jwt: []\n"},
    "api": {"tlsSecret": "aegis-tls", "extraEnv": [{"name": "TZ", "value": "UTC"}], "automountToken": True},
    "alerts": {
        "alertmanager": "http://alertmanager.monitoring:9093",
        "webhookSecret": {"name": "hook"},
        "repository": "octo/shop",
        "tokenSecret": {"name": "github"},
    },
    "service": {"type": "LoadBalancer", "annotations": {"example.org/internal": "true"}},
    "networkPolicy": {
        "from": [{"namespaceSelector": {"matchLabels": {"team": "ml"}}}],
        "extraEgress": [{"ports": [{"port": 9093, "protocol": "TCP"}]}],
    },
    "pods": {
        "labels": {"team": "ml"},
        "annotations": {"example.org/a": "b"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {}},
        "priorityClassName": "high",
    },
    "image": {"pullSecrets": ["registry"]},
    "migration": {"enabled": True, "databaseUrl": "postgresql://owner@db.example.org/aegis"},
    "backup": {
        "verify": {"enabled": True, "identitySecret": {"name": "age"}},
        "check": {"pushgateway": "http://pushgateway.monitoring:9091"},
    },
    "externalSecrets": {"remote": {"ageIdentity": {"key": "aegis/age"}}},
}


def laid(*layers: Values) -> dict[str, Any]:
    """Later ones over earlier ones, key by key, as helm does with several files."""

    def over(under: Values, upper: Values) -> dict[str, Any]:
        both = {
            key: over(under[key], value)
            if isinstance(value, Mapping) and isinstance(under.get(key), Mapping)
            else value
            for key, value in upper.items()
        }
        return {**under, **both}

    return reduce(over, layers, {})


@cache
def defaults() -> dict[str, Any]:
    """The chart's own values."""
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


def filled(cloud: str) -> dict[str, Any]:
    """The shipped file of a cloud, with what Terraform and a release say."""
    return laid(_shipped(cloud), AWS if cloud == "aws" else OCI, {"backup": {"image": {"digest": BACKUP_DIGEST}}})


GOOD: Final[Mapping[str, Values]] = {
    "the least": AWS,
    "values.aws.yaml": filled("aws"),
    "values.oci.yaml": filled("oci"),
    "backups": laid(AWS, BACKUP),
    "operators": laid(AWS, OPERATORS),
    "rollout": laid(AWS, {"workload": {"kind": "Rollout"}}),
    "rollout with analysis": laid(
        AWS,
        {
            "workload": {
                "kind": "Rollout",
                "steps": [
                    {"setCanaryScale": {"replicas": 1}},
                    {"setWeight": 20},
                    {
                        "analysis": {
                            "templates": [{"templateName": "aegis-canary"}],
                            "args": [{"name": "a", "value": "b"}],
                        }
                    },
                    {"pause": {"duration": "5m"}},
                    {"pause": {"duration": 60}},
                ],
            }
        },
    ),
    "everything": laid(AWS, BACKUP, OPERATORS, {"workload": {"kind": "Rollout"}}, EVERYTHING),
    "everything in OCI": laid(
        OCI, BACKUP, OPERATORS, EVERYTHING, {"identity": {key: {"roleArn": ""} for key in ("api", "backup")}}
    ),
    "nothing that can be left out": laid(
        AWS,
        {
            "autoscaling": {"enabled": False},
            "disruption": {"enabled": False},
            "networkPolicy": {"enabled": False},
            "policy": {"existingConfigMap": "ours", "cosignKeySecret": {"name": ""}},
            "database": {"passwordSecret": {"name": ""}},
        },
    ),
    "elsewhere": laid(AWS, {"cloud": "other", "region": "", "service": {"type": "NodePort", "port": 8443}}),
    "a balancer that ends TLS": laid(
        AWS,
        {"service": {"type": "LoadBalancer"}, "networkPolicy": {"from": [{"ipBlock": {"cidr": "10.0.0.0/16"}}]}},
    ),
    "below another chart": laid(
        AWS, {"global": {"team": "ml"}, "nameOverride": "models", "fullnameOverride": "models"}
    ),
}
"""By what each shows."""

_LONG = "a" * 300
BAD: Final[Mapping[str, tuple[Values, str]]] = {
    "no digest": ({"image": {"digest": ""}}, "/image/digest"),
    "a tag for a digest": ({"image": {"digest": "v1.0.0"}}, "/image/digest"),
    "a short digest": ({"image": {"digest": "sha256:1234"}}, "/image/digest"),
    "a tag": ({"image": {"tag": "latest"}}, "/image"),
    "a digest in the name": ({"image": {"repository": f"ghcr.io/org/aegis@{DIGEST}"}}, "/image/repository"),
    "a name with a tag": ({"image": {"repository": "ghcr.io/org/aegis:latest"}}, "/image/repository"),
    "another policy of pulling": ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    "no bucket": ({"objectStore": {"bucket": ""}}, "/objectStore/bucket"),
    "an address for a bucket": ({"objectStore": {"bucket": "s3://models"}}, "/objectStore/bucket"),
    "a folder without its end": ({"objectStore": {"modelsUrl": "s3://models/staging"}}, "/objectStore/modelsUrl"),
    "models of another cloud": ({"objectStore": {"modelsUrl": "oci://octons/models/"}}, "/objectStore/modelsUrl"),
    "backups of another cloud": ({"objectStore": {"backupsUrl": "oci://octons/models/"}}, "/objectStore/backupsUrl"),
    "a namespace in AWS": ({"objectStore": {"namespace": "octons"}}, "/objectStore/namespace"),
    "no namespace in OCI": ({"cloud": "oci", "region": ""}, "/objectStore/namespace"),
    "roles of AWS in OCI": (
        {
            "cloud": "oci",
            "objectStore": {"namespace": "octons"},
            "identity": {"api": {"roleArn": "arn:aws:iam::123456789012:role/aegis"}},
        },
        "/identity/api/roleArn",
    ),
    "another cloud": ({"cloud": "azure"}, "/cloud"),
    "no region": ({"region": ""}, "/region"),
    "a region of nowhere": ({"region": "Europe"}, "/region"),
    "no database": ({"database": {"url": ""}}, "/database/url"),
    "a password in the address": ({"database": {"url": "postgresql://aegis:secret@db/aegis"}}, "/database/url"),
    "a password in its settings": ({"database": {"url": "postgresql://aegis@db/aegis?password=x"}}, "/database/url"),
    "a password that is encoded": ({"database": {"url": "postgresql://aegis%3Asecret@db/aegis"}}, "/database/url"),
    "another database": ({"database": {"url": "mysql://aegis@db/aegis"}}, "/database/url"),
    "SQLite": ({"database": {"url": "sqlite:////data/aegis.db"}}, "/database/url"),
    "a password among the values": ({"database": {"password": "secret"}}, "/database"),
    "no name of the password's key": ({"database": {"passwordSecret": {"name": "a", "key": ""}}}, "key"),
    "an account's ARN for a role": (
        {"identity": {"api": {"roleArn": "arn:aws:iam::1:user/x"}}},
        "/identity/api/roleArn",
    ),
    "no policy": ({"policy": {"files": None}}, "/policy"),
    "no aegis.yml": ({"policy": {"files": {"aegis.yml": None}}}, "/policy/files"),
    "an empty policy": ({"policy": {"files": {"aegis.yml": ""}}}, "/policy/files/aegis.yml"),
    "a file in a folder": ({"policy": {"files": {"keys/a.pub": "x"}}}, ""),  # helm names a wrong place
    "nobody who may call": ({"auth": {"file": ""}}, "/auth/file"),
    "no key of the audit log": ({"audit": {"keySecret": {"name": ""}}}, "/audit/keySecret/name"),
    "an origin with a space": ({"audit": {"origin": "our log"}}, "/audit/origin"),
    "another way to hand models out": ({"models": {"handoff": "memory"}}, "/models/handoff"),
    "an amount in words": ({"models": {"volumeSize": "20 GB"}}, "/models/volumeSize"),
    "a number as a text": ({"api": {"replicas": "2"}}, "/api/replicas"),
    "fewer than none": ({"api": {"replicas": -1}}, "/api/replicas"),
    "no limit of memory": ({"api": {"resources": {"limits": {"memory": None, "cpu": 1}}}}, "/api/resources/limits"),
    "another resource": ({"api": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}, "/api/resources/limits"),
    "a setting of the chart": (
        {"api": {"extraEnv": [{"name": "AEGIS_AUDIT", "value": "disk"}]}},
        "/api/extraEnv/0/name",
    ),
    "another database by a variable": (
        {"api": {"extraEnv": [{"name": "DATABASE_URL", "value": "sqlite:///x"}]}},
        "/api/extraEnv/0/name",
    ),
    "a library by a variable": ({"api": {"extraEnv": [{"name": "LD_PRELOAD", "value": "x"}]}}, "/api/extraEnv/0/name"),
    **{
        f"a variable called {name}": ({"api": {"extraEnv": [{"name": name, "value": "x"}]}}, "/api/extraEnv/0/name")
        for name in (
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ENDPOINT_URL_S3",
            "AWS_ROLE_ARN",
            "OCI_CLI_USER",
            "HTTPS_PROXY",
            "NO_PROXY",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "OPENSSL_CONF",
            "PATH",
            "HF_TOKEN",
            "SMTP_PASSWORD",
            "OTHER_SECRETS",
        )
    },
    "a variable with a secret": (
        {"api": {"extraEnv": [{"name": "A", "value": "b", "valueFrom": {}}]}},
        "/api/extraEnv/0",
    ),
    "another kind of workload": ({"workload": {"kind": "StatefulSet"}}, "/workload/kind"),
    "no steps": ({"workload": {"steps": []}}, "/workload/steps"),
    "a rollout that time alone promotes": (
        {"workload": {"kind": "Rollout", "steps": [{"setWeight": 50}, {"pause": {"duration": "10m"}}]}},
        "/workload/steps",
    ),
    "an unknown step": ({"workload": {"steps": [{"promote": {}}]}}, "/workload/steps/0"),
    "two steps in one": ({"workload": {"steps": [{"setWeight": 1, "pause": {}}]}}, "/workload/steps/0"),
    "more than all": ({"workload": {"steps": [{"setWeight": 101}]}}, "/workload/steps/0/setWeight"),
    "another service": ({"service": {"type": "ExternalName"}}, "/service/type"),
    "a port that is none": ({"service": {"port": 70000}}, "/service/port"),
    "a budget of none": ({"disruption": {"maxUnavailable": 0}}, "/disruption/maxUnavailable"),
    "a peer that is none": ({"networkPolicy": {"from": [{}]}}, "/networkPolicy/from/0"),
    "a peer with a typing error": ({"networkPolicy": {"from": [{"podSelctor": {}}]}}, "/networkPolicy/from/0"),
    "no network of databases": ({"networkPolicy": {"databaseCidrs": []}}, "/networkPolicy/databaseCidrs"),
    "a name that is too long": ({"fullnameOverride": _LONG}, "/fullnameOverride"),
    "a name in capitals": ({"nameOverride": "Aegis"}, "/nameOverride"),
    "a label that is none": ({"pods": {"labels": {"team": "a b"}}}, "/pods/labels/team"),
    **{
        f"a label {key} of the chart's": ({"pods": {"labels": {key: "api"}}}, "/pods/labels")
        for key in (
            "app.kubernetes.io/component",
            "app.kubernetes.io/name",
            "rollouts-pod-template-hash",
            "helm.sh/chart",
        )
    },
    "the chart's word on the policy": ({"pods": {"annotations": {"aegis/config": "x"}}}, "/pods/annotations"),
    "a confinement less": (
        {"pods": {"annotations": {"container.apparmor.security.beta.kubernetes.io/api": "unconfined"}}},
        "/pods/annotations",
    ),
    "a role by an annotation": (
        {"identity": {"api": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/admin"}}}},
        "/identity/api/annotations",
    ),
    "a database that nobody asks for its certificate": (
        {"database": {"url": "postgresql://aegis@db.example.org/aegis?application_name=a&sslmode=require"}},
        "/database/url",
    ),
    "a dump in plain text": (
        {"backup": {"database": {"url": "postgresql://aegis_backup@db.example.org/aegis?sslmode=disable"}}},
        "/backup/database/url",
    ),
    "a migration by any certificate": (
        {"migration": {"databaseUrl": "postgresql://owner@db.example.org/aegis?sslmode=verify-ca&connect_timeout=5"}},
        "/migration/databaseUrl",
    ),
    "tokens in plain text for everybody": ({"service": {"type": "LoadBalancer"}}, "/api/tlsSecret"),
    "a list of callers that nobody reads": (
        {
            "service": {"type": "LoadBalancer"},
            "networkPolicy": {"enabled": False, "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        },
        "/networkPolicy/enabled",
    ),
    "another user": ({"pods": {"securityContext": {"runAsUser": 0}}}, "/pods"),
    "privileges": ({"api": {"securityContext": {"privileged": True}}}, "/api"),
    "a migration as nobody": ({"migration": {"enabled": True}}, "/migration/databaseUrl"),
    "backups without an image": (laid(BACKUP, {"backup": {"image": {"digest": ""}}}), "/backup/image/digest"),
    "backups without a policy": (laid(BACKUP, {"backup": {"policy": {"files": None}}}), "/backup/policy"),
    "a schedule with a word": (laid(BACKUP, {"backup": {"run": {"schedule": "@daily"}}}), "/backup/run/schedule"),
    "a schedule of every minute": (
        laid(BACKUP, {"backup": {"run": {"schedule": "* * * * *"}}}),
        "/backup/run/schedule",
    ),
    "an address with a password": (
        {"alerts": {"alertmanager": "http://user:secret@alertmanager"}},
        "/alerts/alertmanager",
    ),
    "issues without a token": ({"alerts": {"repository": "octo/shop"}}, "/alerts/tokenSecret/name"),
    "a store of another kind": ({"externalSecrets": {"store": {"kind": "Vault"}}}, "/externalSecrets/store/kind"),
    "an interval without a unit": ({"monitoring": {"serviceMonitor": {"interval": "15"}}}, "interval"),
    "a misspelt key": ({"databse": {"url": "x"}}, ""),
    "a misspelt switch": ({"autoscaling": {"enable": False}}, "/autoscaling"),
    "a switch as a text": ({"networkPolicy": {"enabled": "false"}}, "/networkPolicy/enabled"),
}
"""Values over the least, and the place that their refusal names."""
