//! What EPSG codes stand for: projection, ellipsoid and names, from the tables of
//! `crs-definitions`.

use super::Crs;
use crate::{Error, Result};

/// The definition of an EPSG code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    pub(super) code: u16,
    /// PROJ.4 text: `+proj=utm +zone=35 +ellps=GRS80 +units=m`.
    proj4: &'static str,
    /// WKT 1, for its names.
    pub(super) wkt: &'static str,
}

/// What coordinates of two systems have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Datum {
    /// WGS 84, or one that PROJ takes as equal to it where no grid is at hand: ETRS89, NAD83,
    /// GDA94 and others on the GRS 80 ellipsoid. They differ by two metres at most.
    Wgs84,
    /// Any other, by the parameters that define it.
    Other(String),
}

/// The ellipsoids of the datums that PROJ.4 has names for.
const ELLIPSOIDS: [(&str, &str); 9] = [
    ("WGS84", "WGS84"),
    ("NAD83", "GRS80"),
    ("NAD27", "clrk66"),
    ("GGRS87", "GRS80"),
    ("OSGB36", "airy"),
    ("potsdam", "bessel"),
    ("hermannskogel", "bessel"),
    ("ire65", "mod_airy"),
    ("nzgd49", "intl"),
];

impl Definition {
    /// The definition of a CRS.
    ///
    /// # Errors
    /// [`Error::Crs`] for a CRS without an EPSG code, and for codes that are not in the tables.
    pub(super) fn of(crs: &Crs) -> Result<Self> {
        if crs.is_lon_lat() {
            return Self::of_code(4326)
                .ok_or_else(|| Error::Internal("EPSG:4326 has no definition".into()));
        }
        let name = crs.name();
        let code = crs.authority_code();
        let code = code.as_deref().and_then(|code| code.strip_prefix("EPSG:"));
        let Some(code) = code else {
            return Err(Error::Crs(format!(
                "ST_Transform knows coordinate reference systems by EPSG code, and {name} has none"
            )));
        };
        code.parse().ok().and_then(Self::of_code).ok_or_else(|| {
            Error::Crs(format!(
                "ST_Transform does not know {name}: no such EPSG code is in its tables"
            ))
        })
    }

    pub(super) fn of_code(code: u16) -> Option<Self> {
        // The tables give Web Mercator as a sphere, which is not what its inverse needs.
        let found = crs_definitions::from_code(code)?;
        Some(Self {
            code,
            proj4: match code {
                3857 => "+proj=webmerc +ellps=WGS84 +lat_0=0 +lon_0=0 +x_0=0 +y_0=0 +units=m",
                _ => found.proj4,
            },
            wkt: found.wkt,
        })
    }

    /// A parameter of the PROJ.4 text.
    pub(super) fn get(&self, key: &str) -> Option<&'static str> {
        self.parameters()
            .find_map(|(name, value)| (name == key).then_some(value))
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.parse().ok()
    }

    fn parameters(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.proj4.split_ascii_whitespace().map(|token| {
            let token = token.trim_start_matches('+');
            token.split_once('=').unwrap_or((token, ""))
        })
    }

    /// Whether there is no parameter but these.
    pub(super) fn has_only(&self, keys: &[&str]) -> bool {
        self.parameters().all(|(name, _)| keys.contains(&name))
    }

    /// PROJ's name of the ellipsoid, if it has one.
    pub(super) fn ellipsoid(&self) -> Option<&'static str> {
        let Some(datum) = self.get("datum") else {
            return self.get("ellps");
        };
        let named = ELLIPSOIDS.iter().find(|(name, _)| *name == datum);
        named.map(|(_, ellipsoid)| *ellipsoid)
    }

    /// Whether coordinates are degrees.
    pub(super) fn is_geographic(&self) -> bool {
        self.get("proj") == Some("longlat")
    }

    pub(super) fn datum(&self) -> Datum {
        // Canada's realization moves with its plate, by more than a metre so far.
        if self.wkt.contains("Canadian_Spatial_Reference_System") {
            return Datum::Other("NAD83(CSRS)".into());
        }
        let zero = |shift: &str| shift.split(',').all(|v| v.trim().parse() == Ok(0.0));
        let wgs84 = match (self.get("datum"), self.get("towgs84"), self.get("nadgrids")) {
            (_, _, Some(_)) => false,
            (Some(datum), ..) => matches!(datum, "WGS84" | "NAD83"),
            (None, Some(shift), None) => zero(shift),
            (None, None, None) => matches!(self.get("ellps"), Some("GRS80" | "WGS84")),
        };
        if wgs84 {
            return Datum::Wgs84;
        }
        let defining = ["datum", "ellps", "a", "b", "rf", "towgs84", "nadgrids"];
        Datum::Other(
            self.parameters()
                .filter(|(name, _)| defining.contains(name))
                .map(|(name, value)| format!("{name}={value} "))
                .collect(),
        )
    }

    /// The PROJ.4 text without any datum shift: the caller has seen that none is needed.
    pub(super) fn without_datum(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.parameters() {
            let (name, value) = match (name, value) {
                ("towgs84" | "nadgrids" | "wktext" | "no_defs", _) => continue,
                ("datum", datum) => match ELLIPSOIDS.iter().find(|(name, _)| *name == datum) {
                    Some((_, ellipsoid)) => ("ellps", *ellipsoid),
                    None => (name, value),
                },
                other => other,
            };
            text.push('+');
            text.push_str(name);
            if !value.is_empty() {
                text.push('=');
                text.push_str(value);
            }
            text.push(' ');
        }
        text
    }

    /// The PROJ.4 text of longitude and latitude from Greenwich on the same ellipsoid, without any datum shift.
    pub(super) fn longitude_latitude(&self) -> String {
        let mut text = String::from("+proj=longlat ");
        for part in self.without_datum().split_ascii_whitespace() {
            let name = part.trim_start_matches('+').split('=').next();
            if name.is_some_and(|name| ["datum", "ellps", "a", "b", "rf", "R"].contains(&name)) {
                text.push_str(part);
                text.push(' ');
            }
        }
        text
    }

    /// The first quoted text of a node in the WKT: `DATUM["OSGB_1936",...]`.
    pub(super) fn node_name(&self, node: &str) -> Option<String> {
        let (_, rest) = self.wkt.split_once(&format!("{node}[\""))?;
        let (name, _) = rest.split_once('"')?;
        Some(name.replace('_', " "))
    }
}
