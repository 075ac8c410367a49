"""The small protocols that adapters fulfil and that gates are written against."""
