//! Hands what is logged to `cargo xtask test`, which looks through it for anything secret.

use std::{
    fmt::{self, Write as _},
    fs::{File, OpenOptions},
    io::Write as _,
    sync::Once,
};

use tracing::{
    Event, Id, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
};

/// From now on this process's log goes to the file that `CLOAKROOM_TEST_OUTPUT` names; nowhere without it.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(path) = std::env::var_os("CLOAKROOM_TEST_OUTPUT") else {
            return;
        };
        if let Ok(file) = OpenOptions::new().append(true).create(true).open(path) {
            // A test that listens itself has its own way of looking.
            let _ = tracing::subscriber::set_global_default(Log(file));
        }
    });
}

/// Everything that the library says at any level, and what others say to operators.
struct Log(File);

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cloakroom") || *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line(format!("{} {}", metadata.level(), metadata.target()));
        event.record(&mut line);
        line.0.push('\n');
        // In one piece: tests write at the same time.
        let _ = (&self.0).write_all(line.0.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}
