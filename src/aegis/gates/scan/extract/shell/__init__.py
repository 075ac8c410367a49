"""Which commands shell text holds, wherever that text stands."""
