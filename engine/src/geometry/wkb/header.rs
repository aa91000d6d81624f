//! What stands before the body of a geometry.

/// Simple Features type codes, without dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WkbKind {
    /// 1
    Point,
    /// 2
    LineString,
    /// 3
    Polygon,
    /// 4
    MultiPoint,
    /// 5
    MultiLineString,
    /// 6
    MultiPolygon,
    /// 7
    GeometryCollection,
}

impl WkbKind {
    pub(super) fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Point,
            2 => Self::LineString,
            3 => Self::Polygon,
            4 => Self::MultiPoint,
            5 => Self::MultiLineString,
            6 => Self::MultiPolygon,
            7 => Self::GeometryCollection,
            _ => return None,
        })
    }

    /// The Simple Features code.
    pub fn code(self) -> u32 {
        match self {
            Self::Point => 1,
            Self::LineString => 2,
            Self::Polygon => 3,
            Self::MultiPoint => 4,
            Self::MultiLineString => 5,
            Self::MultiPolygon => 6,
            Self::GeometryCollection => 7,
        }
    }

    /// The name in GeoJSON and, after `ST_`, in ST_GeometryType: `MultiPoint`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Point => "Point",
            Self::LineString => "LineString",
            Self::Polygon => "Polygon",
            Self::MultiPoint => "MultiPoint",
            Self::MultiLineString => "MultiLineString",
            Self::MultiPolygon => "MultiPolygon",
            Self::GeometryCollection => "GeometryCollection",
        }
    }

    /// The tag in WKT: `MULTIPOINT`.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Point => "POINT",
            Self::LineString => "LINESTRING",
            Self::Polygon => "POLYGON",
            Self::MultiPoint => "MULTIPOINT",
            Self::MultiLineString => "MULTILINESTRING",
            Self::MultiPolygon => "MULTIPOLYGON",
            Self::GeometryCollection => "GEOMETRYCOLLECTION",
        }
    }

    /// The only type that a part may have, where there is such a rule.
    pub(super) fn part(self) -> Option<Self> {
        match self {
            Self::MultiPoint => Some(Self::Point),
            Self::MultiLineString => Some(Self::LineString),
            Self::MultiPolygon => Some(Self::Polygon),
            _ => None,
        }
    }
}

/// What stands before the body of a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WkbHeader {
    /// Its type.
    pub kind: WkbKind,
    /// Third ordinate.
    pub has_z: bool,
    /// Measure.
    pub has_m: bool,
    /// SRID of EWKB.
    pub srid: Option<u32>,
    /// Byte order of what follows.
    pub little_endian: bool,
}

impl WkbHeader {
    /// Ordinates of a coordinate: 2, 3 or 4.
    pub fn ordinates(&self) -> usize {
        2 + usize::from(self.has_z) + usize::from(self.has_m)
    }
}
