"""A headless browser without a network; any request, error on the console or uncaught error fails the test."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")


@contextmanager
def opened(path: Path, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Any]:
    """Open a file as a page, and check at the end that nothing went wrong."""
    from playwright.sync_api import sync_playwright

    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, **options)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if _is_own(request.url, path) else problems.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()
    assert not problems, problems


def _is_own(url: str, path: Path) -> bool:
    return url.startswith(("data:", "blob:")) or url == path.as_uri()
