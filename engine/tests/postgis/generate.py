#!/usr/bin/env python3
"""Asks PostGIS about nasty pairs of geometries and writes ../data/postgis_predicates.tsv.

Needs a PostgreSQL with PostGIS that psql reaches through the PG* variables, for instance
(Debian, packages postgresql-15-postgis-3 and postgresql-client):

    su postgres -c '/usr/lib/postgresql/15/bin/initdb -D /tmp/judge -A trust'
    su postgres -c '/usr/lib/postgresql/15/bin/pg_ctl -D /tmp/judge -w \\
        -o "-k /tmp -c listen_addresses=" start'
    PGHOST=/tmp PGUSER=postgres python3 generate.py

The coordinates lie on a small grid, so that most pairs touch, share edges or overlap along lines;
pairs of which PostGIS calls a geometry invalid are dropped. Columns: a, b (WKT), the DE-9IM matrix, one
character for each predicate (t, f, or ? where PostGIS refuses collections), the distance, and,
where PostGIS' matrix is not that of exact.py, the latter: lines that cross themselves are cut by GEOS
at rounded points, and then seem to leave their own course; a collection whose elements meet has no
agreed reading in it.
"""

import pathlib
import random
import subprocess

import exact


PAIRS = 11000
PREDICATES = ["intersects", "contains", "within", "covers", "coveredby", "touches", "crosses", "overlaps", "equals"]

rnd = random.Random(20240607)


def coord(n=6):
    return (rnd.randint(0, n), rnd.randint(0, n))


def text(points):
    return "(" + ",".join(f"{x} {y}" for x, y in points) + ")"


def rect(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]


def ring():
    kind = rnd.random()
    if kind < 0.35:
        (x0, y0) = coord(5)
        return rect(x0, y0, x0 + rnd.randint(1, 4), y0 + rnd.randint(1, 4))
    points = [coord() for _ in range(rnd.choice([3, 3, 4, 4, 5, 6, 7]))]
    return points + points[:1]


