"""Rollbacks in a real cluster: `python benchmarks/canary_cluster.py [--runs N]`. Needs Go; the first time it builds.

Five pods of 200 requests a second each, of which 1 % fail; of the new version 8 % do. `aegis canary watch` looks each
second. Printed are the seconds from the new version's first requests, when the watch is started too, until the abort
is in the cluster, and from there until all pods are stable ones: median, 95th percentile and the slowest. Control
plane, Argo Rollouts, pods' counters, Prometheus and watch share this machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import numpy as np  # noqa: E402 - the path comes first

from tests.support.cluster.plane import control_plane  # noqa: E402
from tests.support.cluster.rollbacks import Rollback, rollback  # noqa: E402
from tests.support.cluster.shop import cluster_shop  # noqa: E402


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    done: list[Rollback] = []
    with TemporaryDirectory() as scratch:
        plane, folder = Path(scratch, "plane"), Path(scratch, "shop")
        plane.mkdir()
        folder.mkdir()
        with (
            control_plane(plane) as cluster,
            cluster.namespace() as namespace,
            cluster_shop(cluster, namespace, folder) as shop,
        ):
            for number in range(runs):
                done.append(rollback(shop, f"run-{number}"))
                print(f"{number + 1}: {done[-1].abort:.2f} s, then {done[-1].stable:.2f} s", file=sys.stderr)
    print(f"{runs} rollbacks, seconds     median   95 %  slowest")
    for what, values in (
        ("first requests → abort", [each.abort for each in done]),
        ("abort → all pods stable", [each.stable for each in done]),
        ("both", [each.abort + each.stable for each in done]),
    ):
        print(f"{what:24} {np.median(values):8.2f} {np.percentile(values, 95):6.2f} {max(values):8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
