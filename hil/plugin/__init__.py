"""The pytest plugin: boards as fixtures, evidence for every test."""
