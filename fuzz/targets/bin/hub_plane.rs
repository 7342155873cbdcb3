//! `hub_plane` under libFuzzer; the property is `fuzz::hub::plane`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hub::plane::check(data));
