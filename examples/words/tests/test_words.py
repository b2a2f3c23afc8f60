"""The example's tests, as an author would write them: the fixture `tasks` comes with Taskline."""

import socket
from pathlib import Path

import pytest
from taskline_words import knock, word_frequencies

from taskline.testing import Harness


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    path = tmp_path / "poem.txt"
    path.write_text("Rose is a rose is a rose.\nAnd a thorn is a thorn.\n", encoding="utf-8")
    return path


def test_words_are_counted(tasks: Harness, poem: Path) -> None:
    run = tasks.run(word_frequencies, {"file": poem})
    assert run.value == "5 words, 2 different ones; most often “rose”."
    assert run.tables["Words"] == [{"word": "rose", "times": 3}, {"word": "thorn", "times": 2}]
    assert run.charts["Most frequent"].x == ["rose", "thorn"]
    assert run.artifacts["words.csv"].decode().split() == ["word,times", "rose,3", "thorn,2"]
    assert run.progress[-1][1] == "Line 2 of 2"


def test_it_may_be_cancelled_and_its_worker_may_die_anywhere(tasks: Harness, poem: Path) -> None:
    tasks.crash_everywhere(word_frequencies, {"file": poem})
    assert tasks.run(word_frequencies, {"file": poem}, cancel_at=2).state == "cancelled"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "This file is not a text in UTF-8."),
        (b"a b c", "There is no word of that length in this file."),
    ],
)
def test_what_it_cannot_use_is_rejected_with_the_reason(
    tasks: Harness, tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "odd.txt").write_bytes(content)
    run = tasks.run(word_frequencies, {"file": tmp_path / "odd.txt"})
    assert run.error is not None
    assert (run.error["kind"], run.error["message"]) == ("rejected", said)


def test_an_open_port_answers(tasks: Harness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        assert tasks.run(knock, {"host": host, "port": port}).value == f"127.0.0.1:{port} answers."


def test_a_closed_port_is_tried_again_and_nobody_waits_for_it_here(tasks: Harness) -> None:
    with socket.socket() as held:  # bound, so that nobody else takes it, but not listening
        held.bind(("127.0.0.1", 0))
        run = tasks.run(knock, {"host": "127.0.0.1", "port": held.getsockname()[1], "tries": 2})
    assert (run.state, run.attempts) == ("failed", 6)
    assert run.error is not None
    assert run.error["message"] == "Nobody answers at this port yet."
    assert run.seconds > 5 * 300
