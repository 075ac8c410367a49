"""One verification over several machines: the same answer as on one, and no answer where a piece does not fit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.artifacts import streaming
from aegis.artifacts.reading import Got, Wanted
from aegis.core.errors import Refused, UsageError
from aegis.core.policy import VerifyPolicy
from aegis.gates.verify import gate, shards
from tests.doubles.objects import Bucket, denied
from tests.support.signing.verifying import (
    ED25519,
    MODEL,
    attestation_artifact,
    by,
    codes,
    file_artifact,
    model_artifact,
    opener,
    policy,
    request,
    root_of,
    signed_file,
    signed_model,
    statement_about,
)

TOOL = b"a tool\n" * 500
ASKED = policy(
    file_artifact(),
    model_artifact(),
    model_artifact(name="sharded", source="s3://staging/s/"),
    # the same objects once more, for other digests and for the same ones
    attestation_artifact(name="said", source="s3://staging/s/", signatures=("said.json",)),
    file_artifact(name="tool-again"),
)


def staging() -> Bucket:
    made = Bucket()
    made.put({**signed_file("tool.bin", TOOL), **signed_model(), **signed_model("s/", shard_size=100)})
    return made


def with_statement() -> Bucket:
    made = staging()
    files = {name.removeprefix("s/"): content for name, content in made.objects.items() if name.startswith("s/")}
    # the model's signature lies in the folder, so whoever speaks of the folder speaks of it too
    made.put({"s/said.json": statement_about(root_of(files))})
    return made


class Machine:
    """What each job of the matrix does: everything anew, from the stores."""

    def __init__(self, asked: VerifyPolicy, bucket: Bucket, count: int) -> None:
        self.request = request(asked)
        self.stage = gate.prepare(self.request, opener(bucket))
        self.plan = shards.plan_of(self.stage.wanted, count, "ab" * 32, local=self.stage.local)

    def read(self, number: int) -> bytes:
        return shards.read_shard(self.plan, number)

    def merge(self, documents: Sequence[tuple[str, bytes]]) -> gate.Judged:
        gotten = shards.merged(self.plan, documents)
        return gate.finish(self.request, self.stage, lambda wanted: {each.place: gotten[each] for each in wanted})


def all_shards(asked: VerifyPolicy, bucket: Bucket, count: int) -> list[tuple[str, bytes]]:
    return [(f"{number}.json", Machine(asked, bucket, count).read(number)) for number in range(1, count + 1)]


PLAIN = policy(
    file_artifact(), model_artifact(name="sharded", source="s3://staging/s/"), file_artifact(name="tool-again")
)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_the_answer_is_that_of_one_machine(count: int) -> None:
    bucket = with_statement()
    # "sharded" has a statement beside it that is no part of it: the other models do not
    asked = policy(*(each for each in ASKED.artifacts if each.name != "sharded"))
    alone = gate.judge(request(asked), opener(bucket))
    assert codes(alone) == []
    bucket.given.clear()
    documents = all_shards(asked, bucket, count)
    read = {key: n for key, n in bucket.given.items() if not key.endswith((".sigstore.json", "model.sig", "said.json"))}
    wholes = {key: len(bucket.objects[key]) for key in read}
    assert read == wholes
    bucket.given.clear()
    together = Machine(asked, bucket, count).merge(documents[::-1])
    assert together == alone
    assert bucket.given["tool.bin"] == 0


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_one_large_file_is_divided_at_the_borders_of_its_shards(count: int) -> None:
    bucket = Bucket()
    bucket.put(signed_model("s/", {"large": bytes(range(256)) * 13}, shard_size=100))
    asked = policy(model_artifact(source="s3://staging/s/"))
    plan = Machine(asked, bucket, count).plan
    units = sorted((unit.start, unit.end) for units in plan.shards for unit in units)
    assert len(units) <= count
    assert [start % 100 for start, _ in units] == [0] * len(units)
    assert sum(end - start for start, end in units) == 3328
    assert max(plan.sizes) <= -(-34 // count) * 100
    assert codes(Machine(asked, bucket, count).merge(all_shards(asked, bucket, count))) == []


def test_every_machine_works_out_the_same_plan() -> None:
    one, other = staging(), staging()
    other.objects = dict(reversed(other.objects.items()))
    assert Machine(PLAIN, one, 3).plan.digest == Machine(PLAIN, other, 3).plan.digest
    # other stores of the same place in another process: only names and versions count
    names = [[unit.name for unit in units] for units in Machine(PLAIN, one, 3).plan.shards]
    assert names == [[unit.name for unit in units] for units in Machine(PLAIN, other, 3).plan.shards]


PLAN_CHANGES: dict[str, Callable[[Bucket], object]] = {
    "a new version": lambda bucket: bucket.put({"tool.bin": TOOL}),
    "another size": lambda bucket: bucket.put({"tool.bin": TOOL + b"x"}),
    "an extra shard": lambda bucket: bucket.put(signed_model("s/", {**MODEL, "x": b"x"}, shard_size=100)),
    "other digests": lambda bucket: bucket.put(signed_model("s/", shard_size=50)),
}


@pytest.mark.parametrize("act", PLAN_CHANGES.values(), ids=PLAN_CHANGES)
def test_a_change_in_between_is_another_plan(act: Callable[[Bucket], object]) -> None:
    bucket = staging()
    documents = all_shards(PLAIN, bucket, 2)
    act(bucket)
    refused(Machine(PLAIN, bucket, 2), documents, "is of another plan")


def test_another_policy_is_another_plan() -> None:
    stage = Machine(PLAIN, staging(), 2).stage
    plans = [shards.plan_of(stage.wanted, 2, policy).digest for policy in ("a", "b")]
    assert plans[0] != plans[1]


def refused(machine: Machine, documents: Sequence[tuple[str, bytes]], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        machine.merge(documents)
    assert caught.value.code == "verify.shard_invalid"


class TestMerge:
    def run(self, act: Callable[[list[tuple[str, bytes]]], object], words: str, count: int = 3) -> None:
        bucket = staging()
        documents = all_shards(PLAIN, bucket, count)
        act(documents)
        refused(Machine(PLAIN, bucket, count), documents, words)

    def test_a_shard_is_missing(self) -> None:
        self.run(lambda documents: documents.pop(1), "shard 2 of 3 is missing")
        self.run(lambda documents: documents.clear(), "shard 1, 2, 3 of 3 is missing")

    def test_a_shard_stands_there_twice(self) -> None:
        self.run(lambda documents: documents.append(documents[0]), "a second shard 1")

    def test_a_shard_in_the_place_of_another(self) -> None:
        self.run(lambda documents: documents.__setitem__(1, documents[0]), "a second shard 1")

    def test_a_shard_of_another_plan(self) -> None:
        other = all_shards(policy(file_artifact()), staging(), 3)
        self.run(lambda documents: documents.__setitem__(1, other[1]), "is of another plan")

    def test_another_number_of_shards(self) -> None:
        other = all_shards(PLAIN, staging(), 2)
        self.run(lambda documents: documents.__setitem__(1, other[1]), "is of another plan")
        self.run(lambda documents: documents.__setitem__(slice(None), other), "is of another plan")

    @pytest.mark.parametrize("document", [b"", b"[]", b"7", b"{}", b"{" * 50_000, b'{"of":1,"of":1}', b"\xff"])
    def test_no_shard_at_all(self, document: bytes) -> None:
        bucket = staging()
        documents = [("x", document), *all_shards(PLAIN, bucket, 2)[1:]]
        with pytest.raises(Refused):
            Machine(PLAIN, bucket, 2).merge(documents)
        with pytest.raises(Refused):
            shards.count_of(documents)

    EDITS: Mapping[str, tuple[Callable[[dict[str, Any]], object], str]] = {
        "schema": (lambda d: d.update(schema="aegis-verify-shard/v2"), "another plan"),
        "one more field": (lambda d: d.update(more=1), "is no shard's file"),
        "one field less": (lambda d: d.pop("of"), "is no shard's file"),
        "shard 0": (lambda d: d.update(shard=0), "is no shard of the plan"),
        "shard -1": (lambda d: d.update(shard=-1), "is no shard of the plan"),
        "shard 9": (lambda d: d.update(shard=9), "is no shard of the plan"),
        "shard true": (lambda d: d.update(shard=True), "is no shard of the plan"),
        "shard as text": (lambda d: d.update(shard="1"), "is no shard of the plan"),
        "shard 1.0": (lambda d: d.update(shard=1.0), "is no shard of the plan"),
        "as another shard": (lambda d: d.update(shard=2), "a second shard 2"),
        "read nothing": (lambda d: d.update(read={}), "something else than its part"),
        "read a list": (lambda d: d.update(read=[]), "is no shard of the plan"),
        "read one more": (lambda d: d["read"].update(x={"digests": {}, "shards": []}), "something else than its part"),
        "read one less": (lambda d: d["read"].popitem(), "something else than its part"),
    }

    @pytest.mark.parametrize(("edit", "words"), EDITS.values(), ids=EDITS)
    def test_spoilt_shards(self, edit: Callable[[dict[str, Any]], object], words: str) -> None:
        def act(documents: list[tuple[str, bytes]]) -> None:
            value = json.loads(documents[0][1])
            edit(value)
            documents[0] = (documents[0][0], json.dumps(value).encode())

        self.run(act, words)

    @pytest.mark.parametrize("got", [
        None, [], "x", {}, {"digests": {}}, {"shards": []}, {"digests": {}, "shards": []},
        {"digests": {"sha256": "0" * 62}, "shards": []}, {"digests": {"sha256": "z" * 64}, "shards": []},
        {"digests": {"sha256": 7}, "shards": []}, {"digests": {"sha1": "0" * 40}, "shards": []},
        {"digests": {"sha256": "0" * 64, "sha512": "0" * 128}, "shards": []},
        {"digests": {"sha256": "0" * 64}, "shards": ["0" * 64]}, {"digests": {"sha256": "0" * 64}, "shards": "0" * 64},
        {"digests": {"sha256": "0" * 64}, "shards": [], "more": 1},
    ])  # fmt: skip
    def test_spoilt_digests_are_refused_and_never_a_crash(self, got: Any) -> None:
        bucket = Bucket()
        bucket.put(signed_file("tool.bin", TOOL))
        asked = policy(file_artifact())
        (document,) = all_shards(asked, bucket, 1)
        value = json.loads(document[1])
        (name,) = value["read"]
        value["read"][name] = got
        refused(Machine(asked, bucket, 1), [("x", json.dumps(value).encode())], "digests cannot be read")

    @pytest.mark.parametrize("place", [0, -1])
    def test_an_edited_digest_is_the_artifacts_refusal(self, place: int) -> None:
        bucket = staging()
        documents = all_shards(PLAIN, bucket, 1)
        name, document = documents[0]
        value = json.loads(document)
        unit = next(got for got in value["read"].values() if got["shards"])
        unit["shards"][place] = "0" * 64
        documents[0] = (name, json.dumps(value).encode())
        assert codes(Machine(PLAIN, bucket, 1).merge(documents)) == ["verify.file_differs"]

    def test_a_digest_more_or_less_is_not_shifted(self) -> None:
        bucket = staging()
        acts: list[Callable[[list[str]], object]] = [lambda all_: all_.pop(), lambda all_: all_.append("0" * 64)]
        for act in acts:
            documents = all_shards(PLAIN, bucket, 1)
            value = json.loads(documents[0][1])
            act(next(got for got in value["read"].values() if got["shards"])["shards"])
            documents[0] = ("x", json.dumps(value).encode())
            refused(Machine(PLAIN, bucket, 1), documents, "digests cannot be read")

    def test_tampered_bytes(self) -> None:
        bucket = staging()
        bucket.objects["s/weights/a.bin"] = b"\0" * 2048
        documents = all_shards(PLAIN, bucket, 3)
        answer = Machine(PLAIN, bucket, 3).merge(documents)
        assert codes(answer) == ["verify.file_differs"]
        assert [each.name for each in answer.results] == ["tool", "tool-again"]

    def test_one_refused_listing_does_not_hide_the_others(self) -> None:
        bucket = staging()
        bucket.put({"s/evil": b""})
        documents = all_shards(PLAIN, bucket, 2)
        answer = Machine(PLAIN, bucket, 2).merge(documents)
        assert codes(answer) == ["verify.file_unsigned"]
        assert len(answer.results) == 2


class TestHere:
    def test_content_that_a_key_signs_is_read_by_the_merge(self) -> None:
        bucket = Bucket()
        bucket.put({**signed_file("tool.bin", TOOL, ED25519), **signed_model()})
        again = file_artifact(name="again", signers=(by("ed25519"), by("p384")))
        asked = policy(file_artifact(signers=(by("ed25519"),)), again, model_artifact())
        bucket.given.clear()
        documents = all_shards(asked, bucket, 2)
        assert bucket.given["tool.bin"] == 0
        assert codes(Machine(asked, bucket, 2).merge(documents)) == []
        assert bucket.given["tool.bin"] == 2 * len(TOOL)

    def test_what_lies_on_this_machine_is_in_no_plan(self) -> None:
        """Another machine has another inode, and perhaps other bytes."""
        local = Bucket(signed_model("models/m/"), location=".", versioned=False)
        asked = policy(model_artifact(source="models/m/"))
        machine = Machine(asked, local, 2)
        assert machine.plan.shards == ((), ())
        assert codes(machine.merge(all_shards(asked, local, 2))) == []

    def test_a_fault_there_is_no_pass(self) -> None:
        bucket = Bucket()
        bucket.put(signed_file("tool.bin", TOOL, ED25519))
        asked = policy(file_artifact(signers=(by("ed25519"),)))
        documents = all_shards(asked, bucket, 1)
        machine = Machine(asked, bucket, 1)
        bucket.faults["tool.bin"] = denied()
        with pytest.raises(Exception, match="403"):
            machine.merge(documents)


def test_a_fault_of_a_shard_writes_nothing() -> None:
    bucket = staging()
    machine = Machine(PLAIN, bucket, 1)
    bucket.faults["tool.bin"] = denied()
    with pytest.raises(Exception, match="403"):
        machine.read(1)


@pytest.mark.parametrize("text", ["", "1", "1/", "/1", "0/1", "2/1", "1/257", "1/0", "-1/2", "01/2", "1/2/3", "1/2\n",
                                  "a/b", "1 / 2", "٣/٤", "1/1e1", "9" * 99 + "/" + "9" * 99])  # fmt: skip
def test_words_that_name_no_shard(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        shards.parse_shard(text)
    assert caught.value.code == "core.wrong_usage"


def test_words_that_name_a_shard() -> None:
    assert [shards.parse_shard(text) for text in ("1/1", "2/3", "256/256")] == [(1, 1), (2, 3), (256, 256)]


@pytest.mark.parametrize("count", [0, -1, 257, True, 1.0, "1", None])
def test_a_file_that_says_no_number(count: Any) -> None:
    with pytest.raises(Refused):
        shards.count_of([("x", json.dumps({"of": count}).encode())])


def test_names_of_units_tell_all_parts_apart() -> None:
    store = Bucket(location="s3://x")
    from aegis.core.ports.objects import ObjectInfo

    plain = Wanted(store, ObjectInfo("k", 9, "v", "e"), frozenset({"sha256"}))
    others = [
        replace(plain, info=ObjectInfo("k v", 9, "e", "")),
        replace(plain, info=ObjectInfo("k", 9, None, "e")),
        replace(plain, info=ObjectInfo("k", 9, "v", None)),
        replace(plain, info=ObjectInfo("k", 8, "v", "e")),
        replace(plain, algorithms=frozenset({"sha512"})),
        replace(plain, algorithms=frozenset(), shard_algorithm="sha256", shard_size=9),
        replace(plain, store=Bucket(location="s3://y")),
    ]
    names = {shards.Unit(each, 0, 9).name for each in [plain, *others]} | {shards.Unit(plain, 1, 9).name}
    assert len(names) == len(others) + 2


_CONTENTS = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


@settings(max_examples=150)
@given(_CONTENTS, st.integers(1, 9), st.lists(st.integers(0, 17), min_size=6, max_size=6), st.integers(1, 7))
def test_merged_digests_are_those_of_one_reading(
    contents: list[bytes], count: int, sizes: list[int], chunk: int
) -> None:
    bucket = Bucket(chunk=chunk)
    bucket.put({f"k{number}": content for number, content in enumerate(contents)})
    wanted = []
    for info, size in zip(bucket.list(""), sizes, strict=False):
        whole = frozenset[str]() if size else frozenset({"sha256", "sha512"})
        wanted.append(Wanted(bucket, info, whole, "sha256" if size else "", size))
    direct: dict[Wanted, Got] = {each: streaming.read([each])[each.place] for each in wanted}
    plan = shards.plan_of(wanted, count, "p")
    covered: Counter[tuple[str, int]] = Counter()
    for units in plan.shards:
        for unit in units:
            covered.update((unit.wanted.info.key, place) for place in range(unit.start, unit.end))
    assert covered == Counter({(f"k{n}", place): 1 for n, data in enumerate(contents) for place in range(len(data))})
    bucket.given.clear()
    documents = [(str(number), shards.read_shard(plan, number)) for number in range(1, count + 1)]
    for number, data in enumerate(contents):
        # a reader stops with the chunk in which its range ends
        ends = sum(
            unit.end < len(data) for units in plan.shards for unit in units if unit.wanted.info.key == f"k{number}"
        )
        assert len(data) <= bucket.given[f"k{number}"] <= len(data) + ends * (chunk - 1)
    assert shards.merged(plan, documents) == direct
