"""Prometheus and its Pushgateway."""
