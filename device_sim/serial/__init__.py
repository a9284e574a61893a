"""A device on a serial line: its core behind an SMP server, its console log on the same line."""
