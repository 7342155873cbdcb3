//! `topics` under libFuzzer; the property is `fuzz::topics`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::topics::check(data));
