"""The runtime half: inside a serving system, only verified models are loaded, and every action leaves an entry."""
