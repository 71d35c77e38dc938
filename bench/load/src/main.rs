//! The bench.
mod client;
fn main() {}
