"""Thin shells: store, MQTT link, ingest, broker, workspace."""
