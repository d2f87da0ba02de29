//! See `push0_fuzz::envelopes`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| push0_fuzz::envelopes(bytes));
