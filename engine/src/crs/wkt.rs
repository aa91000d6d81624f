//! CRS of well-known text, as `.prj` files have it: which EPSG code it stands for.
//!
//! Where the text names its authority, that decides. Where it does not, as Esri writes it, its datum,
//! projection and parameters are compared with those of all EPSG codes that geoflow knows.

use std::sync::OnceLock;

use datafusion::common::utils::datafusion_strsim::levenshtein;

use super::Crs;
use super::definition::Definition;
use crate::Result;

/// Nodes may be nested so deep.
const MAX_DEPTH: usize = 32;

impl Crs {
    /// Takes WKT 1, of OGC or of Esri, and WKT 2 with an identifier. `None` for what stands for no EPSG
    /// code that is known.
    ///
    /// # Errors
    /// When an authority or code in it has an odd form.
    pub fn from_wkt(text: &str) -> Result<Option<Self>> {
        let Some(node) = parse(text) else {
            return Ok(None);
        };
        // Of a system in three dimensions, the horizontal part.
        let node = match node.name {
            "COMPD_CS" | "COMPOUNDCRS" => node.nodes().next(),
            "BOUNDCRS" => node.nodes().find_map(|source| source.nodes().next()),
            _ => Some(&node),
        };
        let Some(node) = node else { return Ok(None) };
        let id = node.nodes().find(|n| matches!(n.name, "AUTHORITY" | "ID"));
        if let Some(Node { items, .. }) = id
            && let [Item::Text(authority), code, ..] = items.as_slice()
        {
            let code = match code {
                Item::Text(code) => (*code).to_owned(),
                Item::Number(code) => code.to_string(),
                Item::Node(_) => return Ok(None),
            };
            return Self::from_authority_code(&format!("{authority}:{code}")).map(Some);
        }
        match Signature::of(node).and_then(|signature| signature.code()) {
            Some(code) => Self::from_authority_code(&format!("EPSG:{code}")).map(Some),
            None => Ok(None),
        }
    }
}

#[derive(Debug)]
struct Node<'a> {
    name: &'a str,
    items: Vec<Item<'a>>,
}

#[derive(Debug)]
enum Item<'a> {
    Text(&'a str),
    Number(f64),
    Node(Node<'a>),
}

impl<'a> Node<'a> {
    fn nodes(&self) -> impl Iterator<Item = &Node<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Node(node) => Some(node),
            _ => None,
        })
    }

    fn child(&self, name: &str) -> Option<&Node<'a>> {
        self.nodes()
            .find(|node| node.name.eq_ignore_ascii_case(name))
    }

    /// The text that comes first.
    fn label(&self) -> Option<&'a str> {
        match self.items.first()? {
            Item::Text(text) => Some(text),
            _ => None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.items.iter().filter_map(|item| match item {
            Item::Number(number) => Some(*number),
            _ => None,
        })
    }
}

fn parse(text: &str) -> Option<Node<'_>> {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    match item(&mut rest, 0)? {
        Item::Node(node) => Some(node),
        _ => None,
    }
}

/// An item, which is taken off `rest`.
fn item<'a>(rest: &mut &'a str, depth: usize) -> Option<Item<'a>> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(quoted) = rest.strip_prefix('"') {
        let (text, after) = quoted.split_once('"')?;
        *rest = after.trim_start();
        return Some(Item::Text(text));
    }
    let end = rest.find([',', '[', '(', ']', ')']).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end)?;
    let word = word.trim();
    let Some(mut inner) = after.strip_prefix(['[', '(']) else {
        *rest = after;
        // A word alone, such as the direction of an axis.
        return Some(match word.parse() {
            Ok(number) => Item::Number(number),
            Err(_) => Item::Text(word),
        });
    };
    let mut items = vec![];
    loop {
        inner = inner.trim_start();
        items.push(item(&mut inner, depth + 1)?);
        inner = inner.trim_start();
        if let Some(more) = inner.strip_prefix(',') {
            inner = more;
            continue;
        }
        *rest = inner.strip_prefix([']', ')'])?.trim_start();
        return Some(Item::Node(Node { name: word, items }));
    }
}

