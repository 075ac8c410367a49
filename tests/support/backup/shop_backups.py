"""A shop's database, and the backups of it that `aegis backup` writes: for whole workflows, and for the demo."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import yaml

from tests.support.actions.act import ROOT, commit

ROW = "Zebulon Tarquinius-7391"
"""Stands in a row of the database, and is to stand nowhere else in the clear."""
SHOP = f"""
CREATE TABLE customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
CREATE TYPE state AS ENUM ('open', 'paid', 'sent');
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL, facts jsonb);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer int NOT NULL REFERENCES customers,
    product int NOT NULL REFERENCES products,
    state state NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX orders_at ON orders (at);
INSERT INTO customers (name)
    SELECT CASE i WHEN 7 THEN '{ROW}' ELSE 'customer ' || i END FROM generate_series(1, 500) i;
INSERT INTO products
    SELECT i, 'product ' || i, i * 1.25, jsonb_build_object('weight', i) FROM generate_series(1, 200) i;
INSERT INTO orders (customer, product, state, at)
    SELECT 1 + i % 500, 1 + i % 200, (enum_range(NULL::state))[1 + i % 3],
           timestamptz '2026-01-01 00:00Z' + i * interval '7 minutes'
    FROM generate_series(1, 20000) i;
"""
SMOKE = [
    {"name": "there are products", "sql": "SELECT count(*) > 0 FROM products"},
    {
        "name": "no order without a customer",
        "sql": "SELECT NOT EXISTS (SELECT FROM orders o LEFT JOIN customers c ON c.id = o.customer WHERE c.id IS NULL)",
    },
]
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
DATABASE: Mapping[str, Any] = {"name": "shop", "smoke": SMOKE}
"""As a policy names it."""


@dataclass(frozen=True)
class Keys:
    """Two identities of age, of which either opens every backup."""

    identities: tuple[str, str]
    recipients: tuple[str, str]

    @classmethod
    def made(cls) -> Keys:
        """New ones."""
        one, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
        return cls((str(one), str(other)), (str(one.to_public()), str(other.to_public())))


def fill(url: str) -> None:
    """Make the shop's tables in an empty database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SHOP.encode())


def aegis(*words: str, cwd: Path, environ: Mapping[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command as on a laptop, with nothing of our environment but PATH, HOME and the cache."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR") if name in os.environ}
    source = os.pathsep.join([str(ROOT / "src"), *(path for path in sys.path if path)])
    return subprocess.run(
        [sys.executable, "-m", "aegis", *words],
        cwd=cwd,
        env={**kept, "PYTHONPATH": source, **environ},
        capture_output=True,
        text=True,
        check=check,
        timeout=300,
    )


def written(folder: Path, environ: Mapping[str, str], *, recipients: tuple[str, ...] = (), prove: bool) -> Path:
    """Take a backup into `folder`/store, and prove it if asked to; the store's folder."""
    store = folder / "store"
    store.mkdir(parents=True)
    section = {"store": "store/", "databases": [DATABASE], "recipients": list(recipients)}
    commit(folder, {"aegis.yml": yaml.safe_dump({"version": 1, "backup-check": section})})
    aegis("backup", "run", cwd=folder, environ=environ)
    if prove:
        aegis("backup-check", "--mode=verify", cwd=folder, environ=environ)
    return store


def objects(store: Path) -> dict[str, bytes]:
    """Everything below a store's folder by its key."""
    return {
        file.relative_to(store).as_posix(): file.read_bytes() for file in sorted(store.rglob("*")) if file.is_file()
    }


def aged(files: Mapping[str, bytes], *, days: int) -> dict[str, bytes]:
    """The objects of one backup as if its snapshot were so much older."""
    (manifest,) = [key for key in files if key.endswith("/manifest.json")]
    document = json.loads(files[manifest])
    snapshot = document["snapshot"]
    for name in ("time", "dump_began", "dump_ended"):
        then = datetime.datetime.strptime(snapshot[name], _TIME) - datetime.timedelta(days=days)
        snapshot[name] = then.strftime(_TIME)
    earlier = f"{snapshot['time'][:19].replace('-', '').replace(':', '')}Z{document['id'][16:]}"
    found = {key.replace(document["id"], earlier): data for key, data in files.items()}
    document["id"] = earlier
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**found, manifest.replace(manifest.split("/")[1], earlier): text.encode()}
