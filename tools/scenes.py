"""What the bundled paintings show: a village at night, a harbour, breakers, a table, fishes

`tools/samples.py` has them painted. A scene is built from back to front, as a collage is. Lengths are in heights of the
picture, so that a scene looks the same at any size. A region is given by how deep a place lies *inside* it, below 0
outside; its edge is one pixel wide.
"""
import numpy as np
from style_nb.painting import Scene, contour_angle, pigments, smooth_noise


class Collage(Scene):
    "A scene that regions are laid on"

    def __init__(self, width, height, chance=None):
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        self.x = (columns + .5)/height
        self.y = (rows + .5)/height
        self.height = height
        self.aspect = width/height
        self.chance = chance
        super().__init__(np.zeros((height, width, 3)), np.zeros((height, width)))

    def noise(self, scale):
        return smooth_noise(self.chance, self.shape, scale)

    def turned(self, cx, cy, angle):
        "Coordinates from (cx, cy), the first along `angle`"
        u, v = self.x - cx, self.y - cy
        return u*np.cos(angle) + v*np.sin(angle), v*np.cos(angle) - u*np.sin(angle)

    def ridge(self, base, height):
        "Where a range of hills ends above, for each column"
        waves = self.chance.uniform(.7, 1.3, 4)*[2.5, 5, 9, 16]
        return base - sum(height/(i + 1)*np.sin(waves[i]*self.x + self.chance.uniform(0, 6.3)) for i in range(4))

    def covered(self, inside):
        "The share of each pixel that a region covers"
        return np.clip(inside*self.height + .5, 0, 1)

    def mix(self, share, rgb, angle=None):
        "Mix in colours by a share for every pixel; the angle changes where it is above one half"
        share = np.clip(share, 0, 1)
        self.rgb = self.rgb*(1 - share[..., None]) + np.asarray(rgb)*share[..., None]
        if angle is not None:
            self.angle = np.where(share > .5, angle, self.angle)

    def lay(self, inside, rgb, angle=None):
        "Lay a region over what is there"
        self.mix(self.covered(inside), rgb, angle)


# Shapes: how deep inside

def both(*insides):
    return np.minimum.reduce(insides)

def box(x, y, half_width, half_height):
    return both(half_width - abs(x), half_height - abs(y))

def disc(x, y, radius):
    return radius - np.hypot(x, y)

def triangle(x, y, *corners):
    "The corners run clockwise on the screen"
    sides = []
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0])):
        sides.append(((bx - ax)*(y - ay) - (by - ay)*(x - ax))/np.hypot(bx - ax, by - ay))
    return both(*sides)

def ramp(where, codes):
    "Colours along a list of them, from 0 to 1"
    colours = pigments(codes)
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(where, stops, colours[:, i]) for i in range(3)], -1)

def curled(x, y, centres):
    "Coordinates turned round each centre (x, y, radius, turn in radians), more the nearer: contour lines become eddies"
    for cx, cy, radius, turn in centres:
        angle = turn*np.exp(-((x - cx)**2 + (y - cy)**2)/(2*radius*radius))
        u, v = x - cx, y - cy
        x = cx + u*np.cos(angle) - v*np.sin(angle)
        y = cy + u*np.sin(angle) + v*np.cos(angle)
    return x, y

def house(scene, cx, cy, width, wall, roof, window):
    x, y = scene.x - cx, scene.y
    scene.lay(both(width/2 - abs(x), y - cy, cy + .8*width - y), wall, np.pi/2)
    scene.lay(both(cy - y, y - cy + .75*width - abs(x)*1.15), roof, np.where(scene.x < cx, -.7, .7))
    scene.lay(box(x, y - cy - .35*width, width*.13, width*.17), window, np.pi/2)


# A village under stars

STARS = [  # x, y, radius; the last is the moon
    (.21, .1, .042), (.27, .47, .03), (.49, .09, .034), (.67, .1, .038), (.72, .43, .036), (.94, .45, .034),
    (.045, .27, .045), (.17, .57, .026), (.86, .19, .078),
]
HOUSES = [  # x, y, width
    (.31, .83, .075), (.4, .79, .07), (.47, .835, .09), (.545, .8, .07), (.65, .825, .085), (.73, .785, .07),
    (.81, .83, .09), (.9, .79, .075), (.97, .82, .07),
]

