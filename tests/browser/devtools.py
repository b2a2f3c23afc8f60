"""Chromium by its own protocol, for what Playwright keeps from happening: its pages always have the focus, are never frozen, and never come from the cache."""

import asyncio
import contextlib
import itertools
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import orjson
from websockets.asyncio.client import ClientConnection, connect

PATIENCE: Final = 15.0  # seconds
STEP: Final = 0.05  # seconds between two looks at a page
OPTIONS: Final = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")


class Tab:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session = ""
        self._reading = asyncio.create_task(self._read())
        self._resending: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Begin with an empty page."""
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self.send("Page.enable")

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        call = {
            "id": number,
            "method": method,
            "params": params,
            **({"sessionId": self._session} if self._session else {}),
        }
        await self._socket.send(orjson.dumps(call).decode())
        async with asyncio.timeout(PATIENCE):
            told: dict[str, Any] = await answer
            return told

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true; in a page that comes or goes it has no value yet."""
        async with asyncio.timeout(PATIENCE):
            while not await self._true(script):  # noqa: ASYNC110  a page gives no sign
                await asyncio.sleep(STEP)

    async def _true(self, script: str) -> bool:
        try:
            return bool(await self.run(script))
        except AssertionError:
            return False

    async def go(self, url: str) -> None:
        """Load a page."""
        await self.send("Page.navigate", url=url)
        await self.until(f"location.href === {orjson.dumps(url).decode()} && document.readyState === 'complete'")

    async def back(self, pages: int = 1) -> None:
        """Go back so many pages, after the call has its answer: a page that is left may answer no more."""
        await self.run(f"setTimeout(() => history.go(-{pages}))")

    async def without_no_store(self) -> None:
        """Load pages without `no-store`, which this browser, unlike others, keeps no page of."""
        await self.send("Fetch.enable", patterns=[{"resourceType": "Document", "requestStage": "Response"}])

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        async for text in self._socket:
            message = orjson.loads(text)
            if waiting := self._answers.pop(message.get("id"), None):
                if "error" in message:
                    waiting.set_exception(AssertionError(message["error"]["message"]))
                else:
                    waiting.set_result(message["result"])
            elif message.get("method") == "Fetch.requestPaused":
                task = asyncio.create_task(self._resend(message["params"]))
                self._resending.add(task)
                task.add_done_callback(self._resending.discard)

    async def _resend(self, paused: dict[str, Any]) -> None:
        headers = [one for one in paused["responseHeaders"] if one["name"].lower() != "cache-control"]
        await self.send(
            "Fetch.continueResponse",
            requestId=paused["requestId"],
            responseCode=paused["responseStatusCode"],
            responseHeaders=headers,
        )


@contextlib.asynccontextmanager
async def tab(chromium: Path) -> AsyncIterator[Tab]:
    """A tab of a browser of its own."""
    with tempfile.TemporaryDirectory(prefix="taskline-chromium-", ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            chromium,
            *OPTIONS,
            f"--user-data-dir={profile}",
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            async with connect(await _address(browser), max_size=None) as socket:
                one = Tab(socket)
                await one.open()
                yield one
                await one.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                browser.kill()
            await browser.wait()


async def _address(browser: asyncio.subprocess.Process) -> str:
    assert browser.stderr
    async with asyncio.timeout(PATIENCE):
        async for line in browser.stderr:
            if found := re.search(rb"DevTools listening on (\S+)", line):
                return found[1].decode()
    raise AssertionError("Chromium ended before it listened")
