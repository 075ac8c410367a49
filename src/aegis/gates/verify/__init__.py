"""The verify gate: artifacts and a policy in, an outcome out."""
