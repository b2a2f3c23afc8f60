"""`taskline user add | promote | demote | list`: accounts without a page, and who operates the service."""

import argparse
import getpass
import sys

from app.errors import Invalid
from app.settings import Settings


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The commands below `taskline user`."""
    commands = parser.add_subparsers(dest="what", required=True)
    add = commands.add_parser("add", help="make an account; the password is asked for twice")
    add.add_argument("name", metavar="NAME", help="of the account")
    add.add_argument("--operator", action="store_true", help="one who operates the service")
    add.add_argument(
        "--password-stdin", action="store_true", help="take the password from the first line of the standard input"
    )
    for word, text in (("promote", "let somebody operate the service"), ("demote", "make an operator a member again")):
        commands.add_parser(word, help=text).add_argument("name", metavar="NAME", help="of the account")
    commands.add_parser("list", help="list all accounts with their roles")


async def run(said: argparse.Namespace, settings: Settings) -> str:
    """Run one of them; what to print. Raises `TasklineError`."""
    from app.accounts import Accounts, Limits, Passwords
    from app.migrate import check
    from app.resources import connected

    password = _password(from_stdin=said.password_stdin) if said.what == "add" else ""
    limits = Limits(
        sign_ups=settings.limit_sign_ups, sign_ins=settings.limit_sign_ins, requests=settings.limit_requests
    )
    async with connected(settings, pool=2) as db:
        await check(db)
        accounts = Accounts(db, Passwords(), limits)
        match said.what:
            case "add":
                try:
                    user = await accounts.sign_up(said.name, password, role="operator" if said.operator else "member")
                except Invalid as error:
                    raise Invalid(f"{error.detail} {' '.join(error.fields.values())}") from None
            case "promote":
                user = await accounts.appoint(said.name, "operator")
            case "demote":
                user = await accounts.appoint(said.name, "member")
            case _:
                users = await accounts.everybody()
                width = max((len(user.username) for user in users), default=0)
                rows = [f"{user.role:<8}  {user.username:<{width}}  since {user.created_at:%Y-%m-%d}" for user in users]
                return "\n".join(rows) or "Nobody has an account yet. Make one: taskline user add NAME --operator"
    return f"{user.username} is {'an operator' if user.role == 'operator' else 'a member'} now."


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise Invalid("The two passwords differ; no account was made.", hint="Run the command again.")
    return password
