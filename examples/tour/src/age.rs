//! How long ago something was, in the one unit that says it best.

use std::time::{SystemTime, UNIX_EPOCH};

use cloakroom::value::DateTime;
use minijinja::{Value, context};

/// For the eye: the moment in three spellings, and its age.
pub(crate) fn moment(at: SystemTime) -> Option<Value> {
    let unix = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let date = DateTime::from_unix(i64::try_from(unix).ok()?).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let age = age(now.saturating_sub(unix));
    Some(context! { iso => date.to_string(), text => date.to_http_date(), age, unix })
}

fn age(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
