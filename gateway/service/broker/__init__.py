"""Brokers that we start or configure: one for demonstrations, and Mosquitto."""

from __future__ import annotations

from gateway.service.broker.demo import DemoBroker

__all__ = ["DemoBroker"]
