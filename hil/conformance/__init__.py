"""One table of verdicts for anything that claims to be a device.

``pytest --pyargs hil.conformance --hil-board NAME`` runs it. Each row (:mod:`hil.conformance.table`) says
what the board is provisioned with, what comes to it, and what it must answer. A row beyond the algorithms or
the SUIT subset that a board declares must answer UNSUPPORTED; none is left out. How to run the table and how
to read its result stands in ``docs/how-to/prove-a-board.md``.
"""
