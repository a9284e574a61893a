"""The ``hil`` command: a thin front of the rooms beside it."""
