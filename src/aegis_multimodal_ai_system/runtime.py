"""What a deployment's parts share: made from its settings, each on first use."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping
from threading import Lock, RLock
from typing import TYPE_CHECKING

from aegis.core.errors import UsageError
from aegis_multimodal_ai_system.forks import renew_in_child
from aegis_multimodal_ai_system.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from aegis.artifacts.preparing import Basis, OpenStore
    from aegis.audit.log import AuditLog
    from aegis.core.actor import Actor
    from aegis.core.policy import VerifyPolicy
    from aegis_multimodal_ai_system.alerts import Alerts
    from aegis_multimodal_ai_system.database import Database, ModelStates
    from aegis_multimodal_ai_system.fetched import Fetched, Fetcher
    from aegis_multimodal_ai_system.flights import Flights
    from aegis_multimodal_ai_system.metrics import Metrics
    from aegis_multimodal_ai_system.policy_folder import PolicyFolder


class Runtime:
    """One deployment. Safe to use from several threads; what is not asked for is not opened."""

    def __init__(
        self,
        settings: Settings,
        *,
        log: AuditLog | None = None,
        database: Database | None = None,
        alerts: Alerts | None = None,
        fetcher: Fetcher | None = None,
        open_store: OpenStore | None = None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.UTC),
    ) -> None:
        """Opens nothing yet. What is given is used in place of what the settings say."""
        self.settings = settings
        self.now = now
        """The time that signatures are judged by."""
        self._log, self._database, self._fetcher = log, database, fetcher
        self._given_alerts, self._given_store = alerts, open_store
        self._flights: Flights[Fetched] | None = None
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """In a forked child: connections and counts of its own, and no lock of a thread that it does not have."""
        self._making = RLock()
        self._alerts = self._given_alerts
        self._stores: tuple[VerifyPolicy, OpenStore] | None = None
        self._metrics: Metrics | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Runtime:
        """That of this process. Raises UsageError `runtime.setting_invalid`."""
        return cls(Settings.from_environment(environ))

    @property
    def actor(self) -> Actor:
        """The process itself, when it acts for nobody else."""
        from aegis_multimodal_ai_system.orchestrator.audit_helper import process_actor

        return process_actor(self.settings)

    # --- what the policy says; read anew each time --------------------------------------------------------------------

    def policy(self) -> VerifyPolicy:
        """What is asked of models now. Raises UsageError."""
        return self._folder.policy()

    def check_policy(self) -> None:
        """Whether policy, keys, trusted root and lock can be read. Raises AegisError."""
        self.basis()

    @property
    def models(self) -> tuple[str, ...]:
        """The names that may be asked for, in the policy's order. Raises UsageError."""
        return tuple(artifact.name for artifact in self.policy().artifacts)

    def basis(self) -> Basis:
        """Policy, trusted root and lock as they are now; keys are read where a model asks for them."""
        from aegis.artifacts.preparing import Basis
        from aegis.artifacts.trust import Materials
        from aegis.signatures.lock import Lock as Accepted
        from aegis.signatures.lock import parse_lock

        folder = self._folder
        policy = folder.policy()
        lock = parse_lock(folder.read(policy.lock), file=policy.lock) if folder.has(policy.lock) else Accepted()
        return Basis(
            policy=policy,
            now=self.now(),
            materials=Materials(folder.read, self.settings.cosign_pub_key, _no_key()),
            trusted_root=folder.read(policy.trusted_root) if policy.trusted_root is not None else None,
            lock=lock,
        )

    def open_store(self, policy: VerifyPolicy) -> OpenStore:
        """Opens the stores of addresses in this policy."""
        if self._given_store is not None:
            return self._given_store
        from aegis_multimodal_ai_system.stores import open_store_of

        with self._making:
            # connections and credentials are used again as long as the policy is the same
            if self._stores is None or self._stores[0] != policy:
                self._stores = policy, open_store_of(policy, self._folder.root)
            return self._stores[1]

    @property
    def _folder(self) -> PolicyFolder:
        from aegis_multimodal_ai_system.policy_folder import PolicyFolder

        return PolicyFolder(self.settings.policy)

    # --- what is opened once ------------------------------------------------------------------------------------------

    @property
    def log(self) -> AuditLog:
        """The audit log. Raises AegisError, each time until it can be opened."""
        with self._making:
            if self._log is None:
                from aegis_multimodal_ai_system.orchestrator.audit_helper import open_log

                self._log = open_log(self.settings)
            return self._log

    @property
    def database(self) -> Database:
        """With this version's tables. Raises AegisError, each time until it can be opened."""
        with self._making:
            if self._database is None:
                from aegis_multimodal_ai_system.database import open_database

                database = open_database(self.settings.database_url)
                database.migrate()
                self._database = database
            return self._database

    @property
    def missing_database(self) -> Path | None:
        """The database's file, where there is none yet: it is made for the first state, and for no question."""
        from aegis_multimodal_ai_system.database import missing_file

        return missing_file(self.settings.database_url) if self._database is None else None

    @property
    def states(self) -> ModelStates:
        """The states of the models."""
        return self.database.states

    @property
    def alerts(self) -> Alerts:
        """Who is told of refused models."""
        with self._making:
            if self._alerts is None:
                from aegis_multimodal_ai_system.alerts import alerts_of

                self._alerts = alerts_of(self.settings, failed=lambda kind: self.metrics.alert_failed(kind))
            return self._alerts

    @property
    def metrics(self) -> Metrics:
        """What Prometheus sees of this process; the models are those of the policy as it is at first use."""
        with self._making:
            if self._metrics is None:
                from aegis_multimodal_ai_system.metrics import Metrics

                self._metrics = Metrics(self.models, states=self._states_by_name)
            return self._metrics

    @property
    def fetcher(self) -> Fetcher:
        """How models are given out, and what is kept of them."""
        with self._making:
            if self._fetcher is None:
                from aegis.storage.content_store import ContentStore
                from aegis_multimodal_ai_system.fetched import Fetcher

                folder = self.settings.data / "models"
                self._fetcher = Fetcher(
                    # What a power cut leaves of a copy is found by hashing, as each load does; waiting for the disk
                    # would cost more than everything else.
                    kept=ContentStore(folder, durable=False),
                    folder=folder,
                    kept_bytes=self.settings.kept_bytes,
                    sealed=self.settings.handoff == "sealed",
                )
            return self._fetcher

    @property
    def flights(self) -> Flights[Fetched]:
        """The downloads that are under way in this process."""
        with self._making:
            if self._flights is None:
                from aegis_multimodal_ai_system.fetched import Fetched
                from aegis_multimodal_ai_system.flights import Flights

                self._flights = Flights(Fetched.copy)
            return self._flights

    def close(self) -> None:
        """Give back what was opened."""
        with self._making:
            if self._database is not None:
                self._database.close()
            close = getattr(self._log, "close", None)
            if close is not None:
                close()
            self._log = self._database = None

    def _states_by_name(self) -> Mapping[str, str]:
        return {state.name: state.state for state in self.states.all()}


def _no_key() -> UsageError:
    return UsageError(
        "verify.key_missing",
        "the policy takes a key from COSIGN_PUB_KEY, which is empty",
        expected="PEM, base64 of it, or a path beside the policy",
        remedy="set the variable COSIGN_PUB_KEY of the service, or name a file in the policy",
    )


_default: Runtime | None = None
_making = Lock()


def default_runtime() -> Runtime:
    """The one of this process, made on first use."""
    global _default
    with _making:
        if _default is None:
            _default = Runtime.from_environment()
        return _default


def _after_fork_in_child() -> None:
    """Another thread of the parent may have been making the runtime."""
    global _making
    _making = Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