def star(scene, cx, cy, radius):
    x, y = scene.x - cx, scene.y - cy
    far = np.hypot(x, y)/radius
    rings = .72 + .28*(.5 + .5*np.cos(far*2*np.pi*1.15))
    colours = ramp(np.clip(far/2.4, 0, 1), 'fffbe0 ffdf52 f7b526 f3cf4c b9d59a 6fb0dc')*rings[..., None]
    scene.mix(np.exp(-(far/1.9)**4)*.95, colours, np.arctan2(x, -y))

def hill(scene, base, colours):
    ridge = scene.ridge(base, .022)
    slope = np.arctan(np.gradient(ridge*scene.height, axis=1))
    below = scene.y - ridge
    bands = .5 + .5*np.sin((below*9 + .5*scene.noise(.15))*2*np.pi)
    scene.lay(below, ramp(bands, colours), slope + .45*scene.noise(.12))
    scene.lay(.006 - abs(below), pigments('0c1c3c'), slope)

def village(scene):
    across = scene.x.max()
    for cx, cy, width in HOUSES:
        wall = ramp(scene.chance.uniform(), '5c86b8 8fa8c0 c9b98a')
        roof = ramp(scene.chance.uniform(), '8a3a2a 3a2a5a b5502a')
        house(scene, cx*across, cy, width, wall, roof, pigments('ffd84a'))
    from_tower = abs(scene.x - .6*across)
    scene.lay(both(.019 - from_tower, scene.y - .66, .86 - scene.y), pigments('7f9cc4'), np.pi/2)
    scene.lay(both(.023*(scene.y - .5)/.16 - from_tower, .665 - scene.y), pigments('2a2450'), np.pi/2)

def cypress(scene, cx):
    y = scene.y
    x = scene.x - (cx + .018*np.sin(9*y) + .012*np.sin(23*y + 1))
    flame = .105*np.clip(y - .1, 0, 1)**.75*(1 + .22*np.sin(19*y)) - abs(x)
    tone = .5 + .5*np.sin(60*x + 6*scene.noise(.1))
    scene.lay(flame, ramp(tone, '07180f 123a24 2c6030 7a8a2a'), np.pi/2 + .5*np.sin(14*y + 20*x))

def night(width, height, chance):
    "A village under stars: eddies in the sky, hills, lit windows, a cypress"
    scene = Collage(width, height, chance)
    aspect = scene.aspect
    u, v = curled(scene.x, scene.y, [(.36*aspect, .26, .115, 6.5), (.575*aspect, .37, .09, -6)])
    wind = v + .05*np.sin(5*u + 1) + .03*scene.noise(.3)
    bands = .5 + .5*np.sin(2*np.pi*wind*8 + .6*scene.noise(.2))
    scene.rgb = ramp(.75*bands + .35*scene.y, '0b1c50 12307a 1d4fa8 2f78c8 6fb0dc b8dcd8')
    scene.angle = contour_angle(wind*height)
    for cx, cy, radius in STARS:
        star(scene, cx*aspect, cy, radius)
    moon_x, moon_y = scene.x - .86*aspect, scene.y - .19
    scene.lay(both(disc(moon_x, moon_y, .055), np.hypot(moon_x + .028, moon_y + .006) - .042), pigments('f58a1c'))
    hill(scene, .66, '1c3f86 2c62a8 5d93c4')
    hill(scene, .73, '153a63 1f6a7a 49a08a')
    village(scene)
    hill(scene, .865, '12351f 2c6b34 7fae3c')
    cypress(scene, .13*aspect)
    return scene


# A bay at sundown

SAILS = [  # x, y, size, colour
    (.46, .5, .075, 'fff0d8'), (.69, .56, .115, 'ff9a4a'), (.55, .47, .04, 'ffd8c0'), (.9, .49, .055, 'fff4e0'),
]
BUSHES = [(.04, .9, .09), (.17, 1., .1), (.36, 1.03, .09), (.57, 1., .08), (.97, .93, .1)]  # x, y, radius
CROWN = [  # x, y, half width, half height
    (-.13, .05, .12, .05), (.13, .06, .13, .05), (.0, -.03, .15, .06), (.05, .1, .1, .035),
]

