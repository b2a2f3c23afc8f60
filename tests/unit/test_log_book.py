"""The lines of one attempt: bounded, plain, and stored without gaps or haste."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from workers.log_book import A_SECOND, MOST_LOG_LINES, LogBook


def texts(book: LogBook) -> list[str]:
    return [line.text for line in book.lines]


@pytest.mark.parametrize(
    ("said", "lines"),
    [
        ("plain", ["plain"]),
        ("one\ntwo\r\nthree", ["one", "two", "three"]),
        ("", [""]),
        ("10 %\r20 %\r100 %", ["100 %"]),
        ("\x1b[1;31mred\x1b[0m text", ["red text"]),
        ("a\0b\tc\x07", ["a\N{REPLACEMENT CHARACTER}b\tc\N{REPLACEMENT CHARACTER}"]),
        ("half \ud83d of one", ["half ? of one"]),
        ("x" * 5_000, ["x" * 2_000]),
    ],
)
def test_what_is_said_becomes_plain_lines(said: str, lines: list[str]) -> None:
    book = LogBook()
    book.add("info", said)
    assert texts(book) == lines


def test_lines_are_numbered_and_handed_over_once() -> None:
    book = LogBook()
    assert not book.due(0)
    book.add("info", "one\ntwo")
    first, lines = book.unstored()
    assert (first, [line.text for line in lines], book.due(0)) == (1, ["one", "two"], True)
    book.add("warning", "three")
    book.stored(2, now=0)
    assert book.unstored()[0] == 3
    assert [line.text for line in book.unstored()[1]] == ["three"]
    book.stored(3, now=0)
    assert not book.due(1_000)


def test_of_a_flood_the_last_lines_are_kept_with_their_numbers() -> None:
    book = LogBook()
    for number in range(1, 2_501):
        book.add("info", f"line {number}")
    first, lines = book.unstored()
    assert (first, len(lines), lines[0].text, lines[-1].text) == (1_501, MOST_LOG_LINES, "line 1501", "line 2500")


def test_a_flood_is_stored_less_often() -> None:
    book = LogBook()
    book.add("info", "\n".join(map(str, range(1_000))))
    book.stored(1_000, now=100)
    book.add("info", "more")
    assert [book.due(now) for now in (101, 100 + 1_000 / A_SECOND)] == [False, True]


def test_lines_stand_in_the_order_of_their_times() -> None:
    book, now = LogBook(), datetime.now(UTC)
    book.add("info", "printed", now)
    book.add("info", "logged before", now - timedelta(seconds=1))
    assert texts(book) == ["logged before", "printed"]
    assert [line.text for line in book.unstored()[1]] == texts(book)


def test_threads_lose_no_line() -> None:
    book = LogBook()

    def talk() -> None:
        for _ in range(200):
            book.add("info", "x")

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.unstored()[0] == 1
    assert len(book.lines) == 800
