"""Where the nodes of the templates stand: in groups, read from left to right.

The note, then three lanes (the model, the words, what is given), then what is done, sampling and the result. No link runs backwards.
"""

from collections.abc import Iterable
from typing import Any

GROUPS = {  # title -> types of its nodes and its colour; the first three are lanes, one below the other
    "Model": (("STUNetLoadMini", "CheckpointLoaderSimple", "STUNetApply"), "#6fa8dc"),
    "Words": (("CLIPTextEncode", "STUNetFitWords", "STUNetAddWords", "STUNetThingFromPicture"), "#93c47d"),
    "What is given": (("STUNetExampleClip", "STUNetExamplePicture", "GetVideoComponents", "STUNetMaskPath", "STUNetTrackMask", "VAEEncode",
                       "STUNetEmptyClip", "ImageBatch"), "#e0b64c"),
    "What is done": (("STUNetInpaint", "STUNetExtend", "STUNetImageToVideo", "STUNetKeyframes", "STUNetAnimateRegion",
                      "STUNetOutpaint", "STUNetSteady", "STUNetFollow", "STUNetPlaces", "STUNetStyleReference", "STUNetFitStyle",
                      "STUNetBlendStyle"), "#d58bc4"),
    "Sampling": (("STUNetSampler", "KSampler", "VAEDecode", "STUNetComposite"), "#a4a8e0"),
    "Result": (("CreateVideo", "SaveVideo", "ImageStitch", "STUNetClipReport"), "#d79a8a"),
}
LANES = 3
NOTE = "MarkdownNote"
LEFT, TOP, TITLE = 40, 60, 30  # of the canvas; of a node's title, above its position
BETWEEN, BELOW, BORDER = 70, 70, 20  # columns, nodes of a column, a group and its nodes
HEAD = 40  # of a group

Node = dict[str, Any]


def kind_of(node: Node) -> str:
    """The title of the group that nodes of its type belong to."""
    for title, (types, _) in GROUPS.items():
        if node["type"] in types:
            return title
    raise ValueError(f"{node['type']} is in none of tools/arrange.py's GROUPS")


def grouped(workflow: dict[str, Any]) -> dict[str, list[Node]]:
    """The nodes of each group. What needs something of a later group stands in that one: a picture that is sampled before it is given."""
    titles, rank = list(GROUPS), {title: max(0, k + 1 - LANES) for k, title in enumerate(GROUPS)}
    nodes = {node["id"]: node for node in workflow["nodes"] if node["type"] != NOTE}

    def title(number: int) -> str:
        sources = [title(link[1]) for link in workflow["links"] if link[3] == number]
        own = kind_of(nodes[number])
        latest = max(sources, key=rank.__getitem__, default=own)
        return latest if rank[latest] > rank[own] else own

    own = {number: title(number) for number in nodes}
    return {title: [node for number, node in nodes.items() if own[number] == title] for title in titles}


def depths(nodes: Iterable[Node], links: list[list[Any]]) -> dict[int, int]:
    """For each node's id how many of `nodes` stand before it, one after the other, at most."""
    ids = {node["id"] for node in nodes}
    sources = {number: [link[1] for link in links if link[3] == number and link[1] in ids] for number in ids}

    def depth(number: int) -> int:
        return max((depth(source) + 1 for source in sources[number]), default=0)

    return {number: depth(number) for number in ids}


def columns(nodes: list[Node], links: list[list[Any]]) -> list[list[Node]]:
    """Nodes by how deep they stand, in their old order."""
    deep = depths(nodes, links)
    return [[node for node in nodes if deep[node["id"]] == k] for k in range(max(deep.values(), default=-1) + 1)]


def stand(column: list[Node], x: float, y: float) -> float:
    """Put a column's nodes below each other; returns where the next would stand."""
    for node in column:
        node["pos"] = [x, y]
        y += node["size"][1] + BELOW
    return y


def width(column: list[Node]) -> float:
    return max((node["size"][0] for node in column), default=0)


def frame(nodes: list[Node], title: str, number: int) -> dict[str, Any]:
    """The group around nodes, as the frontend stores it."""
    left, top = (min(node["pos"][k] for node in nodes) for k in (0, 1))
    right, bottom = (max(node["pos"][k] + node["size"][k] for node in nodes) for k in (0, 1))
    return {"id": number, "title": title, "color": GROUPS[title][1], "font_size": 24, "flags": {},
            "bounding": [left - BORDER, top - TITLE - HEAD, right - left + 2 * BORDER, bottom - top + TITLE + HEAD + BORDER]}


def arrange(workflow: dict[str, Any]) -> dict[str, Any]:
    """A drawn form with its nodes in groups; `workflow` itself is changed, and returned."""
    (note,) = [node for node in workflow["nodes"] if node["type"] == NOTE]
    members = grouped(workflow)
    note["pos"] = [LEFT, TOP]
    x = LEFT + note["size"][0] + BETWEEN

    lanes = list(GROUPS)[:LANES]
    y = dict.fromkeys(lanes, 0.0)
    across = columns([node for title in lanes for node in members[title]], workflow["links"])
    top: float = TOP
    for title in lanes:
        y[title] = top
        high = max((sum(node["size"][1] + BELOW for node in column if node in members[title]) for column in across), default=0)
        top += high + HEAD + BORDER if high else 0
    for column in across:
        for title in lanes:
            stand([node for node in column if node in members[title]], x, y[title])
        x += width(column) + BETWEEN
    for title in list(GROUPS)[LANES:]:
        x += 2 * BORDER if members[title] else 0
        for column in columns(members[title], workflow["links"]):
            stand(column, x, TOP)
            x += width(column) + BETWEEN
    workflow["nodes"].sort(key=lambda node: (node["type"] == NOTE, *node["pos"]))
    for order, node in enumerate(workflow["nodes"]):
        node["order"] = order
    workflow["groups"] = [frame(nodes, title, number) for number, (title, nodes) in enumerate(members.items(), 1) if nodes]
    return workflow
