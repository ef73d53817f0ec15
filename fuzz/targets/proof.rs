#![no_main]

#[allow(dead_code)]
#[path = "../../evented-core/tests/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::proof(data));
