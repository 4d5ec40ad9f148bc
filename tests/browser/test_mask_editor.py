"""Frame of Clip in ComfyUI's own mask editor, on both canvases: what is painted there is the mask of the next run."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from launch.client import Client, File

GRAPH = """async () => {
    const graph = window.app.graph
    graph.clear()
    const types = ['STUNetExampleClip', 'GetVideoComponents', 'STUNetFrameOfClip', 'MaskToImage', 'PreviewImage']
    const [clip, parts, frame, picture, shown] = types.map(
        (type, place) => {
            const node = window.LiteGraph.createNode(type)
            node.pos = [60 + 320 * place, 120]
            graph.add(node)
            return node
        })
    clip.connect(0, parts, 0)
    parts.connect(0, frame, 0)
    frame.connect(1, picture, 0)
    picture.connect(0, shown, 0)
    frame.widgets.find((widget) => widget.name === 'frame').value = 20
    window.frame = frame
    window.outputs = {}
    window.comfyAPI.api.api.addEventListener('executed', (event) => { window.outputs[event.detail.node] = event.detail.output })
    window.mask = () => window.outputs[shown.id]?.images?.[0]
}"""
RUN = """async () => {
    const { api } = window.comfyAPI.api
    const done = new Promise((resolve) => ['execution_success', 'execution_error'].forEach((name) =>
        api.addEventListener(name, (event) => resolve([name, event.detail?.exception_message ?? '']))))
    await window.app.queuePrompt(0)
    return done
}"""
OPEN = """async () => {
    window.app.canvas.selectNode(window.frame)
    await window.app.extensionManager.command.execute('Comfy.MaskEditor.OpenMaskEditor')
}"""


def open_editor(page: Page) -> None:
    """Nodes on the canvas have it in their menu; nodes that are elements of the page on their picture."""
    if page.evaluate("Boolean(window.LiteGraph.vueNodesMode)"):
        picture = page.locator(f"[data-node-id='{page.evaluate('window.frame.id')}'] .image-preview")
        picture.locator("img").wait_for()
        picture.hover()
        picture.get_by_role("button", name="Edit or mask image").click()
    else:
        page.wait_for_function("() => window.frame.imgs?.length")
        page.evaluate(OPEN)


def test_a_frame_of_a_clip_is_painted_in_the_mask_editor(canvas: Page, client: Client) -> None:
    """As a user does it: run, open the editor on what the node shows, paint, save, run again."""
    def mask() -> np.ndarray:
        file = canvas.evaluate("window.mask()")
        return np.asarray(Image.open(io.BytesIO(client.download(File(**file)))).convert("L"))

    canvas.evaluate(GRAPH)
    assert canvas.evaluate(RUN) == ["execution_success", ""]
    assert mask().shape == (256, 256) and not mask().any()
    open_editor(canvas)
    surface = canvas.locator("#maskEditorCanvasContainer canvas").first
    surface.wait_for()
    canvas.wait_for_timeout(1500)  # it fits the picture into the window
    box = surface.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    canvas.mouse.move(x, y)
    canvas.mouse.down()
    canvas.mouse.move(x + 20, y + 5, steps=4)
    canvas.mouse.up()
    canvas.get_by_role("button", name="Save", exact=True).click()
    canvas.wait_for_function("() => window.frame.widgets.find((widget) => widget.name === 'image').value")
    assert canvas.evaluate(RUN) == ["execution_success", ""]
    white = mask() > 127
    assert white[128, 128] and 0 < white.mean() < 0.2
