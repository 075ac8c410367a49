from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.gates.canary.samples.selectors import Selector, parse_matchers, parse_selector, quoted


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("http_requests_total", "http_requests_total{}"),
        ("http_requests_total{}", "http_requests_total{}"),
        (' a_total { code =~ "5.." } ', 'a_total{code=~"5.."}'),
        ("""a{b='c',d!="e",f!~`g|"h"`,}""", """a{b='c',d!="e",f!~`g|"h"`}"""),
        (r'a{b="c\"}d"}', r'a{b="c\"}d"}'),
        ('a{b="c,d{e}"}', 'a{b="c,d{e}"}'),
    ],
)
def test_a_counter_with_matchers_is_read(text: str, query: str) -> None:
    assert parse_selector(text, where="here").query(()) == query


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "does not begin"),
        ("rate(a_total[5m])", "does not begin"),
        ("a_total[5m]", "does not begin"),
        ("a_total offset 5m", "does not begin"),
        ("a + b", "does not begin"),
        ('{__name__="a"}', "does not begin"),
        ('{"a.b"}', "does not begin"),
        ("a-b", "does not begin"),
        ("job:requests:rate5m", "recording rule"),
        (":a", "recording rule"),
        ("a{", "does not end"),
        ('a{b="c"}[5m]', "does not end"),
        ('a{b="c"} offset 5m', "does not end"),
        ('a{b="c"} or x{d="e"}', "without a comma at character 6"),
        ('a{__name__=~".+"}', "__name__"),
        ("a{b=c}", "no matcher at character 1"),
        ('a{b=="c"}', "no matcher"),
        ('a{b="c" d="e"}', "without a comma"),
        ('a{,b="c"}', "no matcher"),
        ('a{b="c"\n"}', "without a comma"),
        ('a{b="c\n"}', "no matcher"),
        ('a{b="c\\"}', "no matcher"),
        ("a{b=`c}", "no matcher"),
    ],
)
def test_anything_else_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_selector(text, where="canary.metrics.m.bad")
    assert problem in raised.value.problem
    assert raised.value.code == "canary.selector_invalid"
    assert raised.value.problem.startswith("canary.metrics.m.bad: ")


def test_the_labels_it_looks_at_are_known() -> None:
    assert parse_selector('a{b="c",d!~"e"}', where="here").labels == {"b", "d"}


def test_a_scope_is_added() -> None:
    assert Selector("a", parse_matchers('b="c"', where="here")).query(['d="e"']) == 'a{b="c",d="e"}'


@given(st.text())
def test_what_is_quoted_stays_one_matcher(value: str) -> None:
    text = f"b={quoted(value)}"
    assert parse_matchers(text, where="here") == (("b", text),)


@given(st.text(alphabet="ab{}[]()\"'`=~!,\\ \n:_0"))
def test_a_selector_is_read_again_as_itself_or_refused(text: str) -> None:
    try:
        selector = parse_selector(text, where="here")
    except UsageError:
        return
    assert parse_selector(selector.query(()), where="here") == selector
