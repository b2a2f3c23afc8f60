"""Settings: one frozen value, read once from the environment, checked, with secrets redacted.

Every setting is a variable `TASKLINE_<NAME>`; a secret may also come from a file that `TASKLINE_<NAME>_FILE` names.
"""

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

PREFIX = "TASKLINE_"
SHORTEST_KEY = 32  # characters


class SettingsError(Exception):
    """One or more settings are missing or wrong; the message has one line for each."""


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        if urlsplit(value).scheme not in schemes:
            raise ValueError(f"takes a URL that starts with {' or '.join(f'{s}://' for s in schemes)}")
        return value

    return AfterValidator(check)


def _rate(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d*/(second|minute|hour|day)", value):
        raise ValueError("takes a rate such as 20/minute (per second, minute, hour or day)")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ValueError("takes an origin such as https://taskline.example")
    return f"{parts.scheme}://{parts.netloc}"


Rate = Annotated[str, AfterValidator(_rate)]


class Settings(BaseModel):
    """How this process runs. Made by `Settings.from_environment`; the docs list every variable from this class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to serve on.")
    port: int = Field(
        8000, ge=0, le=65535, description="Port to serve on; 0 takes a free one. PORT is read where this is not set."
    )
    public_url: Annotated[str, AfterValidator(_origin)] | None = Field(
        None, description="Origin that browsers use, such as https://taskline.example; makes cookies Secure on https."
    )
    trusted_proxies: str = Field(
        "", description="Addresses, separated by commas, whose X-Forwarded-* headers are believed."
    )
    secret_key: SecretStr = Field(
        SecretStr(""), description=f"Signs session cookies; at least {SHORTEST_KEY} random characters."
    )
    data_dir: Path = Field(Path("data"), description="Folder of the embedded database, its key and uploaded files.")
    database_url: Annotated[str, _url("sqlite", "postgresql")] = Field(
        "", validate_default=False, description="sqlite:///… or postgresql://…."
    )
    queue_url: Annotated[str, _url("memory", "amqp", "amqps", "redis", "rediss")] = Field(
        "memory://", description="memory://, amqp://… (RabbitMQ) or redis://… (arq)."
    )
    events_url: Annotated[str, _url("memory", "redis", "rediss")] = Field(
        "memory://", description="memory:// or redis://…."
    )
    artifacts_url: Annotated[str, _url("file", "s3")] = Field(
        "", validate_default=False, description="file:///… or s3://…."
    )
    deployment: str = Field(
        "taskline",
        pattern=r"^[a-z0-9-]{1,32}$",
        description="Prefix of queues and channels; two deployments on one broker need two.",
    )
    workloads: str = Field("", description="Modules with workloads of your own, separated by commas.")
    light_slots: int = Field(
        100, ge=1, le=10_000, description="Asynchronous and threaded tasks that a worker runs at once."
    )
    heavy_slots: int = Field(
        0, ge=0, le=1_000, description="Child-process tasks that a worker runs at once; 0 means one for each core."
    )
    task_memory_mib: int = Field(2048, ge=64, description="MiB of memory for a child-process task without a limit.")
    task_disk_mib: int = Field(4096, ge=1, description="MiB of disk for a child-process task without a limit.")
    task_processes: int = Field(32, ge=1, description="Processes at once of a child-process task without a limit.")
    drain_seconds: float = Field(
        20, ge=0, le=3600, description="How long a stopping worker lets running tasks end before it hands them back."
    )
    lease_seconds: float = Field(
        10,
        ge=1,
        le=3600,
        description="How long a claim holds without a heartbeat: a dead worker's tasks start again after that.",
    )
    heartbeat_seconds: float = Field(
        2.5,
        ge=0.1,
        le=600,
        description="How often a worker extends the leases of what it runs; at most a third of a lease.",
    )
    sweep_seconds: float = Field(
        1,
        ge=0.05,
        le=600,
        description="How often a worker looks for ended leases and for due tasks that nobody was told of.",
    )
    poll_seconds: float = Field(
        5, ge=0.05, le=600, description="After how long without a wake-up an idle worker looks for work by itself."
    )
    events_kept_days: float = Field(
        90,
        gt=0,
        le=36_500,
        description="How long events can be replayed; a client that was away for longer starts anew.",
    )
    files_kept_days: float = Field(
        30,
        ge=1,
        le=36_500,
        description="How long an upload is kept after a task last took it, and a task's files after its end.",
    )
    unknown_hours: float = Field(
        24, gt=0, le=10_000, description="How long tasks wait for a worker that knows their workload before they fail."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level of the log lines.")
    database_pool: int = Field(10, ge=2, le=100, description="Most connections of a process to PostgreSQL.")
    first_user_operates: bool = Field(False, description="Makes the first who signs up an operator; set by `dev`.")
    limit_sign_ups: Rate = Field("20/minute", description="Sign-ups of a client address.")
    limit_sign_ins: Rate = Field("20/minute", description="Sign-ins of a client address.")
    limit_sockets: int = Field(10, ge=1, description="Websockets of a user.")
    limit_upload: int = Field(1 << 30, ge=1, description="Bytes of one uploaded file.")
    limit_files: int = Field(10 << 30, ge=1, description="Bytes of all files of a user, uploads and results together.")
    limit_waiting: int = Field(10_000, ge=1, description="Waiting tasks of a user.")
    limit_requests: Rate = Field("60000/minute", description="API requests of a user.")

    @field_validator("heartbeat_seconds")
    @classmethod
    def _in_time(cls, value: float, others: ValidationInfo) -> float:
        lease = others.data.get("lease_seconds")
        if lease is not None and value > lease / 3:
            raise ValueError(
                f"takes a third of LEASE_SECONDS at most, {lease / 3:g}: two lost heartbeats must not end a lease"
            )
        return value

    @classmethod
    def unknown(cls, environ: Mapping[str, str]) -> list[str]:
        """A sentence for each variable that looks like a setting and is none. Not an error: other programs may share the prefix."""
        known = {f"{PREFIX}{name.upper()}{end}" for name in cls.model_fields for end in ("", "_FILE")}
        sentences = []
        for variable in sorted(set(environ) - known):
            if variable.startswith(PREFIX):
                close = difflib.get_close_matches(variable, known, n=1)
                sentences.append(
                    f"{variable} is not a setting and was ignored" + (f"; did you mean {close[0]}?" if close else "")
                )
        return sentences

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **defaults: object) -> Self:
        """Read and check the settings.

        `defaults` stand where the environment says nothing. Raises `SettingsError` that names each wrong setting, what it got and what it takes.
        """
        values: dict[str, object] = dict(defaults)
        problems: list[str] = []
        if "PORT" in environ:
            values["port"] = environ["PORT"]
        for variable, text in sorted(environ.items()):
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name in cls.model_fields:
                values[name] = text
            elif name.endswith("_file") and name.removesuffix("_file") in cls.model_fields:
                try:
                    values[name.removesuffix("_file")] = Path(text).read_text().strip()
                except OSError as error:
                    problems.append(f"{variable}: cannot read {text}: {error.strerror}")
        data_dir = Path(str(values.get("data_dir", cls.model_fields["data_dir"].default))).absolute()
        values["data_dir"] = data_dir
        values.setdefault("database_url", f"sqlite:///{data_dir / 'taskline.db'}")
        values.setdefault("artifacts_url", (data_dir / "files").as_uri())
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            problems += [_sentence(item["loc"], item["msg"], item["input"]) for item in error.errors(include_url=False)]
            raise SettingsError("\n".join(problems)) from None
        if problems:
            raise SettingsError("\n".join(problems))
        return settings

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check_serving(self) -> None:
        """Raise `SettingsError` where serving with these settings would be unsafe."""
        key = self.secret_key.get_secret_value()
        if len(key) < SHORTEST_KEY and not (self.loopback and not key):
            raise SettingsError(
                f"{PREFIX}SECRET_KEY: got {len(key)} characters, takes at least {SHORTEST_KEY} random ones to serve on {self.host}; "
                'make one with: python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
            )

    def __repr_args__(self) -> Iterable[tuple[str, object]]:
        """What `repr` and `str` show."""
        return self.redacted().items()

    def redacted(self) -> dict[str, object]:
        """The settings by name, without secrets: for logs, About and `taskline settings`."""
        shown = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: _redact(value) for name, value in shown.items()}


def _sentence(loc: tuple[int | str, ...], message: str, got: object) -> str:
    name = f"{PREFIX}{str(loc[0]).upper()}" if loc else PREFIX
    shown = "(hidden)" if "KEY" in name else repr(_redact(str(got)))
    return f"{name}: got {shown}: {message.removeprefix('Value error, ')}"


def _redact(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        parts = urlsplit(value)
        if parts.password:
            return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))
    return str(value) if isinstance(value, SecretStr | Path) else value
