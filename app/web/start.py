"""The form that starts a task: what it shows, and what people sent with it as a submission."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import orjson
from starlette.requests import Request

from app.artifacts.files import File, Files
from app.catalogue import Workload
from app.errors import NotFound
from app.tasks.chain_plans import Plan
from app.tasks.model import Task
from app.tasks.store import MOST_AHEAD
from app.tasks.waits import Wait, Waits
from app.web import chain_form, forms
from app.web.files_api import store
from app.web.multipart import FormStream, is_multipart
from app.web.timing import FIELDS, Timing
from app.web.wording import soon, usual

MOST_FILES: Final = 10
MOST_FIELDS: Final = 1_000
_IN_LINE: Final = ("line", "broker_down")  # reasons with a place in line


@dataclass(frozen=True, slots=True, kw_only=True)
class StartForm:
    """The form as a page shows it. `key` makes pressing the button twice start one task."""

    choices: list[Workload]
    workload: Workload | None
    fields: list[forms.Field]
    blank: Mapping[str, list[forms.Field]]  # the fields of each workload, for the script that swaps them
    expect: Mapping[str, str]  # how long each workload takes and what it would wait for now, in words
    key: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    name: str = ""
    name_error: str = ""
    problem: str = ""
    retry_of: str = ""
    timing: Timing = field(default_factory=Timing)
    then: chain_form.Then = field(default_factory=chain_form.Then)

    @property
    def then_blank(self) -> dict[str, list[forms.Field]]:
        """The fields of what may follow, by workload, for the script that shows them."""
        return {one.name: chain_form.blank(one) for one in self.choices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came back: texts by the control's name, the files that were uploaded with it by the param's name."""

    workload: str
    name: str
    key: str
    retry_of: str
    texts: Mapping[str, list[str]]

    @property
    def timing(self) -> Timing:
        """When to start; what is run again starts now."""
        return Timing() if self.retry_of else Timing.sent(self.texts)

    def idempotency_key(self, params: Mapping[str, Any], following: Plan | None) -> str | None:
        """A key for this form and this input: the same form sent again with other input is another task, not a conflict."""
        if not self.key:
            return None
        asked = [self.workload, self.name, params, self.retry_of, self.timing, following]
        body = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        return f"form-{self.key[:64]}-{hashlib.sha256(body).hexdigest()[:32]}"


async def receive(request: Request, user_id: int, files: Files) -> Sent:
    """Read the form and store the files in it. Raises what `Files.save` raises; then nothing is kept."""
    texts: dict[str, list[str]] = {}
    stored: list[File] = []
    try:
        async for name, value in _fields(request, user_id, files, stored):
            texts.setdefault(name, []).append(value)
    except BaseException:
        await files.discard(*stored)
        raise
    last = {name: values[-1] for name, values in texts.items()}
    return Sent(
        workload=last.get("workload", ""),
        name=last.get("name", "").strip(),
        key=last.get("key", ""),
        retry_of=last.get("retry_of", ""),
        texts=texts,
    )


async def expectations(waits: Waits, user_id: int, choices: list[Workload]) -> dict[str, str]:
    """What to expect of each workload, were it started now."""
    takes = await waits.usual()
    found = await waits.expected(user_id, choices)
    return {name: expectation(wait, takes.get(name)) for name, wait in found.items()}


def expectation(wait: Wait, takes: float | None) -> str:
    """Usually takes 12 s. 3 in line before it: starts in about 40 s."""
    said = [] if takes is None else [f"Usually takes {usual(takes)}."]
    if wait.reason in _IN_LINE:
        said.append(_place(wait.position, wait.estimate_s))
    if wait.reason != "line":
        said.append(wait.message)
    return " ".join(said)


def fresh(choices: list[Workload], chosen: str | None, expect: Mapping[str, str]) -> StartForm:
    """The form for a new task; `chosen` is a workload's name."""
    workload = _pick(choices, chosen)
    blank = {one.name: forms.fields(one.schema) for one in choices}
    return StartForm(
        choices=choices,
        workload=workload,
        fields=blank[workload.name] if workload else [],
        blank=blank,
        expect=expect,
    )


