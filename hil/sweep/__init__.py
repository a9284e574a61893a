"""Power cuts over a sweep, and what must hold after each."""
