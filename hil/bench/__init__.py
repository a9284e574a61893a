"""Boards: their file, locks, lines, power, reset, capabilities, health."""
