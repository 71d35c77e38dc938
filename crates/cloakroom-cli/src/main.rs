//! cloakroom-cli.

fn main() {}
