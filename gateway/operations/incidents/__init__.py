"""Incidents of a workspace: recorded, watched, and drafts for authorities."""
