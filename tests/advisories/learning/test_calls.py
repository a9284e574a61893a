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
    found = calls(customers(FILE.encode(), where="c.csv"), ["thermostat"], [])
    assert [call.customer.customer for call in found] == ["C-2", "C-1", "C-4"]
    assert found[2].customer.language == "en"


def test_the_last_call_counts_and_done_ones_come_last() -> None:
    events = [
        made(1, "C-2", Outcome.REACHED),
        made(2, "C-1", Outcome.REACHED),
        made(3, "C-1", Outcome.CALL_AGAIN),
    ]
    found = calls(customers(FILE.encode(), where="c.csv"), ["thermostat"], events)
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
        ("customer,name,phone\nC-1,Doe, Jane,1\n", 2, "more cells"),
        ("customer,name,phone,name\nC-1,A,1,B\n", 1, "stands twice"),
        ("customer,name,phone\nC 1,A,1\n", 2, "no number of a customer"),
        ("customer,name,phone\n\x1b[2J,A,1\n", 2, "no number of a customer"),
        ("customer;name,phone\nC-1;A;1\n", 1, "no column"),
    ],
)
def test_a_faulty_file_is_told_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        customers(text.encode(), where="c.csv")
    assert caught.value.where.startswith("c.csv:")
    assert line in {int(caught.value.where.rpartition(":")[2]), 1}


SHEET = ("customer,name,phone,language", "C-1,Müller,+1 555 0101,de", "C-2,ビー,+1 555 0102,", "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_spreadsheets_of_any_country_write_is_read(encoding: str, between: str, end: str) -> None:
    data = end.join(SHEET).replace(",", between).encode(encoding)
    found = customers(data, where="c.csv")
    assert [(each.customer, each.name, each.language) for each in found] == [
        ("C-1", "Müller", "de"),
        ("C-2", "ビー", "en"),
    ]


def test_a_name_is_never_guessed_from_bytes_of_another_alphabet() -> None:
    with pytest.raises(InputError, match="not UTF-8") as caught:
        customers("\n".join(SHEET[:2]).encode("latin-1"), where="c.csv")
    assert caught.value.where == "c.csv:2"


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_anything_is_read_or_refused_in_one_sentence(data: bytes) -> None:
    try:
        customers(data, where="c.csv")
    except InputError as error:
        problem = error
    else:
        return
    assert problem.code == "CUSTOMERS_FILE"
    assert "\n" not in problem.message
