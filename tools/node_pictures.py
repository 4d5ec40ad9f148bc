"""All nodes of the pack as the frontend draws them, for the README: `docs/nodes.webp`.

`python -m tools.node_pictures` opens a headless ComfyUI in a headless Chromium, puts one of each on the canvas and keeps what it shows.
"""

import argparse
import base64
import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from launch import browser
from launch.server import Server

ROOT = Path(__file__).resolve().parents[1]
COLUMNS, GAP, TITLE = 6, 30, 30  # of the picture; pixels of the canvas between nodes, and of a node's title above it
READY = "() => window.app?.graph && document.querySelector('[data-testid=queue-button]')"
PLACE = """({types, columns, gap, title}) => {
    const app = window.app, heights = Array(columns).fill(gap), widths = Array(columns).fill(0), of = []
    app.graph.clear()
    for (const type of types) {
        const node = LiteGraph.createNode(type)
        const [width, height] = node.computeSize()
        node.size = [Math.max(width, 8.5 * node.title.length + 60), height]
        app.graph.add(node)
        const column = heights.indexOf(Math.min(...heights))
        of.push([node, column, heights[column] + title])
        heights[column] += node.size[1] + title + gap
        widths[column] = Math.max(widths[column], node.size[0])
    }
    for (const [node, column, top] of of)
        node.pos = [gap + widths.slice(0, column).reduce((sum, width) => sum + width + gap, 0), top]
    app.canvas.ds.scale = 1
    app.canvas.ds.offset = [0, 0]
    app.canvas.show_info = false
    app.canvas.setDirty(true, true)
    return [widths.reduce((sum, width) => sum + width + gap, gap), Math.max(...heights)].map(Math.ceil)
}"""
SHOT = """async ([width, height]) => {
    const app = window.app, canvas = app.canvas
    canvas.resize(width, height)
    canvas.ds.offset = [0, 0]
    canvas.draw(true, true)
    return canvas.canvas.toDataURL('image/png').split(',')[1]
}"""


def picture(page: Page, types: list[str]) -> Image.Image:
    """One of each of the nodes, in columns."""
    size = page.evaluate(PLACE, {"types": types, "columns": COLUMNS, "gap": GAP, "title": TITLE})
    shown = page.evaluate(SHOT, size)
    return Image.open(io.BytesIO(base64.b64decode(shown))).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "nodes.webp")
    args = parser.parse_args()
    with Server(Path(sys.executable)) as server, sync_playwright() as playwright:
        infos = server.client.json("/object_info")
        types = sorted((name for name in infos if name.startswith("STUNet")), key=lambda name: (infos[name]["category"], name))
        chromium = playwright.chromium.launch(executable_path=str(browser.find_or_install(Path(sys.executable))), headless=True,
                                              args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 1600, "height": 900})
        page.route(lambda url: not url.startswith(server.url), lambda route: route.abort())
        page.set_default_timeout(300_000)
        page.goto(server.url)
        page.wait_for_function(READY)
        made = picture(page, types)
        made.save(args.out, quality=85, method=6)
        print(f"{args.out}: {len(types)} nodes, {made.width}x{made.height}")


if __name__ == "__main__":
    main()
