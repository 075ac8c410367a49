"""`aegis model`: what the runtime knows of its models, and a person's word on them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aegis.cli.actors import user_actor
from aegis.core.errors import UsageError
from aegis.report.escape import terminal

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.database import ModelState
    from aegis_multimodal_ai_system.decisions import Decision
    from aegis_multimodal_ai_system.runtime import Runtime

_DECISIONS: Mapping[Decision, str] = {
    "quarantine": "take it out of service",
    "release": "give it back to the loader, which verifies it at its next load",
    "revoke": "take it out of service for ever",
}
_LONGEST = 500
"""Characters of a reason."""


def add_command(commands: Any) -> None:
    """Add the command and those below it."""
    model = commands.add_parser("model", help="states of the runtime's models", allow_abbrev=False)
    below = model.add_subparsers(title="commands", metavar="COMMAND", required=True)
    status = below.add_parser("status", help="what is known of all models, or of one", allow_abbrev=False)
    status.add_argument("name", nargs="?", help="the model's name in the policy")
    status.set_defaults(run=_status)
    verify = below.add_parser("verify", help="fetch and verify one as a load does", allow_abbrev=False)
    verify.add_argument("name", help="the model's name in the policy")
    verify.set_defaults(run=_verify)
    for decision, what in _DECISIONS.items():
        decided = below.add_parser(decision, help=what, allow_abbrev=False)
        decided.add_argument("name", help="the model's name in the policy")
        decided.add_argument("--reason", required=True, help="why: it is kept in the state and in the audit log")
        decided.set_defaults(run=_decide, decision=decision)
    for each in below.choices.values():
        each.add_argument("--format", choices=("text", "json"), default="text", help="what to print (default: text)")


def _status(arguments: argparse.Namespace) -> int:
    runtime = _runtime()
    missing = runtime.missing_database
    if missing is not None:
        sys.stderr.write(
            terminal(f"note: there is no database yet ({missing}), so no state is kept of any model") + "\n"
        )
    if arguments.name is not None:
        from aegis_multimodal_ai_system.decisions import state_of

        state = state_of(runtime, arguments.name)
        names, known = [arguments.name], {arguments.name: state} if state is not None else {}
    else:
        known = {state.name: state for state in runtime.states.all()} if missing is None else {}
        names = list(dict.fromkeys([*runtime.models, *sorted(known)]))
    if arguments.format == "json":
        print(json.dumps([_document(name, known.get(name)) for name in names], indent=2))
        return 0
    for name in names:
        state = known.get(name)
        parts = [name, state.state if state else "never loaded"]
        if state is not None:
            parts += [state.version or "", (state.digest or "")[:12], state.reason or state.signer or ""]
            parts.append(state.changed.isoformat(timespec="seconds"))
        sys.stdout.write(terminal("  ".join(part for part in parts if part)) + "\n")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from aegis_multimodal_ai_system.orchestrator_verify_loader import ModelRefused, fetch_and_prepare_model_for_load

    try:
        with fetch_and_prepare_model_for_load(arguments.name, actor=user_actor(), runtime=_runtime()) as model:
            found = {
                "model": model.name,
                "verified": True,
                "digest": model.digest,
                "version": model.version,
                "signer": model.signer,
                "files": {name: file.size for name, file in model.files.items()},
                "formats": dict(model.formats),
            }
    except ModelRefused as refused:
        if arguments.format == "text":
            raise refused.cause from refused
        told = {"problem": refused.problem, "expected": refused.expected, "remedy": refused.remedy}
        print(json.dumps({"model": arguments.name, "verified": False, "reason": refused.code, **told}, indent=2))
        return refused.cause.exit_code
    if arguments.format == "json":
        print(json.dumps(found, indent=2))
    else:
        version = f" {model.version}" if model.version else ""
        line = f"{model.name}{version} is verified: sha256:{model.digest}, signed by {model.signer}"
        sys.stdout.write(terminal(line) + "\n")
    return 0


def _decide(arguments: argparse.Namespace) -> int:
    reason = str(arguments.reason).strip()
    if not reason or len(reason) > _LONGEST or not reason.isprintable():
        raise UsageError(
            "core.wrong_usage",
            f"the reason is {reason[:_LONGEST]!r}",
            expected=f"one line of text, at most {_LONGEST} characters",
            remedy="say why, for whoever reads the audit log later",
        )
    from aegis_multimodal_ai_system.decisions import decide

    state = decide(_runtime(), arguments.decision, arguments.name, reason, actor=user_actor())
    if arguments.format == "json":
        print(json.dumps(_document(state.name, state), indent=2))
    else:
        sys.stdout.write(terminal(f"{state.name} is {state.state} now") + "\n")
    return 0


def _runtime() -> Runtime:
    from aegis_multimodal_ai_system.runtime import Runtime

    return Runtime.from_environment()


def _document(name: str, state: ModelState | None) -> Mapping[str, Any]:
    if state is None:
        return {"name": name, "state": None}
    return {**asdict(state), "changed": state.changed.isoformat()}
