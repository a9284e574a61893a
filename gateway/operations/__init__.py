"""What each command does, as plain functions: workspace, names and ``now`` in, a record out. No printing."""
