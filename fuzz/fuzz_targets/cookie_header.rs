//! Any `Cookie` header can be read, and what was read can be written and read again.
#![no_main]

use cloakroom::cookie::{Cookie, RequestCookies};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &[u8]| {
    let cookies = RequestCookies::parse_header(header);
    assert_eq!(cookies.iter().count(), cookies.len());
    // A few are enough: comparing each with all takes quadratic time.
    for (name, value) in cookies.iter().take(32) {
        assert!(!name.is_empty(), "a cookie without a name got one");
        assert!(cookies.get_all(name).any(|same| same == value));
        if let Ok(written) = Cookie::new(name.to_owned()).set(value) {
            let again = RequestCookies::parse_header(written.header_value().as_bytes());
            assert_eq!(again.get(name), Some(value));
        }
    }
});
