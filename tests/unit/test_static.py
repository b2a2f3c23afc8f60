"""Static files: names with a hash, long caching, vendored files as they were vendored; and templates that the content security policy allows."""

import gzip
import hashlib
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from app.assets import static_dir, templates_dir
from app.web.static import Static

VENDOR = static_dir() / "vendor"


@pytest.fixture
def static(tmp_path: Path) -> Static:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "app.js").write_text("export const one = 1;\n" * 100)
    (tmp_path / "vendor" / "font.woff2").write_bytes(b"\0font")
    return Static(tmp_path)


@pytest.fixture
def client(static: Static) -> httpx.AsyncClient:
    app = Starlette(routes=[Mount("/static", app=static)])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test", headers={"accept-encoding": "identity"}
    )


async def test_a_file_is_kept_for_a_year_under_its_true_name_only(client: httpx.AsyncClient, static: Static) -> None:
    found = await client.get(static.url("app.js"))
    assert found.headers["content-type"] == "text/javascript; charset=utf-8"
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    earlier = await client.get("/static/000000000000/app.js")
    assert (earlier.content, earlier.headers["cache-control"]) == (found.content, "no-cache")


async def test_text_is_sent_compressed_where_the_browser_takes_it(client: httpx.AsyncClient, static: Static) -> None:
    plain = await client.get(static.url("app.js"))
    async with client.stream("GET", static.url("app.js"), headers={"accept-encoding": "gzip, br"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content
    assert int(answer.headers["content-length"]) == len(raw) < len(plain.content)
    font = await client.get(static.url("vendor/font.woff2"), headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in font.headers
    assert font.content == b"\0font"


@pytest.mark.parametrize("path", ["nothing.js", "../conftest.py", "%2e%2e/conftest.py", "vendor", "", "/etc/passwd"])
async def test_only_files_of_the_folder_are_found(client: httpx.AsyncClient, static: Static, path: str) -> None:
    root = static.url("app.js").removesuffix("app.js")
    assert (await client.get(root + path)).status_code == 404


def test_scripts_are_sent_without_their_comment_lines(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text('// Why.\nconst a = "// kept"; // kept too\n  // Why not.\nconst b = 1;\n')
    assert Static(tmp_path).body("app.js") == b'\nconst a = "// kept"; // kept too\n\nconst b = 1;\n'


async def test_head_has_no_body_and_post_is_refused(client: httpx.AsyncClient, static: Static) -> None:
    head = await client.head(static.url("app.js"))
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert (await client.post(static.url("app.js"))).status_code == 405


def test_a_change_of_any_file_changes_every_name(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("1")
    (tmp_path / "store.js").write_text("1")
    before = Static(tmp_path).url("app.js")
    (tmp_path / "store.js").write_text("2")
    assert Static(tmp_path).url("app.js") != before


def test_a_name_that_is_no_file_is_refused_at_once(static: Static) -> None:
    with pytest.raises(KeyError, match=r"no static file app\.css"):
        static.url("app.css")


def test_vendored_files_are_those_of_the_hash_list_and_have_their_licence() -> None:
    lines = (VENDOR / "hashes.txt").read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        path.relative_to(VENDOR).as_posix(): path
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "hashes.txt"
    }
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()} == listed
    assert {name.split("/")[0] for name in listed} == {path.parent.name for path in VENDOR.glob("*/LICENSE.txt")}


def test_every_icon_of_the_templates_and_scripts_is_in_the_sprite() -> None:
    sprite = next(VENDOR.glob("lucide-*/icons.svg")).read_text()
    known = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = {
        name for path in templates_dir().rglob("*.html") for name in re.findall(r"icon\('([^']+)'", path.read_text())
    }
    used |= {name for path in static_dir().glob("*.js") for name in re.findall(r'icon: "([^"]+)"', path.read_text())}
    assert used <= known


@pytest.mark.parametrize("path", sorted(templates_dir().rglob("*.html")), ids=lambda path: path.name)
def test_templates_have_no_inline_script_style_or_handler(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "<style" not in text
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "| safe" not in text
    assert "|safe" not in text


@pytest.mark.parametrize("path", sorted(static_dir().glob("*.js")), ids=lambda path: path.name)
def test_scripts_parse_no_markup_and_make_no_code(path: Path) -> None:
    text = path.read_text()
    for sink in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "DOMParser",
        "eval(",
        "new Function",
        "createContextualFragment",
    ):
        assert sink not in text


def loaded_with(name: str, static: Static, found: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """A script with all that it loads at once; what it asks for later, by `import()`, costs nothing before."""
    found = {} if found is None else found
    if name not in found:
        found[name] = static.body(name)
        for other in re.findall(r'(?m)^import [^;]*"\./([^"]+)";', found[name].decode()):
            loaded_with(other, static, found)
    return found


def test_scripts_and_styles_stay_small() -> None:
    static = Static(static_dir())
    scripts = loaded_with("app.js", static)
    assert {"store.js", "live.js", "format.js"} < scripts.keys()
    assert len(gzip.compress(b"".join(scripts[name] for name in sorted(scripts)), 9)) <= 12_000
    assert len(gzip.compress(static.body("app.css"), 9)) <= 8_000
