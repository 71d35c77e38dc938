use std::net::IpAddr;

use http::{HeaderMap, HeaderName, header::USER_AGENT};
use sha2::{Digest, Sha512};

use crate::hexadecimal::hexadecimal;

/// The browser and the address that a request comes from, as Flask-Login tells them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    address: Option<String>,
    user_agent: Option<String>,
}

impl Client {
    /// From an address and the browser's name.
    pub fn new<'a>(
        address: impl Into<Option<IpAddr>>,
        user_agent: impl Into<Option<&'a str>>,
    ) -> Self {
        Self {
            address: address.into().map(|address| address.to_string()),
            user_agent: user_agent.into().map(str::to_owned),
        }
    }

    /// From a request's headers and the address of the other end of the connection.
    ///
    /// The first address in `X-Forwarded-For` counts if there is one, whoever wrote it: Flask-Login's rule, and
    /// both must come to the same result.
    ///
    /// ```
    /// use std::net::IpAddr;
    /// use cloakroom::flask_login::Client;
    /// use http::HeaderMap;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("user-agent", "Browser/1".parse()?);
    /// let peer: IpAddr = "10.0.0.1".parse()?;
    /// assert_eq!(Client::of(&headers, Some(peer)), Client::new(peer, "Browser/1"));
    ///
    /// headers.insert("x-forwarded-for", "192.0.2.7, 10.0.0.9".parse()?);
    /// let forwarded: IpAddr = "192.0.2.7".parse()?;
    /// assert_eq!(Client::of(&headers, Some(peer)), Client::new(forwarded, "Browser/1"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(headers: &HeaderMap, peer: impl Into<Option<IpAddr>>) -> Self {
        let forwarded = header(headers, HeaderName::from_static("x-forwarded-for"));
        let first = |list: String| {
            let first = list.split(',').next().unwrap_or_default();
            first.trim_matches(is_python_space).to_owned()
        };
        let address = forwarded.map(first);
        Self {
            address: address.or_else(|| peer.into().map(|peer| peer.to_string())),
            user_agent: header(headers, USER_AGENT),
        }
    }

    /// Flask-Login's session identifier: the SHA-512 of both, each as Python shows bytes.
    pub(super) fn identifier(&self) -> String {
        let address = shown(self.address.as_deref());
        let user_agent = shown(self.user_agent.as_deref());
        hexadecimal(&Sha512::digest(format!("{address}|{user_agent}")))
    }
}

/// A header as WSGI has it: Latin-1, and several are one.
fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect::<String>();
    let values: Vec<String> = headers
        .get_all(name)
        .iter()
        .map(|value| text(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn is_python_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

/// `repr` of the text's UTF-8 in Python 3, or `None`.
fn shown(text: Option<&str>) -> String {
    let Some(text) = text else {
        return "None".to_owned();
    };
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut shown = format!("b{quote}");
    for byte in text.bytes() {
        match char::from(byte) {
            character if character == quote => shown.extend(['\\', quote]),
            '\\' => shown += r"\\",
            '\t' => shown += r"\t",
            '\n' => shown += r"\n",
            '\r' => shown += r"\r",
            character @ ' '..='~' => shown.push(character),
            _ => shown = shown + r"\x" + &hexadecimal(&[byte]),
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_flask_logins() {
        // Flask-Login 0.6.3 under CPython 3.11: `_create_identifier()`.
        for (agent, expected) in [
            (Some("plain"), "b'plain'"),
            (Some("it's"), "b\"it's\""),
            (Some("it's \"both\""), "b'it\\'s \"both\"'"),
            (Some("back\\slash\ttab\x7f"), "b'back\\\\slash\\ttab\\x7f'"),
            (Some("Gr\u{fc}n"), "b'Gr\\xc3\\xbcn'"),
            (Some(""), "b''"),
            (None, "None"),
        ] {
            assert_eq!(shown(agent), expected);
        }
        let client = Client::new("127.0.0.1".parse::<IpAddr>().unwrap(), "Werkzeug/3.1.9");
        assert_eq!(client.identifier(), IDENTIFIER);
    }

    // Of `127.0.0.1` and `Werkzeug/3.1.9`.
    const IDENTIFIER: &str = "03f095a1c03fdce8fe2ea94737ef9d62c456faf66d67aac9e9d7b2f6548211aab71d5ce5c550e74c31a055e110b5ce1429cfcf4eb860fe2c460a0c6f830c7f59";
}
