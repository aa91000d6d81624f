//! ST_Transform against PROJ (`testdata/scripts/peers/transform.py`), for the codes that people
//! meet: within a millimetre there and back, or refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use geoflow_engine::crs::{Crs, Transform};

/// Code, longitude, latitude, x, y.
const ANSWERS: &str = include_str!("data/proj_transform.csv");

/// Code, longitude, latitude, x, y, and longitude and latitude from these (`testdata/scripts/peers/shifts.py`).
const SHIFTS: &str = include_str!("data/proj_shifts.csv");

/// What geoflow refuses: systems whose datum PROJ shifts otherwise in every part of their area, and a sphere that PROJ takes for
/// the ellipsoid.
const REFUSED: [u32; 11] = [
    2163, 3003, 3004, 4230, 4267, 4314, 5514, 23030, 31256, 31467, 31468,
];

/// PROJ has parameters of its own for NAD83 on Hawaii and the Aleutians; geoflow takes NAD83 for WGS 84
/// everywhere, as its reference says.
const NAD83_ON_ISLANDS: [&str; 3] = ["EPSG:3338", "EPSG:26904", "EPSG:26905"];

struct Place {
    longitude: f64,
    latitude: f64,
    x: f64,
    y: f64,
}

fn places() -> BTreeMap<u32, Vec<Place>> {
    let mut all: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
    for line in ANSWERS.lines() {
        let mut cells = line.split(',');
        let code = cells.next().unwrap().parse().unwrap();
        let numbers: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
        let [longitude, latitude, x, y] = numbers.try_into().unwrap();
        all.entry(code).or_default().push(Place {
            longitude,
            latitude,
            x,
            y,
        });
    }
    all
}

fn crs(code: &str) -> Crs {
    Crs::from_authority_code(code).unwrap()
}

/// Metres, near enough, that a difference in the units of a system is.
fn metres(difference: f64, is_degrees: bool) -> f64 {
    difference.abs() * if is_degrees { 111_320.0 } else { 1.0 }
}

