"""What a judgement of a rollout was asked for, by arguments and environment or by the action's inputs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar, get_args

from aegis.cli.surroundings import read_input
from aegis.core.errors import UsageError

Word = TypeVar("Word", bound=str)
Mode = Literal["watch", "judge", "preflight"]
"""Look until there is a decision and do it; look once; look whether a watch could be done."""
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
DEFAULT_STATE: Final = ".aegis-canary"
"""The folder of a workflow's states, in the workspace."""
FORMATS: Final = ("text", "json", "sarif", "markdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryOptions:
    """The wishes, before the policy has had its word."""

    path: str = "."
    base: str | None = None
    policy: str | None = None
    output: Path | None = None
    github: bool = False
    named_only: bool = False
    state: Path
    """The file that holds what was seen so far; in a workflow the folder of such files."""
    mode: Mode = "watch"
    """Of a workflow's run."""
    begin_anew: bool = False
    """In a workflow: judge a rollout whose state of an earlier attempt is gone as if there had been none."""
    canary: str | None = None
    """The hash of the canary's pod template; None: both hashes are read from the cluster."""
    stable: str | None = None
    """Of stable's; None beside a canary: there is no stable version yet."""
    weight: float | None = None
    """The canary's share of traffic by configuration, 0 to 1."""
    act: bool = False
    """Promote or abort the rollout as it was judged."""
    kubeconfig: Path | None = None
    context: str | None = None
    images: tuple[str, ...] = ()
    """What is to be rolled out, for a preflight: those whose verdicts the policy may demand."""
    role: str | None = None
    """ARN of the role to assume, where the policy names none."""
    region: str | None = None
    cosign_pub_key: str | None = None
    upload: bool = False
    """Findings about a rollout have no place in the code, so code scanning gets none."""
    oci_client_id: ClassVar[str] = ""
    oci_client_secret: ClassVar[str] = ""
    record: Path | None = None
    """A file for all that Prometheus answers, to be replayed by `simulate`."""

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace, environ: Mapping[str, str]) -> CanaryOptions:
        """Of the command line; keys come from the environment. Raises UsageError."""
        if (arguments.canary is None) != (arguments.stable is None and not arguments.first):
            raise UsageError(
                "core.wrong_usage",
                "one side is named and the other is not",
                expected="--canary with --stable or --first; or none of them, and the cluster is asked",
                remedy="name both sides, or none",
            )
        return cls(
            path=arguments.path,
            base=arguments.base,
            policy=arguments.policy,
            output=arguments.output,
            state=arguments.state,
            canary=arguments.canary,
            stable=arguments.stable,
            weight=None if arguments.weight is None else arguments.weight / 100,
            act=getattr(arguments, "act", False),
            kubeconfig=arguments.kubeconfig,
            context=arguments.context,
            region=environ.get("AWS_REGION") or None,
            cosign_pub_key=environ.get("COSIGN_PUB_KEY") or None,
            record=getattr(arguments, "record", None),
        )

    @classmethod
    def from_inputs(cls, environ: Mapping[str, str]) -> CanaryOptions:
        """Of the action's inputs. Raises UsageError."""
        workspace = Path(environ.get("GITHUB_WORKSPACE") or ".")
        output, weight, kubeconfig = (read_input(name, environ) for name in ("output", "weight", "kubeconfig"))
        return cls(
            path=str(workspace / (read_input("path", environ) or ".")),
            base=read_input("base", environ) or None,
            policy=read_input("policy", environ) or None,
            output=workspace / output if output else None,
            github=True,
            state=workspace / (read_input("state", environ) or DEFAULT_STATE),
            mode=_one_of("mode", MODES, environ),
            begin_anew=_one_of("without-state", ("refuse", "begin"), environ) == "begin",
            weight=percent("the input 'weight'")(weight) / 100 if weight else None,
            act=_one_of("act", ("true", "false"), environ) == "true",
            kubeconfig=workspace / kubeconfig if kubeconfig else None,
            context=read_input("context", environ) or None,
            images=tuple(read_input("image", environ).split()),
            role=read_input("aws-role-to-assume", environ) or None,
            region=read_input("aws-region", environ) or None,
            cosign_pub_key=read_input("cosign-pub-key", environ) or None,
        )

    def words(self) -> list[str]:
        """The options that a reproduction needs: one that acts is reproduced by one that only looks."""
        # on a laptop the state of a workflow is not there, so it begins with none
        words = [f"--state={'canary-state.json' if self.github else self.state}"]
        if self.canary is not None:
            words += [f"--canary={self.canary}", "--first" if self.stable is None else f"--stable={self.stable}"]
        return words + ([] if self.weight is None else [f"--weight={self.weight * 100:g}"])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of every command that judges a rollout."""
    parser.add_argument("--path", default=".", help="a folder of a git repository (default: this one)")
    parser.add_argument("--base", metavar="REV", help="take the policy from the merge base with REV")
    parser.add_argument("--policy", metavar="FILE", help="policy file in the repository (default: aegis.yml)")
    parser.add_argument(
        "--state", metavar="FILE", type=Path, required=True, help="what was seen so far; one for each rollout"
    )
    parser.add_argument(
        "--canary", metavar="HASH", help="pod-template-hash of the canary's pods (default: the cluster is asked)"
    )
    side = parser.add_mutually_exclusive_group()
    side.add_argument("--stable", metavar="HASH", help="pod-template-hash of the stable pods")
    side.add_argument("--first", action="store_true", help="there is no stable version yet: only ceilings judge")
    parser.add_argument(
        "--weight", metavar="PERCENT", type=percent("--weight"), help="of the traffic, by the router's settings"
    )
    add_cluster_arguments(parser)
    parser.add_argument("--output", metavar="DIR", type=Path, help="write the verdict in all its forms to DIR")
    parser.add_argument("--format", choices=FORMATS, default="text", help="what to print (default: text)")


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and as whom."""
    parser.add_argument(
        "--kubeconfig", metavar="FILE", type=Path, help="(default: KUBECONFIG, ~/.kube/config, the pod's account)"
    )
    parser.add_argument("--context", metavar="NAME", help="of the kubeconfig (default: its current one)")


def _one_of(name: str, words: tuple[Word, ...], environ: Mapping[str, str]) -> Word:
    """An input that is one of these; the first where it was left out. Raises UsageError."""
    given = read_input(name, environ) or words[0]
    for word in words:
        if given == word:
            return word
    raise UsageError(
        "core.wrong_usage",
        f"the input {name!r} is {given[:40]!r}",
        expected=f"one of {', '.join(words)}",
        remedy=f"correct the input {name!r}",
    )


def percent(name: str) -> Callable[[str], float]:
    """Reads the argument or input of this name: a share, between 0 and 100. That raises UsageError."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0 < number < 100:
            raise UsageError(
                "core.wrong_usage",
                f"{name} is {text[:40]!r}",
                expected="per cent between 0 and 100, e.g. 5",
                remedy="correct it",
            )
        return number

    return read
