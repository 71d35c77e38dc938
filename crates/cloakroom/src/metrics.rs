//! What happens, as numbers, through the [`metrics`](https://docs.rs/metrics) facade: whatever recorder the application
//! installs gets them, one for Prometheus for example. Install it before the first request.
//!
//! | name | kind | labels |
//! | --- | --- | --- |
//! | [`SESSIONS_OPENED`] | counter | `place`, `outcome`: `loaded`, `new`, `refused`, `unknown`, `failed` |
//! | [`SESSIONS_SAVED`] | counter | `place`, `outcome`: `written`, `renewed`, `ended`, `failed` |
//! | [`EVENTS`] | counter | `event`, `reason`: [`EventKind::name`](crate::EventKind::name) and [`reason`](crate::EventKind::reason), empty where there is none |
//! | [`VERIFICATIONS`] | counter | `key`: the id of the key that a cookie was made with |
//! | [`COOKIE_BYTES`] | histogram | `place`; the whole `Set-Cookie` header |
//! | [`ENTRY_BYTES`] | histogram | `store`, `operation`: `load`, `write` |
//! | [`STORE_SECONDS`] | histogram | `store`, `operation`, `outcome`: `ok`, `exists`, `changed`, `not_found`, or [`StoreErrorKind::name`](crate::store::StoreErrorKind::name) |
//! | [`STORE_AVAILABLE`] | gauge | `store`; 0 while its [`Breaker`](crate::store::Breaker) spares everybody the wait, else 1 |
//!
//! `place` is where sessions live: `signed`, `encrypted`, or what the store is called. A retry is an event `conflict`. A
//! [`MemoryStore`](crate::store::MemoryStore) answers at once and is not timed. No label is an id, a user or a value.
//!
//! ```
//! cloakroom::metrics::describe();
//! ```

#![cfg_attr(
    not(feature = "metrics"),
    allow(dead_code, unreachable_pub, unused_variables, clippy::unused_self)
)]

use std::time::Instant;

/// Sessions that requests asked for.
pub const SESSIONS_OPENED: &str = "cloakroom_sessions_opened_total";
/// What became of sessions at the end of requests; those that were left as they are do not count.
pub const SESSIONS_SAVED: &str = "cloakroom_sessions_saved_total";
/// What [`SessionConfig::on_event`](crate::SessionConfig::on_event) is told.
pub const EVENTS: &str = "cloakroom_events_total";
/// Cookies and signed ids by the key that they were made with.
pub const VERIFICATIONS: &str = "cloakroom_verifications_total";
/// The sizes of the cookies that were set, with name and attributes.
pub const COOKIE_BYTES: &str = "cloakroom_cookie_bytes";
/// The sizes of a store's entries.
pub const ENTRY_BYTES: &str = "cloakroom_entry_bytes";
/// How long calls of a store took that got an answer or a time-out.
pub const STORE_SECONDS: &str = "cloakroom_store_seconds";
/// Whether a store is asked.
pub const STORE_AVAILABLE: &str = "cloakroom_store_available";

/// Tells the recorder what each number means and in which unit it is. Call it once, after the recorder is installed.
#[cfg(feature = "metrics")]
pub fn describe() {
    use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

    describe_counter!(SESSIONS_OPENED, "Sessions that requests asked for");
    describe_counter!(
        SESSIONS_SAVED,
        "Sessions that were written, renewed or ended at the end of requests"
    );
    describe_counter!(EVENTS, "Logins, ends, conflicts, refused cookies and more");
    describe_counter!(VERIFICATIONS, "Cookies by the key they were made with");
    describe_histogram!(COOKIE_BYTES, Unit::Bytes, "Size of Set-Cookie headers");
    describe_histogram!(ENTRY_BYTES, Unit::Bytes, "Size of entries in a store");
    describe_histogram!(STORE_SECONDS, Unit::Seconds, "Time that a store took");
    describe_gauge!(STORE_AVAILABLE, "Whether the store is asked: 1 or 0");
}

/// Passes on to the facade or, without the feature, does nothing.
macro_rules! pass_on {
    ($kind:ident, $name:ident, $method:ident($value:expr) $(, $label:ident = $text:expr)*) => {
        #[cfg(feature = "metrics")]
        ::metrics::$kind!($name $(, stringify!($label) => $text)*).$method($value)
    };
}

pub(crate) fn opened(place: &'static str, outcome: &'static str) {
    pass_on!(
        counter,
        SESSIONS_OPENED,
        increment(1),
        place = place,
        outcome = outcome
    );
}

pub(crate) fn saved(place: &'static str, outcome: &'static str) {
    pass_on!(
        counter,
        SESSIONS_SAVED,
        increment(1),
        place = place,
        outcome = outcome
    );
}

pub(crate) fn event(event: &'static str, reason: Option<&'static str>) {
    pass_on!(
        counter,
        EVENTS,
        increment(1),
        event = event,
        reason = reason.unwrap_or_default()
    );
}

pub(crate) fn verified(key: &str) {
    pass_on!(counter, VERIFICATIONS, increment(1), key = key.to_owned());
}

pub(crate) fn cookie(place: &'static str, bytes: usize) {
    pass_on!(
        histogram,
        COOKIE_BYTES,
        record(number(bytes)),
        place = place
    );
}

pub(crate) fn entry(store: &'static str, operation: &'static str, bytes: usize) {
    pass_on!(
        histogram,
        ENTRY_BYTES,
        record(number(bytes)),
        store = store,
        operation = operation
    );
}

pub(crate) fn available(store: &'static str, available: bool) {
    pass_on!(
        gauge,
        STORE_AVAILABLE,
        set(f64::from(u8::from(available))),
        store = store
    );
}

/// A call of a store whose time is taken.
pub(crate) struct StoreCall {
    store: &'static str,
    operation: &'static str,
    /// None where nobody wants to know.
    started: Option<Instant>,
}

impl StoreCall {
    pub(crate) fn begin(store: &'static str, operation: &'static str) -> Self {
        Self {
            store,
            operation,
            started: cfg!(feature = "metrics").then(Instant::now),
        }
    }

    pub(crate) fn end(&self, outcome: &'static str) {
        if let Some(started) = self.started {
            pass_on!(
                histogram,
                STORE_SECONDS,
                record(started.elapsed().as_secs_f64()),
                store = self.store,
                operation = self.operation,
                outcome = outcome
            );
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "no session has as many bytes as a float has digits"
)]
fn number(bytes: usize) -> f64 {
    bytes as f64
}