def bay(scene, sun_x, sun_y, sea):
    "Sky, far hills and the water with the sun's path on it"
    x, y = scene.x, scene.y
    from_sun = np.hypot(x - sun_x, (y - sun_y)*1.1)
    sky = 'fff6b0 ffdc4a ffb43c fc8a50 ea78a0 9a80dc 4f8ce4 2a62cc'
    scene.rgb = ramp(from_sun*1.3 + .07*scene.noise(.12), sky)
    scene.angle = np.arctan2(x - sun_x, sun_y - y)
    scene.lay(.055 - from_sun, pigments('fffbe0'))
    hills = y - scene.ridge(.4, .03)
    scene.lay(hills, ramp(hills*9, '5a48b8 7a62cc c880b8'), .3*np.sin(8*x))
    water = (y - sea)*2.2 + .1*scene.noise(.1) + .1*np.sin(y*130 + 3*scene.noise(.2))
    scene.lay(y - sea, ramp(water, 'f8c890 8fd0d0 3fb8c8 2a8fd0 2a5fc0 3a3fa0'), .15*scene.noise(.1))
    path = np.exp(-((x - sun_x)/(.035 + .2*np.clip(y - sea, 0, 1)))**2)
    scene.mix(path*(.55 + .45*np.sin(y*150 + 4*scene.noise(.08)))*(y > sea), pigments('ffd850'))

def town(scene):
    x, y, across = scene.x, scene.y, scene.x.max()
    land = y - (.45 - .16*np.exp(-((x/across - .1)/.16)**2) + .012*np.sin(30*x))
    scene.lay(both(land, .5 - .04*x - y), ramp(land*7, '2fa05a 6ab84a 2a7f8a 4a5ab0'), -.5)
    for i in range(13):
        cx = .012 + .027*i + scene.chance.uniform(-.006, .006)
        wall = ramp(scene.chance.uniform(), 'fff6c8 ffe08a ffc890')
        roof = ramp(scene.chance.uniform(), 'e8401a c82a3a f0602a')
        cy = .345 + .045*(i % 3) + abs(.1 - cx)*.15
        house(scene, cx*across, cy, scene.chance.uniform(.045, .06), wall, roof, pigments('3a3aa0'))

def boat(scene, cx, cy, size, sail):
    x, y = scene.x, scene.y
    for i in range(9):
        ripple = box(x - cx - .1*size*(-1)**i, y - cy - size*(.3 + .17*i), size*(.5 - .04*i), .055*size)
        scene.mix(.6*scene.covered(ripple), sail, 0)
    foot = cy - .12*size
    scene.lay(triangle(x, y, (cx, cy - 1.7*size), (cx + .75*size, foot), (cx, foot)), sail, 1.1)
    mast = cx - .08*size
    scene.lay(triangle(x, y, (mast, cy - 1.4*size), (mast, foot), (cx - .6*size, foot)), sail*[1, .93, .8], 2.)
    scene.lay(both(size*.8 - abs(x - cx) - .8*(y - cy), .13*size - abs(y - cy)), pigments('7a2440'), 0)

def bush(scene, cx, cy, radius):
    x, y = scene.x - cx, (scene.y - cy)*1.3
    inside = 1 - np.hypot(x, y)/radius + .15*scene.noise(.03)
    tone = .5 + .35*(x - y)/radius + .15*scene.noise(.03)
    scene.lay(inside*radius, ramp(tone, '28207a 1c5a6a 1f8a4a 6ab83a d8e04a'), np.arctan2(x, cy - scene.y))

def shore(scene):
    x, y, aspect = scene.x, scene.y, scene.aspect
    edge = scene.ridge(.88, .03) - .16*np.clip(x/aspect - .6, 0, 1) - .1*np.clip(.3 - x/aspect, 0, 1)
    tone = (y - edge)*4 + .18*scene.noise(.07)
    scene.lay(y - edge, ramp(tone, 'ffe890 fbbe4a f08a3c b8b83a 4fa03a 1c7058 3a3096'), .5*scene.noise(.2))
    shadow = both(.03 - abs(y - .885 + .1*(x - .84*aspect)), y - edge, .9*aspect - x)
    scene.mix(.8*scene.covered(shadow), pigments('5a3ab0'), -.1)
    for cx, cy, radius in BUSHES:
        bush(scene, cx*aspect, cy, radius)
    flowers = scene.noise(.02)
    scene.mix((flowers > 1.)*(y > edge + .04), pigments('f0305a'))
    scene.mix((flowers < -1.15)*(y > edge + .04), pigments('fff0a0'))

