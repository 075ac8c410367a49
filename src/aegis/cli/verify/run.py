"""One run of the verify gate: repository, policy, keys, stores and credentials joined."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace

from aegis.artifacts.check import check_policy
from aegis.artifacts.earlier import Earlier, read_earlier
from aegis.artifacts.needs import needs_of
from aegis.artifacts.trust import Materials, trust_of
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.policy_files import PolicyFiles, files_of_verify, no_key
from aegis.cli.stores import Stores
from aegis.cli.verify import shard_run
from aegis.cli.verify.options import VerifyOptions
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.policy import VerifyPolicy
from aegis.core.verdict import Verdict
from aegis.gates.verify.gate import Request, judge
from aegis.signatures import lock as locks
from aegis.storage.location import parse_location


def judged(run: GateRun, found: Found, options: VerifyOptions) -> Verdict:
    """The verdict on what stands in the repository. Raises AegisError where there is none."""
    request, stores = request_of(run, found, options)
    if options.shard is not None:
        return shard_run.judged_shard(run, found, request, stores, options)
    if options.shards is not None:
        return shard_run.judged_merge(run, found, request, stores, options.shards)
    answer = judge(request, stores)
    run.subject = (*run.subject, *answer.subjects)
    return run.conclude(answer.outcome, found.in_force, request.policy)


def request_of(run: GateRun, found: Found, options: VerifyOptions) -> tuple[Request, Stores]:
    """What the gate is asked, and the stores that it may open."""
    policy = found.in_force.policy.verify
    if policy is None:
        raise UsageError(
            "core.policy_missing",
            f"the policy ({found.in_force.origin}) has no section `verify`",
            expected=f"`verify:` with artifacts and signers in {run.policy_file}",
            remedy="add the section, e.g. by `aegis init --gates …`; on a pull request the base commit's policy "
            "counts, so it must be merged first",
        )
    # before any key is read or token minted
    check_policy(policy, file=run.policy_file)
    files = _Files(found, policy)
    stores = Stores(policy, needs_of(policy), options, run.environ, found.event, found.repository.root)
    request = Request(
        policy=policy,
        in_force=found.in_force,
        policy_file=run.policy_file,
        now=run.started,
        materials=Materials(files.read, options.cosign_pub_key, no_key(run, found)),
        trusted_root=files.read(policy.trusted_root) if policy.trusted_root is not None else None,
        lock=files.lock(),
        weaker=tuple(files.weaker()),
        own_files=frozenset({run.policy_file, policy.lock, *files.named()}),
        changes=tuple(found.repository.changed(found.base.commit)) if found.base.commit is not None else None,
        progress=options.progress,
    )
    earlier, notice = _earlier(request, stores)
    notices = (*found.base.notices, *([notice] if notice else []))
    return replace(request, earlier=earlier, notices=notices), stores


class _Files:
    """The files that the policy names, where the policy comes from: on a change from its base commit."""

    def __init__(self, found: Found, policy: VerifyPolicy) -> None:
        self._files = PolicyFiles(found)
        self._policy = policy
        self.read = self._files.read

    def lock(self) -> locks.Lock:
        """The lock in force; an empty one where there is none yet."""
        content = self._files.in_force(self._policy.lock)
        return locks.parse_lock(content, file=self._policy.lock) if content is not None else locks.Lock()

    def named(self) -> Iterator[str]:
        """Every file of keys, certificates and trust."""
        return files_of_verify(self._policy)

    def weaker(self) -> Iterator[str]:
        """What the change does to them: another key is another signer, and the lock only moves forward."""
        for path in self._files.replaced(self.named()):
            yield f"verify: {path} is another one"
        lock = self._policy.lock
        before = self._files.before(lock)
        if before is not None:
            after = self._files.after(lock)
            parsed = locks.parse_lock(after, file=lock) if after is not None else locks.Lock()
            for what in locks.moved_backward(locks.parse_lock(before, file=lock), parsed):
                yield f"verify.lock: {what}"


def _earlier(request: Request, stores: Stores) -> tuple[Earlier | None, str | None]:
    rule = request.policy.earlier
    if rule is None:
        return None, None
    location = parse_location(rule.source)
    trust = trust_of(rule.signers, 1, request.trusted_root, request.materials, request.now)
    try:
        store = stores(location)
    except CouldNotDecide as error:
        return None, f"The earlier verdict cannot be read: {error.problem}"
    return read_earlier(store, location.key, trust, datetime.timedelta(days=rule.max_age_days))
