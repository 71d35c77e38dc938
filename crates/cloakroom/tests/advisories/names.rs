//! Cookie names that are made to look like another one.

use cloakroom::{Clock, Cookies, SessionConfig, SessionManager, Status};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::support::{
    app::{NOW, key},
    now::Now,
};

/// None of these names is taken for the genuine one, neither by the reader of cookies nor by the session.
fn assert_not_taken_for(genuine: &str, names: &[String]) {
    let config = SessionConfig::default()
        .cookie_name(genuine.to_owned())
        .clock(Clock::manual(NOW));
    let manager = SessionManager::signed(key(), config).unwrap();
    let mallory = manager.new_session();
    mallory.insert("user", "mallory").unwrap();
    let planted = manager.cookie_value(&mallory).unwrap();
    let alice = manager.new_session();
    alice.insert("user", "alice").unwrap();
    let own = manager.cookie_value(&alice).unwrap();

    for name in names {
        let header = format!("{name}={planted}");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        assert_eq!(Cookies::parse(&headers).get(genuine), None, "{name}");
        let session = manager.open_now(&headers);
        assert_eq!(session.status(), Status::New, "{name}");

        // Before and after the visitor's own, the name is nothing but a name.
        for header in [
            format!("{name}={planted}; {genuine}={own}"),
            format!("{genuine}={own}; {name}={planted}"),
        ] {
            headers.insert(COOKIE, HeaderValue::from_bytes(header.as_bytes()).unwrap());
            let cookies = Cookies::parse(&headers);
            assert_eq!(cookies.get_all(genuine).collect::<Vec<_>>(), [own.as_str()]);
            let user = manager.open_now(&headers).get::<String>("user");
            assert_eq!(user.unwrap().as_deref(), Some("alice"), "{header}");
        }
    }
}

/// Fails if names are percent-decoded before they are compared.
#[test]
fn cve_2020_8184_cve_2021_41819_names_are_never_percent_decoded() {
    for genuine in ["__Host-session", "__Secure-session"] {
        let mut names = Vec::new();
        for place in 0..genuine.len() {
            let byte = genuine.as_bytes()[place];
            for code in [format!("%{byte:02X}"), format!("%{byte:02x}")] {
                names.push([&genuine[..place], &code, &genuine[place + 1..]].concat());
            }
        }
        let all = genuine.bytes().map(|byte| format!("%{byte:02X}"));
        names.push(all.collect());
        names.push(genuine.replace('_', "+"));
        names.push(genuine.replace('_', "%255F"));
        assert_not_taken_for(genuine, &names);
    }
}

/// Fails if `.`, `[` or a space in a name is read as `_`, if a name ends at `[`, or if case is folded.
#[test]
fn cve_2022_31629_cve_2024_2756_no_mangled_name_becomes_a_prefix() {
    for (prefix, rest) in [("Host", "-test"), ("Secure", "-test")] {
        let genuine = format!("__{prefix}{rest}");
        let mut names = Vec::new();
        for first in [".", "_", "[", " ", "%5F", "\u{ff3f}"] {
            for second in [".", "_", "[", " ", "%5F", "\u{ff3f}"] {
                for end in ["", "[]", "[0]", "[a]=b["] {
                    let name = format!("{first}{second}{prefix}{rest}{end}");
                    // A space before a name is no part of it (RFC 6265, section 5.2): that is the genuine one.
                    if name.trim() != genuine {
                        names.push(name);
                    }
                }
            }
        }
        let inner = ["_", "__", ".", "[", " ", "\u{2010}", "\0"];
        names.extend(inner.map(|dash| format!("__{prefix}{dash}test")));
        names.extend([genuine.to_lowercase(), genuine.to_uppercase()]);
        names.push("__SeCuRe-test".to_owned());
        names.push(format!("\"{genuine}\""));
        names.push(format!("{genuine}\u{ad}"));
        names.retain(|name| HeaderValue::from_bytes(name.as_bytes()).is_ok());
        assert!(names.len() > 100);
        assert_not_taken_for(&genuine, &names);
    }
}

/// Fails if the text after a second `=`, or before the first, becomes a name.
#[test]
fn cve_2023_23934_a_cookie_without_a_name_never_becomes_one() {
    for genuine in ["session", "__Host-session"] {
        let names = ["=", "==", " =", "\t=", "=\"", "\"=", "=;=", "=,"];
        let names = names.map(|before| format!("{before}{genuine}"));
        assert_not_taken_for(genuine, &names);
    }
}
