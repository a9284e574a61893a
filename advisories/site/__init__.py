"""The public site: notices, questions, check codes, feeds and the tree of a CSAF provider, as files."""
