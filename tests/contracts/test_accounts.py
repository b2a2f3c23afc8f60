"""Users and sessions, on SQLite and on PostgreSQL."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from app import migrate
from app.accounts import Accounts, Identity, Limits, Passwords, Revoked, Sessions, User, WrongCredentials
from app.accounts.limits import WRONG_PASSWORDS
from app.db import Database, moment, open_database
from app.errors import Invalid, NotFound, TooMany, Unauthenticated

PASSWORD = "a long walk at night"
ANOTHER = "a short swim at noon"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture(params=["fresh_sqlite_url", "fresh_database_url"], ids=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    url: str = request.getfixturevalue(request.param)
    await migrate.upgrade(url)
    database = open_database(url)
    await database.connect()
    yield database
    await database.disconnect()


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords()


@pytest.fixture
def accounts(db: Database, passwords: Passwords) -> Accounts:
    return Accounts(db, passwords, Limits(sign_ups="3/minute", sign_ins="20/minute", requests="1000/minute"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def revoked() -> list[Revoked]:
    return []


@pytest.fixture
def sessions(db: Database, clock: Clock, revoked: list[Revoked]) -> Sessions:
    async def note(ended: Revoked) -> None:
        revoked.append(ended)

    return Sessions(db, "k" * 40, clock=clock, fresh=0, on_revoked=note)


@pytest.fixture
async def ada(accounts: Accounts) -> User:
    return await accounts.sign_up("Ada", PASSWORD)


async def start(sessions: Sessions, user: User) -> str:
    return await sessions.start(user, user_agent="A browser", address=HERE)


async def identity_of(sessions: Sessions, cookie: str) -> Identity:
    identity = await sessions.identify(cookie)
    assert identity is not None
    return identity


async def session_of(sessions: Sessions, cookie: str) -> bytes:
    return (await identity_of(sessions, cookie)).session


class TestSigningUp:
    async def test_makes_the_user_and_an_empty_stream(self, accounts: Accounts, db: Database) -> None:
        user = await accounts.sign_up(" Ada.Lovelace ", PASSWORD)
        assert (user.username, user.role) == ("Ada.Lovelace", "member")
        assert abs(user.created_at - datetime.now(UTC)) < timedelta(minutes=1)
        assert await db.fetch_all("SELECT user_id, seq, floor FROM streams") == [
            {"user_id": user.id, "seq": 0, "floor": 0}
        ]

    @pytest.mark.parametrize("name", ["ada", "ADA", "Ａｄａ"])
    async def test_a_name_in_other_letters_is_taken(self, accounts: Accounts, ada: User, name: str) -> None:
        with pytest.raises(Invalid) as refusal:
            await accounts.sign_up(name, PASSWORD)
        assert list(refusal.value.fields) == ["username"]

    async def test_of_many_at_once_one_gets_the_name(self, accounts: Accounts, db: Database) -> None:
        answers = await asyncio.gather(*(accounts.sign_up("Grace", PASSWORD) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(answer, User) for answer in answers) == 1
        assert sum(isinstance(answer, Invalid) for answer in answers) == 4
        assert await db.fetch_val("SELECT count(*) FROM users") == 1
        assert await db.fetch_val("SELECT count(*) FROM streams") == 1

    @pytest.mark.parametrize("name", ["", "ab", "a" * 33, "two words", "a/b/c", "<b>x</b>", "new\nline", "nul\x00nul"])
    async def test_names_that_are_none_and_both_fields_at_once(self, accounts: Accounts, name: str) -> None:
        with pytest.raises(Invalid) as refusal:
            await accounts.sign_up(name, "short")
        assert set(refusal.value.fields) == {"username", "password"}

    @pytest.mark.parametrize("name", ["bench-1a2b3c4d-0", "ada_1.x", "łukasz", "山田太郎", "a" * 32])
    async def test_names_that_are(self, accounts: Accounts, name: str) -> None:
        assert (await accounts.sign_up(name, PASSWORD)).username == name

    async def test_too_many_from_one_address(self, accounts: Accounts) -> None:
        for at in range(3):
            await accounts.sign_up(f"user-{at}", PASSWORD, address=HERE)
        with pytest.raises(TooMany) as refusal:
            await accounts.sign_up("user-3", PASSWORD, address=HERE)
        assert 0 < refusal.value.retry_after <= 60
        await accounts.sign_up("user-4", PASSWORD, address=ELSEWHERE)


class TestSigningIn:
    async def test_by_the_name_in_any_letters(self, accounts: Accounts, ada: User) -> None:
        assert await accounts.sign_in("ADA", PASSWORD, address=HERE) == ada

    async def test_unknown_name_and_wrong_password_are_the_same(self, accounts: Accounts, ada: User) -> None:
        with pytest.raises(WrongCredentials) as wrong:
            await accounts.sign_in("ada", "not her password", address=HERE)
        with pytest.raises(WrongCredentials) as unknown:
            await accounts.sign_in("nobody", "not her password", address=HERE)
        assert (wrong.value.detail, wrong.value.fields) == (unknown.value.detail, unknown.value.fields)

    async def test_a_disabled_user_is_unknown(self, accounts: Accounts, ada: User, db: Database) -> None:
        await db.execute("UPDATE users SET disabled_at = :now WHERE id = :id", {"now": datetime.now(UTC), "id": ada.id})
        with pytest.raises(WrongCredentials):
            await accounts.sign_in("ada", PASSWORD)

    async def test_an_old_hash_is_made_again(self, db: Database, passwords: Passwords) -> None:
        limits = Limits(sign_ups="3/minute", sign_ins="20/minute", requests="1000/minute")
        user = await Accounts(db, Passwords(memory_kib=8 * 1024), limits).sign_up("Ada", PASSWORD)
        accounts = Accounts(db, passwords, limits)
        for _ in range(2):
            assert await accounts.sign_in("Ada", PASSWORD) == user
            assert "m=19456,t=2,p=1" in await db.fetch_val("SELECT password_hash FROM users")

    async def test_of_several_at_once_each_may_start_a_session(
        self, db: Database, passwords: Passwords, sessions: Sessions
    ) -> None:
        limits = Limits(sign_ups="3/minute", sign_ins="20/minute", requests="1000/minute")
        await Accounts(db, Passwords(memory_kib=8 * 1024), limits).sign_up("Ada", PASSWORD)
        accounts = Accounts(db, passwords, limits)

        async def enter() -> str:
            return await start(sessions, await accounts.sign_in("Ada", PASSWORD))

        for cookie in await asyncio.gather(*(enter() for _ in range(3))):
            assert await sessions.identify(cookie) is not None

    async def test_guessing_stops_and_the_owner_elsewhere_gets_in(self, accounts: Accounts, ada: User) -> None:
        async def guess(at: int) -> None:
            await accounts.sign_in("ada", f"guess number {at}", address=HERE)

        answers = await asyncio.gather(*map(guess, range(15)), return_exceptions=True)
        wrong = sum(isinstance(answer, WrongCredentials) for answer in answers)
        refused = [answer for answer in answers if isinstance(answer, TooMany)]
        assert f"{wrong}/minute" == WRONG_PASSWORDS
        assert len(refused) == 15 - wrong
        assert all(0 < answer.retry_after <= 60 for answer in refused)
        assert await accounts.sign_in("ada", PASSWORD, address=ELSEWHERE) == ada

    async def test_too_many_names_from_one_address(self, accounts: Accounts, ada: User) -> None:
        answers = await asyncio.gather(
            *(accounts.sign_in(f"name-{at}", PASSWORD, address=HERE) for at in range(21)), return_exceptions=True
        )
        assert sum(isinstance(answer, TooMany) for answer in answers) == 1
        with pytest.raises(TooMany):
            await accounts.sign_in("ada", PASSWORD, address=HERE)

    async def test_one_ipv6_customer_is_one_client(self, accounts: Accounts) -> None:
        for at in range(20):
            with pytest.raises(WrongCredentials):
                await accounts.sign_in(f"name-{at}", PASSWORD, address=f"2001:db8:1:2::{at:x}")
        with pytest.raises(TooMany):
            await accounts.sign_in("name-20", PASSWORD, address="2001:db8:1:2:ffff::1")

    async def test_the_right_password_clears_the_wrong_ones(self, accounts: Accounts, ada: User) -> None:
        for _ in range(2):
            for at in range(7):
                with pytest.raises(WrongCredentials):
                    await accounts.sign_in("ada", f"guess number {at}", address=HERE)
            assert await accounts.sign_in("ada", PASSWORD, address=HERE) == ada

    async def test_the_log_has_no_password_and_no_name_that_might_be_one(
        self, accounts: Accounts, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG, "app"):
            await accounts.sign_in("ada", PASSWORD, address=HERE)
            with pytest.raises(WrongCredentials):
                await accounts.sign_in("My password 1\r\nforged line", "wrong password", address=HERE)
        assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
        for secret in (PASSWORD, "My password", "wrong password", "argon2"):
            assert secret not in caplog.text


class TestSessions:
    async def test_the_database_has_only_the_hash(self, sessions: Sessions, ada: User, db: Database) -> None:
        cookie = await start(sessions, ada)
        token = cookie.split(".")[0]
        assert len(token) == 43  # 256 bits in base64
        row = await db.fetch_one("SELECT * FROM sessions")
        assert row is not None
        assert bytes(row["token_hash"]) == hashlib.sha256(token.encode()).digest()
        assert not any(token in str(value) for value in row.values())

    async def test_proves_the_user(self, sessions: Sessions, ada: User) -> None:
        identity = await sessions.identify(await start(sessions, ada))
        assert identity is not None
        assert (identity.user_id, identity.username, identity.role) == (ada.id, "Ada", "member")

    @pytest.mark.parametrize(
        "forge", [lambda cookie: cookie[:-1], lambda cookie: cookie.swapcase(), lambda cookie: cookie.split(".")[0]]
    )
    async def test_a_changed_cookie_proves_nothing(
        self, sessions: Sessions, ada: User, forge: Callable[[str], str]
    ) -> None:
        assert await sessions.identify(forge(await start(sessions, ada))) is None

    async def test_nor_does_one_signed_with_another_key(self, sessions: Sessions, ada: User, db: Database) -> None:
        assert await sessions.identify(await start(Sessions(db, "z" * 40), ada)) is None

    @pytest.mark.parametrize("cookie", ["", ".", "é", "x" * 100_000])
    async def test_nor_does_nonsense(self, sessions: Sessions, cookie: str) -> None:
        assert await sessions.identify(cookie) is None

    async def test_ends_at_once_and_says_so(self, db: Database, ada: User, revoked: list[Revoked]) -> None:
        async def note(ended: Revoked) -> None:
            revoked.append(ended)

        sessions = Sessions(db, "k" * 40, fresh=3600, on_revoked=note)
        cookie = await start(sessions, ada)
        session = await session_of(sessions, cookie)
        await sessions.end(session)
        assert await sessions.identify(cookie) is None
        await sessions.end(session)
        assert revoked == [Revoked(ada.id, (session,))]

    async def test_all_but_one_end(self, sessions: Sessions, ada: User, revoked: list[Revoked]) -> None:
        cookies = [await start(sessions, ada) for _ in range(3)]
        hashes = [await session_of(sessions, cookie) for cookie in cookies]
        assert await sessions.end_all(ada.id, keep=hashes[1]) == 2
        assert [await sessions.identify(cookie) is not None for cookie in cookies] == [False, True, False]
        assert [set(ended.sessions) for ended in revoked] == [{hashes[0], hashes[2]}]
        assert await sessions.end_all(ada.id) == 1
        assert await sessions.end_all(ada.id) == 0

    async def test_two_weeks_unused(self, sessions: Sessions, ada: User, clock: Clock) -> None:
        cookie = await start(sessions, ada)
        clock.move(days=13, hours=23)
        assert await sessions.identify(cookie) is not None
        clock.move(days=13, hours=23)
        assert await sessions.identify(cookie) is not None
        clock.move(days=14)
        assert await sessions.identify(cookie) is None

    async def test_ninety_days_however_used(self, sessions: Sessions, ada: User, clock: Clock) -> None:
        cookie = await start(sessions, ada)
        for _ in range(8):
            clock.move(days=11)
            assert await sessions.identify(cookie) is not None
        clock.move(days=2)
        assert await sessions.identify(cookie) is None

    async def test_use_is_written_now_and_then(self, sessions: Sessions, ada: User, clock: Clock, db: Database) -> None:
        async def last_seen() -> datetime:
            return moment(await db.fetch_val("SELECT last_seen_at FROM sessions"))

        cookie = await start(sessions, ada)
        started = clock.now
        clock.move(minutes=4)
        await sessions.identify(cookie)
        assert await last_seen() == started
        clock.move(minutes=2)
        await sessions.identify(cookie)
        assert await last_seen() == clock.now

    async def test_a_new_one_clears_the_users_dead_ones(
        self, sessions: Sessions, ada: User, clock: Clock, db: Database
    ) -> None:
        await start(sessions, ada)
        clock.move(days=15)
        await start(sessions, ada)
        assert await db.fetch_val("SELECT count(*) FROM sessions") == 1

    async def test_another_process_ends_it(self, db: Database, ada: User) -> None:
        here, there = Sessions(db, "k" * 40, fresh=3600), Sessions(db, "k" * 40)
        cookie = await start(here, ada)
        session = await session_of(here, cookie)
        await there.end(session)
        assert await here.ended([session]) == {session}
        here.forget(session)
        assert await here.identify(cookie) is None

    async def test_a_read_that_began_before_the_end_is_not_remembered(self, db: Database, ada: User) -> None:
        sessions = Sessions(db, "k" * 40, fresh=3600)
        cookie = await start(sessions, ada)
        session = await session_of(sessions, cookie)
        sessions.forget(session)
        reading = [asyncio.create_task(sessions.identify(cookie)) for _ in range(3)]
        await asyncio.sleep(0)
        await sessions.end(session)
        await asyncio.gather(*reading)
        assert await sessions.identify(cookie) is None

    async def test_which_of_many_have_ended(self, sessions: Sessions, ada: User, clock: Clock) -> None:
        old = await session_of(sessions, await start(sessions, ada))
        clock.move(days=10)
        new = await session_of(sessions, await start(sessions, ada))
        clock.move(days=10)
        others = {hashlib.sha256(str(at).encode()).digest() for at in range(1100)}
        assert await sessions.ended({old, new, *others}) == {old, *others}
        assert await sessions.ended([]) == set()

    async def test_a_disabled_user_is_out(self, sessions: Sessions, ada: User, db: Database) -> None:
        cookie = await start(sessions, ada)
        session = await session_of(sessions, cookie)
        await db.execute("UPDATE users SET disabled_at = :now WHERE id = :id", {"now": datetime.now(UTC), "id": ada.id})
        assert await sessions.identify(cookie) is None
        assert await sessions.ended([session]) == {session}


class TestChangingThePassword:
    async def test_the_new_one_is_taken_and_the_old_one_is_not(
        self, accounts: Accounts, sessions: Sessions, ada: User
    ) -> None:
        who = await identity_of(sessions, await start(sessions, ada))
        await accounts.change_password(who, PASSWORD, ANOTHER, address=HERE)
        with pytest.raises(WrongCredentials):
            await accounts.sign_in("ada", PASSWORD)
        assert await accounts.sign_in("ada", ANOTHER) == ada

    async def test_the_other_sessions_end_and_nobody_elses(
        self, accounts: Accounts, sessions: Sessions, ada: User, revoked: list[Revoked]
    ) -> None:
        grace = await accounts.sign_up("Grace", PASSWORD)
        own, other, foreign = [await start(sessions, user) for user in (ada, ada, grace)]
        hashes = [await session_of(sessions, cookie) for cookie in (own, other, foreign)]
        ended = await accounts.change_password(await identity_of(sessions, own), PASSWORD, ANOTHER)
        assert ended == Revoked(ada.id, (hashes[1],))
        assert await sessions.ended(hashes) == {hashes[1]}
        await sessions.tell(ended)
        assert revoked == [ended]

    @pytest.mark.parametrize(
        ("current", "new", "fields"),
        [
            ("not her password", ANOTHER, {"current"}),
            (PASSWORD, "short", {"new"}),
            (PASSWORD, "password1", {"new"}),
            (PASSWORD, PASSWORD, {"new"}),
            ("not her password", "short", {"current", "new"}),
        ],
    )
    async def test_what_is_wrong_is_named_and_nothing_changes(
        self, accounts: Accounts, sessions: Sessions, ada: User, current: str, new: str, fields: set[str]
    ) -> None:
        own, other = [await start(sessions, ada) for _ in range(2)]
        with pytest.raises(Invalid) as refusal:
            await accounts.change_password(await identity_of(sessions, own), current, new)
        assert set(refusal.value.fields) == fields
        assert await sessions.identify(other) is not None
        assert await accounts.sign_in("ada", PASSWORD) == ada

    async def test_guesses_count_as_those_of_signing_in_do(
        self, accounts: Accounts, sessions: Sessions, ada: User
    ) -> None:
        who = await identity_of(sessions, await start(sessions, ada))
        tries = int(WRONG_PASSWORDS.partition("/")[0])
        for at in range(tries):
            with pytest.raises(Invalid):
                await accounts.change_password(who, f"guess number {at}", ANOTHER, address=HERE)
        with pytest.raises(TooMany):
            await accounts.change_password(who, PASSWORD, ANOTHER, address=HERE)
        with pytest.raises(TooMany):
            await accounts.sign_in("ada", PASSWORD, address=HERE)
        await accounts.change_password(who, PASSWORD, ANOTHER, address=ELSEWHERE)

    async def test_of_two_at_once_one_is_taken(self, accounts: Accounts, sessions: Sessions, ada: User) -> None:
        identities = [await identity_of(sessions, await start(sessions, ada)) for _ in range(2)]
        news = [ANOTHER, "a quiet morning"]
        answers = await asyncio.gather(
            *(accounts.change_password(who, PASSWORD, new) for who, new in zip(identities, news, strict=True)),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers} == {Invalid, Revoked}
        taken = next(new for new, answer in zip(news, answers, strict=True) if isinstance(answer, Revoked))
        assert await accounts.sign_in("ada", taken) == ada

    async def test_what_the_old_one_proved_starts_no_session_any_more(
        self, accounts: Accounts, sessions: Sessions, ada: User
    ) -> None:
        own = await start(sessions, ada)
        proven = await accounts.sign_in("ada", PASSWORD)
        await accounts.change_password(await identity_of(sessions, own), PASSWORD, ANOTHER)
        with pytest.raises(Unauthenticated):
            await start(sessions, proven)

    async def test_nor_does_it_while_the_password_changes(
        self, accounts: Accounts, sessions: Sessions, ada: User, db: Database
    ) -> None:
        who = await identity_of(sessions, await start(sessions, ada))

        async def enter() -> None:
            await start(sessions, await accounts.sign_in("ada", PASSWORD))

        await asyncio.gather(
            *(enter() for _ in range(4)),
            accounts.change_password(who, PASSWORD, ANOTHER),
            *(enter() for _ in range(4)),
            return_exceptions=True,
        )
        assert [bytes(row["token_hash"]) for row in await db.fetch_all("SELECT token_hash FROM sessions")] == [
            who.session
        ]

    async def test_the_log_has_neither_of_them(
        self, accounts: Accounts, sessions: Sessions, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        who = await identity_of(sessions, await start(sessions, ada))
        with caplog.at_level(logging.DEBUG, "app"):
            await accounts.change_password(who, PASSWORD, ANOTHER, address=HERE)
            with pytest.raises(Invalid):
                await accounts.change_password(who, "a wrong one", PASSWORD, address=HERE)
        assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
        for secret in (PASSWORD, ANOTHER, "a wrong one", "argon2"):
            assert secret not in caplog.text
        assert "argon2" not in repr(ada)


class TestOpenSessions:
    async def test_the_own_one_comes_first_then_the_last_used(
        self, accounts: Accounts, sessions: Sessions, ada: User, clock: Clock
    ) -> None:
        grace = await accounts.sign_up("Grace", PASSWORD)
        cookies = []
        for agent, address in (("own", HERE), ("older", ELSEWHERE), ("newer", ELSEWHERE)):
            cookies.append(await sessions.start(ada, user_agent=agent, address=address))
            clock.move(minutes=1)
        await start(sessions, grace)
        who = await identity_of(sessions, cookies[0])
        found = await sessions.open_of(who, most=10)
        assert [(one.user_agent, one.address, one.own) for one in found] == [
            ("own", HERE, True),
            ("newer", ELSEWHERE, False),
            ("older", ELSEWHERE, False),
        ]
        assert found[2].started_at == found[2].seen_at == clock.now - timedelta(minutes=2)
        assert [one.user_agent for one in await sessions.open_of(who, most=2)] == ["own", "newer"]

    async def test_ended_and_unused_ones_are_not_told(self, sessions: Sessions, ada: User, clock: Clock) -> None:
        await start(sessions, ada)
        clock.move(days=14)
        # Not cleared by the start of another, which comes before it is due.
        clock.move(seconds=-1)
        own = await start(sessions, ada)
        clock.move(seconds=2)
        assert [one.own for one in await sessions.open_of(await identity_of(sessions, own), most=10)] == [True]

    async def test_a_name_opens_nothing(self, sessions: Sessions, ada: User) -> None:
        cookie = await start(sessions, ada)
        who = await identity_of(sessions, cookie)
        (one,) = await sessions.open_of(who, most=10)
        assert one.name not in cookie
        assert one.name not in who.session.hex()
        assert await sessions.identify(one.name) is None

    async def test_one_ends_by_its_name(self, sessions: Sessions, ada: User, revoked: list[Revoked]) -> None:
        own, other, third = [await start(sessions, ada) for _ in range(3)]
        who, ending = await identity_of(sessions, own), await identity_of(sessions, other)
        name = next(one.name for one in await sessions.open_of(ending, most=10) if one.own)
        for _ in range(2):  # the second click finds it gone
            await sessions.end_named(who, name)
        assert await sessions.identify(other) is None
        assert await sessions.identify(own) is not None
        assert await sessions.identify(third) is not None
        assert revoked == [Revoked(ada.id, (ending.session,))]

    async def test_nobody_ends_anothers(
        self, accounts: Accounts, sessions: Sessions, ada: User, revoked: list[Revoked]
    ) -> None:
        mine = await identity_of(sessions, await start(sessions, ada))
        thief = await identity_of(sessions, await start(sessions, await accounts.sign_up("Mallory", PASSWORD)))
        (one,) = await sessions.open_of(mine, most=10)
        for name in (one.name, mine.session.hex(), ""):
            await sessions.end_named(thief, name)
        assert await sessions.ended([mine.session]) == set()
        assert revoked == []


class TestOperators:
    async def test_nobody_becomes_one_by_signing_up(self, ada: User) -> None:
        assert ada.role == "member"

    async def test_where_it_is_asked_for_the_first_of_all_does(
        self, db: Database, passwords: Passwords, sessions: Sessions
    ) -> None:
        accounts = Accounts(
            db, passwords, Limits(sign_ups="9/hour", sign_ins="9/hour", requests="9/hour"), first_operates=True
        )
        names = ["ada", "bob", "eve", "joe"]
        users = await asyncio.gather(*(accounts.sign_up(name, PASSWORD) for name in names))
        assert sorted(user.role for user in users) == ["member", "member", "member", "operator"]
        first = next(user for user in users if user.role == "operator")
        assert (await identity_of(sessions, await start(sessions, first))).operates
        assert (await accounts.sign_up("Later", PASSWORD)).role == "member"

    async def test_not_where_somebody_is_there_already(self, db: Database, passwords: Passwords, ada: User) -> None:
        accounts = Accounts(
            db, passwords, Limits(sign_ups="9/hour", sign_ins="9/hour", requests="9/hour"), first_operates=True
        )
        assert (await accounts.sign_up("Bob", PASSWORD)).role == "member"
        assert [user.username for user in await accounts.everybody()] == ["Ada", "Bob"]

    async def test_a_role_is_given_and_taken(self, accounts: Accounts, sessions: Sessions, ada: User) -> None:
        cookie = await start(sessions, ada)
        assert not (await identity_of(sessions, cookie)).operates
        assert (await accounts.appoint("ADA", "operator")).role == "operator"
        assert (await identity_of(sessions, cookie)).operates
        await accounts.appoint("ada", "member")
        assert not (await identity_of(sessions, cookie)).operates
        with pytest.raises(NotFound, match="no user nobody"):
            await accounts.appoint("nobody", "operator")

    async def test_what_an_earlier_release_called_a_role_is_no_operator(
        self, db: Database, sessions: Sessions, ada: User
    ) -> None:
        await db.execute("UPDATE users SET role = 'user'")
        assert (await identity_of(sessions, await start(sessions, ada))).role == "member"
