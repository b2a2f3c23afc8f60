"""Ports for servers that may be stopped and started again on the same port."""

import errno
import os
import random
import socket

# Below the range that Linux takes for outgoing connections (32768 and up): a client that keeps trying to reach a stopped
# server there can be given the server's own port, connect to itself, and hold the port.
_FIRST, _LAST = 15_000, 32_000
# Processes that run tests side by side (pytest-xdist names them gw0, gw1, …) have ranges of their own: between the choice of a port and its
# use another one could choose it too.
_RANGES = 8
_RANGE = (_LAST - _FIRST) // _RANGES
_MINE = _FIRST + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _RANGES * _RANGE
_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on and that this process has not given out before."""
    for port in random.sample(range(_MINE, _MINE + _RANGE), 1000):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(errno.EADDRINUSE, f"none of 1000 ports from {_MINE} on is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
