"""The moving clip on its sampler while it is denoised: it plays, pauses, is scrubbed by mouse and keys, and leaves workflows alone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Complaints
from tests.browser.test_ui import LISTEN, SET_WIDGETS, load

QUEUE = "() => { window.app.queuePrompt(0) }"
STORED = "() => window.app.graph.serialize().nodes.map((node) => JSON.stringify([node.id, node.widgets_values])).sort()"
HEIGHT = "() => window.app.graph.nodes.find((node) => /Sampler$/.test(node.type)).size[1]"
OVERLAPS = """(type) => {
    const nodes = window.app.graph.nodes, mine = nodes.find((node) => node.type === type)
    const box = (node) => [node.pos[0], node.pos[1] - 30, node.pos[0] + node.size[0], node.pos[1] + node.size[1]]
    const [x0, y0, x1, y1] = box(mine)
    return nodes.filter((node) => node !== mine).map(box).filter(([a, b, c, d]) => x0 < c && a < x1 && y0 < d && b < y1).length
}"""
CENTRE = """() => window.app.canvas.centerOnNode(window.app.graph.nodes.find((node) => /Sampler$/.test(node.type)))"""
PAINTED = """(canvas) => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
    return new Set(pixels).size
}"""
CROWD = """(type) => {
    const mine = window.app.graph.nodes.find((node) => node.type === type), other = LiteGraph.createNode('Reroute')
    const least = mine.computeSize()[1]
    mine.setSize([mine.size[0], least])
    other.pos = [mine.pos[0] + 10, mine.pos[1] + 1.4 * least]
    window.app.graph.add(other)
}"""


def start(page: Page, name: str, **widgets: Any) -> None:
    """Open a short variation of a template, with its sampler in the middle."""
    load(page, name)
    page.evaluate(CENTRE)
    now = page.evaluate("Date.now()")
    settings = {"seconds": 0.5, "steps": 4, "filename_prefix": f"browser/{now}", "seed": now % 10**6}
    page.evaluate(SET_WIDGETS, settings | widgets)
    page.evaluate(LISTEN)


def frame(player: Locator) -> int:
    return int(player.get_by_role("slider").input_value())


def test_the_clip_moves_on_its_sampler_and_obeys_mouse_and_keys(canvas: Page, complaints: Complaints) -> None:
    start(canvas, "image_to_video")
    before, height = canvas.evaluate(STORED), canvas.evaluate(HEIGHT)
    canvas.evaluate(QUEUE)
    player = canvas.get_by_role("group", name="Clip while it is made")
    expect(player).to_be_visible(timeout=300_000)
    picture = player.locator("canvas")
    assert picture.evaluate("(canvas) => [canvas.width, canvas.height]") == [64, 64]
    assert picture.evaluate(PAINTED) > 8, "colours of the clip"
    seen = {frame(player) for _ in range(40) if canvas.wait_for_timeout(40) is None}
    assert len(seen) > 2, "it plays"
    canvas.wait_for_function("() => window.outcome")
    assert canvas.evaluate("window.outcome") == ["execution_success", ""]
    assert player.locator(".stunet-preview-marks span").count() == 1, "one frame is given"

    picture.dispatch_event("click")
    expect(picture).to_have_attribute("aria-label", "Play the clip")
    paused = frame(player)
    canvas.wait_for_timeout(300)
    assert frame(player) == paused
    picture.focus()
    canvas.keyboard.press(" ")
    expect(picture).to_have_attribute("aria-label", "Pause the clip")
    slider = player.get_by_role("slider")
    slider.focus()
    canvas.keyboard.press("Home")
    expect(picture).to_have_attribute("aria-label", "Play the clip")
    expect(picture).to_have_class("stunet-preview-given")
    canvas.keyboard.press("ArrowRight")
    assert frame(player) == 1
    expect(picture).not_to_have_class("stunet-preview-given")

    assert canvas.evaluate(STORED) == before, "no workflow stores it"
    assert abs(canvas.evaluate(HEIGHT) - height) < 1, "the template left room for it"
    assert canvas.evaluate(OVERLAPS, "STUNetSampler") == 0
    assert complaints.lines == []


def test_core_s_sampler_shows_the_clip_too_and_a_second_run_takes_the_same_place(page: Page, canvas: Page, complaints: Complaints) -> None:
    start(canvas, "text_to_video_core_ksampler")
    for seed in (1, 2):
        canvas.evaluate(SET_WIDGETS, {"seed": seed})
        canvas.evaluate("() => { window.outcome = null }")
        canvas.evaluate(QUEUE)
        canvas.wait_for_function("() => window.outcome")
        assert canvas.evaluate("window.outcome") == ["execution_success", ""]
        expect(canvas.get_by_role("group", name="Clip while it is made")).to_have_count(1)
    assert canvas.evaluate(OVERLAPS, "KSampler") == 0
    assert complaints.lines == []


def test_where_there_is_no_room_or_no_wish_nothing_is_shown(canvas: Page, complaints: Complaints) -> None:
    start(canvas, "text_to_video")
    canvas.evaluate(CROWD, "STUNetSampler")
    canvas.evaluate(QUEUE)
    canvas.wait_for_function("() => window.outcome")
    expect(canvas.get_by_role("group", name="Clip while it is made")).to_have_count(0)
    start(canvas, "text_to_video")
    canvas.evaluate("() => window.app.extensionManager.setting.set('STUNet.Preview.Show', false)")
    canvas.evaluate(QUEUE)
    canvas.wait_for_function("() => window.outcome")
    expect(canvas.get_by_role("group", name="Clip while it is made")).to_have_count(0)
    canvas.evaluate("() => window.app.extensionManager.setting.set('STUNet.Preview.Show', true)")
    assert complaints.lines == []
