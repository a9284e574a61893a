"""The gateway: what the operator runs, from decisions (core) to the front door (cli)."""
