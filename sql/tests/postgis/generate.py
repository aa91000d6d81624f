#!/usr/bin/env python3
"""Asks PostGIS for the values of functions and writes ../data/postgis_functions.tsv.

Needs a PostgreSQL with PostGIS that psql reaches through the PG* variables; engine/tests/postgis/generate.py says how
to get one. expressions.txt lists what is asked: kind, set of inputs (inputs.py), expression over a and b.

The answers stand under the line of their expression, one for each input, in order: NULL is \\N, an error of PostGIS is
ERROR. The inputs stand first. An expression for which geoflow has another name stands behind `=>`.
"""

import pathlib
import subprocess

from inputs import SETS

HERE = pathlib.Path(__file__).parent

PREPARE = """
SET client_min_messages TO error;
SET extra_float_digits TO 1;
CREATE OR REPLACE FUNCTION pg_temp.ask(expression text, a geometry, b geometry) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
  EXECUTE 'SELECT (' || expression || ')::text FROM (SELECT $1 AS a, $2 AS b) AS t' INTO answer USING a, b;
  RETURN coalesce(answer, '\\N');
EXCEPTION WHEN OTHERS THEN
  RETURN 'ERROR';
END $$;
"""


def quoted(text):
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def main():
    asked = []
    for line in (HERE / "expressions.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            kind, inputs, expression = line.split(None, 2)
            asked.append((kind, inputs, expression))
    script = [PREPARE]
    for name, rows in SETS.items():
        script.append(f"CREATE TEMP TABLE set_{name} (i int, a geometry, b geometry);")
        for i, (a, b) in enumerate(rows):
            script.append(f"INSERT INTO set_{name} VALUES ({i}, {quoted(a)}, {quoted(b)});")
    for kind, inputs, expression in asked:
        theirs = expression.split(" => ")[0]
        if kind in ("geometry", "near"):
            theirs = f"ST_AsText({theirs})"
        script.append(f"SELECT pg_temp.ask({quoted(theirs)}, a, b) FROM set_{inputs} ORDER BY i;")
    done = subprocess.run(
        ["psql", "-qAt", "-v", "ON_ERROR_STOP=1"], input="\n".join(script), capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    answers = iter(done.stdout.splitlines())
    out = []
    for name, rows in SETS.items():
        out.append(f"set\t{name}")
        out += [f"{a or ''}\t{b or ''}" for a, b in rows]
    for kind, inputs, expression in asked:
        out.append(f"ask\t{kind}\t{inputs}\t{expression}")
        out += [next(answers) for _ in SETS[inputs]]
    path = HERE.parent / "data" / "postgis_functions.tsv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(out) + "\n")
    print(f"{path}: {len(asked)} expressions, {sum(len(SETS[inputs]) for _, inputs, _ in asked)} answers")


main()
