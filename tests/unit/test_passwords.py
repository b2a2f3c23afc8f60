import asyncio
import math
import time
import unicodedata

import pytest

from app.accounts import Passwords


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


@pytest.mark.parametrize("password", ["", "7 chars", "１２３４５６７"])
def test_too_short(passwords: Passwords, password: str) -> None:
    assert "at least 8" in (passwords.problem(password) or "")


@pytest.mark.parametrize(
    "password", ["password", "PassWord", "ｐａｓｓｗｏｒｄ", "12345678", "iloveyou1", "qwertyuiop"]
)
def test_common_ones_in_any_case_or_width(passwords: Passwords, password: str) -> None:
    assert "common" in (passwords.problem(password) or "")


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaab",  # nothing is asked of its composition
        "correct horse battery staple " * 4,
        "ünïcödé ✓ 密码密码 пароль" * 3,
        " \t leading and trailing \n ",
        "\x00" * 8,
        "x" * 1024,
    ],
)
async def test_taken_and_verified_whole(passwords: Passwords, password: str) -> None:
    assert passwords.problem(password) is None
    encoded = await passwords.hash(password)
    assert await passwords.verify(encoded, password)
    assert not await passwords.verify(encoded, password[:-1])
    assert not await passwords.verify(encoded, password + "x")


def test_too_long(passwords: Passwords) -> None:
    assert "at most 1,024" in (passwords.problem("x" * 1025) or "")


async def test_parameters_and_salt(passwords: Passwords) -> None:
    one, other = [await passwords.hash("the same words") for _ in range(2)]
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert one != other


async def test_keyboards_that_compose_differently(passwords: Passwords) -> None:
    encoded = await passwords.hash(unicodedata.normalize("NFC", "crème brûlée"))
    assert await passwords.verify(encoded, unicodedata.normalize("NFD", "crème brûlée"))


async def test_nobody_and_nonsense_are_wrong(passwords: Passwords) -> None:
    assert not await passwords.verify(None, "any words at all")
    assert not await passwords.verify("no hash", "any words at all")
    assert not await passwords.verify(None, "\ud800 lone surrogate")


async def test_outdated_once_the_parameters_rise(passwords: Passwords) -> None:
    weaker = Passwords(memory_kib=8 * 1024)
    encoded = await weaker.hash("some long words")
    assert passwords.outdated(encoded)
    assert not weaker.outdated(encoded)
    assert await passwords.verify(encoded, "some long words")


async def test_hashing_leaves_the_loop_free(passwords: Passwords) -> None:
    hashing = asyncio.gather(*(passwords.hash("some long words") for _ in range(4)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    # On the loop, four hashes would take four turns or so.
    assert turns > 100


async def test_nobody_takes_as_long_as_somebody(passwords: Passwords) -> None:
    somebody = await passwords.hash("the right password")
    fastest: dict[str | None, float] = dict.fromkeys((somebody, None), math.inf)
    for _ in range(15):  # in turn, so that what else the machine does falls on both
        for encoded in (somebody, None):
            began = time.perf_counter()
            await passwords.verify(encoded, "a wrong password")
            fastest[encoded] = min(fastest[encoded], time.perf_counter() - began)
    assert 0.5 < fastest[None] / fastest[somebody] < 2
