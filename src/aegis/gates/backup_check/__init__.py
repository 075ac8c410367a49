"""The backup-check gate: what is known of the backups and a policy in, an outcome out."""
