//! `session` under libFuzzer; the property is `fuzz::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::session::check(data));
