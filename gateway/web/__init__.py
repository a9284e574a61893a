"""The same documents over HTTP."""
