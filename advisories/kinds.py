"""Every kind of event, so that whoever reads events knows them all: importing a module registers its kinds."""

from __future__ import annotations