def pine(scene, cx, top, ground):
    x, y = scene.x, scene.y
    bent = x - (cx + .05*np.sin((y - top)*5))
    trunk = both(.013 + .012*(y - top) - abs(bent), y - top, ground - y)
    scene.lay(trunk, ramp(bent*30 + .5, '8a2f5a c4553a f08a3a'), np.pi/2)
    for dx, dy, half_width, half_height in CROWN:
        down = (y - top - dy)/half_height
        inside = 1 - np.hypot((x - cx - dx)/half_width, down) + .12*scene.noise(.03)
        tone = .5 - .5*(y - top - dy)/half_height + .12*scene.noise(.04)
        scene.lay(inside*.05, ramp(tone, '1c2f86 14705a 2fa04a 9ccc3a f0e050'), .4*np.sin(9*x))

def harbour(width, height, chance):
    "A bay at sundown: sun on the water, a small town, sails and an umbrella pine"
    scene = Collage(width, height, chance)
    bay(scene, .6*scene.aspect, .3, .44)
    town(scene)
    for cx, cy, size, colour in SAILS:
        boat(scene, cx*scene.aspect, cy, size, pigments(colour))
    shore(scene)
    pine(scene, .84*scene.aspect, .2, .86)
    return scene


# Breakers under a red sun

FOAM = 'f6ecd0'
CLOUDS = [(.2, .12, .3), (.43, .16, .2), (.93, .13, .22), (.08, .3, .22), (.86, .4, .2)]  # x, y, length
BREAKERS = [  # base, height, period, phase, colours
    (.53, .05, .36, .2, '5fb0a8 3f8898 9fd0b8'),
    (.62, .09, .52, .55, '2f7a98 235a8a 6fb8b8'),
    (.75, .15, .72, .28, '2a5f9c 1f3f7c 5fa0b8'),
    (.9, .24, 1.02, .02, '2458a0 1f3f7c 5f9cc8'),
    (1.04, .14, .6, .6, '2f80a0 1f4a8c 8fd0c0'),
]

def breaker(scene, base, height, period, phase, colours):
    "One row of waves with foam on their crests"
    crests = [(phase + k)*period + .12*period for k in range(-1, int(scene.x.max()/period) + 2)]
    u, v = curled(scene.x, scene.y, [(cx, base - .62*height, .3*height + .012, 2.6) for cx in crests])
    from_crest = abs((u/period - phase + .5) % 1 - .5)
    inside = v - base + height*np.exp(-from_crest*4.2)*(1 + .1*np.sin(8*u))
    angle = contour_angle(inside*scene.height)
    stripes = np.digitize(.5 + .5*np.sin(inside*2*np.pi/.085), [.28, .72])
    scene.lay(inside, pigments(colours)[stripes], angle)
    foam = .018 + .016*abs(np.sin(u*26 + 3*v)) + .02*np.exp(-from_crest*9)
    scene.lay(both(inside, foam - inside), pigments(FOAM), angle)

def cloud(scene, cx, cy, length):
    for dx, dy, share in [(0, 0, 1), (.2, .032, .75), (-.25, .05, .5)]:
        beyond = np.maximum(abs(scene.x - cx - dx*length) - share*length/2, 0)
        scene.lay(disc(beyond, scene.y - cy - dy, .02), pigments(FOAM), 0)

def mountain(scene, cx, angle):
    x = scene.x
    below = scene.y - np.maximum(abs(x - cx)*.62 + .27, .285)
    snow = .37 + .028*abs((x*13) % 2 - 1) + .02*np.sin(40*x)
    scene.lay(below, pigments('3c6f9c'), angle)
    scene.lay(both(below, snow - scene.y), pigments(FOAM), angle)

def waves(width, height, chance):
    "Breakers under a red sun, a white mountain far away"
    scene = Collage(width, height, chance)
    aspect = scene.aspect
    x, y = scene.x - .66*aspect, scene.y - .27
    far = np.hypot(x, y)
    scene.rgb = ramp(np.round((far - .19)*5.2)/5, 'f8e3a8 f6d58a f2b866 e89050 6fa8a0 3f8898')
    scene.angle = np.arctan2(x, -y)
    scene.lay(.19 - far, pigments('d8341f'))
    for cx, cy, length in CLOUDS:
        cloud(scene, cx*aspect, cy, length)
    mountain(scene, .33*aspect, np.where(scene.x < .33*aspect, -.75, .75) + .15*scene.noise(.1))
    for row in BREAKERS:
        breaker(scene, *row)
    return scene


# A table with a guitar

