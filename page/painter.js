// The worker as the page sees it: ask('paint', {...}) gives a promise of its answer.

const worker = new Worker('worker.js', {type: 'module'})
const waiting = new Map()
let asked = 0
let broken // why the worker never answers

export async function ask(task, message = {}) {
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
