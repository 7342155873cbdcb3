//! `hub_sas` under libFuzzer; the property is `fuzz::hub::sas`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hub::sas::check(data));
