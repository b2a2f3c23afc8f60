"""The wheel holds everything that Taskline needs and runs from any folder."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "workers", "taskline")
FOLDERS = ("templates", "static", "migrations")
COMPILED = shutil.ignore_patterns("__pycache__")


def files_of(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since a build leaves its own files beside what it builds."""
    source = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, *FOLDERS):
        shutil.copytree(ROOT / name, source / name, ignore=COMPILED)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = [
        "--quiet",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        str(source / "dist"),
    ]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True, timeout=100)
    (built,) = (source / "dist").glob("taskline-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a fresh environment that has the wheel, and the libraries of the present one."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    options = ["--quiet", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)], check=True, timeout=100
    )
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_the_wheel_holds_every_file_of_the_checkout(wheel: Path) -> None:
    expected = {f"{name}/{file}" for name in PACKAGES for file in files_of(ROOT / name)}
    expected |= {f"app/{name}/{file}" for name in FOLDERS for file in files_of(ROOT / name)}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_installed_folders_are_the_wheels_own(installed: Path, tmp_path: Path) -> None:
    program = (
        "from app import assets; print(assets.templates_dir(), assets.static_dir(), assets.migrations_dir(), sep='\\n')"
    )
    said = subprocess.run(
        [installed / "python", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    folders = [Path(line) for line in said.splitlines()]
    assert all(folder.is_relative_to(installed.parent) for folder in folders)
    assert [files_of(folder) for folder in folders] == [files_of(ROOT / name) for name in FOLDERS]


def test_the_command_migrates_a_database_from_any_folder(installed: Path, tmp_path: Path) -> None:
    environment = {
        "TASKLINE_DATA_DIR": str(tmp_path / "data"),
        "TASKLINE_DATABASE_URL": f"sqlite:///{tmp_path / 'taskline.db'}",
    }
    subprocess.run([installed / "taskline", "migrate"], cwd=tmp_path, env=environment, check=True, timeout=60)
    assert (tmp_path / "taskline.db").stat().st_size > 0
