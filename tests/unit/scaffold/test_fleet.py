"""Many repositories: the answer to all of them together, and what one ruleset may demand of each."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.scaffold import fleet_protect, fleet_pull
from aegis.scaffold.fleet import Report, Row, State, table
from aegis.scaffold.protection import Wanted

STATES = st.lists(st.sampled_from(State), max_size=6)
CHECKS = st.frozensets(st.sampled_from("pqrs"), min_size=1, max_size=3).map(lambda found: tuple(sorted(found)))
IDS = st.integers(1, 6)


def report(states: list[State], unseen: int = 0) -> Report:
    rows = tuple(Row(repository=f"octo/{n}", state=state, detail="") for n, state in enumerate(states))
    return Report(command="scan", organisation="octo", dry_run=False, rows=rows, unseen=unseen)


@settings(deadline=None, max_examples=80)
@given(STATES, st.integers(0, 1))
def test_only_a_run_in_which_all_are_well_is_green(states: list[State], unseen: int) -> None:
    code = report(states, unseen).exit_code
    judged = [state for state in states if state is not State.EXCLUDED]
    good = {State.WELL, State.WRITTEN, State.WAITING, State.WOULD_WRITE}
    assert (code == 0) == (bool(judged) and set(judged) <= good and not unseen)
    if {State.ERROR, State.NOT_REACHED} & set(states):
        assert code == 3


def test_what_is_open_stands_first() -> None:
    rows = list(table(report([State.WELL, State.FOUND, State.ERROR, State.WRITTEN])))
    assert [row[1] for row in rows] == ["error", "found", "written", "well"]


def ruleset(checks: tuple[str, ...], ids: frozenset[int]) -> dict[str, Any]:
    return fleet_protect.organisation_ruleset(Wanted(checks, 1), None, sorted(ids))


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(IDS, CHECKS, min_size=1, max_size=6),
    st.none() | st.tuples(CHECKS, st.frozensets(IDS, min_size=1, max_size=4)),
)
def test_no_repository_gets_a_check_demanded_that_it_does_not_report(
    reported: dict[int, tuple[str, ...]], before: tuple[tuple[str, ...], frozenset[int]] | None
) -> None:
    present = ruleset(*before) if before else None
    served = fleet_protect.served(reported, present)
    if served is None:
        assert before is not None  # a new ruleset serves at least one
        return
    meant = [each for each, checks in reported.items() if checks == served]
    document = fleet_protect.organisation_ruleset(Wanted(served, 1), present, meant)
    demanded = fleet_protect.demanded(document)
    was = fleet_protect.demanded(present)
    assert was <= demanded  # nothing is loosened
    assert fleet_protect.meant_ids(present) <= fleet_protect.meant_ids(document)
    for each in fleet_protect.meant_ids(document):
        asked = demanded if each in meant else demanded - was
        assert asked <= set(reported.get(each, ()))


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40), st.booleans())
def test_a_branch_is_ours_with_the_tree_that_we_wrote_alone(more: str, update: bool) -> None:
    tree, other = "a" * 40, "b" * 40
    message = fleet_pull.message(tree, update=update)
    assert fleet_pull.is_ours(message, tree)
    assert not fleet_pull.is_ours(message, other)
    assert not fleet_pull.is_ours(more, tree)
    assert not fleet_pull.is_ours(fleet_pull.message(other, update=update) + message, tree)
