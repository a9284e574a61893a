"""Texts go to translators and come back: PO and XLIFF 2.1, with limits and protected words."""
