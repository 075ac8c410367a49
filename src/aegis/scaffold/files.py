"""All files that a repository's choices ask for, by path, with their text."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.core.policy_file import parse_policy
from aegis.scaffold import codeowners as owned
from aegis.scaffold import workflows
from aegis.scaffold.choices import Choices
from aegis.scaffold.templates import render

WORKFLOWS = ".github/workflows"
CODEOWNERS = ".github/CODEOWNERS"
OURS = frozenset(
    {
        *("aegis.yml", "aegis.oci.yml", "aegis.backup.yml", "aegis.canary.yml"),
        *(
            f"{WORKFLOWS}/{name}.yml"
            for name in ("aegis", "sdk-scan", "sign-model", "canary", "backup", "backup-check")
        ),
        *(f"{WORKFLOWS}/verify-model-signatures-{cloud}-oidc.yml" for cloud in ("aws", "oci")),
        f"{WORKFLOWS}/terraform.yml",
        *owned.PLACES,
    }
)
"""Every path that is ever written. A record is anybody's text: no other path of it is read, changed or deleted."""
_ISSUER = "https://token.actions.githubusercontent.com"


def files(choices: Choices, *, codeowners: str = CODEOWNERS) -> dict[str, str]:
    """Each file by its path. `codeowners`: where the repository has that file; of it only our own lines."""
    found = dict(policies(choices))
    values = workflows.values(choices)
    for name in workflows.chosen(choices):
        found[f"{WORKFLOWS}/{name}.yml"] = render(f"workflows/{name}.yml.j2", values)
    if choices.owners:
        # the last line that fits a path counts, so the folder stands before the files
        paths = ["/.github/", f"/{codeowners}", *(f"/{path}" for path in policies(choices))]
        if "verify" in choices.gates:
            paths.append("/aegis.lock")
        own = list(dict.fromkeys(paths))
        found[codeowners] = render("CODEOWNERS.j2", {"paths": own, "owners": choices.owners})
    return found


def policies(choices: Choices) -> Mapping[str, str]:
    """The policy files, each of which is a valid one."""
    found: dict[str, str] = {}
    aws, oci = choices.of_cloud("aws"), choices.of_cloud("oci")
    gates = [gate for gate in ("scan",) if gate in choices.gates]
    if gates or aws:
        found["aegis.yml"] = _verifying(choices, "aws", gates)
    if oci:
        found["aegis.oci.yml"] = _verifying(choices, "oci", [])
    if "backup-check" in choices.gates:
        facts = {"store": choices.store, "databases": choices.databases, "recipients": choices.recipients}
        found["aegis.backup.yml"] = render("policies/aegis.backup.yml.j2", {**facts, **_places(choices)})
    if "canary" in choices.gates:
        namespace, _, rollout = (choices.rollout or "").partition("/")
        facts = {"prometheus": choices.prometheus, "namespace": namespace, "rollout": rollout}
        found["aegis.canary.yml"] = render("policies/aegis.canary.yml.j2", facts)
    for path, text in found.items():
        parse_policy(text.encode(), file=path)
    return found


def _verifying(choices: Choices, cloud: str, gates: list[str]) -> str:
    artifacts = choices.of_cloud(cloud) if "verify" in choices.gates else ()
    workflow = f"{WORKFLOWS}/sign-model.yml@refs/heads/{choices.branch}"
    facts = {
        "gates": gates,
        "cloud": cloud,
        "artifacts": artifacts,
        "keys": choices.keys,
        "repository_id": choices.repository_id,
        "signer": f"https://github.com/{choices.repository}/{workflow}",
        "issuer": _ISSUER,
        "evidence": choices.evidence if cloud == "aws" else None,
        "evidence_signer": f"https://github.com/{choices.repository}/{WORKFLOWS}/aegis.yml@refs/heads/{choices.branch}",
    }
    return render("policies/aegis.yml.j2", {**facts, **_places(choices)})


def _places(choices: Choices) -> Mapping[str, str | None]:
    return {"account": choices.account, "oci_domain": choices.oci_domain, "oci_region": choices.oci_region}
