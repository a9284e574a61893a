"""What people answer, what was learnt, and whether we are ready for the next time."""