#[test]
fn as_proj_within_a_millimetre_or_refused() {
    let (mut supported, mut wrong) = (0, vec![]);
    let mut refused = vec![];
    for (number, places) in places() {
        let code = format!("EPSG:{number}");
        let to = match Transform::try_new(&crs("EPSG:4326"), &crs(&code)) {
            Ok(to) => to,
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("shift between the datums"), "{message}");
                refused.push(number);
                continue;
            }
        };
        let back = Transform::try_new(&crs(&code), &crs("EPSG:4326")).unwrap();
        supported += 1;
        // Heights are lost on the way: PROJ does not come back to the same place either.
        let shifted = SHIFTS.contains(&format!("\n{number},"));
        for place in places {
            let (mut x, mut y) = ([place.longitude], [place.latitude]);
            let outcome = to.apply(&mut x, &mut y);
            let is_degrees = place.x.abs() <= 180.0 && place.y.abs() <= 90.0;
            let there = metres(x[0] - place.x, is_degrees).max(metres(y[0] - place.y, is_degrees));
            let (mut lon, mut lat) = ([place.x], [place.y]);
            let outcome_back = back.apply(&mut lon, &mut lat);
            // 180 and -180 are one meridian.
            let turn = (lon[0] - place.longitude).rem_euclid(360.0);
            let turn = turn.min(360.0 - turn);
            let again = metres(turn * place.latitude.to_radians().cos(), true)
                .max(metres(lat[0] - place.latitude, true));
            let limit = match NAD83_ON_ISLANDS.contains(&code.as_str()) {
                true => 2.0,
                false => 1e-3,
            };
            // The way back from authalic latitudes is a short series, in PROJ 9.5 too.
            let near = there < limit && (again < 2.0 * limit || shifted && again < 0.1);
            if outcome.is_err() || outcome_back.is_err() || !near {
                wrong.push(format!(
                    "{code} at {} {}: {there} m there ({outcome:?}), {again} m back ({outcome_back:?})",
                    place.longitude, place.latitude
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(supported >= 200, "{supported} codes are supported");
    assert_eq!(refused, REFUSED);
}

#[test]
fn datums_shift_as_in_proj() {
    let (mut codes, mut wrong, mut unknown) = (BTreeSet::new(), vec![], BTreeSet::new());
    for line in SHIFTS.lines() {
        let (code, numbers) = line.split_once(',').unwrap();
        let numbers: Vec<f64> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
        let [lon, lat, x, y, lon_again, lat_again] = numbers.try_into().unwrap();
        let name = format!("EPSG:{code}");
        let (wgs84, other) = (crs("EPSG:4326"), crs(&name));
        let to = match Transform::try_new(&wgs84, &other) {
            Ok(to) => to,
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("does not support"), "{message}");
                unknown.insert(code);
                continue;
            }
        };
        let back = Transform::try_new(&other, &wgs84).unwrap();
        codes.insert(code);
        let (mut to_x, mut to_y, mut back_x, mut back_y) = ([lon], [lat], [x], [y]);
        to.apply(&mut to_x, &mut to_y).unwrap();
        back.apply(&mut back_x, &mut back_y).unwrap();
        let is_degrees = x.abs() <= 180.0 && y.abs() <= 90.0;
        let there = metres(to_x[0] - x, is_degrees).max(metres(to_y[0] - y, is_degrees));
        let again = metres(back_x[0] - lon_again, true).max(metres(back_y[0] - lat_again, true));
        if !(there < 1e-3 && again < 1e-3) {
            wrong.push(format!(
                "{name} at {lon} {lat}: {there} m there, {again} m back"
            ));
        }
    }
    assert!(wrong.is_empty(), "{} {}", wrong.len(), wrong.join("\n"));
    assert!(codes.len() > 1000, "{} {unknown:?}", codes.len());
}

/// What is projected as PROJ does, operation by operation. Where the C library's functions are those of the Python that wrote
/// the answers, they are equal to the last bit; elsewhere some bits may differ.
#[test]
fn common_projections_round_as_in_proj() {
    let exact = [
        3857, 3395, 3035, 3034, 2154, 3067, 25832, 25833, 5070, 2180, 2193, 3006, 3031, 3413, 6933,
        32635, 32733, 26918, 3978, 3979, 3338, 3577, 5041, 5042,
    ];
    let places = places();
    let mut equal = 0;
    for number in exact {
        let code = format!("EPSG:{number}");
        let to = Transform::try_new(&crs("EPSG:4326"), &crs(&code)).unwrap();
        for place in &places[&number] {
            let (mut x, mut y) = ([place.longitude], [place.latitude]);
            to.apply(&mut x, &mut y).unwrap();
            let apart = (x[0] - place.x).abs().max((y[0] - place.y).abs());
            // Two units in the last place of a false northing of ten thousand kilometres.
            assert!(
                apart < 4e-9 || NAD83_ON_ISLANDS.contains(&code.as_str()),
                "{code}: {apart}"
            );
            equal += usize::from(apart == 0.0);
        }
    }
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        assert!(equal > 100, "{equal} places are equal");
    }
}

#[test]
fn what_one_projection_has_on_one_ellipsoid_stays() {
    for (from, to) in [
        ("EPSG:4326", "EPSG:4258"),
        ("EPSG:3067", "EPSG:25835"),
        ("OGC:CRS84", "EPSG:4269"),
    ] {
        let transform = Transform::try_new(&crs(from), &crs(to)).unwrap();
        let (mut x, mut y) = ([24.1, 0.3], [60.7, 0.1]);
        transform.apply(&mut x, &mut y).unwrap();
        assert_eq!((x, y), ([24.1, 0.3], [60.7, 0.1]), "{from} {to}");
    }
}

#[test]
fn a_shift_without_its_grid_says_how_good_it_is() {
    let metres = |from: &str, to: &str| Transform::try_new(&crs(from), &crs(to)).unwrap().metres();
    assert_eq!(metres("EPSG:4326", "EPSG:27700"), Some(2.0));
    assert_eq!(metres("EPSG:27700", "EPSG:3857"), Some(2.0));
    assert_eq!(metres("EPSG:4326", "EPSG:28992"), None);
    assert_eq!(metres("EPSG:4326", "EPSG:3067"), None);
}
