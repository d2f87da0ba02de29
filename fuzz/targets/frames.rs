//! See `push0_fuzz::frames`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| push0_fuzz::frames(bytes));
