use http::{HeaderMap, HeaderName};

use super::SessionConfig;

impl SessionConfig {
    /// Refuses sessions over plain http (NIST SP 800-63B-4, section 5.1): the proxy in front says in this header
    /// how the request came, `X-Forwarded-Proto` as a rule, and anything but `https` is plain.
    ///
    /// Over plain http the session is empty ([`Refusal::InsecureTransport`](crate::Refusal::InsecureTransport)),
    /// whatever the request brings, and cannot be changed, so no session id or login ever crosses the network in
    /// the clear; the error is a 403. Redirect such requests to https before they get that far.
    ///
    /// The browser does its part without this setting: it sends a cookie that is [`secure`](Self::secure), as it
    /// is unless set otherwise, over https alone. Use this one for clients that do not, and only behind a proxy
    /// that sets the header itself: anybody else can send it too. Of several values the last counts, which the
    /// nearest proxy wrote.
    ///
    /// ```
    /// use cloakroom::SessionConfig;
    /// use http::HeaderName;
    ///
    /// let config = SessionConfig::default().require_https(HeaderName::from_static("x-forwarded-proto"));
    /// ```
    #[doc(alias = "ProxyFix")]
    #[doc(alias = "x_proto")]
    pub fn require_https(mut self, header: HeaderName) -> Self {
        self.transport = Some(header);
        self
    }

    /// Whether the request is known to come over plain http.
    pub(crate) fn refuses_transport(&self, headers: &HeaderMap) -> bool {
        let Some(header) = &self.transport else {
            return false;
        };
        let last = headers.get_all(header).iter().next_back();
        let last = last.and_then(|value| value.as_bytes().rsplit(|byte| *byte == b',').next());
        !last.is_some_and(|scheme| scheme.trim_ascii().eq_ignore_ascii_case(b"https"))
    }
}
