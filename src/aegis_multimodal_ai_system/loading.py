"""One load from the question to the answer, and everybody who is told of it."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from aegis.artifacts.preparing import Basis, case_of, prepare_one
from aegis.artifacts.result import Result
from aegis.artifacts.trust import digest_of, trust_of
from aegis.audit.event import Action, Event, Outcome, Resource
from aegis.audit.secrets import redact
from aegis.core.actor import Actor
from aegis.core.errors import AegisError, CouldNotDecide, Refused, crashed
from aegis.core.policy import Artifact
from aegis.signatures.lock import Lock
from aegis.signatures.release import NAME, version_order
from aegis.storage.private_folder import open_private
from aegis_multimodal_ai_system.fetched import Fetched
from aegis_multimodal_ai_system.flights import SIGNALS, alone
from aegis_multimodal_ai_system.refusal import ModelRefused
from aegis_multimodal_ai_system.runtime import Runtime
from aegis_multimodal_ai_system.verified_model import VerifiedModel

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.database import ModelState

Details = Mapping[str, str | int | bool | None]

_log = logging.getLogger("aegis.loader")
_SHOWN = 100
"""Characters of a name that nobody knows, and of a signer."""
_TOLD = 500
"""Characters of a reason in the audit log."""
_LONGEST_ID = 256
"""Characters of a correlation id there."""


class Loading:
    """Used once."""

    def __init__(self, runtime: Runtime, name: str, actor: Actor, correlation_id: str | None) -> None:
        self._runtime = runtime
        self._name = name
        self._actor = actor
        self._correlation_id = _id_of(correlation_id)
        self._known = False
        """Whether the policy has it."""
        self._requested = False
        """Whether the intent is in the log."""
        self._changed = False
        """Whether the kept copy was not what had been verified."""
        self._digest: str | None = None
        self._version: str | None = None

    def run(self) -> VerifiedModel:
        """The model. Raises ModelRefused."""
        begun = time.monotonic()
        fetched: Fetched | None = None
        try:
            basis, artifact = self._asked()
            self._record("model.load.requested", "unknown")
            self._requested = True
            self._state()
            # who asks by another policy or other keys, say after a signer was taken out, gets nothing by these
            rules = f"{basis.policy.signers!r} {basis.policy.load!r} {_trusted(artifact, basis)}"
            flight = f"{self._name} {artifact!r} {rules}"
            fetched, shared = self._runtime.flights.join(flight, lambda: self._fetch(artifact, basis))
            model = self._verified(fetched, shared=shared)
        except BaseException as error:
            if fetched is not None:
                fetched.close()
            if isinstance(error, SIGNALS):
                raise  # there is no answer, and nothing was given out
            cause = error if isinstance(error, AegisError) else crashed(error)
            self._refuse(cause)
            raise ModelRefused(self._name, cause) from error
        with suppress(Exception):  # what cannot be counted is loaded all the same
            self._runtime.metrics.loaded(self._name, time.monotonic() - begun, version=self._version)
        return model

    # --- before anything is fetched -----------------------------------------------------------------------------------

    def _asked(self) -> tuple[Basis, Artifact]:
        """Whose name this is. What is no name is not looked up anywhere."""
        if not isinstance(self._name, str) or not NAME.fullmatch(self._name) or ".." in self._name:
            raise Refused(
                "runtime.model_name_invalid",
                f"the model's name is {str(self._name)[:_SHOWN]!r}",
                expected="letters, digits, `.`, `_` and `-`, at most 100, no `..`",
                remedy="ask for the model by its name in the policy",
            )
        basis = self._runtime.basis()
        for artifact in basis.policy.artifacts:
            if artifact.name == self._name:
                self._known = True
                return basis, artifact
        raise Refused(
            "runtime.model_unknown",
            f"the policy has no model {self._name!r}",
            expected="one of those in verify.artifacts",
            remedy="add it to the policy, or correct the name",
        )

    def _state(self) -> ModelState | None:
        """What is known of it. Raises Refused where somebody took it out of service."""
        state = self._runtime.states.get(self._name)
        if state is not None:
            self._check_state(state)
        return state

    def _check_state(self, state: ModelState) -> None:
        match state.state:
            case "quarantined":
                raise Refused(
                    "runtime.model_quarantined",
                    f"{self._name} is in quarantine: {state.reason}",
                    expected="a model that nobody took out of service",
                    remedy=f"`aegis model release {self._name} --reason …` once it is known to be good",
                )
            case "revoked":
                raise _revoked(f"{self._name} was revoked: {state.reason}")
            case "verified" | "unverified":
                pass

    # --- fetching -----------------------------------------------------------------------------------------------------

    def _fetch(self, artifact: Artifact, basis: Basis) -> Fetched:
        """In one thread of one process at a time; what it gives is shared by all who ask meanwhile."""
        fetcher, load = self._runtime.fetcher, basis.policy.load
        open_store = self._runtime.open_store(basis.policy)

        def accept(result: Result, files: Mapping[str, BinaryIO]) -> Mapping[str, str]:
            self._learn(result)
            self._check_revoked(load.revoked, result.content, result.sha256)
            if load.verdict is not None:
                from aegis_multimodal_ai_system.demanded_verdict import check_verdict

                check_verdict(load, result, basis, open_store)
            from aegis_multimodal_ai_system.formats import check_formats

            return check_formats(files, load, self._name)

        with open_private(fetcher.folder), alone(fetcher.folder / ".locks", self._name):
            # the other process, which was waited for, may have loaded a newer release
            lock = _floor(basis.lock, self._name, self._state())
            case = case_of(artifact, replace(basis, lock=lock), open_store)
            prepared = prepare_one(case)
            self._digest = prepared.content
            self._check_revoked(load.revoked, prepared.content)
            return fetcher.fetch(prepared, load, accept, self._tell_changed)

    def _tell_changed(self) -> None:
        """The bytes that are given out are good all the same; but somebody should know."""
        self._changed = True
        self._alert(_kept_copy_changed(self._name))

    def _check_revoked(self, revoked: tuple[str, ...], *digests: str | None) -> None:
        for digest in digests:
            if digest in revoked:
                raise _revoked(f"{self._name} has the digest {digest}, which verify.load.revoked names")

    def _learn(self, result: Result) -> None:
        self._digest, self._version = result.content, result.release

    # --- telling ------------------------------------------------------------------------------------------------------

    def _verified(self, fetched: Fetched, *, shared: bool) -> VerifiedModel:
        """Recorded first, then given out: an entry that cannot be written, or a state, is a refusal."""
        result = fetched.result
        self._learn(result)
        signer = ", ".join(dict.fromkeys(by.identity or by.signer for by in result.signed_by))[:_SHOWN]
        details: Details = {
            "files": len(fetched.files),
            "bytes": sum(file.size for file in fetched.files.values()),
            "handoff": "sealed" if fetched.sealed else "disk",
            "origin": "shared" if shared else fetched.origin,
            "signer": signer,
            "kept_copy_changed": self._changed,
        }
        self._record("model.load.verified", "success", details=details)
        # While it was being fetched, somebody may have taken it out of service, or loaded a newer release (Refused).
        self._check_state(self._runtime.states.mark_verified(self._name, result.content, result.release, signer))
        return VerifiedModel(
            name=self._name,
            digest=result.content,
            version=result.release,
            signer=signer,
            files=fetched.files,
            result=result,
            formats=fetched.formats,
            sealed=fetched.sealed,
            _let_go=fetched.let_go,
        )

    def _refuse(self, cause: AegisError) -> None:
        """Tell everybody; whoever cannot be told changes nothing about the answer."""
        if self._requested:  # no state changes without an entry that says who asked
            self._attempt("state", lambda: self._runtime.states.mark_unverified(self._name, cause.code, self._digest))
        details: Details = {
            "problem": cause.problem[:_TOLD],
            "decided": not isinstance(cause, CouldNotDecide),
            "kept_copy_changed": self._changed,
        }
        self._attempt(
            "audit", lambda: self._record("model.load.refused", "refused", reason=cause.code, details=details)
        )
        self._attempt("metric", lambda: self._runtime.metrics.refused(self._name, cause.code, version=self._version))
        if self._known:
            self._alert(cause)
        _log.warning("model %s refused: %s", self._shown, cause.code)

    def _alert(self, cause: AegisError) -> None:
        def send() -> None:
            from aegis_multimodal_ai_system.alerts import Alert

            alert = Alert(
                model=self._name,
                version=self._version,
                reason=cause.code,
                message=cause.problem[:_TOLD],
                digest=self._digest,
                correlation_id=self._correlation_id,
                time=datetime.now(UTC),
            )
            self._runtime.alerts.send(alert)

        self._attempt("alert", send)

    def _record(
        self,
        action: Action,
        outcome: Outcome,
        *,
        reason: str | None = None,
        details: Details | None = None,
    ) -> None:
        written = False
        try:
            self._runtime.log.append(
                Event(
                    action=action,
                    actor=self._actor,
                    resource=Resource(kind="model", name=self._shown, sha256=self._digest, version=self._version),
                    outcome=outcome,
                    reason=reason,
                    correlation_id=self._correlation_id,
                    details=details or {},
                )
            )
            written = True
        except (AegisError, *SIGNALS):
            raise
        except BaseException as error:
            raise CouldNotDecide(
                "audit.unavailable",
                f"the audit log failed: {type(error).__name__}",
                expected="an entry that is durable",
                remedy="look at the audit log's place, and try again",
            ) from error
        finally:
            with suppress(Exception):
                self._runtime.metrics.audited(written=written)

    @property
    def _shown(self) -> str:
        """The name as it may stand in a log."""
        if self._known:
            return self._name
        return redact(re.sub(r"[^A-Za-z0-9._-]", "?", str(self._name))[:_SHOWN]) or "?"

    def _attempt(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
        except SIGNALS:
            raise
        except BaseException as error:
            code = error.code if isinstance(error, AegisError) else type(error).__name__
            _log.warning("model %s: %s not told of the refusal: %s", self._shown, what, code)


def _trusted(artifact: Artifact, basis: Basis) -> str:
    """A text that is another one where a key, a certificate, the trusted root or the lock's entry is. AegisError."""
    verdict, release = basis.policy.load.verdict, artifact.release
    rules = (
        artifact.signers or basis.policy.signers,
        release.signers if release is not None else (),
        verdict.signers if verdict is not None else (),
    )
    digests = [digest_of(trust_of(each, 1, basis.trusted_root, basis.materials, basis.now)) for each in rules]
    return f"{digests} {basis.lock.entries.get(artifact.name)!r}"


def _id_of(given: str | None) -> str:
    """The caller's id as it may stand in a log: of what is too long its digest, and a new one of what looks secret."""
    if not given or redact(given) != given:
        return os.urandom(16).hex()
    if len(given) > _LONGEST_ID or not given.isprintable():
        return f"sha256:{hashlib.sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return given


def _floor(lock: Lock, name: str, state: ModelState | None) -> Lock:
    """What the policy's lock says, or what this deployment has loaded already, whichever is newer."""
    floor = state.floor if state is not None else None
    known = lock.entries.get(name)
    if floor is None or (known is not None and version_order(known.version) >= version_order(floor.version)):
        return lock
    return Lock({**lock.entries, name: floor})


def _revoked(problem: str) -> Refused:
    return Refused(
        "runtime.model_revoked",
        problem,
        expected="a model that is not known to be bad",
        remedy="load another release; what was revoked is never loaded again",
    )


def _kept_copy_changed(name: str) -> Refused:
    return Refused(
        "runtime.kept_copy_changed",
        f"the kept copy of {name} was not what had been verified; it was removed, and the model fetched anew",
        expected="files that nobody writes to",
        remedy="find out who can write below AEGIS_DATA, or whether the disk is failing",
    )
