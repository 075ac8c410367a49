"""The ports, fulfilled: one module for each provider."""
