"""GitHub: its REST API, its tokens, and what it says about a run."""
