//! What a store costs over the plain call of its client: 64 tasks at once, on servers of our own.
//!
//! `cargo xtask bench --stores`, or with the names of some stores behind it.

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench that cannot run should stop"
)]

mod contest;
mod dynamodb;
mod file;
mod memcached;
mod memory;
mod redis;
mod round_trips;
mod sql;

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    // Cargo adds options of its own.
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wants = |store: &str| chosen.is_empty() || chosen.iter().any(|name| name == store);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if wants("round-trips") {
            round_trips::run().await;
        }
        contest::head();
        // First, while the process holds nothing else.
        if wants("memory") {
            memory::run().await;
        }
        if wants("file") {
            file::run().await;
        }
        if wants("redis") {
            redis::run().await;
        }
        if wants("memcached") {
            memcached::run().await;
        }
        if wants("sqlite") {
            sql::sqlite().await;
        }
        if wants("postgres") {
            sql::postgres().await;
        }
        if wants("mysql") {
            sql::mysql().await;
        }
        if wants("dynamodb") {
            dynamodb::run().await;
        }
    });
}
