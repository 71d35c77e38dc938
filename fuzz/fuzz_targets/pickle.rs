//! Any bytes can be given to the reader of pickles. What it takes is written in a form that stays as it is.
#![no_main]

use cloakroom::format::Serialization;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let format = Serialization::Pickle;
    let Ok(value) = format.from_slice(bytes) else {
        return;
    };
    // A MessagePack document may hold an extension, which has no pickle.
    let Ok(written) = format.to_bytes(&value) else {
        return;
    };
    let again = format
        .from_slice(&written)
        .expect("what was written can be read");
    assert_eq!(format.to_bytes(&again).expect("and written again"), written);
});
