//! The state of aggregates that gather geometries: columns, not objects.
//!
//! ```text
//!  points   group │ x │ y            20 bytes a point
//!  others   group │ points before │ end ──> bytes of WKB, one value after another
//! ```
//!
//! Both are logs in the order of arrival; `before` says how many points came earlier, so that
//! a group's geometries come out in the order in which they went in. With ORDER BY every geometry is
//! among the others, behind the bytes of its sort key.

use datafusion::error::Result;
use datafusion::logical_expr::EmitTo;
use geoflow_engine::Error;
use geoflow_engine::geometry::wkb::point_xy;
use geoflow_engine::geometry::wkb_writer::write_point;

/// A geometry of a group.
#[derive(Debug, Clone, Copy)]
pub(in crate::functions) enum Part<'a> {
    /// A point of finite x and y, without Z or M.
    Point(f64, f64),
    /// Anything else, as ISO WKB.
    Wkb(&'a [u8]),
}

impl Part<'_> {
    /// Appends the part as WKB.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Part::Point(x, y) => write_point(*x, *y, out),
            Part::Wkb(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Geometries of many groups.
#[derive(Debug, Default)]
pub(super) struct Parts {
    point_groups: Vec<u32>,
    x: Vec<f64>,
    y: Vec<f64>,
    other_groups: Vec<u32>,
    before: Vec<u32>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// First byte of a packed state: x and y of points follow.
const POINTS: u8 = 0;
/// First byte of a packed state: WKB values follow, each after its length.
const VALUES: u8 = 1;

impl Parts {
    /// Adds a point.
    #[inline]
    pub(super) fn push_point(&mut self, group: usize, x: f64, y: f64) {
        self.point_groups.push(group as u32);
        self.x.push(x);
        self.y.push(y);
    }

    /// Adds a value as ISO WKB.
    pub(super) fn push_wkb(&mut self, group: usize, wkb: &[u8]) {
        match point_xy(wkb) {
            Some((x, y)) if !x.is_nan() => self.push_point(group, x, y),
            _ => self.push_bytes(group, |bytes| bytes.extend_from_slice(wkb)),
        }
    }

    /// Adds a value behind its sort key.
    pub(super) fn push_keyed(&mut self, group: usize, key: &[u8], wkb: &[u8]) {
        self.push_bytes(group, |bytes| {
            bytes.extend((key.len() as u32).to_le_bytes());
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(wkb);
        });
    }

    fn push_bytes(&mut self, group: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.other_groups.push(group as u32);
        self.before.push(self.x.len() as u32);
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Adds what [`Parts::pack`] wrote.
    pub(super) fn unpack(&mut self, group: usize, packed: &[u8]) -> Result<()> {
        let broken = || Error::Internal("a partial state of an aggregate is broken".into());
        match packed.split_first() {
            None => Ok(()),
            Some((&POINTS, points)) => {
                for pair in points.chunks_exact(16) {
                    let (mut x, mut y) = ([0; 8], [0; 8]);
                    x.copy_from_slice(&pair[..8]);
                    y.copy_from_slice(&pair[8..]);
                    self.push_point(group, f64::from_le_bytes(x), f64::from_le_bytes(y));
                }
                Ok(())
            }
            Some((_, mut values)) => {
                while let Some((length, rest)) = values.split_first_chunk::<4>() {
                    let length = u32::from_le_bytes(*length) as usize;
                    let value = rest.get(..length).ok_or_else(broken)?;
                    self.push_bytes(group, |bytes| bytes.extend_from_slice(value));
                    values = &rest[length..];
                }
                Ok(())
            }
        }
    }

    /// Writes the parts of a group for another instance, nothing for none.
    pub(super) fn pack<'a>(parts: impl Iterator<Item = Part<'a>> + Clone, out: &mut Vec<u8>) {
        let only_points = parts.clone().all(|part| matches!(part, Part::Point(..)));
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return;
        }
        out.push(if only_points { POINTS } else { VALUES });
        for part in parts {
            match part {
                Part::Point(x, y) if only_points => {
                    out.extend(x.to_le_bytes());
                    out.extend(y.to_le_bytes());
                }
                part => {
                    let at = out.len();
                    out.extend([0; 4]);
                    part.write(out);
                    let length = (out.len() - at - 4) as u32;
                    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
                }
            }
        }
    }

    /// Bytes in use.
    pub(super) fn len_bytes(&self) -> usize {
        self.x.len() * 20 + self.ends.len() * 16 + self.bytes.len()
    }

    /// Bytes that are allocated.
    pub(super) fn size(&self) -> usize {
        self.point_groups.capacity() * 4
            + (self.x.capacity() + self.y.capacity()) * 8
            + (self.other_groups.capacity() + self.before.capacity()) * 4
            + self.ends.capacity() * 8
            + self.bytes.capacity()
    }

    /// Takes all groups, or the first so many; those that stay are counted from zero again.
    pub(super) fn take(&mut self, emit: EmitTo, groups: usize) -> Grouped {
        let all = std::mem::take(self);
        let n = match emit {
            EmitTo::All => groups,
            EmitTo::First(n) => n,
        };
        if n < groups {
            self.keep_from(&all, n as u32);
        }
        Grouped::new(all, n)
    }

    /// Adds the groups of `all` from `first` on.
    fn keep_from(&mut self, all: &Parts, first: u32) {
        let mut points = 0;
        let mut keep_points = |this: &mut Self, end: usize| {
            while points < end {
                if let Some(group) = all.point_groups[points].checked_sub(first) {
                    this.push_point(group as usize, all.x[points], all.y[points]);
                }
                points += 1;
            }
        };
        for (i, group) in all.other_groups.iter().enumerate() {
            keep_points(self, all.before[i] as usize);
            if let Some(group) = group.checked_sub(first) {
                self.push_bytes(group as usize, |bytes| {
                    bytes.extend_from_slice(all.other(i))
                });
            }
        }
        keep_points(self, all.x.len());
    }

    fn other(&self, i: usize) -> &[u8] {
        let start = match i {
            0 => 0,
            i => self.ends[i - 1],
        };
        &self.bytes[start..self.ends[i]]
    }
}

/// Geometries in the order of their groups.
#[derive(Debug)]
pub(super) struct Grouped {
    parts: Parts,
    groups: usize,
    /// Where the points of a group start in `points`.
    point_starts: Vec<u32>,
    points: Vec<u32>,
    other_starts: Vec<u32>,
    others: Vec<u32>,
}

impl Grouped {
    fn new(parts: Parts, groups: usize) -> Self {
        let (point_starts, points) = sort(&parts.point_groups, groups);
        let (other_starts, others) = sort(&parts.other_groups, groups);
        Self {
            parts,
            groups,
            point_starts,
            points,
            other_starts,
            others,
        }
    }

    /// Back to the log.
    pub(super) fn into_parts(self) -> Parts {
        self.parts
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// The geometries of a group, in order of arrival.
    pub(super) fn group(&self, group: usize) -> impl Iterator<Item = Part<'_>> + Clone {
        let of = |starts: &[u32]| starts[group] as usize..starts[group + 1] as usize;
        let mut points = self.points[of(&self.point_starts)].iter().peekable();
        let mut others = self.others[of(&self.other_starts)].iter().peekable();
        std::iter::from_fn(move || {
            let other_first = match (points.peek(), others.peek()) {
                (Some(point), Some(other)) => self.parts.before[**other as usize] <= **point,
                (None, _) => true,
                _ => false,
            };
            match other_first {
                true => others
                    .next()
                    .map(|i| Part::Wkb(self.parts.other(*i as usize))),
                false => points
                    .next()
                    .map(|i| Part::Point(self.parts.x[*i as usize], self.parts.y[*i as usize])),
            }
        })
    }
}

/// Indices by group, in order within a group, and where each group starts.
fn sort(groups: &[u32], n: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0u32; n + 1];
    let within = |group: u32| (group as usize) < n;
    for group in groups.iter().filter(|group| within(**group)) {
        starts[*group as usize] += 1;
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += std::mem::replace(start, sum);
    }
    let mut sorted = vec![0; sum as usize];
    let mut next = starts.clone();
    for (i, group) in groups
        .iter()
        .enumerate()
        .filter(|(_, group)| within(**group))
    {
        let slot = &mut next[*group as usize];
        sorted[*slot as usize] = i as u32;
        *slot += 1;
    }
    (starts, sorted)
}

/// The sort key and the value of what [`Parts::push_keyed`] stored.
pub(super) fn split_key(keyed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = keyed.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
