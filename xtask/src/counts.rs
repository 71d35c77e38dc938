//! `cargo xtask counts`: what opening, reading and saving a session cost in instructions and allocations, held against
//! the numbers in `counts/numbers.json`. Counts, unlike times, are the same on a busy machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::repository;
use crate::shell::{self, Failure, cargo, find, program};

/// How much worse a count may get, in percent, before somebody has to say that it is on purpose.
const TOLERANCE: u64 = 5;

/// What is counted of each case.
const UNITS: [&str; 3] = ["instructions", "allocations", "bytes"];

/// The counts of one case in the order of [`UNITS`]; none of what this machine can't count.
type Count = [Option<u64>; 3];

type Counts = BTreeMap<String, Count>;

/// A case that may cost at most so many percent of another one's instructions.
const BOUNDS: [(&str, &str, u64); 2] = [
    // What a session costs grows with its bytes, which are hashed, not with the number of its values.
    (
        "signed 3.5 KB in many keys: open",
        "signed 3.5 KB in one key: open",
        150,
    ),
    (
        "signed 3.5 KB in many keys: save",
        "signed 3.5 KB in one key: save",
        150,
    ),
];

/// Prints the counts and fails if one got worse.
pub(crate) fn check() -> Result<(), Failure> {
    let (new, tools) = count()?;
    let old = Numbers::read()?;
    print!("{}", table(&new));
    within_bounds(&new)?;
    let judgement = judge(&old.counts, &new);
    judgement.show();
    if !judgement.better.is_empty() {
        println!("   `cargo xtask counts --accept` keeps what got better");
    }
    let Some(first) = judgement.worse.first() else {
        return Ok(());
    };
    if old.tools != tools {
        println!(
            "   the numbers were taken with {}, these with {tools}",
            old.tools
        );
    }
    Err(Failure::new(format!(
        "{} as listed above, the first is `{first}`; if it is on purpose, `cargo xtask counts --accept` writes the new numbers into {NUMBERS}",
        match judgement.worse.len() {
            1 => "1 count is worse".to_owned(),
            more => format!("{more} counts are worse"),
        }
    )))
}

/// Writes what is counted now down as what is right.
pub(crate) fn accept() -> Result<(), Failure> {
    let (counts, tools) = count()?;
    if counts.values().any(|count| count.contains(&None)) {
        return Err(Failure::new(
            "new numbers can be accepted only where all of them are counted",
        ));
    }
    print!("{}", table(&counts));
    within_bounds(&counts)?;
    // A first file has nothing to be compared with.
    if let Ok(old) = Numbers::read() {
        judge(&old.counts, &counts).show();
    }
    Numbers { tools, counts }.write()
}

const NUMBERS: &str = "counts/numbers.json";

/// The file of the numbers, one case a line.
struct Numbers {
    /// What they were taken with: another compiler makes other instructions.
    tools: String,
    counts: Counts,
}

impl Numbers {
    fn read() -> Result<Self, Failure> {
        let text = fs::read_to_string(repository::root().join(NUMBERS))
            .map_err(|error| Failure::new(format!("{NUMBERS} can't be read: {error}")))?;
        Self::parse(&text)
            .ok_or_else(|| Failure::new(format!("{NUMBERS} is not as this tool writes it")))
    }

    fn parse(text: &str) -> Option<Self> {
        let file: Value = serde_json::from_str(text).ok()?;
        let counts: &Map<String, Value> = file["counts"].as_object()?;
        Some(Self {
            tools: file["tools"].as_str()?.to_owned(),
            counts: counts
                .iter()
                .map(|(name, count)| (name.clone(), UNITS.map(|unit| count[unit].as_u64())))
                .collect(),
        })
    }

    fn write(&self) -> Result<(), Failure> {
        fs::write(repository::root().join(NUMBERS), self.text())
            .map_err(|error| Failure::new(format!("{NUMBERS} can't be written: {error}")))
    }

    fn text(&self) -> String {
        let lines: Vec<String> = self
            .counts
            .iter()
            .map(|(name, count)| {
                let numbers: Vec<String> = UNITS
                    .iter()
                    .zip(count)
                    .filter_map(|(unit, number)| Some(format!("{unit:?}: {}", (*number)?)))
                    .collect();
                format!("    {name:?}: {{{}}}", numbers.join(", "))
            })
            .collect();
        format!(
            "{{\n  \"tools\": {:?},\n  \"counts\": {{\n{}\n  }}\n}}\n",
            self.tools,
            lines.join(",\n")
        )
    }
}

/// What changed by more than the tolerance.
#[derive(Default)]
struct Judgement {
    worse: Vec<String>,
    better: Vec<String>,
}

impl Judgement {
    fn show(&self) {
        for line in &self.better {
            println!("   better  {line}");
        }
        for line in &self.worse {
            println!("   WORSE   {line}");
        }
    }
}

