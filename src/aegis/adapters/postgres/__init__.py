"""PostgreSQL: connections, its own tools, an engine of our own, and what is kept in it."""
