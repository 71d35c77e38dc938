//! The programs beside this folder each show one thing; `cargo run --example counter` starts one.
