"""One model over a matrix of jobs, and the one verdict that merges them.

act moves no artifacts between jobs that a test could trust, so a folder of the machine stands for them.
"""

from __future__ import annotations

import json

import pytest

from tests.e2e.actions.conftest import told
from tests.e2e.actions.verify.conftest import FRAUD, INPUTS, VERIFY, Staging
from tests.e2e.actions.watched import KEEP, WARM
from tests.support.actions import staged
from tests.support.actions.act import CHECKOUT, Run

COUNT = 3
LARGE = {"weights.bin": bytes(range(256)) * 400, "config/model.json": b'{"layers": 3}\n'}
GIVEN = "".join(f"          {name}: {value}\n" for name, value in INPUTS.items())
WORKFLOW = f"""\
name: check
on: [push, pull_request, schedule]
jobs:
  shard:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        shard: [{", ".join(str(number) for number in range(1, COUNT + 1))}]
    steps:
      - uses: {CHECKOUT}
{WARM}\
      - uses: {VERIFY}
        with:
{GIVEN}\
          shard: ${{{{ matrix.shard }}}}/{COUNT}
          output: out
      - name: Upload
        env:
          SHARD: ${{{{ matrix.shard }}}}
        run: mkdir "$KEPT/artifact-$SHARD" && cp out/shard.json "$KEPT/artifact-$SHARD/"
{KEEP}\
  verify:
    needs: [shard]
    if: ${{{{ always() }}}}
    runs-on: ubuntu-latest
    steps:
      - uses: {CHECKOUT}
{WARM}\
      - name: Download
        run: |
          mkdir shards
          cp -r "$KEPT"/artifact-* shards/
@MEDDLE@      - id: gate
        uses: {VERIFY}
        with:
{GIVEN}\
          shards: shards
      - name: Tell
        if: ${{{{ always() }}}}
        env:
          RESULT: ${{{{ steps.gate.outputs.result }}}}
          REASON: ${{{{ steps.gate.outputs.reason }}}}
        run: 'echo "told: ${{RESULT}} ${{REASON}}"'
"""


def judged(staging: Staging, meddle: str = "") -> Run:
    """Run shards and merge; a command may come between."""
    line = f"          {meddle}\n" if meddle else ""
    staging.verify = {"artifacts": [FRAUD]}
    staging.adopt({".github/workflows/check.yml": WORKFLOW.replace("@MEDDLE@", line)})
    return staging.changed()


def test_a_large_file_is_read_in_parts_and_judged_once(staging: Staging) -> None:
    staging.cloud.put(staged.model(LARGE, staged.by_key(), shard_size=10_000), "fraud/")
    run = judged(staging)
    assert run.green, run.log
    assert told(run) == "pass core.passed"
    files = sorted(staging.kept.glob("artifact-*/shard.json"))
    shards = [json.loads(file.read_bytes()) for file in files]
    assert [(shard["shard"], shard["of"]) for shard in shards] == [(number, COUNT) for number in range(1, COUNT + 1)]
    parts = [name for shard in shards for name in shard["read"] if "weights.bin" in name]
    assert len(parts) == len(set(parts)) == COUNT
    # every shard asks for a session of its own
    assert len(staging.cloud.sts.sessions) == COUNT + 1


def test_one_other_byte_in_a_part_is_red(staging: Staging) -> None:
    staging.cloud.put(staged.model(LARGE, staged.by_key(), shard_size=10_000), "fraud/")
    staging.cloud.put({"fraud/weights.bin": LARGE["weights.bin"][:-1] + b"?"})
    run = judged(staging)
    assert told(run) == "fail core.findings"
    assert any("verify.file_differs" in note.title and "weights.bin" in note.message for note in run.errors())


@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        ("rm -r shards/artifact-2", "shard 2 of 3 is missing"),
        ("cp -r shards/artifact-2 shards/artifact-4", "is a second shard 2"),
    ],
    ids=["missing", "doubled"],
)
def test_shards_that_are_not_the_plans_are_red(staging: Staging, meddle: str, says: str) -> None:
    staging.cloud.put(staged.model(LARGE, staged.by_key(), shard_size=10_000), "fraud/")
    run = judged(staging, meddle)
    assert not run.green
    assert told(run) in {"fail core.findings", "error verify.shard_invalid"}
    assert any(says in note.message for note in run.errors()), run.annotations
