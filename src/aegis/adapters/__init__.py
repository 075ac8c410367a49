"""One folder for each thing outside. The only place where a provider's SDK may be imported."""
