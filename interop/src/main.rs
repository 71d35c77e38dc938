//! cloakroom-interop.

fn main() {}
