//! See `push0_fuzz::blocks`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| push0_fuzz::blocks(bytes));
