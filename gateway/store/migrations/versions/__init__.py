"""Revisions, a file each."""
