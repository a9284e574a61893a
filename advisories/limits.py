"""Limits of what is said, with units. Each is tested at -1, 0 and +1."""

from __future__ import annotations

from typing import Final

NOTICE_BYTES_MAX: Final = 8_192  # a notice with its signatures; the constrained profile allows 2,048
NOTICE_TEXT_BYTES_MAX: Final = 1_024  # one language's text
NOTICE_LANGUAGES_MAX: Final = 64
NOTICE_PRODUCTS_MAX: Final = 64
VERSION_RANGES_MAX: Final = 16  # ranges for one product
NOTICE_PATCHES_MAX: Final = 16  # patches named by one notice, for one product
CATALOGUE_BYTES_MAX: Final = 8_192
CATALOGUE_ENTRIES_MAX: Final = 64  # current notices and patches of one product, together
TIMESTAMP_BYTES_MAX: Final = 1_024
OFFER_BYTES_MAX: Final = 1_024
ANSWER_BYTES_MAX: Final = 1_024
DEVICES_BYTES_MAX: Final = 100_000
DEVICE_RECORDS_MAX: Final = 512  # records in one document
PATCH_BYTES_MAX: Final = 16_384  # a SUIT envelope without its payload
REPORT_BYTES_MAX: Final = 16_384
REPORT_STATES_MAX: Final = 16  # advisories and patches in one report, together
REPORT_JOURNAL_MAX: Final = 64  # journal entries carried by one report
WANT_BYTES_MAX: Final = 2_048
WANT_TOPICS_MAX: Final = 16
BLOCK_BYTES_MAX: Final = 4_096  # firmware bytes in one block
BLOCK_WINDOW_MAX: Final = 16  # blocks asked for at a time
IMAGE_BYTES_MAX: Final = 8 * 1024 * 1024
TOPIC_BYTES_MAX: Final = 256
TOPIC_SLASHES_MAX: Final = 7
ID_BYTES_MAX: Final = 64  # advisory id, product, device id; one topic level each
URI_BYTES_MAX: Final = 255
