// The page: shows a source, asks the worker to paint each of its frames, shows what comes back.
import {drawScene} from './scene.js'

const byId = id => document.getElementById(id)
const painted = byId('painted').getContext('2d')
const original = byId('source').getContext('2d', {willReadFrequently: true})
const small = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
const controls = document.forms[0].elements
const pending = [] // styles whose little picture is still to be painted
const vectors = {} // of each style, by name

let source // {draw(g, width, height), aspect: width/height, moves: does it change by itself?}
let fixed = null // the only size the net can take, if it is so
let playing = !matchMedia('(prefers-reduced-motion: reduce)').matches
let todo = 'paint' // what the picture shown lacks: 'paint', 'mix' (strength only) or nothing
let wake = () => {}

function say(text = '') {
  byId('message').classList.remove('late')
  byId('message').textContent = text
}

function changed(what = 'paint') {
  if (todo !== 'paint') todo = what
  wake()
}

// ---- the worker

const worker = new Worker('worker.js', {type: 'module'})
const waiting = new Map()
let asked = 0
let broken // why the worker never answers

async function ask(task, message = {}) {
  if (broken) throw broken
  const id = ++asked
  worker.postMessage({id, task, ...message}, message.rgba ? [message.rgba.buffer] : [])
  return new Promise((resolve, reject) => waiting.set(id, {resolve, reject}))
}

worker.onmessage = ({data: {id, error, ...rest}}) => {
  const {resolve, reject} = waiting.get(id)
  waiting.delete(id)
  if (error) reject(Error(error))
  else resolve(rest)
}

worker.onerror = () => {
  broken = Error('worker.js is missing or damaged: build the page anew with make page')
  for (const {reject} of waiting.values()) reject(broken)
}

async function start() {
  say('Loading the net and its runtime, 15 MB at the first visit …')
  fixed = (await ask('start', {engine: controls.webgpu.checked ? 'webgpu' : 'wasm'})).fixed
  byId('size').disabled = Boolean(fixed)
  byId('size').title = fixed ? 'this net was written for one size' : ''
  say()
}

// ---- styles

// base64 of float16, little-endian
function decoded(text) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0))
  const halves = new DataView(bytes.buffer)
  return Float32Array.from({length: bytes.length/2}, (_, i) => {
    const half = halves.getUint16(2*i, true)
    const exponent = half >> 10 & 31
    const fraction = half & 1023
    const size = exponent ? (1024 + fraction)*2**(exponent - 25) : fraction*2**-24
    return half >> 15 ? -size : size
  })
}

function blend(first, second, share) {
  if (!second) return vectors[first]
  return vectors[first].map((value, i) => value + share*(vectors[second][i] - value))
}

const chosen = () => blend(controls.style.value, controls.second.value, controls.share.value/100)

async function loaded(path) {
  const answer = await fetch(path).catch(() => null)
  if (!answer?.ok) throw Error(`${path} is missing: build the page anew with make page, and serve the whole folder`)
  return answer.json()
}

async function showStyles() {
  const styles = await loaded('styles.json')
  for (const {name, title, credit, vector} of styles) {
    vectors[name] = decoded(vector)
    const label = document.createElement('label')
    label.innerHTML = '<input type="radio" name="style"><canvas width="96" height="96"></canvas><span></span>'
    label.title = credit
    label.firstChild.value = name
    label.lastChild.textContent = title
    byId('styles').append(label)
    byId('second').append(new Option(title, name))
  }
  const show = () => { byId('credit').textContent = styles.find(o => o.name === controls.style.value).credit }
  byId('styles').addEventListener('change', show)
  byId('styles').querySelector('input').checked = true
  show()
}

// ---- sources

const multiple = value => Math.max(16, 16*Math.round(value/16))

function shapeFor(size) {
  if (fixed) return fixed
  const root = Math.sqrt(source.aspect)
  return {width: multiple(size*root), height: multiple(size/root)}
}

