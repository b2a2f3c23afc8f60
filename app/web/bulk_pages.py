"""Many tasks at once: a page that counts and asks, then what was asked for. A handler parses, calls one command, answers."""

from typing import Final
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import Invalid
from app.tasks.bulk import Outcome
from app.tasks.selection import FIRST, Action, Order, Selection
from app.web.api import resources
from app.web.auth import require, secure
from app.web.bulk_words import Notice, question
from app.web.chosen import address, filter_of, query_of
from app.web.templating import render

COOKIE: Final = "bulk"
PATH: Final = "/tasks"
MOST_PICKED: Final = 200  # tasks by their ids; more are meant by a filter
LONGEST_NUMBER: Final = 15  # digits


async def ask(request: Request) -> Response:
    """`POST /tasks/bulk`: how many of the selected tasks would change, and how many would not. Changes nothing."""
    user = await require(request)
    async with request.form(max_files=0, max_fields=MOST_PICKED + 10) as form:
        action, query, selection = _action(form), query_of(form), _selection(form)
    if selection.ids == ():
        return _back(request, query, Notice(action=action, selected=False))
    parts = resources(request)
    count = await parts.bulk.count(user.user_id, selection)
    values = {
        "position": await parts.log.position(user.user_id),
        "ask": question(action, count),
        "seq": count.seq,
        "ids": selection.ids or (),
        "query": query,
        "back": address(query),
    }
    return render(request, "bulk.html", values)


async def carry_out(request: Request) -> Response:
    """`POST /tasks/bulk/confirmed`: 303 to the list, which tells what was done and what is left."""
    user = await require(request)
    async with request.form(max_files=0, max_fields=MOST_PICKED + 10) as form:
        query = query_of(form)
        order = Order(
            action=_action(form),
            selection=_selection(form),
            seq=_number(form, "seq"),
            counted=_number(form, "counted"),
            after=_id(str(form.get("after") or FIRST)),
        )
    outcome: Outcome = await resources(request).bulk.carry_out(user.user_id, order)
    return _back(request, query, Notice.of(order, outcome))


def _action(form: FormData) -> Action:
    chosen = form.get("action")
    if chosen not in set(Action):
        raise Invalid(fields={"action": "takes cancel, retry or delete"})
    return Action(str(chosen))


def _selection(form: FormData) -> Selection:
    if form.get("all"):
        return Selection(chosen=filter_of(query_of(form)))
    ids = tuple(dict.fromkeys(_id(str(one)) for one in form.getlist("id")))
    if len(ids) > MOST_PICKED:
        raise Invalid(fields={"id": f"takes at most {MOST_PICKED} tasks; all that match need no ids"})
    return Selection(ids=ids)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid(fields={"id": "takes the ids of tasks"}) from None


def _number(form: FormData, name: str) -> int:
    text = str(form.get(name) or "")
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise Invalid(fields={name: "takes a number that this service gave"})
    return int(text)


def _back(request: Request, query: dict[str, str], notice: Notice) -> Response:
    response = RedirectResponse(address(query), 303)
    response.set_cookie(
        COOKIE, notice.cookie(), max_age=60, path=PATH, secure=secure(request), httponly=True, samesite="strict"
    )
    return response
