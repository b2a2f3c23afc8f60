"""What a column holds: the first of a list of kinds that fits every value."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import duckdb

_SAMPLE: Final = 200  # values; kinds that do not fit these are not tried on the rest


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. `test` and `cast` are SQL in which @ stands for the text: whether it is one, and what it is then."""

    name: str
    family: Literal["number", "time", "truth", "text"]
    test: str
    cast: str
    whole: bool = False

    def fits(self, text: str) -> str:
        """SQL: whether the text, itself an SQL expression, is of this kind; false for NULL."""
        return f"coalesce({self.test.replace('@', text)}, false)"

    def value(self, text: str) -> str:
        """SQL: the value that the text stands for."""
        return self.cast.replace("@", text)


def _numbers(name: str, pattern: str, plain: str) -> Kind:
    return Kind(name, "number", f"regexp_full_match(@, '{pattern}')", f"TRY_CAST({plain} AS DOUBLE)")


def _dates(name: str, form: str) -> Kind:
    return Kind(name, "time", f"try_strptime(@, '{form}') IS NOT NULL", f"try_strptime(@, '{form}')")


TEXT: Final = Kind("text", "text", "true", "@")
# A number does not begin with 0 and another digit: that is a code, and its zeros matter.
KINDS: Final = (
    Kind("true or false", "truth", "lower(@) IN ('true', 'false')", "lower(@) = 'true'"),
    Kind("yes or no", "truth", "lower(@) IN ('yes', 'no')", "lower(@) = 'yes'"),
    Kind(
        "whole number",
        "number",
        "regexp_full_match(@, '[-+]?(0|[1-9][0-9]*)') AND TRY_CAST(@ AS BIGINT) IS NOT NULL",
        "TRY_CAST(@ AS BIGINT)",
        whole=True,
    ),
    _numbers("number", r"[-+]?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+|[0-9](\.[0-9]*)?[eE][-+]?[0-9]{1,2})", "@"),
    _numbers("number (1,234.5)", r"[-+]?([0-9]{1,3}(,[0-9]{3})+|0|[1-9][0-9]{0,2})(\.[0-9]*)?", "replace(@, ',', '')"),
    _numbers(
        "number (1.234,5)",
        r"[-+]?([0-9]{1,3}(\.[0-9]{3})+|0|[1-9][0-9]{0,17})(,[0-9]*)?",
        "replace(replace(@, '.', ''), ',', '.')",
    ),
    _numbers("percentage", r"[-+]?(0|[1-9][0-9]{0,17})(\.[0-9]*)? ?%", "rtrim(@, ' %')"),
    Kind(
        "date",
        "time",
        "regexp_full_match(@, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST(@ AS DATE) IS NOT NULL",
        "CAST(TRY_CAST(@ AS DATE) AS TIMESTAMP)",
    ),
    Kind(
        "date and time",
        "time",
        "regexp_full_match(@, '[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?') AND TRY_CAST(@ AS TIMESTAMP) IS NOT NULL",
        "TRY_CAST(@ AS TIMESTAMP)",
    ),
    _dates("date (31.12.2026)", "%d.%m.%Y"),
    _dates("date (31/12/2026)", "%d/%m/%Y"),
    _dates("date (12/31/2026)", "%m/%d/%Y"),
    _dates("date (2026/12/31)", "%Y/%m/%d"),
)


def find_kind(connection: "duckdb.DuckDBPyConnection", table: str, at: str) -> Kind:
    """The kind of the column `at` of `table`: the first that fits all its values, else text."""
    fits = ", ".join(f"bool_and({kind.fits('v')})" for kind in KINDS)
    found = (
        connection.execute(
            f"SELECT {fits} FROM (SELECT {at} AS v FROM {table} WHERE {at} IS NOT NULL LIMIT {_SAMPLE})"
        ).fetchone()
        or ()
    )
    for kind, fit in zip(KINDS, found, strict=True):
        if (
            fit
            and not connection.execute(
                f"SELECT 1 FROM {table} WHERE {at} IS NOT NULL AND NOT {kind.fits(at)} LIMIT 1"
            ).fetchall()
        ):
            return kind
    return TEXT
