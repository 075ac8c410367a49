"""What is dangerous in a trust policy, a role's policy or a workflow that asks for tokens: twenty rules.

Comes in: documents. Goes out: findings, each with what it means and how to mend it. Each rule is a function.
"""

from aegis.identity.lint.finding import LintFinding, Severity
from aegis.identity.lint.policies import lint_policy
from aegis.identity.lint.workflows import lint_workflow

__all__ = ["LintFinding", "Severity", "lint_policy", "lint_workflow"]
