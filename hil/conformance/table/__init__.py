"""The table: a module a subject, a row a verdict."""
