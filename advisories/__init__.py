"""What is said: facts, notices, texts, checks, renderers, and every document of the wire. Pure."""
