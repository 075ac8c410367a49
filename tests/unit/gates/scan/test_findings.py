from __future__ import annotations

from aegis.core.codes import CODES
from aegis.core.outcome import of_loosening
from aegis.core.verdict import Finding
from aegis.gates.scan import findings as make
from aegis.gates.scan.baseline import Known, Stale
from aegis.gates.scan.model import CLASSES, Entry, Statement, Use
from aegis.gates.scan.survey import NotAnalysed
from aegis.gates.scan.whole import Disagreement


def checked(finding: Finding) -> Finding:
    """A finding as every report expects it."""
    assert finding.rule in CODES
    assert len(finding.fingerprint) == 64
    assert finding.remedy
    return finding


def test_every_class_of_use_has_its_own_finding() -> None:
    rules = set()
    for use_class in CLASSES:
        statement = Statement(3, 5, "npm", "import", "@aws-sdk/client-s3", 'import "@aws-sdk/client-s3";')
        use = Use("svc.ts", statement, Entry("aws", "npm", "@aws-sdk", "sdk", "s3"), use_class)
        finding = checked(make.of_use(use, "f" * 64))
        rules.add(finding.rule)
        assert (finding.path, finding.line, finding.column) == ("svc.ts", 3, 5)
        assert '`import "@aws-sdk/client-s3";` uses aws (s3)' in finding.message
        assert f"classes: [{use_class}]" in finding.remedy
        assert finding.cause == "your-change"
    assert len(rules) == len(CLASSES)


def test_what_was_not_analysed_is_an_open_question() -> None:
    finding = checked(make.of_not_analysed(NotAnalysed("svc.py", None, "a pipe")))
    assert (finding.rule, finding.cause) == ("scan.not_analysed", "could-not-decide")
    assert "a pipe" in finding.message
    other = make.of_not_analysed(NotAnalysed("other.py", None, "a pipe"))
    assert other.fingerprint != finding.fingerprint


def test_the_others_name_what_they_are_about() -> None:
    disagreement = checked(make.of_disagreement(Disagreement("svc.py", 2, "aws", "ast")))
    assert "only ast sees a use of aws" in disagreement.message
    stale = checked(make.of_stale(Stale("0" * 64, Known(2, "scan.runtime", "aws", "import boto3"), 1), "known.json"))
    assert stale.message == "the baseline counts 2 of `import boto3`, there are 1"
    assert stale.path == "known.json"
    loosening = checked(of_loosening("scan.strict: false", "aegis.yml"))
    assert "scan.strict: false" in loosening.message
    assert (loosening.path, loosening.line) == ("aegis.yml", 1)
