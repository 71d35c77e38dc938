//! What is asked, and which answer is right.

use memchr::memmem;

use super::response::number;

/// One request, and the kind of answer that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: &'static str,
    /// The fields of a form, which is then posted.
    pub(crate) form: Option<&'static str>,
    pub(crate) leads: Leads,
}

impl Request {
    pub(crate) const fn get(path: &'static str) -> Self {
        Self {
            path,
            form: None,
            leads: Leads::Here,
        }
    }

    /// A form that leads to another page.
    pub(crate) const fn post(path: &'static str, form: &'static str) -> Self {
        Self {
            path,
            form: Some(form),
            leads: Leads::Elsewhere,
        }
    }
}

/// Where the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// In the response, whose status is 200.
    Here,
    /// At another address, which is not asked for.
    Elsewhere,
}

impl Leads {
    pub(super) fn fits(self, status: u16) -> bool {
        match self {
            Self::Here => status == 200,
            Self::Elsewhere => matches!(status, 302 | 303),
        }
    }
}

/// A request that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) visitor: Visitor,
    pub(crate) answer: Answer,
}

impl Ask {
    /// Makes ready what is measured after it.
    pub(crate) const fn preparing(request: Request) -> Self {
        Self {
            request,
            visitor: Visitor::Returning,
            answer: Answer::Anything,
        }
    }
}

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// A browser that sends the newest cookies it has.
    Returning,
    /// Somebody without a cookie, each time.
    New,
}

/// The body that is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Exactly this.
    Text(&'static str),
    /// One more than the last number that this browser saw.
    NextNumber,
    /// The last number that this browser saw.
    SameNumber,
    /// A number.
    Number,
    /// A number that is not 0.
    Positive,
    /// Whatever comes; if it is a number, this browser has seen it.
    Anything,
    /// A page that holds this.
    Page(&'static str),
}

impl Answer {
    /// Judges a body; `seen` is the last number that this browser saw.
    pub(super) fn is_right(self, body: &[u8], seen: &mut u64) -> bool {
        match self {
            Self::Text(text) => body == text.as_bytes(),
            Self::Page(part) => memmem::find(body, part.as_bytes()).is_some(),
            Self::Anything => {
                *seen = number(body).unwrap_or(*seen);
                true
            }
            Self::NextNumber | Self::SameNumber | Self::Number | Self::Positive => {
                let Some(shown) = number(body) else {
                    return false;
                };
                let right = match self {
                    Self::NextNumber => shown == *seen + 1,
                    Self::SameNumber => shown == *seen,
                    Self::Positive => shown > 0,
                    _ => true,
                };
                // After a wrong number the next one is judged by it, so that one loss is one error.
                *seen = shown;
                right
            }
        }
    }
}
