"""An acceptance run as JUnit XML, for whatever shows test results.

The form: https://github.com/testmoapp/junitxml. A suite a criterion, a test case a probe; what was not run is an error,
since readers count `skipped` as good.
"""

from __future__ import annotations

import datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from aegis.acceptance.result import Acceptance, Attempt, CriterionResult
from aegis.report.escape import encodable, visible


def render(run: Acceptance) -> bytes:
    """The document."""
    root = Element("testsuites", name="aegis acceptance", timestamp=run.started)
    for one in run.criteria:
        _suite(root, one)
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    indent(root)
    body: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return body + b"\n"


def _suite(root: Element, one: CriterionResult) -> None:
    suite = SubElement(root, "testsuite", name=_text(f"{one.id} {one.title}"))
    for attempt in one.attempts:
        seconds = _moment(attempt.finished) - _moment(attempt.started)
        SubElement(
            suite, "testcase", classname=one.id, name=_text(_name(attempt)), time=f"{seconds.total_seconds():.3f}"
        )
    # one case for the conclusion: a fault that was seen is a probe that failed, and no failure
    case = SubElement(suite, "testcase", classname=one.id, name="accepted")
    if one.status == "fail":
        SubElement(case, "failure", type=one.reason, message=_text(one.message)).text = _text(one.remedy)
    elif one.status != "pass":
        SubElement(case, "error", type=one.reason, message=_text(one.message)).text = _text(one.remedy)
    suite.set("tests", str(len(one.attempts) + 1))
    suite.set("failures", str(int(one.status == "fail")))
    suite.set("errors", str(int(one.status not in ("pass", "fail"))))


def _name(attempt: Attempt) -> str:
    told = f"{attempt.name}: {attempt.result}"
    return told if attempt.result == "pass" else f"{told} ({attempt.reason})"


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _text(text: str) -> str:
    """Words that XML 1.0 can hold: it has no place for most control characters, escaped or not."""
    return visible(encodable(text)).replace("\ufffe", "?").replace("\uffff", "?")
