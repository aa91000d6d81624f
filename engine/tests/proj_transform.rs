//! ST_Transform against PROJ (`testdata/scripts/peers/transform.py`), for the codes that people
//! meet: within a millimetre there and back, or refused.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use geoflow_engine::crs::{Crs, Transform};

/// Code, longitude, latitude, x, y.
const ANSWERS: &str = include_str!("data/proj_transform.csv");

/// What geoflow refuses: systems whose datum PROJ shifts by a grid or by parameters, wrong by metres, and
/// Canada's, which moves.
const REFUSED: [u32; 24] = [
    2056, 2100, 2163, 3003, 3004, 3405, 3912, 3979, 4230, 4267, 4277, 4314, 4617, 5514, 20790,
    21781, 23030, 27700, 28992, 29193, 31256, 31370, 31467, 31468,
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
            if outcome.is_err() || outcome_back.is_err() || !(there < limit && again < limit) {
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
