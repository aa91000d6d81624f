//! The spatial index of a GeoPackage, built at once: SQLite's own inserts rows one by one, which takes
//! longer than all the rest.
//!
//! <https://www.sqlite.org/rtree.html>, "Internals": nodes are blobs of big-endian cells, the root is node 1.
//!
//! ```text
//!  boxes ──sort along a Hilbert curve──> leaves of 51 cells ──> nodes of 51 leaves ──> ... ──> root
//!
//!  node  | depth u16 (root alone) | cells u16 | id i64, min x, max x, min y, max y as f32 | ...
//!  _node (nodeno, data)    _parent (nodeno, parentnode)    _rowid (rowid, nodeno)
//! ```

use rusqlite::Connection;

use super::geopackage_schema::quoted;
use crate::geometry::{Bounds, round_down, round_up};
use crate::tiling::HilbertCurve;

/// Bytes of a cell of two dimensions.
const CELL: usize = 24;

/// Cells of a node: SQLite's choice for pages of 4 KiB.
const CELLS: usize = 51;

/// Bytes of a node; those that no cell fills are zero.
const NODE: usize = 4 + CELL * CELLS;

/// A box of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    /// The key of the row, or the number of a node.
    id: i64,
    min_x: f32,
    max_x: f32,
    min_y: f32,
    max_y: f32,
    /// Where its centre lies on the curve; of a row that has one, its leaf.
    place: u64,
}

impl Cell {
    /// The box of a row, rounded outward.
    pub(super) fn new(id: i64, b: &Bounds, curve: &HilbertCurve) -> Self {
        let centre = b.centre();
        Self {
            id,
            min_x: round_down(b.min_x),
            max_x: round_up(b.max_x),
            min_y: round_down(b.min_y),
            max_y: round_up(b.max_y),
            place: curve.place(centre.x, centre.y),
        }
    }

    fn union(id: i64, cells: &[Cell]) -> Self {
        let mut all = Self {
            id,
            min_x: f32::INFINITY,
            max_x: f32::NEG_INFINITY,
            min_y: f32::INFINITY,
            max_y: f32::NEG_INFINITY,
            place: 0,
        };
        for cell in cells {
            all.min_x = all.min_x.min(cell.min_x);
            all.max_x = all.max_x.max(cell.max_x);
            all.min_y = all.min_y.min(cell.min_y);
            all.max_y = all.max_y.max(cell.max_y);
        }
        all
    }
}

/// Fills the index `name`, a virtual table that is there and empty.
pub(super) fn fill(
    connection: &Connection,
    name: &str,
    mut cells: Vec<Cell>,
) -> rusqlite::Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    cells.sort_unstable_by_key(|cell| (cell.place, cell.id));
    let mut tree = Tree::new(connection, name)?;
    // Numbers are given level by level, the root's last: it is 1, whatever its level.
    let mut next = 2;
    let mut level = vec![];
    if cells.len() > CELLS {
        for leaf in cells.chunks_mut(CELLS) {
            tree.node(next, 0, leaf)?;
            level.push(Cell::union(next, leaf));
            leaf.iter_mut().for_each(|cell| cell.place = next as u64);
            next += 1;
        }
    } else {
        tree.node(1, 0, &cells)?;
        cells.iter_mut().for_each(|cell| cell.place = 1);
    }
    let mut depth = 1_u16;
    while level.len() > CELLS {
        let mut above = Vec::with_capacity(level.len().div_ceil(CELLS));
        for node in level.chunks(CELLS) {
            tree.node(next, depth, node)?;
            for cell in node {
                tree.parent(cell.id, next)?;
            }
            above.push(Cell::union(next, node));
            next += 1;
        }
        level = above;
        depth += 1;
    }
    if !level.is_empty() {
        tree.node(1, depth, &level)?;
        for cell in &level {
            tree.parent(cell.id, 1)?;
        }
    }
    // In the order of its keys the table is filled by appending.
    cells.sort_unstable_by_key(|cell| cell.id);
    tree.rows(&cells)
}

