"""git repositories: this one, a consumer's, and others over the network."""
