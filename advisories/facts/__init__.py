"""The facts of one advisory: what a person writes, and everything else is made of."""

from advisories.facts.matter import Status
from advisories.facts.model import EXPIRES_DAYS_MAX, Facts, load_facts, schema
from advisories.facts.parts import PROSE_LETTERS_MAX
from advisories.facts.products import Product
from advisories.facts.texts import MORE_FIELDS, TEXT_FIELDS, Question, Words

__all__ = [
    "EXPIRES_DAYS_MAX",
    "MORE_FIELDS",
    "PROSE_LETTERS_MAX",
    "TEXT_FIELDS",
    "Facts",
    "Product",
    "Question",
    "Status",
    "Words",
    "load_facts",
    "schema",
]
