// A clip that plays in an element: all frames come in one picture, rows of them side by side. Click or space pauses, the slider shows and
// chooses the frame.

const GIVEN = 'stunet-preview-given'

export class ClipPlayer {
  constructor({ fps, loop }) {
    this.fps = fps
    this.loop = loop
    this.strip = null // {image, frames, columns, width, height, given}
    this.frame = 0
    this.playing = !matchMedia('(prefers-reduced-motion: reduce)').matches
    this.shownAt = 0
    this.asked = 0
    this.root = this.build()
  }

  build() {
    const root = document.createElement('div')
    root.className = 'stunet-preview'
    root.setAttribute('role', 'group')
    root.setAttribute('aria-label', 'Clip while it is made')
    root.dataset.captureWheel = 'false'
    this.canvas = document.createElement('canvas')
    this.canvas.tabIndex = 0
    this.canvas.setAttribute('role', 'button')
    this.canvas.addEventListener('click', () => this.toggle())
    this.canvas.addEventListener('keydown', (event) => {
      if (event.key !== ' ' && event.key !== 'Enter') return
      event.preventDefault()
      event.stopPropagation()
      this.toggle()
    })
    this.slider = document.createElement('input')
    this.slider.type = 'range'
    this.slider.min = this.slider.value = '0'
    this.slider.setAttribute('aria-label', 'Frame')
    this.slider.addEventListener('input', () => this.seek(Number(this.slider.value)))
    this.marks = document.createElement('div') // where given frames are
    this.marks.className = 'stunet-preview-marks'
    root.append(this.canvas, this.marks, this.slider)
    for (const kind of ['pointerdown', 'pointermove', 'pointerup']) root.addEventListener(kind, (event) => event.stopPropagation())
    this.say()
    return root
  }

  // What the server sent: the picture is decoded first, so that nothing flashes. A picture that comes late is dropped.
  async show(message) {
    const asked = ++this.asked
    const image = new Image()
    image.src = `data:image/jpeg;base64,${message.image}`
    await image.decode()
    if (asked !== this.asked) return
    const first = this.strip === null
    this.strip = { ...message, image, given: new Set(message.given) }
    this.slider.max = String(message.frames - 1)
    this.frame = Math.min(this.frame, message.frames - 1)
    this.mark()
    this.draw()
    if (first) this.run()
  }

  // Forget the clip: a new run begins.
  clear() {
    this.asked++
    this.strip = null
    this.frame = 0
  }

  mark() {
    const { frames, given } = this.strip
    this.marks.replaceChildren(
      ...[...given].map((number) => {
        const mark = document.createElement('span')
        mark.style.left = `${frames > 1 ? (100 * number) / (frames - 1) : 0}%`
        return mark
      })
    )
  }

  toggle() {
    this.playing = !this.playing
    if (this.playing && !this.loop && this.strip && this.frame === this.strip.frames - 1) this.frame = 0
    this.say()
    this.run()
  }

  seek(frame) {
    this.playing = false
    this.frame = frame
    this.say()
    this.draw()
  }

  say() {
    this.canvas.setAttribute('aria-label', this.playing ? 'Pause the clip' : 'Play the clip')
    this.canvas.title = this.playing ? 'Pause' : 'Play'
  }

  // Plays until it is paused or taken off the page for good.
  run() {
    if (this.running) return
    this.running = true
    const step = (now) => {
      if (!this.playing || !this.strip || this.ended) {
        this.running = false
        return
      }
      const { frames, every } = this.strip
      const due = 1000 / (this.fps / every)
      if (now - this.shownAt >= due) {
        this.shownAt = now - this.shownAt < 2 * due ? this.shownAt + due : now
        if (this.loop || this.frame < frames - 1) this.frame = (this.frame + 1) % frames
        else this.toggle()
        this.draw()
      }
      requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  }

  draw() {
    if (!this.strip) return
    const { image, columns, width, height, given } = this.strip
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width
      this.canvas.height = height
    }
    const [x, y] = [(this.frame % columns) * width, Math.floor(this.frame / columns) * height]
    this.canvas.getContext('2d').drawImage(image, x, y, width, height, 0, 0, width, height)
    this.canvas.classList.toggle(GIVEN, given.has(this.frame))
    this.slider.value = String(this.frame)
    this.slider.setAttribute('aria-valuetext', `frame ${this.frame * this.strip.every + 1}`)
  }

  // The node is gone.
  end() {
    this.ended = true
  }
}
