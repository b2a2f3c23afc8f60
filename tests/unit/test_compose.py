"""compose.yml and the Dockerfile, read as Docker would read them: valid, and as safe as they claim to be."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema_rs
import pytest

from app.settings import Settings
from tests.compose import COMPOSE, ROOT, SERVICES, TEXT, environment, make_secrets

DOCKERFILE = (ROOT / "Dockerfile").read_text()

every_service = pytest.mark.parametrize("name", SERVICES)


def runs_once(name: str) -> bool:
    return bool(SERVICES[name]["restart"] == "no")


def test_compose_follows_the_specification() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec/schema.json").read_text())
    jsonschema_rs.validator_for(schema).validate(COMPOSE)


def test_the_services_are_those_of_the_architecture() -> None:
    assert set(SERVICES) == {"secrets", "postgresql", "rabbitmq", "redis", "migrate", "web", "worker"}


@every_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].partition(":")[0] not in {"", "root", "0"}
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@every_service
def test_a_service_comes_back_and_is_watched_unless_it_runs_once(name: str) -> None:
    service = SERVICES[name]
    if runs_once(name):
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert "stop_grace_period" in service


@every_service
def test_a_service_waits_for_what_it_needs_and_nothing_waits_in_a_circle(name: str) -> None:
    def follow(one: str, path: tuple[str, ...]) -> None:
        assert one not in path
        for other, how in SERVICES[one].get("depends_on", {}).items():
            once = how["condition"] == "service_completed_successfully"
            assert once or how["condition"] == "service_healthy"
            assert once == runs_once(other)
            follow(other, (*path, one))

    follow(name, ())


@every_service
def test_images_are_pinned_to_a_minor_version(name: str) -> None:
    assert re.fullmatch(r"[a-z]+:\d+\.\d+", SERVICES[name]["image"])


def test_the_image_is_of_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    own = {service["image"] for service in SERVICES.values() if "build" in service}
    assert own == {f"taskline:{version.rpartition('.')[0]}"}


def test_only_the_web_is_reached_from_outside_and_only_from_this_machine_by_default() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["${BIND:-127.0.0.1}:${PORT:-8000}:8000"]}
    assert COMPOSE["networks"]["back"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if "front" in service.get("networks", [])] == ["web"]


def test_no_secret_has_a_default() -> None:
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == {"BIND", "PORT"}
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASS|SECRET|KEY|_URL", variable) and value is not None:
                assert variable.endswith("_FILE")
                assert value.startswith("/secrets/")


def test_each_secret_is_mounted_only_where_it_is_needed() -> None:
    mounted = {
        (name, *volume.split(":")[:2])
        for name, service in SERVICES.items()
        for volume in service["volumes"]
        if volume.endswith(":ro")
    }
    taskline = {(name, "secrets-taskline", "/secrets/taskline") for name in ("migrate", "web", "worker")}
    others = {(name, f"secrets-{name}", f"/secrets/{name}") for name in ("postgresql", "rabbitmq", "redis")}
    assert mounted == taskline | others


def test_every_volume_is_declared_and_used() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])


def test_every_variable_is_a_setting() -> None:
    variables = set(SERVICES["web"]["environment"]) | set(re.findall(r"(TASKLINE_\w+)=", DOCKERFILE))
    names = {variable.removeprefix("TASKLINE_").lower() for variable in variables}
    assert {name.removesuffix("_file") for name in names} <= set(Settings.model_fields)


def test_a_worker_may_drain_before_it_is_killed() -> None:
    grace = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.from_environment({}).drain_seconds


def test_the_first_start_makes_secrets_and_later_ones_keep_them(tmp_path: Path) -> None:
    first = make_secrets(tmp_path)
    assert make_secrets(tmp_path) == first
    settings = Settings.from_environment({**environment("web", tmp_path), "TASKLINE_HOST": "0.0.0.0"})
    settings.check_serving()
    for part, setting in (("postgresql", settings.database_url), ("rabbitmq", settings.queue_url)):
        assert f"@{part}:" in setting
    password = first["postgresql/password"]
    assert len(password) >= 32
    assert f":{password}@" in settings.database_url
    assert f":{first['redis/password']}@redis:" in settings.events_url
    assert len({first["postgresql/password"], first["redis/password"], first["taskline/secret-key"]}) == 3


def test_the_image_is_built_from_hashed_requirements_and_runs_as_nobody_special() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "--require-hashes" in DOCKERFILE
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", final, re.MULTILINE)
    assert not re.search(r"^COPY (?!--from)", final, re.MULTILINE)
    assert set(re.findall(r"FROM (\S+)", DOCKERFILE)) == {"python:3.13-slim"}


def test_everything_that_the_image_copies_is_sent_to_the_builder() -> None:
    sent = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = [name for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert sorted(sent) == sorted(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_the_folders_of_the_volumes_belong_to_the_user_of_the_image() -> None:
    folders = re.search(r"--group taskline \\\n\s+(.+)", DOCKERFILE)
    assert folders
    mounted = {volume.split(":")[1] for name in ("secrets", "web") for volume in SERVICES[name]["volumes"]}
    assert mounted <= set(folders[1].split())
