"""The alert rules as the Prometheus operator's kind, from the plain rule file: groups and comments word for word."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "k8s" / "prometheus" / "rule-groups.yaml"
TARGET = ROOT / "k8s" / "prometheus" / "alert-rules.yaml"
HEAD = """\
# Made from rule-groups.yaml by `make docs`; edit that one. Needs the Prometheus operator's kinds (k8s/README.md):
#
#   kubectl apply -f k8s/prometheus/alert-rules.yaml
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: aegis-alerts
  namespace: aegis
  labels:
    app.kubernetes.io/name: aegis
    app.kubernetes.io/part-of: aegis
spec:
"""


def rendered() -> str:
    """The object's text."""
    groups = SOURCE.read_text("utf-8")
    start = groups.index("groups:\n")  # the comments above are about the plain form
    return HEAD + "".join(f"  {line}" if line.strip() else line for line in groups[start:].splitlines(keepends=True))
