//! Prints for each run of each case its name, how often it allocated, and how many bytes. A binary of its own, because
//! counting allocations takes instructions.

fn main() {
    counts::count(&mut |name, run| {
        let counted = allocation_counter::measure(run);
        println!("{name}\t{}\t{}", counted.count_total, counted.bytes_total);
    });
}
