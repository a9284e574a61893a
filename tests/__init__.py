"""Tests, by room. Shared fixtures stand in :mod:`tests.helpers`."""