/// The three tables behind the index.
struct Tree<'c> {
    node: rusqlite::Statement<'c>,
    parent: rusqlite::Statement<'c>,
    row: rusqlite::Statement<'c>,
    data: Vec<u8>,
}

impl<'c> Tree<'c> {
    fn new(connection: &'c Connection, name: &str) -> rusqlite::Result<Self> {
        let insert = |table: &str| {
            let table = quoted(&format!("{name}_{table}"));
            connection.prepare(&format!("INSERT OR REPLACE INTO {table} VALUES (?1, ?2)"))
        };
        Ok(Self {
            node: insert("node")?,
            parent: insert("parent")?,
            row: insert("rowid")?,
            data: Vec::with_capacity(NODE),
        })
    }

    fn node(&mut self, number: i64, depth: u16, cells: &[Cell]) -> rusqlite::Result<()> {
        self.data.clear();
        self.data.extend(depth.to_be_bytes());
        self.data.extend((cells.len() as u16).to_be_bytes());
        for cell in cells {
            self.data.extend(cell.id.to_be_bytes());
            for side in [cell.min_x, cell.max_x, cell.min_y, cell.max_y] {
                self.data.extend(side.to_be_bytes());
            }
        }
        self.data.resize(NODE, 0);
        self.node.execute((number, self.data.as_slice())).map(drop)
    }

    fn parent(&mut self, node: i64, parent: i64) -> rusqlite::Result<()> {
        self.parent.execute((node, parent)).map(drop)
    }

    fn rows(&mut self, cells: &[Cell]) -> rusqlite::Result<()> {
        for cell in cells {
            self.row.execute((cell.id, cell.place as i64))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A grid of small boxes, indexed.
    fn index(n: i64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "CREATE VIRTUAL TABLE r USING rtree(id, minx, maxx, miny, maxy)";
        connection.execute_batch(sql).unwrap();
        let curve = HilbertCurve::over(None);
        let cells = (0..n).map(|id| {
            let (x, y) = ((id % 100) as f64, (id / 100) as f64);
            Cell::new(id + 1, &Bounds::new(x, y, x + 0.1, y + 0.1), &curve)
        });
        fill(&connection, "r", cells.collect()).unwrap();
        connection
    }

    #[test]
    fn sqlite_finds_nothing_wrong_and_everything_right() {
        for n in [0, 1, 51, 52, 51 * 51, 51 * 51 + 1, 5000] {
            let connection = index(n);
            let check: String = connection
                .query_row("SELECT rtreecheck('r')", [], |row| row.get(0))
                .unwrap();
            assert_eq!(check, "ok", "{n} boxes");
            let found: i64 = connection
                .query_row("SELECT count(*) FROM r", [], |row| row.get(0))
                .unwrap();
            assert_eq!(found, n);
            let sql = "SELECT count(*) FROM r WHERE minx < 12 AND maxx > 10.05 AND miny < 7 AND maxy > 5.05";
            let found: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found, if n >= 5000 { 4 } else { found });
        }
    }

    #[test]
    fn sqlite_goes_on_from_there() {
        let connection = index(3000);
        for id in 0..200 {
            connection
                .execute("INSERT INTO r VALUES (?1, 3, 4, 5, 6)", [10_000 + id])
                .unwrap();
            connection
                .execute("DELETE FROM r WHERE id = ?1", [id + 1])
                .unwrap();
        }
        let check: String = connection
            .query_row("SELECT rtreecheck('r')", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
    }

    #[test]
    fn boxes_are_rounded_outward() {
        let curve = HilbertCurve::over(None);
        let cell = Cell::new(1, &Bounds::new(0.1, -0.1, 0.3, 0.3), &curve);
        assert!(f64::from(cell.min_x) <= 0.1 && f64::from(cell.max_x) >= 0.3);
        assert!(f64::from(cell.min_y) <= -0.1 && f64::from(cell.max_y) >= 0.3);
    }
}
