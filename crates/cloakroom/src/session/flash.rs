use std::borrow::Cow;

use super::{Entries, Operation, Session};
use crate::{Error, format::Format, value::Value};

/// The key under which Flask keeps flashed messages.
const FLASHES: &str = "_flashes";

/// A message for the next page.
#[derive(Clone, Debug, PartialEq)]
pub struct Flash {
    /// What kind of message; text as a rule, `message` if Flask code gave none.
    pub category: Value,
    /// The message: text, [`Markup`](crate::value::Markup), or whatever Flask code flashed.
    pub message: Value,
}

impl Flash {
    /// The category as text.
    pub fn category(&self) -> Cow<'_, str> {
        text(&self.category)
    }

    /// The message as text; Markup comes without escaping.
    pub fn message(&self) -> Cow<'_, str> {
        text(&self.message)
    }

    fn from_value(value: Value) -> Option<Self> {
        let (Value::Tuple(pair) | Value::List(pair)) = value else {
            return None;
        };
        let [category, message] = <[Value; 2]>::try_from(pair).ok()?;
        Some(Self { category, message })
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    value
        .as_str()
        .map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)
}

impl Session {
    /// Keeps a message for the next page that shows messages: this one, if it reads them later in the
    /// same request, or the one after a redirect.
    ///
    /// The category comes first, as it is stored; Flask's `flash("Saved", "success")` is
    /// `session.flash("success", "Saved")`, and Flask's default category is `"message"`. The session
    /// is modified, so the cookie is written.
    ///
    /// ```
    /// # use cloakroom::Session;
    /// use cloakroom::value::Markup;
    /// # fn handler(session: Session) {
    /// session.flash("error", "Title is required!");
    /// session.flash("success", Markup::new("Saved as <b>draft</b>"));
    /// # }
    /// ```
    pub fn flash(&self, category: impl Into<Value>, message: impl Into<Value>) {
        // What it tells of has happened, so it is no reason to answer with an error.
        if let Some(error) = self.read().nowhere() {
            tracing::warn!(%error, "flashed message lost");
            return;
        }
        let Some(mut state) = self.write_late("flash") else {
            return;
        };
        let flash = Value::Tuple(vec![category.into(), message.into()]);
        if let Err(error) = append(&mut state.entries, self.format(), flash.clone()) {
            tracing::warn!(%error, "flashed message lost");
            return;
        }
        state.changed(|| Operation::Flash(flash));
    }

    /// All messages, which are thereby used up. Later calls in the same request give the same ones.
    ///
    /// The first call removes them from the session, which is modified only if there were any. A
    /// message flashed after that call waits for the next request.
    #[doc(alias = "get_flashed_messages")]
    pub fn flashes(&self) -> Vec<Flash> {
        if self.read().nowhere().is_some() {
            return Vec::new();
        }
        let Some(mut state) = self.write_late("flashes") else {
            return Vec::new();
        };
        if let Some(taken) = &state.taken {
            return taken.clone();
        }
        let list = match state.entries.remove(self.format(), FLASHES) {
            Some(Value::List(list) | Value::Tuple(list)) => {
                state.changed(|| Operation::TakeFlashes(list.clone()));
                list
            }
            Some(_) => {
                state.changed(|| Operation::Remove(FLASHES.to_owned()));
                Vec::new()
            }
            None => Vec::new(),
        };
        let flashes: Vec<Flash> = list.into_iter().filter_map(Flash::from_value).collect();
        state.taken = Some(flashes.clone());
        flashes
    }

    /// The messages of some categories. All are used up, whatever their category; the others are
    /// still there for later calls in the same request. No category at all means every one, as in
    /// Flask.
    #[doc(alias = "category_filter")]
    pub fn flashes_in(&self, categories: &[&str]) -> Vec<Flash> {
        let mut flashes = self.flashes();
        if !categories.is_empty() {
            flashes.retain(|flash| {
                flash
                    .category
                    .as_str()
                    .is_some_and(|name| categories.contains(&name))
            });
        }
        flashes
    }
}

/// Adds a message to those that wait.
pub(super) fn append(entries: &mut Entries, format: &Format, flash: Value) -> Result<(), Error> {
    let mut list = match entries.get(format, FLASHES) {
        Some(Value::List(list) | Value::Tuple(list)) => list,
        _ => Vec::new(),
    };
    list.push(flash);
    entries.insert(format, FLASHES, Value::List(list))
}

/// Takes out the messages that were shown and leaves those that came meanwhile.
pub(super) fn discard(
    entries: &mut Entries,
    format: &Format,
    shown: &[Value],
) -> Result<(), Error> {
    let Some(Value::List(mut list) | Value::Tuple(mut list)) = entries.get(format, FLASHES) else {
        return Ok(());
    };
    for flash in shown {
        if let Some(place) = list.iter().position(|waiting| same(format, waiting, flash)) {
            list.remove(place);
        }
    }
    if list.is_empty() {
        entries.remove(format, FLASHES);
        Ok(())
    } else {
        entries.insert(format, FLASHES, Value::List(list))
    }
}

/// Whether both are the same message where they are stored: most formats make a list of a tuple.
fn same(format: &Format, left: &Value, right: &Value) -> bool {
    let stored = |value| match format {
        Format::Tagged(_) => None,
        Format::Stored(format) => {
            let mut bytes = Vec::new();
            format.write(&mut bytes, value).ok().map(|()| bytes)
        }
    };
    left == right || stored(left).is_some_and(|left| Some(left) == stored(right))
}
