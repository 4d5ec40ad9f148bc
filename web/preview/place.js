// Where a player stands: in its node, no larger than the room that the node has there.

const TITLE = 30 // pixels of a node's title, above its position
const APART = 12 // from the node below
const BAR = 26 // of the slider
const SIDES = 20 // left and right of the clip
const LEAST = 60
const MOST = 400
const IN_VUE = 1.45 // how much higher nodes are that are elements of the page
const AROUND = 24 // what the canvas leaves above and below a widget

// The node of an id such as "12:5": node 5 of the subgraph that node 12 is.
export function nodeOf(graph, id) {
  let found = null
  for (const part of String(id).split(':')) {
    const inside = found ? found.subgraph : graph
    found = inside?.getNodeById(Number(part)) ?? inside?.getNodeById(part) ?? null
    if (!found) return null
  }
  return found
}

// Pixels that the node's own things leave free, and those below it, down to the next node. `own`: what a player takes already.
export function room(node, own) {
  const least = (node.computeSize()[1] - own) * (LiteGraph.vueNodesMode ? IN_VUE : 1)
  const free = node.size[1] - least - AROUND
  const [left, right, bottom] = [node.pos[0], node.pos[0] + node.size[0], node.pos[1] + node.size[1]]
  let below = Infinity
  for (const other of node.graph?.nodes ?? []) {
    if (other === node || other.pos[0] >= right || other.pos[0] + other.size[0] <= left || other.pos[1] < node.pos[1]) continue
    below = Math.min(below, other.pos[1] - TITLE - APART - bottom)
  }
  return Math.max(0, free + below) // less than none below: a node that stands on this one
}

// How high a clip of that shape is in the node; 0 where there is no room for it.
export function heightFor(node, { width, height }, own = 0) {
  const wanted = Math.min(MOST, ((node.size[0] - SIDES) * height) / width + BAR)
  const fits = Math.floor(Math.min(wanted, room(node, own)))
  return fits < LEAST ? 0 : fits
}

// Add a player to a node, as a widget that no workflow and no prompt stores, and that takes no room until it is given a height.
export function attach(node, player, name) {
  const at = { height: 0 }
  const widget = node.addDOMWidget(name, name, player.root, {
    serialize: false,
    hideOnZoom: false,
    getValue: () => '',
    setValue: () => {},
    getMinHeight: () => at.height,
    getMaxHeight: () => at.height
  })
  widget.serialize = false
  widget.hidden = true
  player.root.style.display = 'none'
  const removed = node.onRemoved
  node.onRemoved = function (...args) {
    player.end()
    return removed?.apply(this, args)
  }
  const resize = (height) => {
    at.height = height
    widget.hidden = false
    Object.assign(player.root.style, { display: '', height: `${height}px` })
    const [width, least] = [node.size[0], node.computeSize()[1]]
    if (node.size[1] < least) node.setSize([width, least])
    node.graph?.setDirtyCanvas(true, true)
  }
  return { widget, resize, height: () => at.height }
}
