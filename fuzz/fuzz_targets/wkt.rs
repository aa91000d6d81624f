#![no_main]

#[path = "../src/checks.rs"]
#[expect(dead_code, reason = "each target runs one check")]
mod checks;

libfuzzer_sys::fuzz_target!(|text: &str| checks::wkt(text));
