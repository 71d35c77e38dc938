//! One file for each subject, or for those that differ in one line. Each reads from top to bottom: how the sessions are set up, as the
//! library's documentation says, and the handlers.

pub mod bare_axum;
pub mod cloakroom;
pub mod layer;
pub mod tower_sessions;
