"""What files of a size take of a web process: `python -m tests.integration.measure_uploads [MIB]` sends one up and fetches it again, from a folder and from S3."""

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.integration.processes import Service
from tests.integration.rest import API, Caller, caller
from tests.servers import S3, free_port

MIB: Final = 1 << 20
BOUNDARY: Final = "b"
_BLOCK: Final = bytes(range(256)) * 256  # 64 KiB


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds, and bytes of memory at the peak over what the process had before."""

    up_s: float
    down_s: float
    up_memory: int
    down_memory: int


async def measure(service: Service, mib: int) -> Taken:
    """Upload and download `mib` MiB; raises AssertionError where other bytes come back."""
    async with caller(service) as ada:
        await ada.get("/account")
        before, began = _reset(service), time.monotonic()
        answer = await ada.post(
            f"{API}/files",
            content=_body(mib),
            headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"},
            timeout=600,
        )
        up_s, up_memory = time.monotonic() - began, _memory(service, "VmHWM") - before
        assert answer.status_code == 201, answer.text
        file = answer.json()
        before, began = _reset(service), time.monotonic()
        assert await _fetched(ada, file["id"]) == (file["size"], file["sha256"])
        return Taken(up_s, time.monotonic() - began, up_memory, _memory(service, "VmHWM") - before)


async def _fetched(ada: Caller, file_id: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    hooks, ada.event_hooks = ada.event_hooks, {}  # which would read all of it first
    async with ada.stream("GET", f"{API}/files/{file_id}/content", timeout=600) as answer:
        async for chunk in answer.aiter_bytes():
            digest.update(chunk)
            size += len(chunk)
    ada.event_hooks = hooks
    return size, digest.hexdigest()


async def _body(mib: int) -> AsyncIterator[bytes]:
    yield f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n\r\n'.encode()
    for _ in range(mib * MIB // len(_BLOCK)):
        yield _BLOCK
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def _reset(service: Service) -> int:
    """Forget the peak; what the process has now."""
    Path(f"/proc/{service.main_pid}/clear_refs").write_text("5")
    return _memory(service, "VmRSS")


def _memory(service: Service, name: str) -> int:
    lines = Path(f"/proc/{service.main_pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Print a line for each store."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    s3 = S3(free_port())
    s3.start()
    try:
        for name in ("folder", "s3"):
            stored: dict[str, Any] = {"artifacts_url": s3.create_bucket(f"m-{uuid4()}")} if name == "s3" else {}
            service = Service(variables=s3.variables, limit_upload=str(mib * MIB), **stored)
            try:
                service.start()
                taken = asyncio.run(measure(service, mib))
            finally:
                service.close()
            print(
                f"{name}: {mib} MiB up in {taken.up_s:.1f} s at {taken.up_memory / MIB:.0f} MiB, "
                f"down in {taken.down_s:.1f} s at {taken.down_memory / MIB:.0f} MiB"
            )
    finally:
        s3.close()


if __name__ == "__main__":
    main()
