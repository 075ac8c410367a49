"""What a database holds, as read in one snapshot: the tables with their checksums, and all else that a restore owes.

Both sides of a proof are written down in these types: the source when it was dumped, the restored database afterwards.
Integers that may pass 2**53 are decimal text, since readers of JSON may round them (RFC 7493 2.2).
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

HASH_VERSION = 1
"""Of what a checksum is computed over: sums of another version can't be compared with ours."""

Name = Annotated[str, Meta(min_length=1, max_length=256)]
"""An identifier as PostgreSQL holds it, unquoted: any characters but NUL."""
Text = Annotated[str, Meta(max_length=1024)]
Decimal = Annotated[str, Meta(pattern=r"\A(0|-?[1-9][0-9]{0,38})\Z")]
"""An integer as text."""
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]

Checksums: TypeAlias = Literal["typed", "strict", "off"]
"""How much is asked: `strict` tells apart what PostgreSQL itself calls equal (0 and -0, jsonb 1.0 and 1.00)."""
Rule: TypeAlias = Literal["native", "text", "text-c", "generated"]
"""How a column enters its table's checksum.

native     by the hash of its own type, or of its 8 bytes
text       by what its type writes, which is also what a dump holds
text-c     by its own hash under the collation "C", since its own collation calls different texts equal
generated  not at all: it isn't dumped, but computed anew from the others
"""
Kind: TypeAlias = Literal["table", "partition", "partitioned", "unlogged", "foreign", "extension"]
"""What a table is.

table        stands alone, or in a tree of inheritance; its own rows only
partition    a leaf with rows of its own
partitioned  holds no rows. Where a dump may spread its rows otherwise, they are summed up here, not in the partitions
unlogged     an unlogged one on a standby, which has no rows there and none in a dump
foreign      its rows lie elsewhere and are not dumped
extension    made by an extension, its rows as well
"""


class Column(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column, in the order in which it is hashed: by name."""

    name: Name
    type: Text
    """As `format_type` says it, e.g. `numeric(10,2)`."""
    rule: Rule


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table and the checksum of its rows; `rows` and `hash` are None where its rows aren't compared."""

    schema: Name
    name: Name
    kind: Kind
    rows: Count | None
    hash: Decimal | None
    """Sum over the rows of the 64-bit hash of each."""
    columns: Annotated[tuple[Column, ...], Meta(max_length=1664)]


class Position(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a sequence stands: `last` was given out if `called`, else it is the next."""

    last: Decimal
    called: bool


class Sequence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sequence moves outside of snapshots, so it is read before and after."""

    schema: Name
    name: Name
    increment: Decimal
    cycle: bool
    before: Position
    after: Position
    owned_max: Decimal | None
    """The furthest value in the column that it feeds; None where it feeds none, or one without rows."""


class LargeObjects(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them as one; `hash` is None where checksums are off."""

    count: Count
    hash: Decimal | None


class Matview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A materialized view. A restore computes it anew, so its rows are told and not compared."""

    schema: Name
    name: Name
    populated: bool
    rows: Count | None
    """None where it isn't populated, or checksums are off."""


class Extension(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installed extension. A dump names no version: a restore takes the default one of its server."""

    name: Name
    version: Text


class Role(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role of the cluster, without its password; those that every cluster has (`pg_…`) are left out."""

    name: Name
    superuser: bool
    inherit: bool
    create_role: bool
    create_db: bool
    login: bool
    replication: bool
    bypass_rls: bool
    used: bool
    """Whether a dump names it: something in the database belongs to it, or gives it rights."""
    member_of: tuple[Name, ...]


class Database(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which database it is, and what a server must have to take it."""

    name: Name
    oid: Count
    system_identifier: Decimal
    """Of the cluster; a copy of its files has the same."""
    server_version_num: Count
    """E.g. 170011 for 17.11."""
    encoding: Text
    collate: Text
    ctype: Text
    locale_provider: Literal["libc", "icu", "builtin"]
    icu_locale: Text | None
    """The locale of ICU or of the server's own provider, where one of these is used."""
    collation_version: Text | None

    @property
    def major(self) -> int:
        """E.g. 17."""
        return self.server_version_num // 10_000


class Inventory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. Lists are sorted by schema and name, each thing once."""

    database: Database
    checksums: Checksums
    hash_version: Count
    settings: dict[Name, Text]
    """What was pinned while the checksums were computed."""
    tables: Annotated[tuple[Table, ...], Meta(max_length=1_000_000)]
    sequences: Annotated[tuple[Sequence, ...], Meta(max_length=1_000_000)]
    large_objects: LargeObjects
    matviews: Annotated[tuple[Matview, ...], Meta(max_length=100_000)]
    extensions: Annotated[tuple[Extension, ...], Meta(max_length=10_000)]
    roles: Annotated[tuple[Role, ...], Meta(max_length=1_000_000)]
    schema_sha256: Sha256 | None = None
    """Digest of the schema as `pg_dump --schema-only` writes it (see `schema_digest`); None where that wasn't run."""
