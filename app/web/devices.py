"""What a user agent says of itself, in words. It is a claim: good enough to tell one's own browsers apart, and never a proof."""

from typing import Final

# The first that fits: most browsers also claim to be those further down.
_BROWSERS: Final = (
    ("Edg", "Edge"),  # Edg, EdgA and EdgiOS
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome or Chromium"),  # Brave, Vivaldi and others say no more than this
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)
_LONGEST: Final = 40  # characters of a program's own name


def device(user_agent: str) -> str:
    """A browser with its system, as in "Firefox on Windows"; of a program its own name, such as "curl"."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser == "Safari" and system == "Mac":
        system = "Mac or iPad"  # an iPad that asks for desktop pages says that it is a Mac
    if browser:
        return f"{browser} on {system}" if system else browser
    if user_agent.startswith("Mozilla/"):
        return f"Unknown browser on {system}" if system else "Unknown browser"
    program = user_agent.partition("/")[0].strip()
    return program[:_LONGEST] if program.isprintable() and program else "Unknown program"