FRUITS = [  # x, y, radius, colours
    (.25, .83, .085, 'f8e060 e8b02a b8701c'),
    (.36, .9, .075, 'f07a4a c4301c 6a101c'),
    (.15, .92, .08, 'd8e070 8ab03a 3a5a1c'),
    (.66, .93, .07, 'ffc060 f08a1c a04a10'),
]

def guitar(scene, cx, cy, size, angle):
    "A guitar `size` heights long, the middle of its body at (cx, cy), its neck in direction `angle`"
    u, v = (way/size for way in scene.turned(cx, cy, angle))

    def lay(inside, codes, angle=None):
        scene.lay(inside*size, pigments(codes), angle)

    waist = both(.12 - abs(v), .16 - abs(u + .02))
    body = np.maximum.reduce([disc(u + .14, v, .2), disc(u - .09, v, .145), waist])
    lay(body + .012, '3a1c12', angle)
    wood = ramp(.5 + 1.6*v + .3*np.sin(40*v), 'f0c060 d88a38 b0602a 7a3a1c')
    scene.lay(body*size, wood, angle + np.pi/2)
    lay(disc(u - .03, v, .058), 'f2e4c0')  # the hole
    lay(disc(u - .03, v, .046), '1c1210')
    lay(both(.028 - abs(v), u - .08, .56 - u), '3a2018', angle)  # neck and head
    lay(both(.045 - abs(v), u - .54, .68 - u), '7a3a1c', angle)
    for fret in range(11):
        lay(box(v, u - .14 - .037*fret, .028, .004), 'd8c890')
    lay(box(v, u + .2, .05, .012), '2a1410')  # the bridge
    for string in (-2.5, -1.5, -.5, .5, 1.5, 2.5):
        lay(both(.0022 - abs(v - .009*string), u + .2, .56 - u), FOAM, angle)
    for peg in range(3):
        for side in (-1, 1):
            lay(disc(u - .57 - .038*peg, v - side*.055, .014), 'e8e0d0')

def bottle(scene, cx, cy, size):
    u, v = (scene.x - cx)/size, (scene.y - cy)/size
    width = np.where(v < -.25, .055, np.where(v < -.1, .055 + .09*(v + .25)/.15, .145))
    inside = both(width - abs(u), v + .5, .45 - v)
    scene.lay(inside*size, ramp(.5 + 3*u, '0c2a24 1c5a48 4fa07a cfeacb 2a6a50'), np.pi/2)
    scene.lay(box(u, v - .17, .12, .13)*size, ramp(.5 + v, 'fbf0d0 e8d0a0'), 0)
    for line in range(4):
        scene.lay(box(u, v - .08 - .05*line, .08, .008)*size, pigments('8a3a2a'), 0)

def fruit(scene, cx, cy, radius, colours):
    x, y = scene.x - cx, scene.y - cy
    inside = disc(x, y, radius)
    scene.lay(inside + .004, pigments('2a1a1c'))
    scene.lay(inside, ramp(.5 + .5*(x + y)/radius, colours), np.arctan2(x, -y))

def sheet_of_music(scene, cx, cy, angle):
    u, v = scene.turned(cx, cy, angle)
    scene.lay(box(u, v, .17, .12), pigments('fbf3dc'), angle)
    for line in range(5):
        scene.lay(box(u, v - .018*line + .036, .15, .0035), pigments('2a2a30'), angle)
    for note in range(7):
        scene.lay(disc(u + .12 - .04*note, v - .018*scene.chance.integers(-2, 3), .011), pigments('2a2a30'), 1.2)

def table(width, height, chance):
    "A still life: guitar, bottle, fruit and a sheet of music on a table before a papered wall"
    scene = Collage(width, height, chance)
    x, y, aspect = scene.x, scene.y, scene.aspect
    paper = np.round(2*((x*7 + .4*np.sin(9*y)) % 1))/2
    scene.rgb = ramp(.7*paper + .25*scene.noise(.15), '3a5a6a 5a8088 8aa8a0 c4c8a8')
    scene.angle = np.full((height, width), np.pi/2)
    scene.lay(both(x - .62*aspect, .5 - y), ramp((y*14) % 1, 'd8b070 b8783a d8b070'), .3)
    u, v = scene.turned(.5*aspect, .78, -.07)
    scene.lay(v + .2, ramp(.5 + .5*np.sin(u*26) + .2*scene.noise(.05), '6a3a20 8a5028 a8683a'), -.07)
    u, v = scene.turned(.3*aspect, .8, .35)
    checks = np.round((u*13) % 1)*.5 + np.round((v*13) % 1)*.5
    scene.lay(box(u, v, .36, .17), ramp(checks, 'fbf3dc c43a2a 7a1c24'), .35)
    sheet_of_music(scene, .8*aspect, .83, -.3)
    bottle(scene, .2*aspect, .46, .62)
    guitar(scene, .5*aspect, .6, .98, -.62)
    for cx, cy, radius, colours in FRUITS:
        fruit(scene, cx*aspect, cy, radius, colours)
    return scene


