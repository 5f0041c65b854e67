// The page: shows a source, asks the painter for each of its frames, shows what comes back.
import {ask} from './painter.js'
import * as sources from './sources.js'
import {blend, read, vectors} from './styles.js'

const byId = id => document.getElementById(id)
const painted = byId('painted').getContext('2d')
const original = byId('source').getContext('2d', {willReadFrequently: true})
const small = document.createElement('canvas').getContext('2d', {willReadFrequently: true})
const controls = document.forms[0].elements
const pending = [] // styles whose little picture is still to be painted

let source // see sources.js
let fixed = null // the only size the net can take, if it is so
let playing = !matchMedia('(prefers-reduced-motion: reduce)').matches
let todo = 'paint' // what the picture shown lacks: 'paint', 'mix' (strength only) or nothing
let kept = false // has the worker the frame shown, to mix it anew?
let wake = () => {}

const moving = () => playing && source?.moves

function say(text = '') {
  byId('message').classList.remove('late')
  byId('message').textContent = text
}

function changed(what = 'paint') {
  if (todo !== 'paint') todo = what
  wake()
}

// ---- what the page is made of

async function loaded(path) {
  const answer = await fetch(path).catch(() => null)
  if (!answer?.ok) throw Error(`${path} is missing: build the page anew with make page, and serve the whole folder`)
  return answer.json()
}

const LOADING = 'Loading the net and its runtime, 20 MB at the first visit …'

async function start() {
  say(LOADING)
  fixed = (await ask('start', {engine: controls.webgpu.checked ? 'webgpu' : 'wasm'})).fixed
  byId('size').disabled = Boolean(fixed)
  byId('size').title = fixed ? 'this net was written for one size' : ''
  if (byId('message').textContent === LOADING) say()
}

function styleButton({name, title, credit}) {
  const label = document.createElement('label')
  label.innerHTML = '<input type="radio" name="style"><canvas width="96" height="96"></canvas><span></span>'
  label.title = credit
  label.firstChild.value = name
  label.lastChild.textContent = title
  return label
}

function showStyles(styles) {
  read(styles)
  byId('styles').append(...styles.map(styleButton))
  byId('second').append(...styles.map(style => new Option(style.title, style.name)))
  byId('styles').querySelector('input').checked = true
  const show = () => { byId('credit').textContent = styles.find(o => o.name === controls.style.value).credit }
  byId('styles').addEventListener('change', show)
  show()
}

// ---- frames

const STEP = 32 // the net takes sides that are multiples of it
const multiple = value => STEP*Math.max(1, Math.round(value/STEP))

function sizeOf(side) {
  if (fixed) return fixed
  const root = Math.sqrt(source.aspect)
  return {width: multiple(side*root), height: multiple(side/root)}
}

let seconds = 4 // of the scene
let last = 0

function tick() {
  const now = performance.now()
  if (playing) seconds += Math.min(now - last, 500)/1000
  last = now
}

function fit(canvas, {width, height}) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height})
}

function grabbed(g, size) {
  fit(g.canvas, size)
  source.draw(g, size.width, size.height, seconds)
  return g.getImageData(0, 0, size.width, size.height).data
}

function show(g, rgba, {width, height}) {
  fit(g.canvas, {width, height})
  g.canvas.style.setProperty('--shape', width/height)
  g.putImageData(new ImageData(rgba, width, height), 0, 0)
}

