"""`aegis report`: past verdicts on one page."""
