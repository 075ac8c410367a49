"""`aegis scan`: the gate that finds direct cloud SDKs in runtime code."""