async function frame() {
  const begun = performance.now()
  const task = kept ? todo : 'paint'
  todo = null
  kept = false
  tick()
  const {width, height} = task === 'mix' ? original.canvas : sizeOf(Number(controls.size.value))
  const rgba = task === 'mix' ? new Uint8ClampedArray(4*width*height) : grabbed(original, {width, height})
  const style = blend(controls.style.value, controls.second.value, controls.share.value/100)
  const result = await ask(task, {rgba, width, height, style, strength: controls.strength.value/100})
  kept = true
  byId('save').disabled = false
  show(painted, result.rgba, {width, height})
  if (task === 'paint') showRate(result.ms, performance.now() - begun)
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

function showRate(net, all) {
  shown.push(performance.now())
  while (shown.length > 2 && shown.at(-1) - shown[0] > 2000) shown.shift()
  const rate = 1000*(shown.length - 1)/(shown.at(-1) - shown[0])
  const what = moving() && shown.length > 1 ? `<b>${rate.toFixed(1)}</b> frames a second`
    : `painted in <b>${all.toFixed(0)}</b> ms`
  byId('rate').innerHTML = `${what} <small>· the net ${net.toFixed(0)} ms</small>`
  window.styleNB?.frames.push({net, all, rate})
}

async function step() {
  try {
    if (todo && source) await frame()
    if (pending.length) await thumbnail(pending.shift())
  } catch (e) {
    say(e.message)
    playing = false
    pending.length = 0
    showPlay()
  }
}

async function run() {
  for (;;) {
    if (moving() && !document.hidden) todo = 'paint'
    await step()
    if (source && todo || pending.length || moving() && !document.hidden) continue
    shown.length = 0
    await new Promise(done => { wake = done })
  }
}

// ---- controls

let tries = 0

// Takes the source that `make` gives, unless another was chosen meanwhile; if it fails, the one before stays.
async function take(kind, make) {
  const mine = ++tries
  const before = source?.kind ?? 'scene'
  controls.source.value = kind
  try {
    const next = await make()
    if (mine !== tries) return next.stop?.()
    source?.stop?.()
    source = {...next, kind}
    pending.splice(0, pending.length, ...Object.keys(vectors))
    say()
    showPlay()
    changed()
  } catch (e) {
    if (mine !== tries) return
    if (!source) await take('scene', makers.scene)
    controls.source.value = before
    say(e.message)
  }
}

const makers = {
  scene: sources.scene,
  picture: () => sources.bundled(byId('bundled').value),
  webcam: () => sources.webcam(() => say('The webcam has stopped')),
}

function opened(file) {
  if (file) take('picture', () => sources.picture(file, file.name))
}

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
  byId('play').disabled = !source?.moves
}

function play() {
  playing = !playing
  showPlay()
  wake()
}

function showShare() {
  byId('share').disabled = !byId('second').value
}

function listenToSliders() {
  byId('share').addEventListener('input', () => changed())
  byId('strength').addEventListener('input', () => changed('mix'))
  for (const output of document.querySelectorAll('output[for]')) {
    const input = byId(output.htmlFor.value)
    input.addEventListener('input', () => { output.textContent = `${input.value} %` })
  }
}

function listenToDrops() {
  const mark = on => document.body.classList.toggle('dropping', on)
  document.addEventListener('dragover', e => {
    e.preventDefault()
    mark(true)
  })
  document.addEventListener('dragleave', () => mark(false))
  document.addEventListener('drop', e => {
    e.preventDefault()
    mark(false)
    opened(e.dataTransfer.files[0])
  })
}

function changeEngine() {
  start().then(() => changed()).catch(e => {
    byId('webgpu').checked = false
    say(e.message)
  })
}

function listen() {
  for (const radio of controls.source) radio.addEventListener('change', () => take(radio.value, makers[radio.value]))
  byId('bundled').addEventListener('change', () => take('picture', makers.picture))
  byId('file').addEventListener('change', e => opened(e.target.files[0]))
  for (const id of ['styles', 'second', 'size']) byId(id).addEventListener('change', () => changed())
  byId('second').addEventListener('change', showShare)
  byId('webgpu').addEventListener('change', changeEngine)
  byId('save').addEventListener('click', save)
  byId('play').addEventListener('click', play)
  document.addEventListener('visibilitychange', () => wake())
  listenToSliders()
  listenToDrops()
  showShare()
}

async function main() {
  const about = await loaded('about.json')
  byId('about').textContent = about.text
  byId('bundled').append(...about.pictures.map(({name, title}) => new Option(title, name)))
  byId('engines').hidden = !(navigator.gpu && about.runtime.webgpu)
  showStyles(await loaded('styles.json'))
  listen()
  await start()
  if (!tries) await take('scene', makers.scene)
  await run()
}

// For tests and benchmarks, at ?test: how long frames took, and the pixels made of an ImageData in a style.
if (new URLSearchParams(location.search).has('test')) {
  window.styleNB = {
    frames: [], // of each: ms of the net alone, ms of all, frames a second so far
    run: async ({data, width, height}, name, {second = '', share = 0, strength = 1} = {}) => {
      const message = {rgba: data.slice(), width, height, style: blend(name, second, share), strength, use: 'thumbnail'}
      return (await ask('paint', message)).rgba
    },
  }
}

main().catch(e => say(e.message))
