//! What visitors send, and what must come back.

use plan::Scenario;

use crate::client::{Answer, Ask, Request, Visitor};

/// What each browser does first, and what is then measured.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) prepare: Vec<Ask>,
    pub(crate) measured: Ask,
}

/// The requests, with the answers of a server that has sessions, or that answers with constants.
pub(crate) fn script(scenario: Scenario, has_sessions: bool) -> Script {
    let number = |with_sessions| match has_sessions {
        true => with_sessions,
        false => Answer::Number,
    };
    let answer = match scenario {
        Scenario::Untouched | Scenario::UntouchedNoCookie | Scenario::Login => Answer::Text("ok"),
        Scenario::Read | Scenario::Twenty | Scenario::Large => number(Answer::SameNumber),
        Scenario::Write => number(Answer::NextNumber),
        Scenario::First => Answer::Text("1"),
        Scenario::Crawler => Answer::Text("0"),
    };
    let visitor = match scenario.preparation() {
        Some(_) => Visitor::Returning,
        None => Visitor::New,
    };
    let get = |path| Ask::preparing(Request::get(path));
    let length = Ask {
        answer: Answer::Positive,
        ..get("/read_many")
    };
    let mut prepare: Vec<Ask> = scenario.preparation().into_iter().map(get).collect();
    if scenario.measured() == "/read_many" {
        prepare.push(length);
    }
    Script {
        prepare,
        measured: Ask {
            request: Request::get(scenario.measured()),
            visitor,
            answer,
        },
    }
}
