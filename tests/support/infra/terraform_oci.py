"""Where the OCI overlay is applied: nothing but names.

No emulator of Oracle Cloud exists, so only Terraform's side is real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from tests.support.infra.terraform_provider import Values

COMPARTMENT = "ocid1.compartment.oc1..example"


@dataclass(slots=True)
class Invented:
    """The OCI provider's cloud: it takes everything, gives ids, and remembers."""

    made: dict[str, Values] = field(default_factory=dict)
    """By OCID, with what was given, write-only values too."""
    numbers: Iterator[int] = field(default_factory=count, repr=False)
    """Terraform asks in parallel: the size of `made` would name two things alike."""

    def create(self, kind: str, values: Values) -> Values:
        """An OCID, and what other resources ask for."""
        ocid = f"ocid1.{kind.removeprefix('oci_')}.oc1..{next(self.numbers)}"
        self.made[ocid] = values
        return {
            "id": ocid,
            "ocid": ocid,
            "default_security_list_id": f"{ocid}.default",
            "management_endpoint": "https://vault.example",
        }

    def update(self, kind: str, before: Values, values: Values) -> Values:
        """Nothing is computed anew."""
        self.made[before["id"]] = values
        return before

    def delete(self, kind: str, values: Values) -> None:
        """Forget it."""
        del self.made[values["id"]]

    def exists(self, kind: str, values: Values) -> bool:
        """Whether it was not forgotten."""
        return values["id"] in self.made

    def data(self, kind: str, values: Values) -> Values:
        """The three data sources of the overlay."""
        found: dict[str, Values] = {
            "oci_objectstorage_namespace": {"id": "namespace", "namespace": "octonamespace"},
            "oci_core_services": {
                "id": "services",
                "services": [{"id": "all", "name": "All", "description": "All", "cidr_block": "all-services"}],
            },
            "oci_psql_db_system_connection_detail": {
                "id": "detail",
                "ca_certificate": "certificate",
                "instance_endpoints": [],
                "primary_db_endpoint": [{"fqdn": "db.example", "ip_address": "10.40.0.2", "port": 5432}],
            },
        }
        return found[kind]
