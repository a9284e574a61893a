"""Asking a broker over the wire whether it does what a fleet needs; what it announces is not enough."""
