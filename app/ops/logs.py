"""Log lines: one each, on standard error, without line breaks from outside."""

import logging
import sys
import time
from typing import Final

REFUSED: Final = "ASGI callable returned without completing handshake."


class _Lines(logging.Formatter):
    """Whatever a message holds, it stays on its line; only our own traces have more."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def set_up_logs(level: str) -> None:
    """Log from `level` on. Libraries speak from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # uvicorn says so of every socket that was refused as it should be (its pull request 3138): each page tries again and again while the database is away.
    logging.getLogger("uvicorn.error").addFilter(lambda record: record.msg != REFUSED)
    # Its pool tells of a database that is away with each try and a trace; we say it once.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    for name in ("app", "workers"):
        logging.getLogger(name).setLevel(level.upper())
