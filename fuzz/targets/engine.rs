//! See `push0_fuzz::engine`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| push0_fuzz::engine(bytes));