// Draws the middle of an image so that it fills the canvas.
function cover(g, image, width, height, imageWidth, imageHeight) {
  const scale = Math.max(width/imageWidth, height/imageHeight)
  g.imageSmoothingQuality = 'high'
  g.drawImage(image, (width - scale*imageWidth)/2, (height - scale*imageHeight)/2, scale*imageWidth, scale*imageHeight)
}

function sceneSource() {
  let seconds = 4
  let last = performance.now()
  const draw = (g, width, height) => {
    const now = performance.now()
    if (playing) seconds += Math.min(now - last, 500)/1000
    last = now
    drawScene(g, width, height, seconds)
  }
  return {draw, aspect: 1, moves: true}
}

async function pictureSource(blob, name) {
  const image = await createImageBitmap(blob).catch(() => { throw Error(`${name} is not a picture this browser can read`) })
  return {draw: (g, width, height) => cover(g, image, width, height, image.width, image.height),
    aspect: image.width/image.height, moves: false}
}

async function bundledSource(name) {
  const answer = await fetch(`pictures/${name}.jpg`)
  if (!answer.ok) throw Error(`pictures/${name}.jpg is missing: build the page anew with make page`)
  return pictureSource(await answer.blob(), name)
}

const refusals = {
  NotAllowedError: 'The webcam was refused: allow it for this page in your browser (beside the address), then choose it again',
  NotFoundError: 'No webcam was found',
  NotReadableError: 'The webcam is in use by another program',
}

async function webcamSource() {
  if (!navigator.mediaDevices) throw Error('A webcam is given only to pages on https or localhost')
  const video = document.createElement('video')
  const stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}}).catch(e => {
    throw Error(refusals[e.name] ?? `No webcam: ${e.message}`)
  })
  video.srcObject = stream
  video.muted = true
  await video.play()
  const draw = (g, width, height) => {
    g.setTransform(-1, 0, 0, 1, width, 0) // as in a mirror
    cover(g, video, width, height, video.videoWidth, video.videoHeight)
    g.resetTransform()
  }
  return {draw, aspect: video.videoWidth/video.videoHeight, moves: true,
    stop: () => stream.getTracks().forEach(track => track.stop())}
}

function use(next) {
  source?.stop?.()
  source = next
  pending.splice(0, pending.length, ...Object.keys(vectors))
  showPlay()
  changed()
}

let tries = 0

// Takes the source that `make` gives, unless another was chosen meanwhile; if it fails, the last one stays.
async function take(kind, make) {
  const mine = ++tries
  const before = source?.kind ?? 'scene'
  controls.source.value = kind
  try {
    const next = await make()
    if (mine !== tries) return next.stop?.()
    say()
    use({...next, kind})
  } catch (e) {
    if (mine !== tries) return
    controls.source.value = before
    say(e.message)
  }
}

const makers = {scene: sceneSource, picture: () => bundledSource(byId('bundled').value), webcam: webcamSource}

// ---- frames

function grabbed(g, {width, height}) {
  if (g.canvas.width !== width || g.canvas.height !== height) Object.assign(g.canvas, {width, height})
  source.draw(g, width, height)
  return g.getImageData(0, 0, width, height).data
}

function show(g, rgba, {width, height}) {
  if (g.canvas.width !== width || g.canvas.height !== height) Object.assign(g.canvas, {width, height})
  g.canvas.style.setProperty('--shape', width/height)
  g.putImageData(new ImageData(rgba, width, height), 0, 0)
}

async function frame() {
  const begun = performance.now()
  const task = todo
  todo = null
  const size = task === 'mix' ? original.canvas : shapeFor(Number(controls.size.value))
  const {width, height} = size
  const rgba = task === 'mix' ? new Uint8ClampedArray(4*width*height) : grabbed(original, size)
  const result = await ask(task, {rgba, width, height, style: chosen(), strength: controls.strength.value/100})
  show(painted, result.rgba, {width, height})
  if (result.ms) showRate(result.ms, performance.now() - begun)
}

// The little picture of one style: the source as it is now, in that style.
async function thumbnail(name) {
  const size = fixed ?? {width: 96, height: 96}
  const message = {rgba: grabbed(small, size), ...size, style: vectors[name], strength: 1, use: 'thumbnail'}
  const {rgba} = await ask('paint', message)
  small.putImageData(new ImageData(rgba, size.width, size.height), 0, 0)
  const input = [...document.getElementsByName('style')].find(o => o.value === name)
  input.nextSibling.getContext('2d').drawImage(small.canvas, 0, 0, 96, 96)
}

