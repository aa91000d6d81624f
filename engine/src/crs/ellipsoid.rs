//! Ellipsoids of revolution, by the names of PROJ.

use super::definition::Definition;

/// Semi-major axis in metres, and the reciprocal of the flattening or, for the last ones, the semi-minor axis.
const NAMED: [(&str, f64, Shape); 20] = [
    ("WGS84", 6_378_137.0, Shape::Flattening(298.257223563)),
    ("GRS80", 6_378_137.0, Shape::Flattening(298.257222101)),
    ("WGS72", 6_378_135.0, Shape::Flattening(298.26)),
    ("WGS66", 6_378_145.0, Shape::Flattening(298.25)),
    ("GRS67", 6_378_160.0, Shape::Flattening(298.2471674270)),
    ("bessel", 6_377_397.155, Shape::Flattening(299.1528128)),
    ("bess_nam", 6_377_483.865, Shape::Flattening(299.1528128)),
    ("intl", 6_378_388.0, Shape::Flattening(297.0)),
    ("krass", 6_378_245.0, Shape::Flattening(298.3)),
    ("aust_SA", 6_378_160.0, Shape::Flattening(298.25)),
    ("helmert", 6_378_200.0, Shape::Flattening(298.3)),
    ("evrst30", 6_377_276.345, Shape::Flattening(300.8017)),
    ("evrst48", 6_377_304.063, Shape::Flattening(300.8017)),
    ("evrstSS", 6_377_298.556, Shape::Flattening(300.8017)),
    ("clrk80", 6_378_249.145, Shape::Flattening(293.4663)),
    ("airy", 6_377_563.396, Shape::Flattening(299.3249646)),
    ("mod_airy", 6_377_340.189, Shape::Minor(6_356_034.446)),
    ("clrk66", 6_378_206.4, Shape::Minor(6_356_583.8)),
    (
        "clrk80ign",
        6_378_249.2,
        Shape::Flattening(293.4660212936269),
    ),
    ("hough", 6_378_270.0, Shape::Flattening(297.0)),
];

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// The reciprocal of the flattening.
    Flattening(f64),
    /// The semi-minor axis in metres.
    Minor(f64),
}

/// An ellipsoid that is no sphere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ellipsoid {
    /// The semi-major axis in metres.
    pub(super) a: f64,
    /// The square of the eccentricity.
    pub(super) es: f64,
}

impl Ellipsoid {
    pub(super) const WGS84: Self = Self {
        a: 6_378_137.0,
        es: 2.0 / 298.257223563 - 1.0 / 298.257223563 / 298.257223563,
    };

    /// The ellipsoid of a definition; `None` for a sphere, and where it has another name.
    pub(super) fn of(definition: &Definition) -> Option<Self> {
        if definition.get("R").is_some() {
            return None;
        }
        let (a, shape) = match definition.ellipsoid() {
            Some(name) => NAMED
                .iter()
                .find(|(known, ..)| *known == name)
                .map(|(_, a, shape)| (*a, *shape))?,
            None => {
                let shape = match (definition.number("rf"), definition.number("b")) {
                    (Some(rf), None) => Shape::Flattening(rf),
                    (None, Some(b)) => Shape::Minor(b),
                    _ => return None,
                };
                (definition.number("a")?, shape)
            }
        };
        let f = match shape {
            Shape::Flattening(rf) => 1.0 / rf,
            Shape::Minor(b) => (a - b) / a,
        };
        let es = 2.0 * f - f * f;
        (a.is_finite() && es > 0.0 && es < 1.0).then_some(Self { a, es })
    }

    /// The eccentricity.
    pub(super) fn e(&self) -> f64 {
        self.es.sqrt()
    }

    /// The third flattening.
    pub(super) fn n(&self) -> f64 {
        let t = (self.e().asin() / 2.0).tan();
        t * t
    }

    /// The semi-minor axis in metres.
    pub(super) fn b(&self) -> f64 {
        (1.0 - self.es).sqrt() * self.a
    }
}
