"""The frontend's canvas in a headless Chromium, as a picture: for tools that draw nodes and graphs."""

import base64
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from launch import browser
from launch.server import Server

VUE_NODES = "Comfy.VueNodes.Enabled"
READY = "() => window.app?.graph && document.querySelector('[data-testid=queue-button]')"
SHOT = """async ([width, height, x, y]) => {
    const app = window.app, canvas = app.canvas
    canvas.resize(width, height)
    canvas.ds.scale = 1
    canvas.ds.offset = [x, y]
    canvas.show_info = false
    canvas.draw(true, true)
    return canvas.canvas.toDataURL('image/png').split(',')[1]
}"""


@contextmanager
def opened(server: Server) -> Iterator[Page]:
    """The frontend of a server in Chromium, ready, and cut off from all other hosts. Nodes are drawn on the canvas: where they are elements
    of the page, as a user may have set, no picture of the canvas shows them."""
    server.client.json(f"/settings/{VUE_NODES}", False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(browser.find_or_install(Path(sys.executable))), headless=True,
                                              args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 1600, "height": 900})
        page.route(lambda url: not url.startswith(server.url), lambda route: route.abort())
        page.set_default_timeout(300_000)
        page.goto(server.url)
        page.wait_for_function(READY)
        yield page


def shot(page: Page, size: Sequence[float], offset: Sequence[float] = (0, 0)) -> Image.Image:
    """A picture of `size` pixels (width, height) of the canvas, moved by `offset`. Texts are drawn only at full size."""
    encoded = page.evaluate(SHOT, [*map(round, size), *offset])
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
