"""What is to follow on success, as the start form asks for it: one workload, whose files are those that the first task makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app.catalogue import Workload
from app.errors import Invalid
from app.tasks.chain_checks import NO_WORKLOAD
from app.tasks.chain_plans import ARTIFACT, Plan
from app.web import forms
from taskline.checking import file_params

WITHIN: Final = "then."  # before the names of its params, in controls and in errors
CHOICE: Final = "then.workload"  # the control that chooses it
SHOWN: Final = "then.shown"  # the workload whose params came with the form
_FILE: Final = "The name of a file that the first task makes, such as report.html."


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What was chosen, as typed; without a workload nothing follows."""

    workload: Workload | None = None
    fields: list[forms.Field] = field(default_factory=list)
    error: str = ""  # beside the choice


def blank(workload: Workload) -> list[forms.Field]:
    """The params of what follows, to be filled in."""
    return _within(forms.fields(workload.schema))


def chosen(sent: forms.Sent) -> str:
    """The workload's name; empty where nothing is to follow."""
    return (sent.get(CHOICE) or [""])[-1]


def unseen(sent: forms.Sent) -> bool:
    """Whether something is chosen of which the form has not asked the params yet: without script they come with the next page."""
    return bool(chosen(sent)) and chosen(sent) != (sent.get(SHOWN) or [""])[-1]


def as_sent(workload: Workload | None, sent: forms.Sent, errors: Mapping[str, str]) -> Then:
    """What came back with the form, each error beside its field."""
    if workload is None:
        return Then(error=errors.get(CHOICE, ""))
    if unseen(sent):
        return Then(workload=workload, fields=blank(workload))
    filled = forms.as_sent(workload.schema, _params_of(sent), _errors_of(errors), {})
    return Then(workload=workload, fields=_within(filled), error=errors.get(CHOICE, ""))


def plan(workload: Workload | None, sent: forms.Sent) -> Plan | None:
    """What follows, as a submission takes it; None for nothing. Raises `Invalid`."""
    if not chosen(sent):
        return None
    if workload is None:
        raise Invalid(fields={CHOICE: NO_WORKLOAD})
    files = file_params(workload.schema)
    params, errors = forms.params(workload.schema, _params_of(sent))
    if errors:
        wrong = {name: "give the name of a file" if name in files else text for name, text in errors.items()}
        raise Invalid(fields={WITHIN + name: text for name, text in wrong.items()})
    referring: dict[str, Any] = {name: {ARTIFACT: params[name]} for name in files if params.get(name)}
    return {"workload": workload.name, "params": {**params, **referring}}


def _within(made: Sequence[forms.Field]) -> list[forms.Field]:
    return [replace(_named(one) if one.kind == "file" else one, within=WITHIN) for one in made]


def _named(one: forms.Field) -> forms.Field:
    return replace(one, kind="text", accept="", hint=f"{_FILE} {one.hint}".strip())


def _params_of(sent: forms.Sent) -> dict[str, Sequence[str]]:
    before = forms.PREFIX + WITHIN
    return {
        forms.PREFIX + name.removeprefix(before): values for name, values in sent.items() if name.startswith(before)
    }


def _errors_of(errors: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(WITHIN): text for name, text in errors.items() if name.startswith(WITHIN)}
