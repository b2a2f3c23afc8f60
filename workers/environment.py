"""The environment of child processes: what a program needs to run, and nothing that is secret."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MARK: Final = "TASKLINE_CHILD"  # the variable by which a process is known as what a child has started
_KEPT: Final = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "PYTHONHASHSEED",
        "PYTHONUTF8",
    ]
)
_KEPT_PREFIXES: Final = ("LC_", "OMP_", "OPENBLAS_", "MKL_", "CUDA_", "NVIDIA_")


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a child gets: a list of known harmless ones, and the import path of this process."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path),
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
    }
