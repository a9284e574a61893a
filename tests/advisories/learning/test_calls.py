"""Calls: nobody concerned is left out, key customers come first, and the last call counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.events import Recorded
from advisories.learning.calls import Made, Outcome, calls, customers
from keys.errors import InputError

FILE = """\
customer,name,phone,language,products,key
C-1,Example A,+1 555 0101,en,thermostat,no
C-2,Example B,+1 555 0102,de,doorbell thermostat,yes
C-3,Example C,+1 555 0103,ja,hub,yes

C-4,Example D,+1 555 0104,,,
"""


def made(seq: int, customer: str, outcome: Outcome) -> Recorded:
    return Recorded(seq, float(seq), "exercise-sales", None, "EX-1", Made(customer=customer, outcome=outcome))


def test_those_concerned_and_those_unknown_are_called_key_customers_first() -> None:
    found = calls(customers(FILE, where="c.csv"), ["thermostat"], [])
    assert [call.customer.customer for call in found] == ["C-2", "C-1", "C-4"]
    assert found[2].customer.language == "en"


def test_the_last_call_counts_and_done_ones_come_last() -> None:
    events = [
        made(1, "C-2", Outcome.REACHED),
        made(2, "C-1", Outcome.REACHED),
        made(3, "C-1", Outcome.CALL_AGAIN),
    ]
    found = calls(customers(FILE, where="c.csv"), ["thermostat"], events)
    assert [(c.customer.customer, c.outcome, c.done) for c in found] == [
        ("C-1", Outcome.CALL_AGAIN, False),
        ("C-4", None, False),
        ("C-2", Outcome.REACHED, True),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "it is empty"),
        ("\n\n", 1, "it is empty"),
        ("customer,name\n", 1, "'phone' is missing"),
        ("customer,name,phon\n", 1, "no column 'phon'"),
        ("customer,name,phone\nC-1,,1\n", 2, "'name' is empty"),
        ("customer,name,phone\nC-1,A,1\nC-1,B,2\n", 3, "stands twice"),
        ("customer,name,phone,language\nC-1,A,1,German\n", 2, "not a language tag"),
        ("customer,name,phone,key\nC-1,A,1,perhaps\n", 2, "neither yes nor no"),
        ('customer,name,phone\n"C-1,A,1\n', 2, "not CSV"),
    ],
)
def test_a_faulty_file_is_told_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        customers(text, where="c.csv")
    assert caught.value.where.startswith("c.csv:")
    assert line in {int(caught.value.where.rpartition(":")[2]), 1}


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_in_one_sentence(text: str) -> None:
    try:
        customers(text, where="c.csv")
    except InputError as error:
        problem = error
    else:
        return
    assert problem.code == "CUSTOMERS_FILE"
    assert "\n" not in problem.message
