from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from aegis.core.ports.repository import Change
from aegis.gates.scan.diff import compare
from aegis.gates.scan.fingerprint import content_fingerprint
from aegis.gates.scan.model import Use
from tests.support.scan.uses import use, uses


def contents(found: Iterable[Use]) -> Counter[str]:
    return Counter(map(content_fingerprint, found))


def test_a_use_that_was_there_is_not_new() -> None:
    found = compare([use(line=9)], [use(line=1)])
    assert (found.new, found.kept, found.gone) == ((), (use(line=9),), ())


def test_an_added_use_is_new() -> None:
    assert compare([use(), use(text="import botocore", line=2)], [use()]).new == (use(text="import botocore", line=2),)


def test_a_swapped_sdk_on_the_same_line_is_new() -> None:
    found = compare([use(text="import botocore")], [use()])
    assert (found.new, found.gone) == ((use(text="import botocore"),), (use(),))


def test_a_second_equal_use_is_new_and_it_is_the_later_one() -> None:
    assert compare([use(line=1), use(line=5)], [use(line=3)]).new == (use(line=5),)


def test_a_use_that_moved_to_another_file_is_not_new() -> None:
    found = compare([use("b.py")], [use("a.py")])
    assert (found.new, found.gone) == ((), ())


def test_a_renamed_file_keeps_its_uses_and_a_copy_does_not() -> None:
    changes = [Change("z.py", "a.py", "renamed"), Change("b.py", None, "added")]
    assert compare([use("b.py"), use("z.py")], [use("a.py")], changes).new == (use("b.py"),)


def test_the_new_use_is_reported_where_none_was() -> None:
    assert compare([use("a.py"), use("b.py")], [use("b.py")]).new == (use("a.py"),)


def test_of_the_uses_that_went_those_of_the_file_that_lost_one_are_told() -> None:
    assert compare([use("a.py")], [use("a.py"), use("b.py")]).gone == (use("b.py"),)
    assert compare([use("b.py")], [use("a.py"), use("b.py")]).gone == (use("a.py"),)


@given(st.lists(uses), st.lists(uses))
def test_it_is_a_difference_of_multisets(head: list[Use], base: list[Use]) -> None:
    found = compare(head, base)
    assert contents(found.new) == contents(head) - contents(base)
    assert contents(found.gone) == contents(base) - contents(head)
    assert contents(found.kept) == contents(head) & contents(base)
    assert Counter([*found.new, *found.kept]) == Counter(head)
    assert not Counter(found.gone) - Counter(base)


@given(st.lists(uses))
def test_nothing_is_new_to_itself(found: list[Use]) -> None:
    assert compare(found, found).new == ()
    assert Counter(compare(found, []).new) == Counter(found)


@given(st.lists(uses), st.lists(uses))
def test_the_order_does_not_matter(head: list[Use], base: list[Use]) -> None:
    assert compare(head, base) == compare(head[::-1], base[::-1])
