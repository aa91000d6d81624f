//! The checks of the fuzz targets, on bytes made here: random ones, and valid values with some of their
//! bytes changed. A failure names its seed; `GEOFLOW_SEED=<seed>` repeats it, `GEOFLOW_CASES` sets how many
//! inputs each check gets.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that says its seed"
)]

#[path = "../../fuzz/src/checks.rs"]
#[expect(unreachable_pub, reason = "it is public for the fuzz targets")]
mod checks;
#[expect(dead_code, reason = "other tests print its geometries")]
mod nasty;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use nasty::Nasty;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Runs `check` on many inputs, each from a seed of its own.
fn run(mut check: impl FnMut(&mut StdRng)) {
    let from_env = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let cases = from_env("GEOFLOW_CASES").unwrap_or(3_000);
    let seeds = match from_env("GEOFLOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = u64::from(rand::random::<u32>());
            first..first + cases
        }
    };
    println!("seeds {seeds:?}");
    for seed in seeds {
        let one = || check(&mut StdRng::seed_from_u64(seed));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(one)) {
            println!("seed {seed}");
            resume_unwind(panic);
        }
    }
}

fn noise(rng: &mut StdRng, most: usize) -> Vec<u8> {
    let n = rng.random_range(0..=most);
    (0..n).map(|_| rng.random()).collect()
}

/// Changes, drops or doubles some bytes.
fn mutate(rng: &mut StdRng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.random_range(0..4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..5) {
            0 => bytes[at] = rng.random(),
            1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes.truncate(at),
            3 => {
                let tail = bytes[at..].to_vec();
                bytes.extend(tail);
            }
            _ => {
                bytes.remove(at);
            }
        }
    }
}

/// A valid value, mostly.
fn wkb(rng: &mut StdRng) -> Vec<u8> {
    Nasty::random(rng).wkb(rng).unwrap_or_default()
}

#[test]
fn wkb_of_any_bytes() {
    run(|rng| {
        let mut bytes = match rng.random_bool(0.2) {
            true => noise(rng, 64),
            false => wkb(rng),
        };
        mutate(rng, &mut bytes);
        checks::wkb(&bytes);
    });
}

#[test]
fn pairs_of_any_shape() {
    run(|rng| checks::pairs(&noise(rng, 96)));
}

#[test]
fn wkt_of_any_text() {
    run(|rng| {
        let mut text = String::new();
        let _ = geoflow_engine::geometry::wkb_to_wkt(&wkb(rng), &mut text);
        let mut bytes = text.into_bytes();
        mutate(rng, &mut bytes);
        checks::wkt(&String::from_utf8_lossy(&bytes));
    });
}

#[test]
fn geojson_of_any_text() {
    use geoflow_engine::geometry::{RingOrder, wkb_to_geojson};
    run(|rng| {
        let mut text = String::new();
        let _ = wkb_to_geojson(&wkb(rng), RingOrder::AsStored, &mut text);
        let mut bytes = text.into_bytes();
        mutate(rng, &mut bytes);
        checks::geojson(&String::from_utf8_lossy(&bytes));
    });
}
