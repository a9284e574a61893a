"""Who may say what: keys, roots, requests for signatures, and whether all of it is in order."""
