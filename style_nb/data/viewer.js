// A picture on the page: a handle between two, zoom and pan, a brush, files dropped onto it. See nbs/54_viewer.ipynb.
const PART = 4e6 // bytes of a file in one message; a Jupyter server takes no message above 10 MB
const MOST_ZOOM = 8 // screen pixels for one of the picture
const BUTTONS = [
  ['−', 'Zoom out (−)'],
  ['+', 'Zoom in (+)'],
  ['Fit', 'Fit: the whole picture'],
  ['1:1', '1:1, a pixel of the picture for one of the screen'],
  ['Before/after', 'Before/after: a handle between the two (B)'],
]
const COMPARE = 4 // its place among them
const LOOKS = [
  'split', 'toggle', 'zoom', 'size', 'names', 'alt', 'height', 'buttons',
  'brush', 'busy', 'note', 'accept', 'several', 'placeholder',
]
const BRUSH = {region: '', tint: '#2f6fbf', radius: .04, erase: false, fill: false}

const between = (low, value, high) => Math.min(high, Math.max(low, value))

function made(tag, name, traits = {}) {
  const node = document.createElement(tag)
  node.className = `sn-viewer-${name}`
  for (const key in traits) node.setAttribute(key, traits[key])
  return node
}

function parts() {
  const page = {
    // Lab has shortcuts of its own for plain letters, and looks first
    stage: made('div', 'stage', {tabindex: 0, role: 'group', 'data-lm-suppress-shortcuts': 'true'}),
    sheet: made('div', 'sheet'),
    ink: made('canvas', 'ink', {'aria-hidden': true}),
    left: made('span', 'name sn-viewer-left'),
    right: made('span', 'name sn-viewer-right'),
    handle: made('div', 'handle', {role: 'slider', tabindex: 0, 'aria-valuemin': 0, 'aria-valuemax': 100}),
    tools: made('div', 'tools', {role: 'group', 'aria-label': 'Zoom'}),
    drop: made('button', 'drop', {type: 'button'}),
    chooser: made('input', 'chooser', {type: 'file', tabindex: -1, 'aria-hidden': true}),
    said: made('div', 'said', {role: 'status'}),
  }
  page.buttons = BUTTONS.map(([text, label]) => {
    const button = made('button', 'button', {type: 'button', 'aria-label': label, title: label})
    button.textContent = text
    page.tools.append(button)
    return button
  })
  const {stage, sheet, ink, left, right, handle, drop, chooser, said, tools} = page
  stage.append(sheet, ink, left, right, handle, drop, chooser, said, tools)
  return page
}

// ---- pictures: decoded before they are shown, so that nothing flickers; of many that arrive at once the last

function pictureOf(model, name, sheet, shown) {
  let image = null
  let loading = false
  let late = false

  async function decoded() {
    const bytes = model.get(name)
    if (!bytes?.byteLength) return null
    const next = made('img', name, {draggable: false, alt: ''})
    next.src = URL.createObjectURL(new Blob([bytes]))
    try {
      await next.decode()
    } catch {
      URL.revokeObjectURL(next.src)
      return image // what cannot be read leaves the one before
    }
    return next
  }

  function forget() {
    if (!image) return
    URL.revokeObjectURL(image.src)
    image.remove()
  }

  function put(next) {
    if (next === image) return
    if (next && image) image.before(next)
    else if (next && name === 'other') sheet.prepend(next)
    else if (next) sheet.append(next)
    forget()
    image = next
  }

  async function load() {
    late = true
    if (loading) return
    loading = true
    while (late) {
      late = false
      put(await decoded())
      shown()
    }
    loading = false
    shown()
  }

  return {load, forget, now: () => image, loading: () => loading}
}

// ---- where the pictures lie: `zoom` in screen pixels (0: all of it), `x` and `y` what is in the middle, as shares

