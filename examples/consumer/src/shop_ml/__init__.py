"""Scores products for the shop's search page."""
