"""What pyproject.toml cannot say: three folders that stay at the top of a checkout travel inside `app` in the wheel."""

from setuptools import find_packages, setup

FOLDERS = ("templates", "static", "migrations")

setup(
    packages=[*find_packages(include=["app*", "workers*", "taskline*"]), *(f"app.{name}" for name in FOLDERS)],
    package_dir={f"app.{name}": name for name in FOLDERS},
    # Compiled files of a checkout must not travel, and only `**` finds what lies in folders that are not packages.
    package_data={"": ["py.typed"], "app": ["**/*.gz", "**/*.txt"], **{f"app.{name}": ["**/*"] for name in FOLDERS}},
    exclude_package_data={"": ["*.pyc", "**/*.pyc"]},
)
