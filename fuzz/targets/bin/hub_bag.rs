//! `hub_bag` under libFuzzer; the property is `fuzz::hub::bag`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hub::bag::check(data));
