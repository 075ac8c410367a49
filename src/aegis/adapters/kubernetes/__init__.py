"""A Kubernetes cluster: how we log in, its API, and the Rollouts in it."""
