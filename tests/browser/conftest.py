"""A headless Chromium looking at the shared ComfyUI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from launch import browser as browsers
from launch.server import PACK_NAME, Server

VUE_NODES = "Comfy.VueNodes.Enabled"
QUIET = [  # nothing but the page itself: no look-ups at a vendor's hosts
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Complaints:
    """What the page said went wrong, as far as files of this pack are concerned."""

    lines: list[str] = field(default_factory=list)

    def hear(self, page: Page) -> None:
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.note(f"{error.message}\n{error.stack}"))
        page.on("requestfailed", lambda request: self.note(f"not loaded: {request.url}"))

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.note(f"{message.text} ({message.location.get('url')})")

    def note(self, text: str) -> None:
        if f"/{PACK_NAME}/" in text:  # an address of ours; the page also complains of hosts it can not reach
            self.lines.append(text)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    found = browsers.find()
    assert found, f"no Chromium on this machine: `python run.py test` installs one, {browsers.VARIABLE} names another"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(found), headless=True, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(chromium: Browser, comfyui: Server, complaints: Complaints) -> Iterator[Page]:
    """A fresh tab; nothing but this machine can be reached from it."""
    context = chromium.new_context(viewport={"width": 1600, "height": 900})
    context.route(lambda url: not url.startswith(comfyui.url), lambda route: route.abort())
    page = context.new_page()
    page.set_default_timeout(300_000)
    complaints.hear(page)
    yield page
    context.close()


@pytest.fixture(params=[False, True], ids=["classic", "vue"])
def canvas(request: pytest.FixtureRequest, comfyui: Server, page: Page) -> Iterator[Page]:
    """The opened page, with nodes drawn on the canvas and with nodes that are elements of the page."""
    comfyui.client.json(f"/settings/{VUE_NODES}", request.param)
    page.goto(comfyui.url)
    page.wait_for_function("() => window.app?.graph && document.querySelector('[data-testid=queue-button]')")
    yield page
    comfyui.client.json(f"/settings/{VUE_NODES}", False)
