//! `hub_twin` under libFuzzer; the property is `fuzz::hub::twin`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hub::twin::check(data));