def again(choices: list[Workload], task: Task, file_names: Mapping[str, str], expect: Mapping[str, str]) -> StartForm:
    """The form filled in with an earlier task's input. Raises `NotFound` where its workload is gone."""
    workload = _named(choices, task.workload)
    if workload is None:
        raise NotFound(f"The workload {task.workload} is not known any more.")
    filled = forms.fields(workload.schema, task.params, file_names=file_names)
    # A file that is gone is asked for anew.
    filled = [replace(one, value="") if one.kind == "file" and not one.file_name else one for one in filled]
    name = "" if task.name == workload.title else task.name
    return StartForm(
        choices=choices,
        workload=workload,
        fields=filled,
        blank={},
        expect=expect,
        name=name,
        retry_of=str(task.id),
    )


def refused(
    choices: list[Workload],
    sent: Sent,
    problem: str,
    errors: Mapping[str, str],
    file_names: Mapping[str, str],
    expect: Mapping[str, str],
) -> StartForm:
    """The form as it was sent, with what is wrong: beside its field, or on top where it has none."""
    workload = _pick(choices, sent.workload)
    filled = forms.as_sent(workload.schema, sent.texts, errors, file_names) if workload else []
    following = chain_form.as_sent(_named(choices, chain_form.chosen(sent.texts)), sent.texts, errors)
    shown = {one.name for one in filled} | {"name", chain_form.CHOICE, *FIELDS}
    shown |= {chain_form.WITHIN + one.name for one in following.fields}
    others = "; ".join(f"{name} {text}" for name, text in errors.items() if name not in shown)
    return StartForm(
        choices=choices,
        workload=workload,
        fields=filled,
        blank={one.name: forms.fields(one.schema) for one in choices},
        expect=expect,
        name=sent.name,
        name_error=errors.get("name", ""),
        problem=others or problem,
        retry_of=sent.retry_of,
        timing=Timing.sent(sent.texts, errors),
        then=following,
    )


async def file_names(
    files: Files, user_id: int, schema: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, str]:
    """The names of the uploaded files among params, by the param's name. A file that is gone has none."""
    names = {}
    for one in forms.fields(schema):
        if one.kind == "file" and values.get(one.name):
            try:
                names[one.name] = (await files.get(user_id, UUID(str(values[one.name])))).name
            except (NotFound, ValueError):
                continue
    return names


async def _fields(request: Request, user_id: int, files: Files, stored: list[File]) -> AsyncIterator[tuple[str, str]]:
    """The fields of a form by the control's name; of a file, the param that its id goes into."""
    if not is_multipart(request):
        async with request.form(max_fields=MOST_FIELDS) as form:
            for name, value in form.multi_items():
                yield name, str(value)
        return
    sent = FormStream(request, most_files=MOST_FILES, most_fields=MOST_FIELDS)
    async for part in sent.parts():
        if part.filename is None:
            yield part.name, await sent.text()
        elif part.filename and part.name.startswith(forms.UPLOAD):
            stored.append(await store(part, sent, user_id, files))
            yield forms.PREFIX + part.name.removeprefix(forms.UPLOAD), str(stored[-1].id)


def _pick(choices: list[Workload], name: str | None) -> Workload | None:
    return _named(choices, name) or next(iter(choices), None)


def _named(choices: list[Workload], name: str | None) -> Workload | None:
    return next((one for one in choices if one.name == name), None)


def _place(position: int | None, estimate: float | None) -> str:
    if position is None:
        return f"At least {MOST_AHEAD:,} in line before it."
    if position == 1:
        return f"Next in line: starts {'when a worker is free' if estimate is None else soon(estimate)}."
    return f"{position - 1:,} in line before it" + ("." if estimate is None else f": starts {soon(estimate)}.")
