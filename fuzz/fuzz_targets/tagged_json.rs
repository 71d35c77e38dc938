//! Any bytes can be given to the tagged JSON reader, and what it takes is written in a form that stays as it is.
#![no_main]

use cloakroom::format::TaggedJson;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let format = TaggedJson::new();
    let Ok(value) = format.from_slice(bytes) else {
        return;
    };
    // A date that an offset moves out of the years 1 to 9999 can be read, but has no text.
    let Ok(written) = format.to_bytes(&value) else {
        return;
    };
    assert!(written.iter().all(|byte| matches!(byte, b' '..=b'~')));
    let again = format.from_slice(&written).expect("what was written can be read");
    assert_eq!(format.to_bytes(&again).expect("and written again"), written);
});
