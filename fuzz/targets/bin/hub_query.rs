//! `hub_query` under libFuzzer; the property is `fuzz::hub::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hub::query::check(data));
