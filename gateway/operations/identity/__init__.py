"""Which devices there are: their records, keys and certificates."""