def vary(points):
    """The same ring, started elsewhere, reversed, or with a vertex more."""
    inner = points[:-1]
    k = rnd.randrange(len(inner))
    inner = inner[k:] + inner[:k]
    if rnd.random() < 0.5:
        inner = inner[::-1]
    if rnd.random() < 0.3:
        (ax, ay), (bx, by) = inner[0], inner[1]
        if (ax + bx) % 2 == 0 and (ay + by) % 2 == 0:
            inner.insert(1, ((ax + bx) // 2, (ay + by) // 2))
    return inner + inner[:1]


def polygon_rings():
    kind = rnd.random()
    if kind < 0.6:
        return [ring()]
    outer = rect(0, 0, rnd.randint(4, 7), rnd.randint(4, 7))
    holes = []
    for _ in range(rnd.choice([1, 1, 2])):
        x, y = rnd.randint(0, 4), rnd.randint(0, 4)
        if rnd.random() < 0.6:
            holes.append(rect(x, y, x + rnd.randint(1, 2), y + rnd.randint(1, 2)))
        else:
            points = [coord(), coord(), coord()]
            holes.append(points + points[:1])
    return [outer] + holes


def polygon_text(rings):
    return "(" + ",".join(text(r) for r in rings) + ")"


class Shape:
    """A WKT with its rings and lines, from which relatives are made."""

    def __init__(self, wkt, rings=(), lines=()):
        self.wkt, self.rings, self.lines = wkt, list(rings), list(lines)


def polygon():
    rings = polygon_rings()
    return Shape("POLYGON" + polygon_text(rings), rings)


def multipolygon():
    parts = [polygon_rings() if rnd.random() < 0.3 else [ring()] for _ in range(rnd.choice([2, 2, 3]))]
    return Shape(
        "MULTIPOLYGON(" + ",".join(polygon_text(p) for p in parts) + ")", [r for p in parts for r in p]
    )


def path():
    points = [coord() for _ in range(rnd.choice([2, 2, 3, 3, 4, 5]))]
    if rnd.random() < 0.15:
        points.append(points[0])
    return points


def line():
    points = path()
    return Shape("LINESTRING" + text(points), lines=[points])


def multiline():
    parts = [path() for _ in range(rnd.choice([2, 2, 3]))]
    return Shape("MULTILINESTRING(" + ",".join(text(p) for p in parts) + ")", lines=parts)


def point():
    x, y = coord()
    return Shape(f"POINT({x} {y})")


def multipoint():
    return Shape("MULTIPOINT" + text([coord() for _ in range(rnd.choice([1, 2, 3, 4]))]))


def empty():
    return Shape(rnd.choice(["POINT", "LINESTRING", "POLYGON", "MULTIPOLYGON", "GEOMETRYCOLLECTION"]) + " EMPTY")


def collection():
    parts = [rnd.choice([polygon, line, point])() for _ in range(rnd.choice([1, 2, 2, 3]))]
    return Shape("GEOMETRYCOLLECTION(" + ",".join(p.wkt for p in parts) + ")")


KINDS = [(polygon, 8), (multipolygon, 4), (line, 5), (multiline, 3), (point, 2), (multipoint, 2), (empty, 0.2), (collection, 3)]


def any_shape():
    return rnd.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]()


def relative(a):
    """A shape that shares much with `a`."""
    chains = a.rings or a.lines
    if not chains:
        return any_shape()
    chain = rnd.choice(chains)
    kind = rnd.random()
    if a.rings and kind < 0.2:
        return Shape("POLYGON(" + ",".join(text(vary(r)) for r in a.rings) + ")", a.rings)
    if a.rings and kind < 0.45:
        one = vary(chain)
        return Shape("POLYGON(" + text(one) + ")", [one])
    if kind < 0.6:
        return Shape("LINESTRING" + text(chain if rnd.random() < 0.5 else chain[::-1]))
    if kind < 0.8 and len(chain) > 2:
        i = rnd.randrange(len(chain) - 1)
        part = chain[i : i + 1 + rnd.randint(1, 3)]
        if rnd.random() < 0.4:
            part = part + [coord()]
        return Shape("LINESTRING" + text(part), lines=[part])
    if kind < 0.9:
        return Shape("MULTILINESTRING(" + ",".join(text(c) for c in chains) + ")", lines=chains)
    return Shape("MULTIPOINT" + text(rnd.sample(chain, min(len(chain), rnd.randint(1, 4)))))


def pairs():
    for _ in range(PAIRS):
        a = any_shape()
        b = relative(a) if rnd.random() < 0.35 else any_shape()
        if rnd.random() < 0.5:
            a, b = b, a
        yield a.wkt, b.wkt


def sql():
    """Every question in a block of its own: PostGIS raises errors for some collections."""
    yield "SET client_min_messages = warning;"
    yield "CREATE EXTENSION IF NOT EXISTS postgis;"
    yield "DROP TABLE IF EXISTS pair; CREATE TABLE pair(id serial, a text, b text);"
    asks = "".join(
        f"BEGIN s := s || CASE WHEN ST_{p}(ga, gb) THEN 't' ELSE 'f' END; "
        "EXCEPTION WHEN OTHERS THEN s := s || '?'; END; "
        for p in PREDICATES
    )
    yield (
        "CREATE OR REPLACE FUNCTION ask(ga geometry, gb geometry) RETURNS text AS $$ "
        f"DECLARE s text := ''; BEGIN {asks} RETURN s; END $$ LANGUAGE plpgsql;"
    )
    yield (
        "CREATE OR REPLACE FUNCTION matrix(ga geometry, gb geometry) RETURNS text AS $$ "
        "BEGIN RETURN ST_Relate(ga, gb); EXCEPTION WHEN OTHERS THEN RETURN '?'; END $$ LANGUAGE plpgsql;"
    )
    yield "COPY pair(a, b) FROM STDIN;"
    for a, b in pairs():
        yield f"{a}\t{b}"
    yield "\\."
    yield (
        "COPY (WITH g AS (SELECT id, a, b, a::geometry AS ga, b::geometry AS gb FROM pair) "
        "SELECT a, b, matrix(ga, gb), ask(ga, gb), coalesce(ST_Distance(ga, gb)::text, '') FROM g "
        "WHERE ST_IsValid(ga) AND ST_IsValid(gb) ORDER BY id) TO STDOUT;"
    )


def main():
    script = "\n".join(sql()) + "\n"
    done = subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1"], input=script, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    out = pathlib.Path(__file__).parent.parent / "data" / "postgis_predicates.tsv"
    lines = []
    for line in done.stdout.splitlines():
        a, b, theirs = line.split("\t")[:3]
        true = exact.matrix(a, b)
        lines.append(f"{line}\t{'' if true == theirs else true}\n")
    out.write_text("".join(lines))
    print(f"{out}: {len(lines)} pairs")


main()
