"""Lists the ST_ functions of PostGIS, SedonaDB and DuckDB for the reference of geoflow's own.

    pip install sedonadb==0.5.0 duckdb==1.5.5
    python testdata/scripts/peers/functions.py /usr/share/postgresql/15/extension/postgis--3.3.2.sql

writes sql/src/functions/peers/{postgis,sedonadb,duckdb}.txt, one name a line. The PostGIS names are
those that its extension script creates; names that start with an underscore are its own affair.
"""

import pathlib
import re
import sys

import duckdb
import sedonadb

FOLDER = pathlib.Path(__file__).parents[3] / "sql/src/functions/peers"


def write(name, functions):
    # One spelling of a name: PostGIS' own SQL is not of one mind about st_ and ST_.
    spelling = {}
    for function in sorted(functions, key=lambda name: (-sum(map(str.isupper, name)), name)):
        spelling.setdefault(function.lower(), function)
    lines = [spelling[key] for key in sorted(spelling)]
    (FOLDER / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    print(name, len(lines))


script = pathlib.Path(sys.argv[1]).read_text()
created = re.findall(r"CREATE (?:OR REPLACE )?(?:FUNCTION|AGGREGATE)\s+(ST_\w+)", script, re.IGNORECASE)
write("postgis", {name[:3].upper() + name[3:] for name in created} | {"Box2D", "GeometryType"})

routines = sedonadb.connect().sql("SELECT DISTINCT routine_name AS name FROM information_schema.routines").to_pandas()
write("sedonadb", {name for name in routines["name"] if name.startswith("st_")})

connection = duckdb.connect()
connection.execute("LOAD spatial")
rows = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_name ILIKE 'st@_%' ESCAPE '@'")
write("duckdb", {name for (name,) in rows.fetchall()})
