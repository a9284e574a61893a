"""The table of verdicts, run against every device that this repository has."""
