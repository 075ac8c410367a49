"""A verdict in every form that somebody reads.

Comes in: one `aegis.core.verdict.Verdict`. Goes out: text, JSON, SARIF, Markdown, workflow commands, an in-toto
predicate. Every value from outside passes through one function of `aegis.report.escape` on its way into a form.
"""
