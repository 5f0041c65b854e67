// The styles of styles.json: vectors of numbers, of which mixtures are styles too.

export const vectors = {} // by name

// base64 of 16-bit floats, the low byte first
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

export function read(styles) {
  for (const {name, vector} of styles) vectors[name] = decoded(vector)
}

export function blend(first, second, share) {
  if (!second) return vectors[first]
  return vectors[first].map((value, i) => value + share*(vectors[second][i] - value))
}
