"""A3 in staging: the overlay is applied and nothing of it drifts, and the runbook's line installs the chart as it is.

This one writes: `helm upgrade --install` into the namespace that the configuration names. The fault stops before that.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe, probing  # noqa: E402 - probes run without being installed
from acceptance.staging.tools import Tools, section, staging_of  # noqa: E402
from aegis.acceptance.staging import Infra  # noqa: E402

FAULTS = {"chart-edited": "a copy of the chart with an edited template, which is not installed"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory() as temporary:
        tools, infra = Tools(probe), section(staging_of(probe).infra, "infra")
        work = Path(temporary)
        chart = Path(shutil.copytree(ROOT / "helm", work / "helm"))
        values = chart / "values.staging.yaml"
        shutil.copyfile(ROOT / infra.values, values)
        if probe.fault == "chart-edited":
            template = min((chart / "templates").glob("*.yaml"))
            template.write_text(template.read_text("utf-8") + "# works for me\n", "utf-8")
        if _applied(probe, tools, infra) and _rendered(probe, tools, infra, values):
            _unmodified(probe, tools, chart, "before")
            if probe.fault is None:
                _installed(probe, tools, infra, chart, values)


def _applied(probe: Probe, tools: Tools, infra: Infra) -> bool:
    """Exit code 0 of `-detailed-exitcode`: everything is there, and as it is written; 2 is a difference."""
    words = [infra.program, f"-chdir={infra.overlay}", "plan", "-detailed-exitcode", "-input=false", "-lock=false"]
    done = tools.run("plan", [*words, "-no-color"])
    if done.returncode not in (0, 2):
        raise RuntimeError(f"{infra.program} plan ended with exit code {done.returncode}: {done.stderr[-500:]}")
    return probe.check(
        "overlay-applied",
        done.returncode == 0,
        f"{infra.program} plan finds {'no' if done.returncode == 0 else 'a'} difference",
        reason="probe.overlay_differs",
    )


def _rendered(probe: Probe, tools: Tools, infra: Infra, values: Path) -> bool:
    words: list[str | Path] = ["render", "values", "--from", infra.overlay, "--to", values, "--program", infra.program]
    done = tools.aegis("render", *words)
    shutil.copyfile(values, probe.evidence / "values.yaml")
    found = re.search(r"\brender\.[a-z_]+\b", done.stderr)
    return probe.check(
        "values-rendered",
        done.returncode == 0,
        f"aegis render values ended with exit code {done.returncode}",
        reason=found[0] if found else "probe.render_failed",
    )


def _unmodified(probe: Probe, tools: Tools, chart: Path, when: str) -> None:
    """As the commit has it, byte for byte."""
    listed = tools.run("chart", ["git", "ls-tree", "-r", "--name-only", "-z", "HEAD", "--", "helm"]).stdout
    names = [name.removeprefix("helm/") for name in listed.split("\0") if name]
    if not names:
        raise RuntimeError("the commit has no chart")
    committed = tools.run("changed", ["git", "status", "--porcelain", "--", "helm"]).stdout == ""
    shipped, found = _digest(ROOT / "helm", names), _digest(chart, names)
    probe.facts[f"chart_digest_{when}"] = found
    probe.check(
        f"chart-unmodified-{when}",
        committed and shipped == found,
        f"digest {shipped[:16]}… of {'the' if committed else 'no'} commit's chart, {found[:16]}… of the installed one",
        reason="probe.chart_modified",
    )


def _digest(chart: Path, names: list[str]) -> str:
    found = hashlib.sha256()
    for name in names:
        content = (chart / name).read_bytes()
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _installed(probe: Probe, tools: Tools, infra: Infra, chart: Path, values: Path) -> None:
    where = ["--kube-context", infra.context]
    words: list[str | Path] = [
        "helm",
        "upgrade",
        "--install",
        infra.release,
        chart,
        "-n",
        infra.namespace,
        "-f",
        values,
        *where,
    ]
    done = tools.run("helm", [*words, "--wait", "--timeout=9m"])
    probe.check(
        "chart-installs", done.returncode == 0, f"helm ended with exit code {done.returncode}",
        reason="probe.helm_failed",
    )  # fmt: skip
    _unmodified(probe, tools, chart, "after")


if __name__ == "__main__":
    main()
