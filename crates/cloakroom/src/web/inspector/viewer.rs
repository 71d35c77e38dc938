use std::collections::{HashMap, HashSet};

use super::{
    book::{Happened, Seen},
    side::{Found, Mark, Side},
};

/// Who looks at the page, and so may see what.
pub(super) struct Viewer {
    /// The cookies that the viewer's came from, one after the other, and itself.
    own: HashSet<Mark>,
    subject: Option<String>,
    reveal: bool,
}

impl Viewer {
    /// Who brings this session to the page.
    ///
    /// A cookie that changes is another text each time, so the way back is through the requests that changed it. It
    /// ends where somebody else was logged in, and where one text came from two others, as two visitors may have the
    /// same cookie when nothing in it is their own.
    pub(super) fn new(now: &Side, seen: &Seen, reveal: bool) -> Self {
        let mut own = HashSet::new();
        let mut subject = None;
        if let Some(mark) = now.mark {
            subject.clone_from(&now.subject);
            let came_from = origins(seen);
            let mut next = Some(mark);
            while let Some(mark) = next.take() {
                if own.insert(mark)
                    && let Some(Some(before)) = came_from.get(&mark)
                    && (before.subject.is_none() || before.subject == subject)
                {
                    next = before.mark;
                }
            }
        }
        Self {
            own,
            subject,
            reveal,
        }
    }

    /// Whether the session is the viewer's own.
    pub(super) fn owns(&self, side: &Side) -> bool {
        side.mark.is_some_and(|mark| self.own.contains(&mark))
    }

    /// Whether its values and its user may be shown.
    pub(super) fn sees(&self, side: &Side) -> bool {
        self.reveal || self.owns(side)
    }

    /// Whether the user of an event may be shown.
    pub(super) fn knows(&self, event: &Happened) -> bool {
        self.reveal || (event.subject.is_some() && event.subject == self.subject)
    }
}

/// From which session each one came, if that is known and only one.
fn origins(seen: &Seen) -> HashMap<Mark, Option<&Side>> {
    let mut came_from: HashMap<Mark, Option<&Side>> = HashMap::new();
    for request in &seen.requests {
        let (before, after) = (&*request.before, &*request.after);
        let Some(mark) = after.mark.filter(|mark| before.mark != Some(*mark)) else {
            continue;
        };
        // Somebody with a cookie that was refused came from nowhere: of a session there was none.
        if let Found::Refused(_) = before.found {
            continue;
        }
        came_from
            .entry(mark)
            .and_modify(|known| {
                if known.is_none_or(|known| known.mark != before.mark) {
                    *known = None;
                }
            })
            .or_insert(Some(before));
    }
    came_from
}