function geometry(model, page, picture, other) {
  const look = {x: .5, y: .5}

  function size() {
    const [width, height] = model.get('size')
    if (width && height) return [width, height]
    const image = picture.now() ?? other.now()
    return image ? [image.naturalWidth, image.naturalHeight] : [3, 2]
  }

  function measured() {
    const [width, height] = size()
    const stage = [page.stage.clientWidth, page.stage.clientHeight]
    const fit = Math.min(stage[0]/width, stage[1]/height)
    const zoom = model.get('zoom')
    const scale = zoom ? zoom/devicePixelRatio : fit
    const sheet = [width*scale, height*scale]
    look.x = held(look.x, stage[0]/sheet[0])
    look.y = held(look.y, stage[1]/sheet[1])
    const corner = [stage[0]/2 - look.x*sheet[0], stage[1]/2 - look.y*sheet[1]]
    return {stage, sheet, corner, scale, fit}
  }

  function held(middle, share) {
    if (!(share < 1)) return .5
    return between(share/2, middle, 1 - share/2)
  }

  function edges({stage, sheet, corner}) {
    return [Math.max(0, corner[0]), Math.min(stage[0], corner[0] + sheet[0])]
  }

  function pan(dx, dy) {
    const {sheet} = measured()
    look.x -= dx/sheet[0]
    look.y -= dy/sheet[1]
  }

  function zoomed() {
    const {stage, sheet} = measured()
    return sheet[0] > stage[0] + 1 || sheet[1] > stage[1] + 1
  }

  // what lies under `point` (in the stage) stays there
  function zoomTo(zoom, point) {
    const {corner, sheet, stage, fit} = measured()
    const under = [0, 1].map(k => (point[k] - corner[k])/sheet[k])
    const least = fit*devicePixelRatio
    const wanted = zoom && Math.min(zoom, Math.max(MOST_ZOOM, least))
    model.set('zoom', wanted > least*1.001 || wanted === 1 ? wanted : 0)
    const now = measured()
    look.x = under[0] + (stage[0]/2 - point[0])/now.sheet[0]
    look.y = under[1] + (stage[1]/2 - point[1])/now.sheet[1]
  }

  const present = () => model.get('zoom') || measured().fit*devicePixelRatio

  return {size, measured, edges, pan, zoomed, zoomTo, present}
}

// ---- the brush: a stroke is drawn here while it is made, and stays until Python's picture has it

function brushOf(model, page, place) {
  const ink = page.ink.getContext('2d')
  let strokes = [] // those that the picture does not show yet
  let stroke = null // the one under way
  let tip = null // where the pointer is

  function brush() {
    const given = model.get('brush')
    return given && {...BRUSH, ...given}
  }

  function at(event) {
    const box = page.sheet.getBoundingClientRect()
    const shares = [(event.clientX - box.left)/box.width, (event.clientY - box.top)/box.height]
    return shares.map(v => +between(0, v, 1).toFixed(3))
  }

  function trace({points, radius, erase, fill, tint}, {sheet, corner}, done) {
    const on = ([x, y]) => [corner[0] + x*sheet[0], corner[1] + y*sheet[1]]
    ink.beginPath()
    ink.lineCap = 'round'
    ink.lineJoin = 'round'
    ink.lineWidth = Math.max(2, 2*radius*Math.max(...sheet))
    ink.strokeStyle = erase ? '#fff' : tint
    ink.fillStyle = ink.strokeStyle
    ink.moveTo(...on(points[0]))
    for (const point of points) ink.lineTo(...on(point))
    if (fill && done) {
      ink.closePath()
      ink.fill()
    } else {
      ink.stroke()
    }
  }

  function draw() {
    const measure = place.measured()
    page.ink.width = measure.stage[0]
    page.ink.height = measure.stage[1]
    for (const each of strokes) trace(each, measure, true)
    if (stroke) trace(stroke, measure, true)
    else if (tip && brush()) trace({...brush(), points: [tip]}, measure, false)
  }

  function start(event) {
    stroke = {...brush(), points: [at(event)]}
    draw()
  }

  function move(event) {
    tip = at(event)
    if (stroke) lengthen()
    draw()
  }

  function lengthen() {
    const {sheet} = place.measured()
    const last = stroke.points.at(-1)
    const far = Math.hypot((tip[0] - last[0])*sheet[0], (tip[1] - last[1])*sheet[1])
    if (far > 3) stroke.points.push(tip)
  }

  function end() {
    if (!stroke) return
    const {points, region, radius, erase, fill} = stroke
    const id = crypto.getRandomValues(new Uint32Array(2)).join('-')
    strokes.push({...stroke, id})
    stroke = null
    model.send({kind: 'stroke', id, stroke: {region, points, radius, erase, fill}})
    draw()
  }

  function cancel() {
    stroke = null
    tip = null
    draw()
  }

  function heard(id) {
    for (const each of strokes) each.heard ||= each.id === id
  }

  function shown() {
    strokes = strokes.filter(each => !each.heard)
    draw()
  }

  return {brush, draw, start, move, end, cancel, heard, shown, drawing: () => Boolean(stroke)}
}

