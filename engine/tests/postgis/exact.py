"""The DE-9IM matrix of two geometries by its definition, in rational arithmetic.

All segments of both geometries are cut at all their crossings. Every node, every piece between
nodes and the faces on both sides of every piece is then located in each geometry. A
collection is the union of its elements. Slow, and meant to be read.
"""

import math
from fractions import Fraction

I, B, E = 0, 1, 2
# Far below the distance of anything on the grid of the generator.
NEAR = Fraction(1, 10**8)


class Geometry:
    def __init__(self, wkt):
        self.points, self.lines, self.polygons = [], [], []
        self.take(wkt.strip())
        self.polygon_segments = [s for rings in self.polygons for r in rings for s in segments(r)]
        self.line_segments = [s for line in self.lines for s in segments(line)]

    def take(self, wkt):
        kind, _, body = wkt.partition("(")
        kind, body = kind.strip(), body[:-1]
        if "EMPTY" in kind:
            return
        if kind == "POINT" or kind == "MULTIPOINT":
            self.points += coords(body.replace("(", "").replace(")", ""))
        elif kind == "LINESTRING":
            self.lines.append(coords(body))
        elif kind == "POLYGON":
            self.polygons.append([coords(r[1:-1]) for r in split(body)])
        elif kind == "MULTILINESTRING":
            self.lines += [coords(part[1:-1]) for part in split(body)]
        elif kind == "MULTIPOLYGON":
            self.polygons += [[coords(r[1:-1]) for r in split(part[1:-1])] for part in split(body)]
        elif kind == "GEOMETRYCOLLECTION":
            for part in split(body):
                self.take(part)

    def in_area(self, p):
        """For a point on no segment."""
        return any(sum(ray(p, s) for r in rings for s in segments(r)) % 2 for rings in self.polygons)

    def locate(self, p, around):
        """The part of the geometry at `p`, with samples of the faces around it."""
        inside = [self.in_area(q) for q in around]
        if all(inside):
            return I
        if any(inside):
            return B
        ends = sum((line[0] == p) + (line[-1] == p) for line in self.lines)
        if ends % 2:
            return B
        if any(on(p, s) for s in self.line_segments) or p in self.points:
            return I
        return E


def coords(text):
    return [tuple(Fraction(v) for v in pair.split()) for pair in text.split(",")]


def split(text):
    """Cuts at the commas outside parentheses."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [p.strip() for p in parts + [text[start:]]]


def segments(chain):
    return [(p, q) for p, q in zip(chain, chain[1:]) if p != q]


def cross(o, a, b):
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def on(p, s):
    a, b = s
    within = min(a[0], b[0]) <= p[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= p[1] <= max(a[1], b[1])
    return within and cross(a, b, p) == 0


def ray(p, s):
    (ax, ay), (bx, by) = s
    if (ay > p[1]) == (by > p[1]):
        return 0
    return int(ax + (p[1] - ay) * (bx - ax) / (by - ay) > p[0])


def crossing(s, t):
    (p, q), (u, v) = s, t
    d = (q[0] - p[0]) * (v[1] - u[1]) - (q[1] - p[1]) * (v[0] - u[0])
    if d == 0:
        return None  # parallel: shared parts end in vertices
    k = ((u[0] - p[0]) * (v[1] - u[1]) - (u[1] - p[1]) * (v[0] - u[0])) / d
    x = (p[0] + k * (q[0] - p[0]), p[1] + k * (q[1] - p[1]))
    return x if on(x, s) and on(x, t) else None


def around(p, all_segments):
    """A point in each face that meets at `p`."""
    angles = set()
    for a, b in all_segments:
        if on(p, (a, b)):
            for end in (a, b):
                if end != p:
                    angles.add(math.atan2(end[1] - p[1], end[0] - p[0]))
    if not angles:
        return [p]
    turn = sorted(angles)
    turn = [t for i, t in enumerate(turn) if i == 0 or t - turn[i - 1] > 1e-9]
    turn.append(turn[0] + 2 * math.pi)
    samples = []
    for low, high in zip(turn, turn[1:]):
        if high - low > 1e-9:
            middle = (low + high) / 2
            samples.append((p[0] + NEAR * Fraction(math.cos(middle)), p[1] + NEAR * Fraction(math.sin(middle))))
    return samples


def matrix(wkt_a, wkt_b):
    a, b = Geometry(wkt_a), Geometry(wkt_b)
    every = list({s for g in (a, b) for s in g.polygon_segments + g.line_segments})
    nodes = {p for s in every for p in s} | set(a.points) | set(b.points)
    for i, s in enumerate(every):
        for t in every[:i]:
            x = crossing(s, t)
            if x is not None:
                nodes.add(x)
    cells = [[-1] * 3 for _ in range(3)]
    cells[E][E] = 2

    def raise_to(p, faces, dimension):
        i, j = a.locate(p, faces), b.locate(p, faces)
        cells[i][j] = max(cells[i][j], dimension)

    for p in nodes:
        raise_to(p, around(p, every), 0)
    for s in every:
        stops = sorted(p for p in nodes if on(p, s))
        for p, q in zip(stops, stops[1:]):
            middle = ((p[0] + q[0]) / 2, (p[1] + q[1]) / 2)
            faces = around(middle, every)
            raise_to(middle, faces, 1)
            for face in faces:
                raise_to(face, [face], 2)
    return "".join("F" if d < 0 else str(d) for row in cells for d in row)
