"""Who a judgement of a rollout is, to AWS and to the cluster: in a workflow by its OIDC token, else who runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.cloud_access import CloudAccess
from aegis.cli.surroundings import Event
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Aws, CanaryPolicy
from aegis.core.ports.credentials import AwsCredentialSource

if TYPE_CHECKING:
    from aegis.adapters.kubernetes.api import Cluster
    from aegis.core.ports.metrics import Metrics

KUBECONFIG = "AEGIS_KUBECONFIG"
"""The secret that holds a kubeconfig: the file's text, not its name."""


@dataclass(frozen=True, slots=True)
class CanaryAccess:
    """Opens what a policy names."""

    policy: CanaryPolicy
    options: CanaryOptions
    environ: Mapping[str, str] = field(repr=False)
    event: Event = field(repr=False)

    def check_allowed(self) -> None:
        """Refuse a run for what a stranger proposes. Raises CouldNotDecide `canary.fork`."""
        from aegis.adapters.github.context import pull_request

        change = pull_request(self.environ, self.event.payload) if self.options.github else None
        if change is not None and change.restricted:
            raise CouldNotDecide(
                "canary.fork",
                "this run is for a pull request from a fork or from Dependabot",
                expected="a run on a branch of this repository, after its deploy",
                remedy="Leave the gate out of pull requests; it judges what runs, not what is proposed.",
            )

    def cluster(self) -> Cluster:
        """The cluster that inputs, secret or surroundings name."""
        from aegis.adapters.kubernetes.api import cluster_of

        return cluster_of(
            self.environ,
            kubeconfig=self.options.kubeconfig,
            context=self.options.context,
            text=self.environ.get(KUBECONFIG) if self.options.github else None,
            for_programs=self._for_programs(),
        )

    def metrics(self, cluster: Cluster | None) -> Metrics:
        """The policy's Prometheus. Raises UsageError where its credentials are not here."""
        from aegis.adapters.prometheus.server import server_of
        from aegis.cli.masking import masker

        prometheus = self.policy.prometheus
        return server_of(
            prometheus,
            environ=self.environ,
            mask=masker(self.environ),
            credentials=self._signing() if prometheus.sigv4_region is not None else None,
            cluster=cluster,
        )

    @property
    def cloud(self) -> CloudAccess:
        """For buckets."""
        return CloudAccess("canary", self.options, self.environ, self.event)

    def _signing(self) -> AwsCredentialSource:
        from aegis.identity.narrow_session import metrics_session

        prometheus = self.policy.prometheus
        region = prometheus.sigv4_region or ""
        aws = self.policy.aws or Aws()
        return self.cloud.aws(
            aws,
            aws.region or self.options.region or region,
            lambda partition: metrics_session(prometheus.url, region, partition=partition),
        )

    def _for_programs(self) -> Callable[[], Mapping[str, str]]:
        """Variables for a kubeconfig's login program (`aws eks get-token`): the role's credentials, and only there.

        Without a role in policy and inputs, the program finds what the job's earlier steps have left for it.
        """
        aws = self.policy.aws or Aws()
        if not self.options.github or (aws.role or self.options.role) is None:
            return dict
        found: list[AwsCredentialSource] = []

        def variables() -> Mapping[str, str]:
            from aegis.identity.narrow_session import login_session

            cloud = self.cloud
            if not found:
                found.append(cloud.aws(aws, cloud.region_of(aws), lambda _: login_session()))
            now = found[0]()
            region = aws.region or self.options.region or ""
            told = {"AWS_ACCESS_KEY_ID": now.access_key, "AWS_SECRET_ACCESS_KEY": now.secret_key, "AWS_REGION": region}
            return {**told, "AWS_SESSION_TOKEN": now.token or ""}

        return variables
