"""Settings: read once, checked, redacted, documented."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.settings import Settings, SettingsError

KEY = "k" * 40


def test_the_embedded_default_needs_nothing(tmp_path: Path) -> None:
    settings = Settings.from_environment({"TASKLINE_DATA_DIR": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path}/taskline.db"
    assert settings.artifacts_url == f"file://{tmp_path}/files"
    assert (settings.queue_url, settings.events_url, settings.port) == ("memory://", "memory://", 8000)


def test_port_is_read_where_taskline_port_is_not_set() -> None:
    assert Settings.from_environment({"PORT": "9000"}).port == 9000
    assert Settings.from_environment({"PORT": "9000", "TASKLINE_PORT": "9001"}).port == 9001


@pytest.mark.parametrize(
    ("variable", "value", "takes"),
    [
        ("TASKLINE_PORT", "http", "integer"),
        ("TASKLINE_QUEUE_URL", "kafka://x", "memory:// or amqp://"),
        ("TASKLINE_DATABASE_URL", "mysql://x", "sqlite:// or postgresql://"),
        ("TASKLINE_LIMIT_SIGN_INS", "often", "20/minute"),
        ("TASKLINE_PUBLIC_URL", "taskline.example", "https://taskline.example"),
        ("TASKLINE_HEARTBEAT_SECONDS", "5", "a third of LEASE_SECONDS"),
        ("TASKLINE_LOG_LEVEL", "loud", "'debug', 'info'"),
    ],
)
def test_a_wrong_setting_names_itself_what_it_got_and_what_it_takes(variable: str, value: str, takes: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({variable: value, "TASKLINE_HEAVY_SLOTS": "-1"})
    first, second = sorted(str(caught.value).splitlines(), reverse=True)[:2]
    line = first if first.startswith(variable) else second
    assert line.startswith(f"{variable}: got {value!r}")
    assert takes in line
    assert "TASKLINE_HEAVY_SLOTS: got '-1'" in str(caught.value), "all at once"


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    settings = Settings.from_environment({"TASKLINE_SECRET_KEY_FILE": str(tmp_path / "key")})
    assert settings.secret_key == SecretStr(KEY)
    with pytest.raises(SettingsError, match=r"TASKLINE_SECRET_KEY_FILE: cannot read .*none"):
        Settings.from_environment({"TASKLINE_SECRET_KEY_FILE": str(tmp_path / "none")})


def test_secrets_are_never_shown() -> None:
    url = "postgresql://taskline:hunter22@db/taskline"
    settings = Settings.from_environment({"TASKLINE_SECRET_KEY": KEY, "TASKLINE_DATABASE_URL": url})
    for shown in (repr(settings), str(settings), str(settings.redacted())):
        assert KEY not in shown
        assert "hunter22" not in shown
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"TASKLINE_DATABASE_URL": "mysql://taskline:hunter22@db/taskline"})
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "short", "x" * 31])
def test_no_serving_to_others_without_a_long_key(key: str) -> None:
    with pytest.raises(SettingsError, match=r"TASKLINE_SECRET_KEY.*at least 32"):
        Settings.from_environment({"TASKLINE_HOST": "0.0.0.0", "TASKLINE_SECRET_KEY": key}).check_serving()


def test_serving_to_oneself_needs_no_key_but_no_short_one_either() -> None:
    Settings.from_environment({}).check_serving()
    Settings.from_environment({"TASKLINE_HOST": "0.0.0.0", "TASKLINE_SECRET_KEY": KEY}).check_serving()
    with pytest.raises(SettingsError):
        Settings.from_environment({"TASKLINE_SECRET_KEY": "short"}).check_serving()


def test_a_name_that_is_none_is_told_with_the_nearest() -> None:
    assert Settings.unknown({"TASKLINE_QUEUE_URI": "x", "HOME": "/", "TASKLINE_SECRET_KEY_FILE": "y"}) == [
        "TASKLINE_QUEUE_URI is not a setting and was ignored; did you mean TASKLINE_QUEUE_URL?"
    ]


def test_every_setting_is_documented() -> None:
    documented = Path("docs/operating.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"| `TASKLINE_{name.upper()}` |" in documented
        assert field.description
        assert field.description in documented