fn judge(old: &Counts, new: &Counts) -> Judgement {
    let mut judgement = Judgement::default();
    for (name, new) in new {
        let Some(old) = old.get(name) else {
            let line = format!("{name}: has no number yet");
            judgement.worse.push(line);
            continue;
        };
        for ((unit, old), new) in UNITS.iter().zip(old).zip(new) {
            let (Some(old), Some(new)) = (*old, *new) else {
                continue;
            };
            let change = format!("{name}: {old} {unit} became {new}{}", percent(old, new));
            if new * 100 > old * (100 + TOLERANCE) {
                judgement.worse.push(change);
            } else if new * 100 < old * (100 - TOLERANCE) {
                judgement.better.push(change);
            }
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        let line = format!("{name}: has a number and is not counted any more");
        judgement.worse.push(line);
    }
    judgement
}

fn within_bounds(counts: &Counts) -> Result<(), Failure> {
    for (name, than, most) in BOUNDS {
        let instructions = |name| counts.get(name).and_then(|count| count[0]);
        if let (Some(this), Some(that)) = (instructions(name), instructions(than))
            && this * 100 > that * most
        {
            return Err(Failure::new(format!(
                "`{name}` takes {this} instructions, more than {most} % of the {that} of `{than}`: that is promised, whatever the numbers say"
            )));
        }
    }
    Ok(())
}

/// By how much, unless it was nothing before.
#[allow(clippy::cast_precision_loss)]
fn percent(old: u64, new: u64) -> String {
    match old {
        0 => String::new(),
        _ => format!(" ({:+.1} %)", (new as f64 / old as f64 - 1.0) * 100.0),
    }
}

/// One line a case, the ratio of its instructions to those of its floor among them.
#[allow(clippy::cast_precision_loss)]
fn table(counts: &Counts) -> String {
    let mut lines = vec![format!(
        "{:<42} {:>12} {:>8} {:>11} {:>8}",
        "case", UNITS[0], "to floor", UNITS[1], UNITS[2]
    )];
    for (name, count) in counts {
        let floor = counts.get(&format!("{name}, floor"));
        let ratio = floor.and_then(|floor| Some(count[0]? as f64 / floor[0]? as f64));
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}×"));
        let [instructions, allocations, bytes] =
            count.map(|number| number.map_or_else(|| "–".to_owned(), |number| number.to_string()));
        lines.push(format!(
            "{name:<42} {instructions:>12} {ratio:>8} {allocations:>11} {bytes:>8}"
        ));
    }
    lines.join("\n") + "\n"
}

/// Builds and runs what is counted; also says with which tools.
fn count() -> Result<(Counts, String), Failure> {
    // As users build it, and nothing of the stores.
    shell::run(&mut cargo(["build", "--release", "--package=counts"]))?;
    let printed = shell::output(&mut program(binary("count-allocations"), []))?;
    let mut counts = Counts::new();
    for unit in [1, 2] {
        let column = |line: &str| {
            let mut fields = line.split('\t');
            let (name, number) = (fields.next()?, fields.nth(unit - 1)?);
            Some((name.to_owned(), number.parse().ok()?))
        };
        for (name, number) in medians(printed.lines().filter_map(column)) {
            counts.entry(name).or_insert([None; 3])[unit] = Some(number);
        }
    }
    let rustc = shell::output(&mut program("rustc", ["--version"]))?;
    let mut tools = rustc.trim().to_owned();
    if comparable() {
        let valgrind = valgrind()?;
        let version = shell::output(&mut program(&valgrind, ["--version"]))?;
        tools = format!("{tools} and {}", version.trim());
        for (name, number) in medians(instructions(&valgrind)?.into_iter()) {
            counts.entry(name).or_insert([None; 3])[0] = Some(number);
        }
    } else {
        println!(
            "   NOT CHECKED: instructions. Their numbers are for x86-64 with AVX2, which this machine is not"
        );
    }
    Ok((counts, tools))
}

/// Whether valgrind shows programs the processor that the numbers were taken on: it offers no extension beyond AVX2,
/// but leaves out what the machine does not have.
fn comparable() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    return false;
}

fn valgrind() -> Result<PathBuf, Failure> {
    if find("valgrind").is_none() {
        shell::install_debian_packages(&["valgrind"], "counting instructions")?;
    }
    find("valgrind").ok_or_else(|| {
        Failure::new(
            "counting instructions needs `valgrind` on the PATH, and the package did not bring it",
        )
    })
}

/// The C library's part is kept from depending on the machine and on what ran before: plain copying, as what the
/// processor repeats by itself would count as one instruction a byte; and freed memory that is handed out again in the
/// same way however much of it there is.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-AVX512F,-ERMS,-FSRM:glibc.malloc.tcache_count=20000";

/// What is counted from its call to its return.
const FUNCTION: &str = "count_instructions::counted_by_callgrind";