// ---- files: dropped, pasted or chosen; sent in parts

function fileTaker(model, page, say) {
  const MB = bytes => Math.ceil(bytes/1e6)

  function refusal(files) {
    const most = model.get('most')
    const all = files.reduce((sum, file) => sum + file.size, 0)
    if (!files.length) return 'That is no file: save the picture first, then drop the file here.'
    if (all <= most) return ''
    const what = files.length === 1 ? `${files[0].name} has` : `${files.length} files have`
    return `${what} ${MB(all)} MB: give at most ${MB(most)} MB.`
  }

  async function send(files) {
    const whole = new Blob(files)
    const about = {
      kind: 'files',
      id: crypto.getRandomValues(new Uint32Array(2)).join('-'),
      files: files.map(({name, type, size}) => ({name, type, size})),
      parts: Math.max(1, Math.ceil(whole.size/PART)),
    }
    for (let part = 0; part < about.parts; part++) {
      const bytes = await whole.slice(part*PART, (part + 1)*PART).arrayBuffer()
      model.send({...about, part}, undefined, [bytes])
    }
  }

  async function take(list) {
    const files = [...list]
    const wrong = refusal(files)
    say(wrong)
    if (wrong) return
    try {
      await send(files)
    } catch {
      say(`${files[0].name} cannot be read: give picture files, not a folder.`)
    }
  }

  const wanted = event => model.get('accept') && event.dataTransfer?.types.includes('Files')

  function over(event) {
    if (!model.get('accept')) return
    event.preventDefault()
    event.stopPropagation()
    page.stage.classList.toggle('sn-viewer-over', event.type === 'dragover')
  }

  function dropped(event) {
    over(event)
    if (model.get('accept')) take(wanted(event) ? event.dataTransfer.files : [])
  }

  function pasted(event) {
    const files = event.clipboardData?.files
    if (!model.get('accept') || !files?.length) return
    event.preventDefault()
    event.stopPropagation()
    take(files)
  }

  function chosen() {
    take(page.chooser.files)
    page.chooser.value = ''
  }

  return {over, dropped, pasted, chosen}
}

// ---- all of it together

