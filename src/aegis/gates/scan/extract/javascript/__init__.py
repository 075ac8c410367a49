"""What JavaScript and TypeScript name, alone or inside markup."""
