"""Log lines: one each, on standard error, without line breaks from outside."""

import logging
import sys
import time


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
    for name in ("app", "workers"):
        logging.getLogger(name).setLevel(level.upper())
