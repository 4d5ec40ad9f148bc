"""All nodes of the pack as the frontend draws them, for the README: `docs/nodes.webp`.

`python -m tools.node_pictures` opens a headless ComfyUI in a headless Chromium, puts one of each on the canvas and keeps what it shows.
"""

import argparse
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from launch.server import Server
from tools.canvas import opened, shot

ROOT = Path(__file__).resolve().parents[1]
COLUMNS, GAP, TITLE = 6, 30, 30  # of the picture; pixels of the canvas between nodes, and of a node's title above it
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
    return [widths.reduce((sum, width) => sum + width + gap, gap), Math.max(...heights)].map(Math.ceil)
}"""


def picture(page: Page, types: list[str]) -> Image.Image:
    """One of each of the nodes, in columns."""
    size = page.evaluate(PLACE, {"types": types, "columns": COLUMNS, "gap": GAP, "title": TITLE})
    return shot(page, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "nodes.webp")
    args = parser.parse_args()
    with Server(Path(sys.executable)) as server, opened(server) as page:
        infos = server.client.json("/object_info")
        types = sorted((name for name in infos if name.startswith("STUNet")), key=lambda name: (infos[name]["category"], name))
        made = picture(page, types)
        made.save(args.out, quality=85, method=6)
        print(f"{args.out}: {len(types)} nodes, {made.width}x{made.height}")


if __name__ == "__main__":
    main()
