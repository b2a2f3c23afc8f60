"""A private S3 endpoint: moto's server, over real HTTP. It keeps what it is given in temporary files, until it ends."""

import re
import signal
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from urllib.request import Request, urlopen

from tests.servers.process import Server

_SECONDS = 5.0


class S3(Server):
    """Any key opens it. `variables` are what a client needs in its environment."""

    name = "moto (S3)"
    version = version("moto")

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_REGION": "us-east-1",
        }

    def create_bucket(self, name: str) -> str:
        """A bucket with nothing in it; its URL as a store takes it."""
        self._ask("PUT", f"/{name}")
        return f"s3://{name}"

    def keys(self, bucket: str) -> set[str]:
        """What the bucket holds."""
        return set(re.findall(r"<Key>(.*?)</Key>", self._ask("GET", f"/{bucket}")))

    def unfinished(self, bucket: str) -> set[str]:
        """Uploads in parts that were begun and neither completed nor given up: they take space, and no list of keys shows them."""
        return set(re.findall(r"<Key>(.*?)</Key>", self._ask("GET", f"/{bucket}?uploads")))

    def _ask(self, method: str, path: str) -> str:
        # Moto takes whoever asks without a signature for the owner.
        with urlopen(Request(f"{self.url}{path}", method=method), timeout=_SECONDS) as answer:
            body: bytes = answer.read()
        return body.decode()

    def _command(self) -> tuple[Sequence[str], Mapping[str, str]]:
        return [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)], {}

    def _answers(self) -> bool:
        return "<ListAllMyBucketsResult" in self._ask("GET", "/")

    def _stop_signal(self) -> tuple[int, signal.Signals]:
        return self.main_pid, signal.SIGTERM
