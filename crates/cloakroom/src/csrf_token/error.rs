use http::StatusCode;

/// Why a request is refused: it may have been forged by another site, or nothing proves that it was not.
///
/// It is never true or false: a request that was not checked is an error too. The display text is for the
/// visitor, [`code`](Self::code) for logs and programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CsrfError {
    /// The browser says in `Sec-Fetch-Site` that another site caused the request.
    #[error("This request was sent by another site, so it was refused.")]
    CrossSite,
    /// The browser's `Origin` is neither this host nor a trusted one.
    #[error("This request came from a page of another address, so it was refused.")]
    CrossOrigin,
    /// The request says neither where it comes from nor, in `Origin`, from which page, and the layer insists.
    #[error(
        "The request does not say where it comes from, so it was refused. A program may add the header `Origin` with \
         this site's address."
    )]
    SenderUnknown,
    /// The request has no token.
    #[error("The form has no security token. Open the page again and send the form from there.")]
    Missing,
    /// The session has no value to compare with: it is new, expired or ended, or cookies are switched off.
    #[error(
        "Your session has ended, or your browser keeps no cookies. Open the page again and send the form from there."
    )]
    MissingSessionToken,
    /// The token is older than the time limit.
    #[error("The page was open for too long. Open it again and send the form from there.")]
    Expired,
    /// Another key signed the token, or it was changed.
    #[error(
        "The form's security token is not valid. Open the page again and send the form from there."
    )]
    BadSignature,
    /// The token is good, but for another session.
    #[error(
        "The form was made for another session. Open the page again and send the form from there."
    )]
    Mismatch,
    /// Over HTTPS, the request does not say which page it comes from.
    #[error("Your browser does not say which page the form is on (Referer), so it was refused.")]
    ReferrerMissing,
    /// Over HTTPS, the request comes from a page of another origin.
    #[error("The form is on a page of another address (Referer), so it was refused.")]
    ReferrerMismatch,
    /// The form is longer than the limit, so the token in it was not looked for.
    #[error("The form is too large.")]
    FormTooLarge,
    /// The form broke off, so the token in it could not be looked for.
    #[error("The form did not arrive whole. Send it again.")]
    FormUnreadable,
}

impl CsrfError {
    /// A short code for logs and programs, such as `bad_signature`.
    pub fn code(self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::CrossOrigin => "cross_origin",
            Self::SenderUnknown => "sender_unknown",
            Self::Missing => "missing",
            Self::MissingSessionToken => "missing_session_token",
            Self::Expired => "expired",
            Self::BadSignature => "bad_signature",
            Self::Mismatch => "mismatch",
            Self::ReferrerMissing => "referrer_missing",
            Self::ReferrerMismatch => "referrer_mismatch",
            Self::FormTooLarge => "form_too_large",
            Self::FormUnreadable => "form_unreadable",
        }
    }

    /// The status of the response: 403 for what the browser's headers give away, 400 for the rest, as
    /// Flask-WTF, and 413 for a form that is too large.
    pub fn status(self) -> StatusCode {
        match self {
            Self::CrossSite | Self::CrossOrigin | Self::SenderUnknown => StatusCode::FORBIDDEN,
            Self::FormTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What the visitor reads: the reason in plain words, and the code.
    pub(crate) fn body(self) -> String {
        format!("{self} ({})", self.code())
    }
}
