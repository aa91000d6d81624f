//! What other systems call a function, from lists of their names
//! (`testdata/scripts/peers/functions.py` makes them).

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::functions::Function;

/// A system whose users bring SQL along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// PostGIS 3.3.
    PostGis,
    /// SedonaDB 0.5.
    SedonaDb,
    /// DuckDB 1.5 with its extension `spatial`.
    DuckDb,
}

const POSTGIS: &str = include_str!("../peers/postgis.txt");
const SEDONADB: &str = include_str!("../peers/sedonadb.txt");
const DUCKDB: &str = include_str!("../peers/duckdb.txt");

/// Names as they are spelt, by their lower case.
type Names = HashMap<String, &'static str>;

fn names(list: &'static str) -> Names {
    list.lines()
        .map(|name| (name.to_ascii_lowercase(), name))
        .collect()
}

impl Peer {
    /// All of them.
    pub const ALL: [Peer; 3] = [Peer::PostGis, Peer::SedonaDb, Peer::DuckDb];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Peer::PostGis => "PostGIS",
            Peer::SedonaDb => "SedonaDB",
            Peer::DuckDb => "DuckDB",
        }
    }

    /// What it calls a function, in geoflow's spelling where that is the same word; `None` if it
    /// has none of its names.
    pub fn name_of(self, function: &Function) -> Option<&'static str> {
        static ALL: LazyLock<[Names; 3]> =
            LazyLock::new(|| [names(POSTGIS), names(SEDONADB), names(DUCKDB)]);
        let known = &ALL[self as usize];
        function
            .names()
            .find(|name| known.contains_key(&name.to_ascii_lowercase()))
    }
}

/// The functions of PostGIS over vector geometries, in alphabetical order.
pub(super) fn postgis_names() -> impl Iterator<Item = &'static str> {
    POSTGIS.lines()
}