function render({model, el}) {
  const page = parts()
  const picture = pictureOf(model, 'picture', page.sheet, pictureShown)
  const other = pictureOf(model, 'other', page.sheet, arrange)
  const place = geometry(model, page, picture, other)
  const brush = brushOf(model, page, place)
  const files = fileTaker(model, page, say)
  const pointers = new Map()
  let saving = null
  let trouble = '' // what is said about files
  let lastSplit = .5 // where the handle was when it was put away

  function say(text) {
    trouble = text
    describe()
  }

  function pictureShown() {
    arrange()
    if (!picture.loading()) brush.shown()
  }

  const comparable = () => Boolean(picture.now() && other.now() && !brush.brush())

  function comparing() {
    const split = model.get('split')
    return comparable() && split !== null && split >= 0
  }

  function arrange() {
    const [width, height] = place.size()
    page.stage.style.aspectRatio = `${width} / ${height}`
    page.stage.style.maxHeight = `${model.get('height')}px`
    const measure = place.measured()
    const {sheet, corner, scale} = measure
    page.sheet.style.width = `${sheet[0]}px`
    page.sheet.style.height = `${sheet[1]}px`
    page.sheet.style.transform = `translate(${corner[0]}px, ${corner[1]}px)`
    page.sheet.classList.toggle('sn-viewer-grains', scale*devicePixelRatio > 2.5 && model.get('zoom') > 0)
    page.stage.classList.toggle('sn-viewer-drawing', Boolean(brush.brush()))
    page.stage.classList.toggle('sn-viewer-zoomed', place.zoomed())
    describe()
    divide(measure)
    brush.draw()
  }

  function divide(measure) {
    const split = comparing() ? model.get('split') : 0
    const [left, right] = place.edges(measure)
    const x = left + split*(right - left)
    const share = between(0, (x - measure.corner[0])/measure.sheet[0], 1)
    const newer = picture.now()
    if (newer) newer.style.clipPath = comparing() ? `inset(0 0 0 ${100*share}%)` : ''
    if (other.now()) layUnder(newer, other.now())
    page.handle.hidden = !comparing()
    page.handle.style.left = `${x}px`
    placeNames(left, x, right, measure.stage[0])
  }

  // a picture of another shape is not stretched; rounding to whole pixels is
  function layUnder(newer, older) {
    const shape = image => image.naturalWidth/image.naturalHeight
    older.hidden = Boolean(newer) && !comparing()
    if (!newer) return
    older.style.objectFit = Math.abs(shape(older)/shape(newer) - 1) > .03 ? 'contain' : 'fill'
  }

  // in the corners of the picture, as long as the handle has not passed them
  function placeNames(left, x, right, width) {
    page.left.style.left = `${left + 8}px`
    page.right.style.right = `${width - right + 8}px`
    const room = [x - left, right - x]
    const names = [page.left, page.right]
    names.forEach((name, k) => {
      name.style.visibility = room[k] < name.offsetWidth + 12 ? 'hidden' : ''
    })
  }

  // ---- what is said in words

  function describe() {
    const any = Boolean(picture.now() || other.now())
    const [first, second] = model.get('names')
    named(page.left, comparing() ? first : '')
    named(page.right, any ? second : '')
    describeHandle(first || 'before', second || 'after')
    describeImages(first)
    page.stage.setAttribute('aria-label', 'Picture; enlarged, arrow keys move it, plus and minus zoom, 0 shows all')
    page.stage.setAttribute('aria-busy', model.get('busy'))
    page.tools.hidden = !any || !model.get('buttons')
    page.drop.hidden = any || !model.get('accept')
    page.drop.textContent = model.get('placeholder')
    page.chooser.accept = model.get('accept')
    page.chooser.multiple = model.get('several')
    const said = trouble || model.get('note')
    if (page.said.textContent !== said) page.said.textContent = said
    page.buttons[2].setAttribute('aria-pressed', model.get('zoom') === 0)
    page.buttons[3].setAttribute('aria-pressed', model.get('zoom') === 1)
    page.buttons[COMPARE].setAttribute('aria-pressed', comparing())
    page.buttons[COMPARE].hidden = !model.get('toggle') || !comparable()
  }

  function named(node, text) {
    node.textContent = text
    node.hidden = !text
  }

  function describeHandle(first, second) {
    const percent = Math.round(100*model.get('split'))
    page.handle.setAttribute('aria-label', `Compare: ${first} to the left, ${second} to the right`)
    page.handle.setAttribute('aria-valuenow', percent)
    page.handle.setAttribute('aria-valuetext', `${percent}% ${first}, ${100 - percent}% ${second}`)
  }

  function describeImages(first) {
    const newer = picture.now()
    if (newer) newer.alt = model.get('alt')
    if (other.now()) other.now().alt = newer ? first : model.get('alt')
  }

  // ---- moves

  function save() {
    clearTimeout(saving)
    saving = setTimeout(() => model.save_changes(), 150)
  }

  const inStage = event => {
    const box = page.stage.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }
  const middle = () => place.measured().stage.map(v => v/2)

  function zoomTo(zoom, point = middle()) {
    place.zoomTo(zoom, point)
    arrange()
    save()
  }

  function splitTo(split) {
    model.set('split', between(0, split, 1))
    arrange()
    save()
  }

  function toggle() {
    if (!comparing()) return splitTo(lastSplit)
    lastSplit = between(.1, model.get('split'), .9)
    model.set('split', null)
    arrange()
    save()
  }

  function handleMoved(event) {
    if (!page.handle.hasPointerCapture(event.pointerId)) return
    const [left, right] = place.edges(place.measured())
    splitTo((inStage(event)[0] - left)/(right - left))
  }

  function handleHeld(event) {
    event.stopPropagation()
    page.handle.setPointerCapture(event.pointerId)
  }

  function handleKey(event) {
    const steps = {ArrowLeft: -.02, ArrowDown: -.02, ArrowRight: .02, ArrowUp: .02, PageDown: -.1, PageUp: .1}
    const ends = {Home: 0, End: 1}
    const {key} = event
    if (!(key in steps) && !(key in ends)) return
    event.preventDefault()
    event.stopPropagation()
    splitTo(key in ends ? ends[key] : Math.round(100*(model.get('split') + steps[key]))/100)
  }

  function stageKey(event) {
    if (event.target !== page.stage || event.ctrlKey || event.metaKey || event.altKey) return
    const pans = {ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40]}
    const zooms = {'+': place.present()*1.25, '=': place.present()*1.25, '-': place.present()/1.25, 0: 0, 1: 1}
    const {key} = event
    if (key in zooms) {
      zoomTo(zooms[key])
    } else if (key === 'b' && model.get('toggle') && comparable()) {
      toggle()
    } else if (key in pans && place.zoomed()) {
      place.pan(...pans[key])
      arrange()
    } else {
      return
    }
    event.preventDefault()
    event.stopPropagation()
  }

  function wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return
    event.preventDefault()
    zoomTo(place.present()*Math.exp(-between(-40, event.deltaY, 40)*.01), inStage(event))
  }

  function doubled(event) {
    if (brush.brush() || event.target.closest('button, [role=slider]')) return
    zoomTo(model.get('zoom') ? 0 : 1, inStage(event))
  }

  // ---- pointers: one draws or moves the picture, two move and zoom it

  const twoPointers = () => {
    const [a, b] = [...pointers.values()]
    return {point: [(a[0] + b[0])/2, (a[1] + b[1])/2], apart: Math.hypot(a[0] - b[0], a[1] - b[1]) || 1}
  }

  function pressed(event) {
    if (event.target.closest('button, [role=slider]') || !(picture.now() || other.now())) return
    if (event.pointerType === 'mouse' && event.button > 1) return
    if (event.button === 1) event.preventDefault() // else the page would scroll by itself
    page.stage.setPointerCapture(event.pointerId)
    pointers.set(event.pointerId, inStage(event))
    if (pointers.size > 1) brush.cancel()
    else if (brush.brush() && event.button === 0) brush.start(event)
  }

  function moved(event) {
    const before = pointers.get(event.pointerId)
    if (brush.brush() && pointers.size < 2) brush.move(event)
    if (!before || brush.drawing()) return
    if (pointers.size > 1) pinched(event)
    else panned(event, before)
  }

  function pinched(event) {
    const before = twoPointers()
    pointers.set(event.pointerId, inStage(event))
    const now = twoPointers()
    place.pan(now.point[0] - before.point[0], now.point[1] - before.point[1])
    zoomTo(place.present()*now.apart/before.apart, now.point)
  }

  function panned(event, before) {
    const now = inStage(event)
    pointers.set(event.pointerId, now)
    place.pan(now[0] - before[0], now[1] - before[1])
    arrange()
  }

  function released(event) {
    pointers.delete(event.pointerId)
    if (event.type === 'pointerup') brush.end()
    else brush.cancel()
  }

  function left() {
    if (!brush.drawing()) brush.cancel()
  }

  function heard(message) {
    brush.heard(message.heard)
    if (!picture.loading()) brush.shown()
  }

  // ---- listening

  const listen = {
    stage: {
      pointerdown: pressed,
      pointermove: moved,
      pointerup: released,
      pointercancel: released,
      pointerleave: left,
      dblclick: doubled,
      keydown: stageKey,
      dragover: files.over,
      dragleave: files.over,
      drop: files.dropped,
      paste: files.pasted,
    },
    handle: {
      pointerdown: handleHeld,
      pointermove: handleMoved,
      keydown: handleKey,
    },
    drop: {click: () => page.chooser.click()},
    chooser: {change: files.chosen},
  }
  for (const part in listen) {
    for (const kind in listen[part]) page[part].addEventListener(kind, listen[part][kind])
  }
  page.stage.addEventListener('wheel', wheel, {passive: false})
  const zooms = [() => place.present()/1.5, () => place.present()*1.5, () => 0, () => 1]
  zooms.forEach((zoom, k) => page.buttons[k].addEventListener('click', () => zoomTo(zoom())))
  page.buttons[COMPARE].addEventListener('click', toggle)

  const watched = {
    'change:picture': picture.load,
    'change:other': other.load,
    'change:busy': () => page.stage.classList.toggle('sn-viewer-busy', model.get('busy')),
    'msg:custom': heard,
  }
  for (const name of LOOKS) model.on(`change:${name}`, arrange)
  for (const name in watched) model.on(name, watched[name])

  el.classList.add('sn-viewer')
  el.append(page.stage)
  watched['change:busy']()
  const resized = new ResizeObserver(arrange)
  resized.observe(page.stage)
  picture.load()
  other.load()

  return () => {
    clearTimeout(saving)
    resized.disconnect()
    for (const name of LOOKS) model.off(`change:${name}`, arrange)
    for (const name in watched) model.off(name, watched[name])
    picture.forget()
    other.forget()
  }
}

export default {render}
