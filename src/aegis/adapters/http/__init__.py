"""HTTP with secrets in it: calls, documents sent, and a server."""
