"""Pictures of templates whose clips cannot be made here, since they need a checkpoint of one's own: their graphs.

`python -m tools.graph_pictures` draws `workflows/TITLE.jpg` of the twins for SD1.5.
"""

import json
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from launch.server import Server
from tools import templates, twins
from tools.arrange import NOTE
from tools.canvas import opened, shot

SIZE = (1024, 512)  # as `tools.thumbnails` makes them
MARGIN = 40  # pixels of the canvas
LOAD = "(workflow) => window.app.loadGraphData(workflow)"


def picture(page: Page, name: str) -> Image.Image:
    """A template's groups, as large as they fit."""
    workflow = json.loads(templates.drawn_form(name).read_text(encoding="utf-8"))
    workflow["nodes"] = [node for node in workflow["nodes"] if node["type"] != NOTE]
    page.evaluate(LOAD, workflow)
    page.wait_for_timeout(500)  # pictures of the nodes are still loading
    boxes = [group["bounding"] for group in workflow["groups"]]
    left, top = (min(box[k] for box in boxes) - MARGIN for k in (0, 1))
    across, high = (max(box[k] + box[k + 2] for box in boxes) + MARGIN - first for k, first in ((0, left), (1, top)))
    whole = shot(page, (across, high), offset=(-left, -top))
    whole.thumbnail(SIZE, Image.Resampling.LANCZOS)
    out = Image.new("RGB", SIZE, whole.getpixel((0, 0)))  # type: ignore[arg-type]
    out.paste(whole, ((SIZE[0] - whole.width) // 2, (SIZE[1] - whole.height) // 2))
    return out


def main() -> None:
    with Server(Path(sys.executable)) as server, opened(server) as page:
        for name in twins.NAMES:
            picture(page, name).save(templates.picture(name), quality=88)


if __name__ == "__main__":
    main()