/// Each run of each case with its instructions. The program prints the names, callgrind writes one file a run.
fn instructions(valgrind: &PathBuf) -> Result<Vec<(String, u64)>, Failure> {
    let folder = repository::target().join("counts");
    let fresh = match fs::remove_dir_all(&folder) {
        Err(error) if folder.exists() => Err(error),
        _ => fs::create_dir_all(&folder),
    };
    fresh.map_err(|error| Failure::new(format!("{}: {error}", folder.display())))?;
    let out = folder.join("run");
    let mut command = program(valgrind, ["--tool=callgrind", "--quiet"]);
    command
        .arg(format!("--zero-before={FUNCTION}"))
        .arg(format!("--dump-after={FUNCTION}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(binary("count-instructions"))
        .env_clear()
        .env("GLIBC_TUNABLES", TUNABLES);
    let printed = shell::output(&mut command)?;
    (1..)
        .zip(printed.lines())
        .map(|(number, name)| {
            let path = out.with_extension(number.to_string());
            let text = fs::read_to_string(&path).unwrap_or_default();
            let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
            let total = total.and_then(|total| total.parse().ok()).ok_or_else(|| {
                Failure::new(format!(
                    "callgrind left no total for `{name}` in {}",
                    path.display()
                ))
            })?;
            Ok((name.to_owned(), total))
        })
        .collect()
}

/// The middle one of the numbers of each name.
fn medians(numbers: impl Iterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let mut by_name: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (name, number) in numbers {
        by_name.entry(name).or_default().push(number);
    }
    by_name
        .into_iter()
        .map(|(name, mut numbers)| {
            numbers.sort_unstable();
            let middle = numbers[numbers.len() / 2];
            (name, middle)
        })
        .collect()
}

fn binary(name: &str) -> PathBuf {
    repository::target().join("release").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cases: &[(&str, Count)]) -> Counts {
        cases
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    fn one(instructions: u64, allocations: u64) -> Counts {
        counts(&[("open", [Some(instructions), Some(allocations), Some(64)])])
    }

    #[test]
    fn worse_is_more_than_five_percent_and_names_case_old_and_new() {
        let old = one(1000, 2);
        assert!(judge(&old, &one(1050, 2)).worse.is_empty());
        assert_eq!(
            judge(&old, &one(1051, 2)).worse,
            ["open: 1000 instructions became 1051 (+5.1 %)"]
        );
        assert_eq!(
            judge(&old, &one(1000, 3)).worse,
            ["open: 2 allocations became 3 (+50.0 %)"]
        );
        assert_eq!(
            judge(&one(1000, 0), &one(1000, 1)).worse,
            ["open: 0 allocations became 1"]
        );
    }

    #[test]
    fn better_by_as_much_is_a_hint() {
        let judgement = judge(&one(1000, 2), &one(949, 2));
        assert!(judgement.worse.is_empty());
        assert_eq!(
            judgement.better,
            ["open: 1000 instructions became 949 (-5.1 %)"]
        );
        assert!(judge(&one(1000, 2), &one(950, 2)).better.is_empty());
    }

    #[test]
    fn a_case_without_a_number_and_a_number_without_a_case_fail() {
        let none = counts(&[]);
        assert_eq!(judge(&none, &one(1, 1)).worse.len(), 1);
        assert_eq!(judge(&one(1, 1), &none).worse.len(), 1);
    }

    #[test]
    fn a_bound_holds_whatever_the_numbers_say() {
        let (name, than, most) = BOUNDS[0];
        let case = |instructions| [Some(instructions), Some(1), Some(1)];
        let at = counts(&[(name, case(most)), (than, case(100))]);
        assert!(within_bounds(&at).is_ok());
        let over = counts(&[(name, case(most + 1)), (than, case(100))]);
        let failure = within_bounds(&over).unwrap_err().to_string();
        assert!(failure.starts_with(&format!("`{name}`")), "{failure}");
    }

    #[test]
    fn what_this_machine_cannot_count_is_not_compared() {
        let allocations_only = counts(&[("open", [None, Some(2), Some(64)])]);
        assert!(judge(&one(1000, 2), &allocations_only).worse.is_empty());
        assert_eq!(judge(&one(1000, 1), &allocations_only).worse.len(), 1);
    }

    #[test]
    fn the_file_reads_back_as_it_was_written() {
        let tools = "rustc and \"valgrind\"".to_owned();
        let counts = one(7, 0);
        let read = Numbers::parse(&Numbers { tools, counts }.text()).unwrap();
        assert_eq!(read.tools, "rustc and \"valgrind\"");
        assert_eq!(read.counts, one(7, 0));
        assert!(Numbers::parse("{}").is_none());
    }

    #[test]
    fn the_median_of_each_name_is_taken() {
        let runs = [("open", 9), ("save", 4), ("open", 1), ("open", 2)];
        let runs = runs.map(|(name, number)| (name.to_owned(), number));
        let medians = medians(runs.into_iter());
        assert_eq!(medians["open"], 2);
        assert_eq!(medians["save"], 4);
    }

    #[test]
    fn the_table_shows_the_ratio_to_the_floor() {
        let table = table(&counts(&[
            ("open", [Some(300), Some(2), Some(64)]),
            ("open, floor", [Some(200), Some(1), Some(32)]),
        ]));
        assert!(table.contains("1.50×"), "{table}");
    }
}
