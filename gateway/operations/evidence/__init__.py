"""Evidence for people outside: one file that proves who was told what, and the check of such a file."""
