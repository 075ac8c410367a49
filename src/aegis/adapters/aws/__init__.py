"""AWS: credentials for a role, and how requests are signed with them."""
