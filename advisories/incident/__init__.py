"""Incidents: what is recorded of a matter from the first hour on, before a word is written to customers."""
