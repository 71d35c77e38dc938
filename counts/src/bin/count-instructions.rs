//! Prints the name of each case once for each run of it, and is run under callgrind, which writes down in the same order
//! what each of the runs cost.

use std::hint::black_box;

fn main() {
    counts::count(&mut |name, run| {
        println!("{name}");
        counted_by_callgrind(run);
    });
}

/// Callgrind begins to count where this is called and stops where it returns: it stays a function of its own,
/// and does not end in a jump into another one.
#[inline(never)]
fn counted_by_callgrind(run: &mut dyn FnMut()) {
    black_box(run)();
    black_box(());
}
