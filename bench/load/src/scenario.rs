//! What visitors do, and which of it is measured.

use crate::client::{Answer, Ask, Request, Visitor};

/// What each browser does first, and what is then measured.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) prepare: Vec<Ask>,
    pub(crate) measured: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Untouched,
    UntouchedNoCookie,
    Read,
    Write,
    First,
    Login,
    Twenty,
    Large,
    Crawler,
}

impl Scenario {
    pub(crate) const ALL: [Self; 9] = [
        Self::Untouched,
        Self::UntouchedNoCookie,
        Self::Read,
        Self::Write,
        Self::First,
        Self::Login,
        Self::Twenty,
        Self::Large,
        Self::Crawler,
    ];

    /// As on the command line, in the results and in what `in-process` prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::UntouchedNoCookie => "untouched no cookie",
            Self::Read => "read",
            Self::Write => "write",
            Self::First => "first",
            Self::Login => "login",
            Self::Twenty => "twenty",
            Self::Large => "large",
            Self::Crawler => "crawler",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.replace(['-', ','], " ").replace("  ", " ");
        Self::ALL
            .into_iter()
            .find(|scenario| scenario.name() == name)
    }

    /// For people: what the visitor does.
    pub(crate) fn about(self) -> &'static str {
        match self {
            Self::Untouched => "the handler leaves the session alone; the browser sends its cookie",
            Self::UntouchedNoCookie => "the same without a cookie",
            Self::Read => "reads one number of a small session",
            Self::Write => "reads the number and writes one more",
            Self::First => "a visitor without a cookie writes: a new session each time",
            Self::Login => "a new session id and a user's name",
            Self::Twenty => "reads one of twenty values",
            Self::Large => "reads one of many values of a 3.5 KB session",
            Self::Crawler => "reads without a cookie",
        }
    }

    /// The requests, with the answers of a server that has sessions, or that answers with constants.
    pub(crate) fn script(self, has_sessions: bool) -> Script {
        let number = |with_sessions| match has_sessions {
            true => with_sessions,
            false => Answer::Number,
        };
        let (path, visitor, answer) = match self {
            Self::Untouched => ("/plain", Visitor::Returning, Answer::Text("ok")),
            Self::UntouchedNoCookie => ("/plain", Visitor::New, Answer::Text("ok")),
            Self::Read => ("/read", Visitor::Returning, number(Answer::SameNumber)),
            Self::Write => ("/write", Visitor::Returning, number(Answer::NextNumber)),
            Self::First => ("/write", Visitor::New, Answer::Text("1")),
            Self::Login => ("/login", Visitor::Returning, Answer::Text("ok")),
            Self::Twenty | Self::Large => {
                ("/read_many", Visitor::Returning, number(Answer::SameNumber))
            }
            Self::Crawler => ("/read", Visitor::New, Answer::Text("0")),
        };
        let get = |path| Ask::preparing(Request::get(path));
        let length = Ask {
            answer: Answer::Positive,
            ..get("/read_many")
        };
        let prepare = match self {
            Self::Untouched | Self::Read | Self::Write | Self::Login => vec![get("/write")],
            Self::Twenty => vec![get("/fill/twenty"), length],
            Self::Large => vec![get("/fill/large"), length],
            Self::UntouchedNoCookie | Self::First | Self::Crawler => vec![],
        };
        Script {
            prepare,
            measured: Ask {
                request: Request::get(path),
                visitor,
                answer,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_is_found_by_its_name_however_it_is_written() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::named(scenario.name()), Some(scenario));
        }
        for name in ["untouched, no cookie", "untouched-no-cookie"] {
            assert_eq!(Scenario::named(name), Some(Scenario::UntouchedNoCookie));
        }
        assert_eq!(Scenario::named("reed"), None);
    }
}
