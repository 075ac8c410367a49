"""A7: the service refuses forged tokens, has its secrets by ExternalSecrets, and writes nothing without an actor.

The service is a real process with the chart's own settings and a real PostgreSQL. External Secrets is played: what the
rendered objects ask for is taken from a store, and given to the process where the rendered Deployment puts it.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

import psycopg  # noqa: E402 - probes run without being installed
import yaml  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: E402
from psycopg import sql  # noqa: E402

from acceptance.local import weak_service  # noqa: E402
from acceptance.local.commands import Commands, go_on_path, reason_in  # noqa: E402
from acceptance.local.forged_tokens import forged  # noqa: E402
from acceptance.probe import Probe, probing  # noqa: E402
from aegis_multimodal_ai_system.api.routes import OPERATIONS  # noqa: E402
from tests.doubles.oidc_issuer import Issuers, serve_issuers  # noqa: E402
from tests.support.databases.postgres import Server, running  # noqa: E402
from tests.support.infra.chart_values import AWS, OPERATORS, laid  # noqa: E402
from tests.support.programs.helm import rendered  # noqa: E402
from tests.support.programs.kubeconform import judge  # noqa: E402
from tests.support.runtime.service import Running, config_folder, roles, started  # noqa: E402

COSIGN = "k8s/external-secrets/external-secret-cosign.yaml"
"""Of the runbook."""
ROLE = "aegis"
WRITES = (
    ("/v1/models/{name}/prepare", "shop", "operator"),
    ("/v1/models/{name}/quarantine", "talker", "operator"),
    ("/v1/models/{name}/release", "talker", "admin"),
    ("/v1/models/{name}/revoke", "noted", "admin"),
)
"""Route, model and role, in turn; there is no other way to write."""
FAULTS = {
    weak_service.SIGNATURE: "a service that does not look whether its issuer has signed a token",
    weak_service.ACTOR: "a service that writes in its own name, whoever asks",
    "secret-by-hand": "a chart whose values have no ExternalSecret for the key that models are verified by",
}


@dataclass(frozen=True, slots=True)
class Store:
    """The organisation's store of secrets: what lies under each name."""

    values: Mapping[str, str]

    def synced(self, objects: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
        """The Secrets that External Secrets makes of these ExternalSecrets."""
        found = {}
        for each in objects:
            data = {}
            for item in each["spec"]["data"]:
                value, field = self.values[item["remoteRef"]["key"]], item["remoteRef"].get("property")
                data[item["secretKey"]] = json.loads(value)[field] if field else value
            found[each["spec"]["target"]["name"]] = data
        return found


def main() -> None:
    """Run it."""
    go_on_path()
    with (
        probing(FAULTS) as probe,
        tempfile.TemporaryDirectory(prefix="a7-") as temporary,
        running() as server,
        serve_issuers() as issuers,
    ):
        folder = Path(temporary)
        config = folder / "config"
        config.mkdir()
        config_folder(config)
        store = _store(config)
        _login(server, store.values["aegis/database"])
        commands = Commands(probe.evidence, list(store.values.values()))
        documents = rendered(_values(probe.fault))
        environ = _delivered(probe, commands, documents, store, folder)
        if environ is None:
            return
        database = server.new_database()
        with psycopg.connect(server.socket_url(), autocommit=True) as connection:
            names = map(sql.Identifier, (database, ROLE))
            connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(*names))
        places = {
            "AEGIS_POLICY": str(config / "aegis.yml"),
            "AEGIS_DATA": str(folder / "data"),
            "AEGIS_AUTH": str(issuers.auth_file(folder)),
            "DATABASE_URL": f"postgresql://{ROLE}@127.0.0.1:{server.port}/{database}",
        }
        (folder / "data").mkdir(mode=0o700)
        environ |= places
        tokens = {**roles(issuers), **forged(issuers.people)}
        with _service(probe.fault, environ, tokens) as service:
            if _ready(probe, service) and _tokens(probe, commands, service, issuers):
                _actors(probe, commands, service)
                _log(probe, commands, environ)