const shown = [] // when the last frames were
const moving = () => playing && source.moves

function showRate(net, all) {
  shown.push(performance.now())
  while (shown.length > 2 && shown.at(-1) - shown[0] > 2000) shown.shift()
  const rate = 1000*(shown.length - 1)/(shown.at(-1) - shown[0])
  byId('rate').dataset.rate = rate
  window.styleNB?.frames.push({net, all})
  const what = moving() && shown.length > 1 ? `<b>${rate.toFixed(1)}</b> frames a second`
    : `painted in <b>${all.toFixed(0)}</b> ms`
  byId('rate').innerHTML = `${what} <small>· the net ${net.toFixed(0)} ms</small>`
}

async function run() {
  for (;;) {
    if (moving() && !document.hidden) todo = 'paint'
    if (todo) await frame()
    if (pending.length) await thumbnail(pending.shift())
    if (todo || pending.length || moving() && !document.hidden) continue
    shown.length = 0
    await new Promise(done => { wake = done })
  }
}

// ---- controls

function save() {
  byId('painted').toBlob(blob => {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = `${source.kind}_${controls.style.value}.png`
    link.click()
    URL.revokeObjectURL(link.href)
  })
}

function showPlay() {
  byId('play').textContent = playing ? 'Pause' : 'Play'
  byId('play').disabled = !source.moves
}

function showShare() {
  byId('share').disabled = !byId('second').value
}

function opened(file) {
  if (file) take('picture', () => pictureSource(file, file.name))
}

function listen() {
  for (const radio of controls.source) radio.addEventListener('change', () => take(radio.value, makers[radio.value]))
  byId('bundled').addEventListener('change', () => take('picture', makers.picture))
  byId('file').addEventListener('change', e => opened(e.target.files[0]))
  for (const id of ['styles', 'second', 'size']) byId(id).addEventListener('change', () => changed())
  byId('share').addEventListener('input', () => changed())
  byId('strength').addEventListener('input', () => changed('mix'))
  byId('second').addEventListener('change', showShare)
  showShare()
  for (const output of document.querySelectorAll('output[for]')) {
    const input = byId(output.htmlFor.value)
    input.addEventListener('input', () => { output.textContent = `${input.value} %` })
  }
  byId('webgpu').addEventListener('change', () => start().then(() => changed()).catch(e => {
    byId('webgpu').checked = false
    say(e.message)
  }))
  byId('save').addEventListener('click', save)
  byId('play').addEventListener('click', () => {
    playing = !playing
    showPlay()
    wake()
  })
  document.addEventListener('visibilitychange', () => wake())
  document.addEventListener('dragover', e => {
    e.preventDefault()
    document.body.classList.add('dropping')
  })
  document.addEventListener('dragleave', () => document.body.classList.remove('dropping'))
  document.addEventListener('drop', e => {
    e.preventDefault()
    document.body.classList.remove('dropping')
    opened(e.dataTransfer.files[0])
  })
}

async function main() {
  const about = await loaded('about.json')
  byId('about').textContent = about.text
  for (const {name, title} of about.pictures) byId('bundled').append(new Option(title, name))
  byId('engines').hidden = !(navigator.gpu && about.runtime.webgpu)
  await showStyles()
  await start()
  listen()
  await take('scene', makers.scene)
  await run()
}

// For tests and benchmarks, at ?test: how long frames took, and the pixels made of an ImageData in a style.
if (new URLSearchParams(location.search).has('test')) {
  window.styleNB = {
    frames: [], // ms of each: the net alone, and all of it
    run: async ({data, width, height}, name, {second = '', share = 0, strength = 1} = {}) => {
      const message = {rgba: data.slice(), width, height, style: blend(name, second, share), strength, use: 'thumbnail'}
      return (await ask('paint', message)).rgba
    },
  }
}

main().catch(e => say(e.message))
