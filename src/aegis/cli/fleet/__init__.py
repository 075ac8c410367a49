"""`aegis fleet`: the gates for every repository of an organisation."""
