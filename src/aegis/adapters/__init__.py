"""One module for each thing outside: git, GitHub, semgrep. The only place where a provider's SDK may be imported."""
