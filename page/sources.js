// What can be painted: functions that give {draw(g, width, height, seconds), aspect: width/height, moves, stop?}.
// What goes wrong is an Error whose text is for the user.
import {drawScene} from './scene.js'

// Draws the middle of an image so that it fills the canvas.
function cover(g, image, width, height, imageWidth, imageHeight) {
  const scale = Math.max(width/imageWidth, height/imageHeight)
  const [w, h] = [scale*imageWidth, scale*imageHeight]
  g.imageSmoothingQuality = 'high'
  g.drawImage(image, (width - w)/2, (height - h)/2, w, h)
}

export function scene() {
  return {draw: drawScene, aspect: 1, moves: true}
}

export async function picture(blob, name) {
  const image = await createImageBitmap(blob).catch(() => {
    throw Error(`${name} is not a picture this browser can read`)
  })
  const draw = (g, width, height) => cover(g, image, width, height, image.width, image.height)
  return {draw, aspect: image.width/image.height, moves: false}
}

export async function bundled(name) {
  const path = `pictures/${name}.jpg`
  const answer = await fetch(path).catch(() => null)
  if (!answer?.ok) throw Error(`${path} is missing: build the page anew with make page`)
  return picture(await answer.blob(), path)
}

const refusals = {
  NotAllowedError: 'The webcam was refused: allow it for this page, beside its address, then choose it again',
  NotFoundError: 'No webcam was found',
  NotReadableError: 'The webcam is in use by another program',
}

export async function webcam(ended) {
  if (!navigator.mediaDevices) throw Error('A webcam is given only to pages on https or localhost')
  const wanted = {video: {width: 640, height: 480}}
  const stream = await navigator.mediaDevices.getUserMedia(wanted).catch(e => {
    throw Error(refusals[e.name] ?? `No webcam: ${e.message}`)
  })
  const video = Object.assign(document.createElement('video'), {srcObject: stream, muted: true, playsInline: true})
  stream.getVideoTracks()[0].onended = ended
  await video.play()
  const draw = (g, width, height) => {
    g.setTransform(-1, 0, 0, 1, width, 0) // as in a mirror
    cover(g, video, width, height, video.videoWidth, video.videoHeight)
    g.resetTransform()
  }
  const stop = () => stream.getTracks().forEach(track => track.stop())
  return {draw, aspect: video.videoWidth/video.videoHeight, moves: true, stop}
}
