"""CSAF 2.0 (OASIS Standard, with Errata 01): documents made of the facts, and facts taken from documents."""

from advisories.csaf.export import csaf_document, encode, file_name, render
from advisories.csaf.import_ import Imported, read_csaf
from advisories.csaf.losses import Loss

__all__ = ["Imported", "Loss", "csaf_document", "encode", "file_name", "read_csaf", "render"]
