//! tour.

fn main() {}
