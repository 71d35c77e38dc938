//! The `Domain` attribute: what Werkzeug makes of a host name.

use super::{CookieError, Rules};

/// The domain as it goes into the header: without port and leading dots, in ASCII (IDNA 2003).
///
/// # Errors
///
/// [`CookieError::IllegalDomain`] for a label that is empty or longer than 63 bytes, for text that IDNA refuses, for
/// characters that cannot stand in the attribute, and, without the feature `idna`, for all that is not ASCII.
pub(super) fn domain_attribute(given: &str, rules: Rules) -> Result<String, CookieError> {
    let refuse = |reason| CookieError::IllegalDomain {
        domain: given.to_owned(),
        reason,
    };
    let host = given.split(':').next().unwrap_or_default();
    let host = host.trim_start_matches('.');
    let domain = to_ascii(host).map_err(refuse)?;
    let legal: fn(u8) -> bool = match rules {
        Rules::Strict => |byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte),
        Rules::Werkzeug => |byte| byte.is_ascii_graphic() && byte != b';',
    };
    if !domain.bytes().all(legal) {
        return Err(refuse(
            "it is not a host name; IPv6 addresses cannot be one, leave the domain out for them",
        ));
    }
    if domain.is_empty() && rules == Rules::Strict {
        return Err(refuse(
            "it is empty; leave the domain out to keep the cookie to this host",
        ));
    }
    Ok(domain)
}

const BAD_LENGTH: &str = "each part between the dots needs 1 to 63 bytes";

/// A host name in ASCII: unchanged where it is ASCII already, each other label in Punycode.
fn to_ascii(host: &str) -> Result<String, &'static str> {
    if !host.is_ascii() {
        return idna::to_ascii(host);
    }
    // The last label may be empty: that is a host name with its final dot, or no host name at all.
    let (labels, last) = host.rsplit_once('.').map_or(("", host), |split| split);
    let inner_fit = labels.is_empty() || labels.split('.').all(|label| fits(label.as_bytes()));
    if inner_fit && last.len() < 64 {
        Ok(host.to_owned())
    } else {
        Err(BAD_LENGTH)
    }
}

fn fits(label: &[u8]) -> bool {
    (1..64).contains(&label.len())
}

#[cfg(feature = "idna")]
mod idna {
    use super::{BAD_LENGTH, fits};
    use crate::cookie::punycode;

    /// The dots of RFC 3490, section 3.1: the full stop and its three East Asian forms.
    const DOTS: [char; 4] = ['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'];

    pub(super) fn to_ascii(host: &str) -> Result<String, &'static str> {
        let (host, final_dot) = match host.strip_suffix(DOTS) {
            Some(host) => (host, "."),
            None => (host, ""),
        };
        let labels: Vec<String> = host.split(DOTS).map(label).collect::<Result<_, _>>()?;
        Ok(labels.join(".") + final_dot)
    }

    /// `ToASCII` of RFC 3490, section 4.1, for one label.
    fn label(label: &str) -> Result<String, &'static str> {
        let label = if label.is_ascii() {
            label.to_owned()
        } else {
            encode(label)?
        };
        if fits(label.as_bytes()) {
            Ok(label)
        } else {
            Err(BAD_LENGTH)
        }
    }

    fn encode(label: &str) -> Result<String, &'static str> {
        // A label that nothing can make short enough is not worth preparing.
        if label.chars().count() > 4 * 63 {
            return Err(BAD_LENGTH);
        }
        let prepared = stringprep::nameprep(label).map_err(
            |_| "IDNA 2003 does not know one of its characters; write it in its ASCII form (xn--…)",
        )?;
        // Full-width forms can turn into these; a host name that does not split where it seems to is a trap.
        let host_character =
            |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !prepared.chars().all(host_character) {
            return Err("one of its characters stands for one that no host name may hold");
        }
        if prepared.is_ascii() {
            return Ok(prepared.into_owned());
        }
        if prepared.starts_with("xn--") {
            return Err("a label that begins with xn-- has to be ASCII throughout");
        }
        let encoded = punycode::encode(&prepared).ok_or(BAD_LENGTH)?;
        Ok(format!("xn--{encoded}"))
    }
}

#[cfg(not(feature = "idna"))]
mod idna {
    pub(super) fn to_ascii(_: &str) -> Result<String, &'static str> {
        Err("it is not ASCII: turn on the feature `idna`, or write it in its ASCII form (xn--…)")
    }
}
