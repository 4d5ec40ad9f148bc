// The moving clip on its node while any sampler makes it. The server sends a picture of all frames now and then (clip_preview.py).

import { api } from '../../../scripts/api.js'
import { app } from '../../../scripts/app.js'
import { ClipPlayer } from './player.js'
import { attach, heightFor, nodeOf } from './place.js'

const EVENT = 'stunet.preview'
const WIDGET = 'stunet_preview'
const SETTINGS = { show: 'STUNet.Preview.Show', fps: 'STUNet.Preview.FramesPerSecond', loop: 'STUNet.Preview.Loop' }
const LATER = 3000 // milliseconds for which core's still of the first frame is kept away after a moving one

const players = new WeakMap() // node -> {player, place, prompt}
const lately = new Map() // id of a node -> when its last moving preview came

function setting(name) {
  return app.extensionManager.setting.get(SETTINGS[name])
}

// Whether the graph that is open is the one that the prompt was made from.
function isOpen(workflow) {
  return !workflow || !app.rootGraph?.id || app.rootGraph.id === workflow || app.graph.id === workflow
}

async function show({ detail }) {
  if (!setting('show') || !isOpen(detail.workflow)) return
  const node = nodeOf(app.rootGraph ?? app.graph, detail.node)
  if (!node) return
  const mine = players.get(node) ?? prepare(node)
  if (mine.prompt !== detail.prompt_id) {
    const height = heightFor(node, detail, mine.place.height())
    if (!height) return // no room: core's own preview stays
    Object.assign(mine.player, { fps: setting('fps'), loop: setting('loop') })
    mine.player.clear()
    mine.place.resize(height)
    mine.prompt = detail.prompt_id
  }
  lately.set(String(detail.node), performance.now())
  await mine.player.show(detail)
}

function prepare(node) {
  const player = new ClipPlayer({ fps: setting('fps'), loop: setting('loop') })
  const mine = { player, place: attach(node, player, WIDGET), prompt: null }
  players.set(node, mine)
  return mine
}

// Whether a node may sample: it takes a model and what is to be seen, or a guider, and gives latents.
function samples(node) {
  const [takes, gives] = [node.inputs, node.outputs].map((slots) => new Set(slots?.map((slot) => slot.type)))
  return gives.has('LATENT') && (takes.has('GUIDER') || (takes.has('MODEL') && takes.has('CONDITIONING')))
}

// Core shows the first frame of a batch; where the clip moves, that would cover it.
function withoutStill(event) {
  const { displayNodeId, nodeId } = event.detail ?? {}
  const last = lately.get(String(displayNodeId ?? nodeId ?? app.runningNodeId))
  if (last !== undefined && performance.now() - last < LATER) event.stopImmediatePropagation()
}

api.addEventListener(EVENT, show)
api.addEventListener('b_preview_with_metadata', withoutStill, { capture: true })
api.addEventListener('b_preview', withoutStill, { capture: true })

app.registerExtension({
  name: 'STUNet.Preview',
  settings: [
    { id: SETTINGS.show, name: 'Show the moving clip while it is sampled', type: 'boolean', defaultValue: true, category: ['STUNet', 'Preview', 'Show'] },
    { id: SETTINGS.fps, name: 'Frames per second of the preview', type: 'slider', defaultValue: 16, attrs: { min: 1, max: 60, step: 1 }, category: ['STUNet', 'Preview', 'Rate'] },
    { id: SETTINGS.loop, name: 'Play the preview in a loop', type: 'boolean', defaultValue: true, category: ['STUNet', 'Preview', 'Loop'] }
  ],
  // Nodes that are elements of the page learn of widgets only while they are made.
  nodeCreated(node) {
    if (LiteGraph.vueNodesMode && samples(node)) prepare(node)
  },
  setup() {
    const style = document.createElement('link')
    Object.assign(style, { rel: 'stylesheet', href: new URL('./preview.css', import.meta.url).href })
    document.head.append(style)
  }
})