/// What two descriptions of one system have in common.
#[derive(Debug, Clone)]
struct Signature {
    name: String,
    datum: String,
    /// Semi-major axis and inverse flattening.
    ellipsoid: [f64; 2],
    /// Degrees from Greenwich.
    meridian: f64,
    /// `None`: geographic.
    projection: Option<Projection>,
}

/// Method, parameters in the order of their names, metres of the unit.
type Projection = (String, Vec<(String, f64)>, f64);

impl Signature {
    fn of(node: &Node<'_>) -> Option<Self> {
        let base = match node.name {
            "GEOGCS" => node,
            "PROJCS" => node.child("GEOGCS")?,
            _ => return None,
        };
        let datum = base.child("DATUM")?;
        let mut ellipsoid = datum.child("SPHEROID")?.numbers();
        let projection = match base.name == node.name {
            true => None,
            false => Some(projection(node)?),
        };
        Some(Self {
            name: normal(node.label()?),
            datum: datum_name(datum.label()?),
            ellipsoid: [ellipsoid.next()?, ellipsoid.next()?],
            meridian: base
                .child("PRIMEM")
                .and_then(|m| m.numbers().next())
                .unwrap_or(0.0),
            projection,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        let projection = match (&self.projection, &other.projection) {
            (None, None) => true,
            (Some((a, p, u)), Some((b, q, v))) => {
                a == b
                    && close(*u, *v)
                    && p.len() == q.len()
                    && p.iter()
                        .zip(q)
                        .all(|((a, x), (b, y))| a == b && close(*x, *y))
            }
            _ => false,
        };
        let pairs = self.ellipsoid.iter().zip(&other.ellipsoid);
        projection
            && self.datum == other.datum
            && pairs.into_iter().all(|(a, b)| close(*a, *b))
            && close(self.meridian, other.meridian)
    }

    /// The EPSG code of this system; of several, the one whose name is most alike.
    fn code(&self) -> Option<u16> {
        static KNOWN: OnceLock<Vec<(u16, Signature)>> = OnceLock::new();
        if self
            .projection
            .as_ref()
            .is_some_and(|(method, ..)| method == WEB_MERCATOR)
        {
            return Some(3857);
        }
        let known = KNOWN.get_or_init(|| {
            let all = (1..=u16::MAX).filter_map(Definition::of_code);
            // Its text says Mercator on an ellipsoid, which it is not.
            let all = all.filter(|definition| !matches!(definition.code, 3857 | 3785));
            let signature = |d: Definition| Some((d.code, Signature::of(&parse(d.wkt)?)?));
            all.filter_map(signature).collect()
        });
        let same = known.iter().filter(|(_, other)| self.is_same(other));
        let closest = same.min_by_key(|(code, other)| {
            let deprecated = other.name.contains("deprecated");
            (deprecated, levenshtein(&self.name, &other.name), *code)
        });
        closest.map(|(code, _)| *code)
    }
}

const WEB_MERCATOR: &str = "mercatorauxiliarysphere";

fn projection(node: &Node<'_>) -> Option<Projection> {
    let method = normal(node.child("PROJECTION")?.label()?);
    let method = match method.as_str() {
        "lambertconformalconic1sp" | "lambertconformalconic2sp" => "lambertconformalconic",
        "gausskruger" => "transversemercator",
        "albersconicequalarea" => "albers",
        "mercator1sp" | "mercator2sp" => "mercator",
        "stereographicnorthpole" | "stereographicsouthpole" => "polarstereographic",
        "doublestereographic" => "obliquestereographic",
        "cassinisoldner" => "cassini",
        other => other,
    };
    let mut parameters: Vec<(String, f64)> = vec![];
    for parameter in node
        .nodes()
        .filter(|n| n.name.eq_ignore_ascii_case("PARAMETER"))
    {
        let (label, value) = (normal(parameter.label()?), parameter.numbers().next()?);
        let name = match label.as_str() {
            "latitudeofcenter" => "latitudeoforigin",
            "longitudeofcenter" | "longitudeoforigin" => "centralmeridian",
            other => other,
        };
        // What is not said is the same.
        let default = if name == "scalefactor" { 1.0 } else { 0.0 };
        if value != default {
            parameters.push((name.to_owned(), value));
        }
    }
    fn value(parameters: &[(String, f64)], name: &str) -> Option<f64> {
        let found = parameters.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| *value)
    }
    // Of a cone that touches the ellipsoid at its origin, Esri names the parallel once more.
    if method == "lambertconformalconic"
        && value(&parameters, "standardparallel2").is_none()
        && value(&parameters, "standardparallel1") == value(&parameters, "latitudeoforigin")
    {
        parameters.retain(|(name, _)| name != "standardparallel1");
    }
    // Of the poles, Esri calls the origin a parallel.
    if method == "polarstereographic" && value(&parameters, "latitudeoforigin").is_none() {
        for (name, _) in &mut parameters {
            if name == "standardparallel1" {
                *name = "latitudeoforigin".to_owned();
            }
        }
    }
    parameters.sort_by(|a, b| a.0.cmp(&b.0));
    let unit = node.child("UNIT")?.numbers().next()?;
    Some((method.to_owned(), parameters, unit))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Letters and digits alone, years in two digits.
fn normal(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    // Finland's realization, which EPSG calls ETRS89.
    let name = name.replace("eureffin", "etrs89");
    name.replace("1984", "84")
        .replace("1983", "83")
        .replace("1989", "89")
}

/// One name for the names that a datum goes by.
fn datum_name(name: &str) -> String {
    let name = normal(name.strip_prefix("D_").unwrap_or(name));
    match name.as_str() {
        "wgs84" | "worldgeodeticsystem84" => "wgs84",
        "etrs89" | "europeanterrestrialreferencesystem89" => "etrs89",
        "northamerican83" | "northamericandatum83" => "nad83",
        "northamericanharn" | "northamerican83harn" | "nad83highaccuracyreferencenetwork" => {
            "nad83harn"
        }
        "nad832011" | "nad83nationalspatialreferencesystem2011" => "nad832011",
        "nad83nsrs2007" | "nad83nationalspatialreferencesystem2007" => "nad832007",
        "northamerican1927" | "northamericandatum1927" => "nad27",
        "osgb1936" | "ordnancesurveyofgreatbritain1936" => "osgb36",
        "gda1994" | "geocentricdatumofaustralia1994" => "gda94",
        "gda2020" | "geocentricdatumofaustralia2020" => "gda2020",
        "rgf1993" | "reseaugeodesiquefrancais1993" => "rgf93",
        "european1950" | "europeandatum1950" => "ed50",
        "belge1972" | "reseaunationalbelge1972" => "belge72",
        "kkj" | "kartastokoordinaattijarjestelma1966" => "kkj",
        "mgi" | "militargeographischeinstitut" | "militargeographischesinstitut" => "mgi",
        "nzgd2000" | "newzealandgeodeticdatum2000" => "nzgd2000",
        "jgd2000" | "japanesegeodeticdatum2000" => "jgd2000",
        "jgd2011" | "japanesegeodeticdatum2011" => "jgd2011",
        "sirgas2000"
        | "sistemadereferenciageocentricoparalasamericas2000"
        | "sistemadereferenciageocentricoparaamericadelsur2000" => "sirgas2000",
        "rt1990" | "riketskoordinatsystem1990" => "rt90",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn name(wkt: &str) -> Option<String> {
        Crs::from_wkt(wkt).unwrap().map(|crs| crs.name())
    }

    /// As GDAL writes them for Esri.
    const WGS84: &str = r#"GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]"#;
    const TM35: &str = r#"PROJCS["ETRS_1989_TM35FIN",GEOGCS["GCS_ETRS_1989",DATUM["D_ETRS_1989",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",27.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]"#;

    #[test]
    fn esri_names_without_a_code() {
        assert_eq!(name(WGS84).unwrap(), "EPSG:4326");
        assert_eq!(name(TM35).unwrap(), "EPSG:3067");
        let finnish = TM35
            .replace("ETRS_1989_TM35FIN", "EUREF-FIN_TM35FIN")
            .replace("D_ETRS_1989", "EUREF-FIN");
        assert_eq!(name(&finnish).unwrap(), "EPSG:3067");
        let utm = TM35.replace("ETRS_1989_TM35FIN", "ETRS_1989_UTM_Zone_35N");
        assert_eq!(name(&utm).unwrap(), "EPSG:25835");
        let web = TM35.replace("Transverse_Mercator", "Mercator_Auxiliary_Sphere");
        assert_eq!(name(&web).unwrap(), "EPSG:3857");
        let lambert = r#"PROJCS["RGF_1993_Lambert_93",GEOGCS["GCS_RGF_1993",DATUM["D_RGF_1993",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic"],PARAMETER["False_Easting",700000.0],PARAMETER["False_Northing",6600000.0],PARAMETER["Central_Meridian",3.0],PARAMETER["Standard_Parallel_1",49.0],PARAMETER["Standard_Parallel_2",44.0],PARAMETER["Latitude_Of_Origin",46.5],UNIT["Meter",1.0]]"#;
        assert_eq!(name(lambert).unwrap(), "EPSG:2154");
        let albers = r#"PROJCS["NAD_1983_Conus_Albers",GEOGCS["GCS_North_American_1983",DATUM["D_North_American_1983",SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Albers"],PARAMETER["False_Easting",0.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-96.0],PARAMETER["Standard_Parallel_1",29.5],PARAMETER["Standard_Parallel_2",45.5],PARAMETER["Latitude_Of_Origin",23.0],UNIT["Meter",1.0]]"#;
        assert_eq!(name(albers).unwrap(), "EPSG:5070");
        let british = r#"PROJCS["British_National_Grid",GEOGCS["GCS_OSGB_1936",DATUM["D_OSGB_1936",SPHEROID["Airy_1830",6377563.396,299.3249646]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",400000.0],PARAMETER["False_Northing",-100000.0],PARAMETER["Central_Meridian",-2.0],PARAMETER["Scale_Factor",0.9996012717],PARAMETER["Latitude_Of_Origin",49.0],UNIT["Meter",1.0]]"#;
        assert_eq!(name(british).unwrap(), "EPSG:27700");
    }

    #[test]
    fn codes_decide() {
        let coded = TM35.replace(
            ",UNIT[\"Meter\",1.0]]",
            ",UNIT[\"Meter\",1.0],AUTHORITY[\"EPSG\",\"9999\"]]",
        );
        assert_eq!(name(&coded).unwrap(), "EPSG:9999");
        assert_eq!(
            name(r#"PROJCRS["x",BASEGEOGCRS["y",ID["EPSG",4258]],ID["EPSG",3067]]"#).unwrap(),
            "EPSG:3067"
        );
        let deep = format!("COMPD_CS[\"a\",{coded},VERT_CS[\"h\"]]");
        assert_eq!(name(&deep).unwrap(), "EPSG:9999");
    }

    #[test]
    fn what_stands_for_no_code() {
        for wkt in [
            "",
            "nonsense",
            "GEOGCS[",
            "LOCAL_CS[\"site\"]",
            &TM35.replace("27.0", "27.25"),
            &WGS84.replace("298.25", "290.25"),
            &"A[".repeat(1000),
        ] {
            assert_eq!(name(wkt), None, "{wkt}");
        }
    }
}
