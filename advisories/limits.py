"""Limits of what is said, with units. Each is tested at -1, 0 and +1."""

from __future__ import annotations

from typing import Final

NOTICE_BYTES_MAX: Final = 8_192  # body of a notice; the constrained profile allows 2,048 with its signatures
NOTICE_TEXT_BYTES_MAX: Final = 1_024  # one language's text
NOTICE_PAGE_BYTES: Final = 1_024  # one drawn page: 128 x 64 dots, one bit each; always exactly so many
NOTICE_PAGES_MAX: Final = 4  # drawn pages of one text
NOTICE_LANGUAGES_MAX: Final = 64  # languages of one notice
NOTICE_PRODUCTS_MAX: Final = 64  # products of one notice
VERSION_RANGES_MAX: Final = 16  # ranges for one product
NOTICE_PATCHES_MAX: Final = 16  # patches named by one notice, for one product
CATALOGUE_BYTES_MAX: Final = 8_192  # body of a catalogue
CATALOGUE_ENTRIES_MAX: Final = 64  # current notices and patches of one product, together
TIMESTAMP_BYTES_MAX: Final = 1_024  # body of a timestamp
OFFER_BYTES_MAX: Final = 1_024  # body of an offer
ANSWER_BYTES_MAX: Final = 1_024  # body of an answer
DEVICES_BYTES_MAX: Final = 100_000  # a document of device records with its signature
DEVICE_RECORDS_MAX: Final = 512  # records in one document
PATCH_BYTES_MAX: Final = 16_384  # a SUIT envelope without its payload
ENVELOPE_BYTES_MAX: Final = 65_536  # a SUIT envelope with the payloads that travel in it
REPORT_BYTES_MAX: Final = 16_384  # a report with its signature
REPORT_STATES_MAX: Final = 16  # advisories and patches in one report, together
SUIT_REPORT_BYTES_MAX: Final = 768  # one SUIT_Report inside a report; what finds no room is left out
REPORT_JOURNAL_MAX: Final = 64  # journal entries carried by one report
WANT_BYTES_MAX: Final = 2_048  # one request of a device for what it lacks
WANT_TOPICS_MAX: Final = 16  # topics in one such request
BLOCK_BYTES_MAX: Final = 4_096  # firmware bytes in one block
BLOCK_WINDOW_MAX: Final = 16  # blocks asked for at a time
IMAGE_BYTES_MAX: Final = 8 * 1024 * 1024  # bytes of an MCUboot image, and of what comes in blocks (8 MiB)
PAYLOAD_BYTES_MAX: Final = 2**32 - 1  # bytes of any payload; above IMAGE_BYTES_MAX only by HTTPS
TOPIC_BYTES_MAX: Final = 256  # bytes of a topic with its prefix
TOPIC_SLASHES_MAX: Final = 7  # slashes in a topic with its prefix
ID_BYTES_MAX: Final = 64  # advisory id, product, device id; one topic level each
ALGORITHMS_MAX: Final = 8  # algorithms that one device can verify with
LANGUAGE_BYTES_MAX: Final = 35  # a language tag (RFC 5646, section 4.4.1)
URI_BYTES_MAX: Final = 255  # bytes of the address of an image
