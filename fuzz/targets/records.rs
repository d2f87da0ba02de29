//! See `push0_fuzz::records`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| push0_fuzz::records(bytes));
