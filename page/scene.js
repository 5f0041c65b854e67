// A small world drawn in the page: hills, a windmill, a boat on the water, birds. `t` is in seconds, nothing is random.

const TAU = 2*Math.PI

function gradient(g, y0, y1, ...colours) {
  const fill = g.createLinearGradient(0, y0, 0, y1)
  colours.forEach((colour, i) => fill.addColorStop(i/(colours.length - 1), colour))
  return fill
}

function disc(g, x, y, rx, ry, fill) {
  g.fillStyle = fill
  g.beginPath()
  g.ellipse(x, y, rx, ry, 0, 0, TAU)
  g.fill()
}

function shape(g, fill, ...points) {
  g.fillStyle = fill
  g.beginPath()
  points.forEach(([x, y]) => g.lineTo(x, y))
  g.fill()
}

function sky(g, t) {
  g.fillStyle = gradient(g, 0, .62, '#2f6fb5', '#8fc1e0', '#fbe3b4')
  g.fillRect(0, 0, 1, 1)
  const x = .74 + .04*Math.sin(t/9)
  const y = .2 + .03*Math.cos(t/9)
  disc(g, x, y, .15, .15, '#ffe9a040')
  disc(g, x, y, .11, .11, '#ffe9a070')
  disc(g, x, y, .075, .075, '#fff3c4')
  for (let i = 0; i < 4; i++) {
    const at = (i*.37 + t*(.012 + .004*i)) % 1.5 - .25
    for (let k = 0; k < 4; k++) disc(g, at + .055*k, .1 + .075*i - .018*(k % 2), .06, .026, '#ffffffd0')
  }
}

function hills(g, base, height, waves, shift, fill) {
  const points = [[0, 1]]
  for (let x = 0; x <= 1.001; x += .02) {
    points.push([x, base - height*(.5 + .5*Math.sin(waves*x + shift)) - height*.3*Math.sin(2.7*waves*x + shift)])
  }
  shape(g, fill, ...points, [1, 1])
}

function windmill(g, x, y, t) {
  shape(g, '#7b4a34', [x - .03, y], [x - .018, y - .14], [x + .018, y - .14], [x + .03, y])
  shape(g, '#b23a2e', [x - .024, y - .135], [x, y - .175], [x + .024, y - .135])
  g.save()
  g.translate(x, y - .14)
  g.rotate(t*.9)
  for (let i = 0; i < 4; i++) {
    g.rotate(TAU/4)
    shape(g, '#fbf3e0', [0, -.006], [.1, -.006], [.1, .026], [.02, .018])
  }
  g.restore()
}

function tree(g, x, y, size, t) {
  shape(g, '#5a3d2b', [x - .1*size, y], [x, y - size], [x + .1*size, y])
  const sway = .04*size*Math.sin(t*1.3 + 20*x)
  disc(g, x + sway, y - size, .42*size, .55*size, '#2f6b3c')
  disc(g, x - .1*size + sway, y - 1.12*size, .26*size, .3*size, '#5b9a4a')
}

function water(g, t) {
  g.fillStyle = gradient(g, .68, 1, '#5aa3b8', '#1f5f8b', '#123f66')
  g.fillRect(0, .68, 1, .32)
  for (let i = 0; i < 46; i++) {
    const depth = (i*.618) % 1
    const x = (i*.377 + .02*t*(i % 3 + 1)) % 1.2 - .1
    const near = Math.abs(x - .74) < .12 && depth < .6
    disc(g, x, .69 + .3*depth, .012 + .05*depth, .0025 + .006*depth*(.6 + .4*Math.sin(2*t + i)),
      near ? '#fff0b8c0' : '#cfeaf270')
  }
}

function boat(g, t) {
  const x = (t*.03 + .3) % 1.4 - .2
  g.save()
  g.translate(x, .83 + .006*Math.sin(t*1.7))
  g.rotate(.04*Math.sin(t*1.1))
  disc(g, 0, .045, .13, .012, '#0b2c4a80')
  shape(g, '#8c2f25', [-.12, 0], [.13, 0], [.085, .045], [-.09, .045])
  shape(g, '#e9c46a', [-.12, 0], [.13, 0], [.126, .01], [-.115, .01])
  shape(g, '#4a3226', [-.006, 0], [-.004, -.26], [.004, -.26], [.006, 0])
  shape(g, '#fff8e7', [.012, -.25], [.115, -.025], [.012, -.025])
  shape(g, '#e76f51', [-.012, -.23], [-.085, -.03], [-.012, -.03])
  disc(g, -.06, -.035, .014, .016, '#e8b28e')
  shape(g, '#264653', [-.082, 0], [-.07, -.024], [-.05, -.024], [-.04, 0])
  g.restore()
}

function birds(g, t) {
  g.lineWidth = .006
  g.strokeStyle = '#33415c'
  for (let i = 0; i < 5; i++) {
    const x = (t*.05 + .06*i) % 1.4 - .2
    const y = .3 + .02*Math.sin(t + i) - .025*Math.abs(i - 2)
    const wing = .012*Math.sin(t*5 + i)
    g.beginPath()
    g.moveTo(x - .022, y - wing)
    g.quadraticCurveTo(x - .008, y - .008, x, y)
    g.quadraticCurveTo(x + .008, y - .008, x + .022, y - wing)
    g.stroke()
  }
}

export function drawScene(g, width, height, t) {
  g.save()
  g.scale(width, height)
  sky(g, t)
  hills(g, .6, .13, 5, .4, '#7f9cc0')
  hills(g, .64, .1, 7, 2.2, '#6f9f86')
  windmill(g, .2, .6, t)
  hills(g, .68, .07, 6, 4, '#86a83f')
  for (const [x, y, size] of [[.44, .66, .09], [.53, .67, .12], [.9, .66, .13], [.98, .68, .1]]) tree(g, x, y, size, t)
  water(g, t)
  birds(g, t)
  boat(g, t)
  g.restore()
}