def _values(fault: str | None) -> dict[str, Any]:
    remote = {"cosign": {"key": ""}} if fault == "secret-by-hand" else {}
    return laid(AWS, OPERATORS, {"externalSecrets": {"remote": remote}})


def _store(config: Path) -> Store:
    """What the store holds; the key that models are verified by is nowhere else."""
    key = (config / "keys" / "0.pub").read_text()
    policy = yaml.safe_load((config / "aegis.yml").read_text())
    for artifact in policy["verify"]["artifacts"]:
        artifact["signers"] = [{"key": "env:COSIGN_PUB_KEY"}]
    (config / "aegis.yml").write_text(yaml.safe_dump(policy))
    for file in (config / "keys").iterdir():
        file.unlink()
    private = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Store(
        {
            "aegis/database": secrets.token_urlsafe(24),
            "aegis/audit": json.dumps({"pem": private.decode()}),
            "aegis/cosign": key,
        }
    )


def _login(server: Server, password: str) -> None:
    """The role of the API, with the store's password."""
    with psycopg.connect(server.socket_url(), autocommit=True) as connection:
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        connection.execute(create.format(sql.Identifier(ROLE), sql.Literal(password)))


def _delivered(
    probe: Probe, commands: Commands, documents: list[dict[str, Any]], store: Store, folder: Path
) -> dict[str, str] | None:
    """The environment of the Deployment's container, with its secrets; None where some have no ExternalSecret."""
    external = [each for each in documents if each["kind"] == "ExternalSecret"]
    (probe.evidence / "external-secrets.yaml").write_text(yaml.safe_dump_all(external))
    shipped = (ROOT / COSIGN).read_text("utf-8")
    wrong = judge(f"{yaml.safe_dump_all(external)}\n---\n{shipped}")
    probe.check(
        "external-secrets-valid",
        wrong == [],
        "; ".join(wrong) or f"{len(external)} of the chart, and {COSIGN}",
        reason="probe.manifest_refused",
    )
    text = yaml.safe_dump_all(documents)
    plain = [name for name, value in store.values.items() if value in text]
    probe.check("no-secret-in-the-chart", plain == [], "; ".join(plain) or "none", reason="probe.secret_in_plain")
    (deployment,) = [each for each in documents if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    made = store.synced(external)
    asked = {
        each["name"]: each["valueFrom"]["secretKeyRef"] for each in pod["containers"][0]["env"] if "valueFrom" in each
    }
    mounted = {each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each}
    missing = sorted(({each["name"] for each in asked.values()} | mounted) - set(made))
    probe.facts["secrets"] = {name: sorted(data) for name, data in made.items()}
    if not probe.check(
        "secrets-by-external-secret",
        not missing,
        f"without one: {', '.join(missing)}" if missing else f"{', '.join(sorted(made))}",
        reason="probe.secret_missing",
    ):
        return None
    key = folder / "audit.key"
    key.touch(mode=0o600)
    key.write_text(made["aegis-audit"]["audit.key"])
    plainly = {each["name"]: each["value"] for each in pod["containers"][0]["env"] if "value" in each}
    delivered = {name: made[of["name"]][of["key"]] for name, of in asked.items()}
    commands.hidden += delivered.values()
    return {**plainly, **delivered, "AEGIS_AUDIT_KEY": str(key)}


@contextmanager
def _service(fault: str | None, environ: Mapping[str, str], tokens: Mapping[str, str]) -> Iterator[Running]:
    program: tuple[str, ...] = (sys.executable, "-m", "aegis_multimodal_ai_system.api")
    if fault in {weak_service.SIGNATURE, weak_service.ACTOR}:
        program = (sys.executable, str(Path(weak_service.__file__)), fault)
    with started(environ, tokens=tokens, program=program) as service:
        yield service
        service.end()


def _ready(probe: Probe, service: Running) -> bool:
    """The process has reached its database and opened its log, by what it was given."""
    answer = service.ask("GET", "/readyz", role=None)
    return probe.check(
        "secrets-reach-the-process",
        answer.status == 200,
        f"/readyz answers {answer.status}: {answer.body.decode()[:200]}",
        reason="probe.service_not_ready",
    )


def _tokens(probe: Probe, commands: Commands, service: Running, issuers: Issuers) -> bool:
    """Good ones in, by their rights; forged ones out, and nothing is written for them."""
    told = {}
    for name in forged(issuers.people):
        answer = service.ask("POST", "/v1/models/shop/quarantine", role=name, body={"reason": "forged"})
        told[name] = f"{answer.status} {answer.json().get('code')}"
    told["no header"] = str(service.ask("GET", "/v1/models", role=None).status)
    commands.keep("forged-tokens", "".join(f"{answer}  {name}\n" for name, answer in told.items()))
    accepted = [name for name, answer in told.items() if not answer.startswith("401")]
    probe.facts["forged_tokens"] = told
    if not probe.check(
        "forged-tokens-refused",
        not accepted,
        f"accepted: {', '.join(accepted)}" if accepted else f"{len(told)} of {len(told)} refused with 401",
        reason="probe.forged_token_accepted",
    ):
        return False
    statuses = {
        role: service.ask("POST", "/v1/models/talker/quarantine", role=role, body={"reason": "it talks"}).status
        for role in ("reader", "operator")
    }
    return probe.check(
        "rights-by-role",
        statuses == {"reader": 403, "operator": 200},
        f"to quarantine a model: {statuses}",
        reason="probe.rights_not_held",
    )


def _actors(probe: Probe, commands: Commands, service: Running) -> None:
    """Each way to write, once; its entry names whose token it was."""
    ways = {each.path for each in OPERATIONS if each.method != "GET"}
    probe.check(
        "every-way-to-write",
        ways == {route for route, _, _ in WRITES},
        f"{len(ways)} routes: {', '.join(sorted(ways))}",
        reason="probe.write_not_tried",
    )
    for number, (route, model, role) in enumerate(WRITES):
        target, request = route.format(name=model), {"X-Request-Id": f"acceptance-{number}"}
        body = None if route.endswith("/prepare") else {"reason": "acceptance"}
        answer = service.ask("POST", target, role=role, body=body, headers=request)
        if answer.status != 200:
            raise RuntimeError(f"POST {target}: {answer.status} {answer.body.decode()[:300]}")
    listed = service.ask("GET", "/v1/audit/entries?limit=256", role="reader").json()["entries"]
    entries = [each["entry"] for each in listed]
    (probe.evidence / "audit-entries.json").write_text(json.dumps(entries, indent=1))
    wrong, found = [], {}
    for number, (route, model, role) in enumerate(WRITES):
        of_this = [each for each in entries if each["correlation_id"] == f"acceptance-{number}"]
        actors = {each["actor"]["subject"] for each in of_this}
        found[f"POST {route.format(name=model)}"] = sorted(actors)
        if actors != {f"a-{role}"}:
            wrong.append(f"{route.format(name=model)}: {sorted(actors) or 'no entry'}")
    probe.facts["actors"] = found
    commands.keep("actors", json.dumps(found, indent=1))
    probe.check(
        "every-write-has-an-actor",
        not wrong,
        "; ".join(wrong) or f"{len(WRITES)} writes, each in the name of its token's subject",
        reason="probe.write_without_actor",
    )


def _log(probe: Probe, commands: Commands, environ: Mapping[str, str]) -> None:
    """The log holds together by the store's own key."""
    done = commands.aegis("audit-verify", "audit", "verify", environ=environ)
    told = done.stdout + done.stderr
    probe.check(
        "log-verifies", done.returncode == 0, told.strip().splitlines()[0][:300], reason=reason_in(told, "audit")
    )


if __name__ == "__main__":
    main()
