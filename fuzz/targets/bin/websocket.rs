//! `websocket` under libFuzzer; the property is `fuzz::websocket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::websocket::check(data));
