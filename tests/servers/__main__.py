"""Servers for development, by hand.

python -m tests.servers            start all three, print the settings to export, stop them at Ctrl-C
python -m tests.servers install    make sure that every program which the tests need is installed
"""

import signal
import sys
import threading

from tests.servers import STARTED, PostgreSQL, RabbitMQ, Redis, ServerError
from tests.servers.install import install
from tests.servers.pool import Pool


def serve() -> None:
    """Run the servers until SIGINT or SIGTERM."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    pool = Pool()
    try:
        pool.launch(RabbitMQ)
        postgresql, redis, rabbitmq = pool.ready(PostgreSQL), pool.ready(Redis), pool.ready(RabbitMQ)
        print(f"# {', '.join(f'{name} {version}' for name, version in STARTED.items())}")
        print(f"export TASKLINE_DATABASE_URL={postgresql.create_database('taskline')}")
        print(f"export TASKLINE_QUEUE_URL={rabbitmq.url}")
        print(f"# or:  TASKLINE_QUEUE_URL={redis.url}")
        print(f"export TASKLINE_EVENTS_URL={redis.url}")
        print("# They run, with their data, until you press Ctrl-C.", flush=True)
        stopped.wait()
    finally:
        pool.close()


def main(arguments: list[str]) -> int:
    """Return the exit status."""
    try:
        match arguments:
            case []:
                serve()
            case ["install"]:
                install()
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
