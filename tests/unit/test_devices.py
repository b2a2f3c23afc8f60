"""What browsers and programs say of themselves, as it stands in the list of sessions."""

import pytest

from app.web.devices import device

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"
PIXEL = "Mozilla/5.0 (Linux; Android 10; K)"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (f"{LINUX} {BLINK} Safari/537.36", "Chrome or Chromium on Linux"),
        (f"{LINUX} AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0", "Chrome or Chromium on Linux"),
        (f"{PIXEL} {BLINK} Mobile Safari/537.36", "Chrome or Chromium on Android"),
        (f"{PIXEL} AppleWebKit/537.36 SamsungBrowser/28.0 Chrome/130.0.0.0", "Samsung Internet on Android"),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {BLINK}", "Chrome or Chromium on ChromeOS"),
        (f"{WINDOWS} {BLINK} Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} {BLINK} Safari/537.36 OPR/124.0.0.0", "Opera on Windows"),
        (f"{IPHONE} {WEBKIT} CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
        (f"{IPHONE} {WEBKIT} FxiOS/145.0 Mobile/15E148 Safari/604.1", "Firefox on iPhone"),
        (f"{IPHONE} {WEBKIT} Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
        (f"{MAC} {WEBKIT} Version/18.5 Safari/605.1.15", "Safari on Mac or iPad"),
        (f"{MAC} {BLINK} Safari/537.36", "Chrome or Chromium on Mac"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Windows"),
        ("Mozilla/5.0 (FreeBSD amd64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox"),
        ("Mozilla/5.0 (Linux) Something/1", "Unknown browser on Linux"),
        ("Mozilla/4.0", "Unknown browser"),
        ("curl/8.14.1", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("x" * 200, "x" * 40),
        ("two\nlines", "Unknown program"),
        ("", "Unknown program"),
    ],
)
def test_is_said_in_words(user_agent: str, said: str) -> None:
    assert device(user_agent) == said
