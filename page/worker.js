// The painter, on a thread of its own: takes the pixels of a frame and a style, gives back the painted pixels.
// Messages: {id, task: 'start' | 'paint' | 'mix', ...}; answers: {id, ...} or {id, error}.

let ort
let session
// The last frame and the last little picture: planes of red, green and blue, 0..1, and what the net made of them
const frames = {frame: {photo: new Float32Array(0)}, thumbnail: {photo: new Float32Array(0)}}

async function fetched(path) {
  const answer = await fetch(new URL(path, import.meta.url)).catch(() => null)
  if (!answer?.ok) throw Error(`${path} is missing: build the page anew with make page, and serve the whole folder`)
  return answer
}

async function start({engine}) {
  if (typeof WebAssembly === 'undefined') throw Error('This browser has no WebAssembly: switch it on, or take another')
  const files = (await (await fetched('about.json')).json()).runtime[engine]
  if (!files) throw Error(`The page was built without ${engine}: make page ARGS=--${engine}`)
  const net = new Uint8Array(await (await fetched('net.onnx')).arrayBuffer())
  await fetched(files.script)
  const runtime = await import(new URL(files.script, import.meta.url))
  runtime.env.wasm.numThreads = 1 // more need headers that a plain file server does not send
  runtime.env.wasm.wasmPaths = {wasm: new URL(files.binary, import.meta.url).href}
  const next = await runtime.InferenceSession.create(net, {executionProviders: [engine]}).catch(e => {
    throw Error(`${engine} could not start the net (${e.message}). Build the page anew, or take another browser.`)
  })
  await session?.release()
  session = next
  ort = runtime
  const [height, width] = session.inputMetadata[0].shape.slice(2)
  return {fixed: typeof height === 'number' ? {width, height} : null}
}

function split(rgba, photo) {
  const n = rgba.length/4
  for (let i = 0, k = 0; i < n; i++, k += 4) {
    photo[i] = rgba[k]/255
    photo[i + n] = rgba[k + 1]/255
    photo[i + 2*n] = rgba[k + 2]/255
  }
}

// Mixes the last frame and its picture into `rgba`, whose kind rounds and keeps to 0..255.
function mix({rgba, strength, use = 'frame'}) {
  const {photo, picture} = frames[use]
  const n = rgba.length/4
  const of = i => 255*(photo[i] + strength*(picture[i] - photo[i]))
  for (let i = 0, k = 0; i < n; i++, k += 4) {
    rgba[k] = of(i)
    rgba[k + 1] = of(i + n)
    rgba[k + 2] = of(i + 2*n)
    rgba[k + 3] = 255
  }
  return {rgba}
}

async function paint({rgba, width, height, style, strength, use = 'frame'}) {
  const frame = frames[use]
  if (frame.photo.length !== 3*width*height) frame.photo = new Float32Array(3*width*height)
  split(rgba, frame.photo)
  const begun = performance.now()
  const given = {photo: new ort.Tensor('float32', frame.photo, [1, 3, height, width])}
  // a painter of one painting takes no style
  if (session.inputNames.includes('style')) given.style = new ort.Tensor('float32', style, [1, style.length])
  const results = await session.run(given)
  const ms = performance.now() - begun
  frame.picture = results.picture.data
  return {...mix({rgba, strength, use}), ms}
}

const tasks = {start, paint, mix}
let queue = Promise.resolve()

async function answer({id, task, ...rest}) {
  try {
    const result = await tasks[task](rest)
    postMessage({id, ...result}, result.rgba ? [result.rgba.buffer] : [])
  } catch (e) {
    postMessage({id, error: e.message ?? String(e)})
  }
}

onmessage = ({data}) => { queue = queue.then(() => answer(data)) }