# Fishes in ringed water

SHOAL = [  # x, y, size, angle, colours
    (.3, .33, .52, .12, '0c3a8a 2a8ad8 a8e8f0 fff0b0'),
    (.73, .56, .6, 2.95, '8a1c1c e0502a ffb43c fff0c0'),
    (.26, .76, .42, -.3, '3a1c5a 8a3a9a e87ab0 ffe0d0'),
    (.86, .2, .3, 2.6, '0c4a3a 2aa070 b8e870 fff8c0'),
    (.56, .9, .26, .2, 'a04a10 f0a030 fff0a0 ffffff'),
]
WEEDS = [(.04, 1.1), (.12, 1.5), (.5, 2.1), (.62, .6), (.95, 1.8)]  # x, phase
BUBBLES = [  # x, y, radius
    (.5, .12, .03), (.54, .2, .02), (.47, .24, .014), (.93, .75, .03), (.9, .84, .02), (.08, .12, .026), (.1, .55, .02),
]

def fish(scene, cx, cy, size, angle, colours):
    u, v = (way/size for way in scene.turned(cx, cy, angle))
    body = .2*np.sqrt(np.clip(1 - (u/.42)**2, 0, 1))*(1 - .25*u) - abs(v)
    tail = both(u + .62, -.33 - u, .03 + .62*(-.33 - u) - abs(v))
    fin = both(.13 + .3*u - abs(v + .2*(1 - u*u)), u + .2, .22 - u)
    for inside, slope in ((tail, 6*v), (fin, 3*u)):
        scene.lay(inside*size, ramp(.5 + slope, colours), angle + .6*np.sign(v))
    scene.mix(scene.covered((body + .02)*size)*(abs(u) < .43), pigments('14284a'), angle)
    scales = np.cos(2*np.pi*np.hypot(((u*13 + .5*np.round(v*13)) % 1) - .5, ((v*13) % 1) - .5))
    scene.mix(scene.covered(body*size)*(abs(u) < .42), ramp(.5 + .35*scales + .9*v, colours), angle + .9*v)
    scene.lay(both(body, .012 - abs(u - .2 - .25*v*v))*size, pigments('14284a'), angle + 1.57)  # the gill
    for radius, colour in ((.045, 'fff8e0'), (.026, '101828')):
        scene.lay(disc(u - .3, v + .035, radius)*size, pigments(colour))

def weed(scene, cx, phase):
    for k in range(4):
        middle = cx + .03*k - .05 + .03*np.sin(11*scene.y + phase + k)
        blade = .011*np.clip((scene.y - .3 - .12*k)*3, 0, 1) - abs(scene.x - middle)
        scene.lay(blade, ramp(scene.y, 'a8d84a 4a9a3a 145a3a'), np.pi/2 + .3*np.cos(11*scene.y + phase + k))

def fishes(width, height, chance):
    "Five fishes in ringed water among weeds"
    scene = Collage(width, height, chance)
    x, y, aspect = scene.x, scene.y, scene.aspect
    far = []
    for cx, cy, size, angle, _ in SHOAL:
        u, v = scene.turned(cx*aspect, cy, angle)
        far.append(np.hypot(u, 1.8*v)/size)
    rings = np.min(far, 0) + .12*scene.noise(.3)
    scene.rgb = ramp(.5 + .4*np.sin(2*np.pi*rings*5) + .25*(y - .5), '0c5a78 1c8a9a 5fc0b8 bfe8d0')
    scene.angle = contour_angle(rings*height)
    for cx, phase in WEEDS:
        weed(scene, cx*aspect, phase)
    for cx, cy, size, angle, colours in SHOAL:
        fish(scene, cx*aspect, cy, size, angle, colours)
    for cx, cy, radius in BUBBLES:
        u, v = x - cx*aspect, y - cy
        scene.lay(disc(u, v, radius), ramp(np.hypot(u + radius/3, v + radius/3)/radius, 'ffffff 8ad8e0 2a8ab0'))
    return scene
