"""How a column writes its numbers and dates: the first of a list of forms that fits every value."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  dates of a file are of no zone, or have been brought to UTC


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write values. `number` and `date` raise `ValueError` for a text of another form; `pandas` turns the series `column`, of texts, into the same values."""

    name: str
    kind: Literal["number", "date"]
    pandas: str
    number: Callable[[str], float] = float
    date: Callable[[str], datetime] = datetime.fromisoformat

    def fits(self, text: str) -> bool:
        """Whether `text` is written in this way."""
        try:
            (self.number if self.kind == "number" else self.date)(text)
        except ValueError:
            return False
        return True


def find_form(values: Iterable[str]) -> Form | None:
    """The form that all of `values` have; None where they are texts."""
    distinct = set(values)
    return next((form for form in _FORMS if distinct and all(map(form.fits, distinct))), None)


# A number does not begin with 0 and another digit: that is a code, and its zeros matter.
_WHOLE: Final = r"(?:0|[1-9]\d*)"


def _numbers(name: str, pattern: str, remove: str = "", point: str = ".") -> Form:
    fitting = re.compile(r"[-+]?" + pattern, re.ASCII)

    def number(text: str) -> float:
        if not fitting.fullmatch(text):
            raise ValueError(text)
        for sign in remove:
            text = text.replace(sign, "")
        return float(text.replace(point, "."))

    steps = [f'.str.replace("{sign}", "")' for sign in remove] + [f'.str.replace("{point}", ".")'] * (point != ".")
    return Form(name, "number", f"column{''.join(steps)}.astype(float)", number=number)


def _dates(name: str, form: str) -> Form:
    return Form(
        name,
        "date",
        f'pd.to_datetime(column, format="{form}")',
        date=lambda text: datetime.strptime(text, form),  # noqa: DTZ007  a date alone has no zone
    )


_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([T ].+)?", re.ASCII)


def _iso(text: str) -> datetime:
    if not _ISO.fullmatch(text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


_FORMS: Final = (
    _numbers("number", rf"(?:{_WHOLE}(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{{1,2}})?"),
    _numbers("number (1,234.5)", rf"(?:[1-9]\d{{0,2}}(?:,\d{{3}})+|{_WHOLE})(?:\.\d*)?", remove=","),
    _numbers("number (1.234,5)", rf"(?:[1-9]\d{{0,2}}(?:\.\d{{3}})+|{_WHOLE})(?:,\d*)?", remove=".", point=","),
    _numbers("percentage", rf"{_WHOLE}(?:\.\d*)? ?%", remove=" %"),
    Form("date", "date", 'pd.to_datetime(column, format="ISO8601", utc=True).dt.tz_localize(None)', date=_iso),
    _dates("date (31.12.2026)", "%d.%m.%Y"),
    _dates("date (31/12/2026)", "%d/%m/%Y"),
    _dates("date (12/31/2026)", "%m/%d/%Y"),
    _dates("date (2026/12/31)", "%Y/%m/%d"),
)
