//! `decoder` under libFuzzer; the property is `fuzz::decoder`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::decoder::check(data));
