"""What can be wrong between us and a Kubernetes API server, as errors that say what to do."""

from __future__ import annotations

from aegis.adapters.http.call import RETRIED, Answer
from aegis.core.errors import CouldNotDecide, UsageError


def no_configuration(problem: str) -> UsageError:
    """There is no cluster to talk to. `problem` is in our words: the library's quote whole users with their tokens."""
    return UsageError(
        "canary.cluster_configuration",
        problem,
        expected="a kubeconfig with a current context, or a pod's service account",
        remedy="Set KUBECONFIG, or name the file and the context; try it: kubectl config view --minify",
    )


def unsafe(problem: str) -> UsageError:
    """A token would be shown to whoever answers."""
    return UsageError(
        "canary.cluster_unsafe",
        problem,
        expected="https with a certificate that is checked",
        remedy="Put the cluster's certificate-authority-data into the kubeconfig.",
    )


def no_login(problem: str) -> CouldNotDecide:
    """The cluster does not know who asks."""
    return CouldNotDecide(
        "canary.cluster_login",
        problem,
        expected="credentials that the cluster accepts",
        remedy="Log in to the cloud before this step, renew the token, or run the kubeconfig's exec command by hand.",
    )


def unavailable(address: str, problem: str) -> CouldNotDecide:
    """No answer, or one of a server in trouble."""
    return CouldNotDecide(
        "canary.cluster_unavailable",
        f"{address} did not answer: {problem}",
        expected="a Kubernetes API server",
        remedy="Look whether it can be reached from here; run this again.",
    )


def malformed(problem: str) -> CouldNotDecide:
    """The answer is none that the API gives."""
    return CouldNotDecide(
        "canary.cluster_answer",
        f"the cluster's answer cannot be read: {problem}",
        expected="an answer of the Kubernetes API, and a Rollout of argoproj.io/v1alpha1",
        remedy="Look whether a proxy stands between, and which version of Argo Rollouts is installed.",
    )


def fault_of(address: str, answer: Answer, what: str) -> CouldNotDecide:
    """What a status other than 200 means for `what` was asked, e.g. `to get the Rollout shop/api`."""
    document = answer.json()
    message = document.get("message")
    said = message[:300] if document.get("kind") == "Status" and isinstance(message, str) else f"HTTP {answer.status}"
    if answer.status == 401:
        return no_login(f"{address} does not know who we are (401), asked {what}")
    if answer.status == 403:
        return CouldNotDecide(
            "canary.cluster_forbidden",
            f"{address} does not let us, asked {what}: {said}",
            expected="a Role that allows it: get on rollouts and patch on rollouts/status of argoproj.io, and for a "
            "Prometheus inside the cluster get on services/proxy",
            remedy="Bind such a Role, in that namespace, to the identity that the message names.",
        )
    if answer.status == 404:
        return _missing(document, what, said)
    if answer.status == 409:
        return CouldNotDecide(
            "canary.cluster_conflict",
            f"somebody changed it while we asked {what}: {said}",
            expected="the state that was looked at",
            remedy="Run this again: it looks anew.",
        )
    if answer.status in RETRIED:
        return unavailable(address, said)
    return CouldNotDecide(
        "canary.cluster_refused",
        f"{address} refused, asked {what}: {said}",
        expected="200",
        remedy="Look at the message: an admission webhook or another version of the API may be the reason.",
    )


def _missing(document: dict[str, object], what: str, said: str) -> CouldNotDecide:
    """An object that is not there has a name in the answer; a kind that is not there has none."""
    details = document.get("details")
    if document.get("kind") == "Status" and isinstance(details, dict) and details.get("name"):
        return CouldNotDecide(
            "canary.rollout_missing",
            f"asked {what}: {said}",
            expected="it in just that namespace",
            remedy="Correct namespace and name of canary.rollout: kubectl get rollouts --all-namespaces",
        )
    return CouldNotDecide(
        "canary.rollouts_not_installed",
        f"asked {what}: the cluster does not know such a kind ({said})",
        expected="Argo Rollouts with its CustomResourceDefinitions (kubectl get crd rollouts.argoproj.io)",
        remedy="Install Argo Rollouts, or choose the context of the cluster that has it.",
    )
