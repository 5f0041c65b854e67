"ICC profiles for tests, made here"
import struct

def icc(space, pcs, tags):
    "The bytes of an ICC profile (version 2) for a display."
    table, body, at = b'', b'', 132 + 12*len(tags)
    for name, data in tags.items():
        data += b'\0'*(-len(data) % 4)
        table += name + struct.pack('>II', at + len(body), len(data))
        body += data
    kind = b'prtr' if space == b'CMYK' else b'mntr'
    head = struct.pack('>I4sI4s4s4s', at + len(body), b'lcms', 0x02100000, kind, space, pcs)
    head += struct.pack('>6H', 2026, 1, 1, 0, 0, 0) + b'acsp' + b'\0'*28 + struct.pack('>3i', 63190, 65536, 54061)
    return head.ljust(128, b'\0') + struct.pack('>I', len(tags)) + table + body

def number(x): return struct.pack('>i', round(x*65536))
def point(xyz): return b'XYZ \0\0\0\0' + b''.join(map(number, xyz))
def gamma(g): return b'curv\0\0\0\0' + struct.pack('>IH', 1, round(g*256)) + b'\0\0'
WORDS = {b'desc': b'desc\0\0\0\0' + struct.pack('>I', 5) + b'test\0' + b'\0'*78, b'cprt': b'text\0\0\0\0none\0'}

def rgb_profile(r, g, b, power=2.2):
    curves = {k: gamma(power) for k in (b'rTRC', b'gTRC', b'bTRC')}
    points = {b'wtpt': point((.9642, 1, .8249)), b'rXYZ': point(r), b'gXYZ': point(g), b'bXYZ': point(b)}
    return icc(b'RGB ', b'XYZ ', WORDS | points | curves)

ADOBE = rgb_profile((.60974, .31111, .01947), (.20528, .62567, .06087), (.14919, .06322, .74457), 2.19921875)
P3 = rgb_profile((.51512, .24120, -.00105), (.29198, .69225, .04189), (.15710, .06657, .78407))
GREY = icc(b'GRAY', b'XYZ ', WORDS | {b'wtpt': point((.9642, 1, .8249)), b'kTRC': gamma(1.)})

def cmyk_profile(ink):
    "A profile whose colours are 8-bit Lab, given by a function of four inks that are 0 or 1."
    lut = b'mft1\0\0\0\0' + bytes([4, 3, 2, 0])
    lut += b''.join(map(number, (1, 0, 0, 0, 1, 0, 0, 0, 1))) + bytes(range(256))*4
    lut += bytes(v for i in range(16) for v in ink(*(i >> k & 1 for k in (3, 2, 1, 0)))) + bytes(range(256))*3
    return icc(b'CMYK', b'Lab ', WORDS | {b'wtpt': point((.9642, 1, .8249)), b'A2B0': lut})

ALL_GREEN = cmyk_profile(lambda c, m, y, k: (150, 70, 180) if c else (255, 128, 128))
