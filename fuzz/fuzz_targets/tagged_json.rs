//! Tagged JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = cloakroom::json::from_slice(bytes, cloakroom::json::Limits::default());
});
