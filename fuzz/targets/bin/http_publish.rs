//! `http_publish` under libFuzzer; the property is `fuzz::http_publish`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::http_publish::check(data));
