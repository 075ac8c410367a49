"""The gates: a policy and evidence in, an outcome out. They are written against `aegis.core.ports`."""
