//! The whole run, part by part.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, io};

use plan::{Scenario, Shuffle};
use serde::de::DeserializeOwned;

use crate::closed::{Contest, Load};
use crate::cores::Cores;
use crate::field::{Field, Launch};
use crate::options::{Options, Part};
use crate::progress::Progress;
use crate::results::{Cell, InProcess, Results, Run};
use crate::script::script;
use crate::stores::Stores;
use crate::subject::{Database, Family, Subject};
use crate::{application, contention, machine, open, trips};

const SEED: u64 = 20_261_121;

/// How long and how often each part measures.
struct Effort {
    rounds: usize,
    window: Duration,
    warm_up: Duration,
    open_rounds: usize,
    open_window: Duration,
    contention_rounds: usize,
}

impl Effort {
    fn of(options: &Options) -> Self {
        let milliseconds = Duration::from_millis;
        match options.quick {
            true => Self {
                rounds: 2,
                window: milliseconds(60),
                warm_up: milliseconds(20),
                open_rounds: 1,
                open_window: milliseconds(200),
                contention_rounds: 1,
            },
            false => Self {
                rounds: 5,
                window: milliseconds(150),
                warm_up: milliseconds(30),
                open_rounds: 2,
                open_window: milliseconds(600),
                contention_rounds: 3,
            },
        }
    }

    fn load(&self, connections: usize) -> Load {
        Load {
            connections,
            rounds: self.rounds,
            warm_up: self.warm_up,
            window: self.window,
        }
    }

    /// Longer, because what is looked for is a difference of a few in a hundred.
    fn driver_load(&self) -> Load {
        Load {
            window: self.window * 2,
            ..self.load(64)
        }
    }

    /// Python answers a fiftieth in the same time.
    fn python_load(&self) -> Load {
        Load {
            connections: 32,
            rounds: self.rounds.div_ceil(2),
            warm_up: self.warm_up * 2,
            window: self.window * 2,
        }
    }
}

/// Measures what is asked for.
pub(crate) fn run(options: &Options, bench: &Path) -> Result<Results, String> {
    let progress = Progress::begin();
    let effort = Effort::of(options);
    let cores = Cores::available().map_err(|error| error.to_string())?;
    let programs = Programs::beside_this_one()?;
    let subjects = chosen(options, programs.list(options, bench)?);
    let mut databases: Vec<Database> = subjects.iter().filter_map(Subject::database).collect();
    if options.wants(Part::Application) {
        databases.push(Database::Redis);
    }
    let wanted: Vec<Database> = Database::ALL
        .into_iter()
        .filter(|database| databases.contains(database))
        .collect();
    let stores = Stores::start(&wanted, cores, &programs.folder.join("runs"))
        .map_err(|error| format!("the stores could not be started: {error}"))?;
    let mut field = Field::new(cores, &stores, &progress);
    let mut shuffle = Shuffle::seeded(SEED);
    let mut results = Results {
        in_process: None,
        micro: read_if_given(options.micro.as_deref())?,
        builds: read_if_given(options.builds.as_deref())?,
        ..Results::default()
    };

    if options.wants(Part::InProcess) {
        progress.say("in process: what a request costs without a network");
        results.in_process = match programs.in_process(options, &subjects, cores) {
            Ok(report) => Some(report),
            Err(what) => {
                field.note("in process", "start", &what);
                None
            }
        };
    }
    for subject in subjects {
        let launch = programs.launch(&subject, options, bench);
        field.enter(subject, launch);
    }
    results.subjects = field.running();
    progress.say(&format!("{} subjects are running", results.subjects.len()));
    if options.wants(Part::RoundTrips) {
        progress.say("round trips to the store");
        results.round_trips = trips::run(&mut field);
    }
    if options.wants(Part::Requests) {
        for scenario in options.wanted_scenarios() {
            progress.say(&format!("requests per second and CPU: {}", scenario.name()));
            results
                .requests
                .extend(requests(&mut field, &mut shuffle, scenario, &effort));
            stores.empty_redis().map_err(|error| error.to_string())?;
        }
    }
    if options.wants(Part::Drivers) {
        for scenario in [Scenario::Read, Scenario::Write, Scenario::Login] {
            progress.say(&format!("beside the raw driver: {}", scenario.name()));
            results
                .drivers
                .extend(drivers(&mut field, &mut shuffle, scenario, &effort));
        }
    }
    if options.wants(Part::Latency) {
        for scenario in [Scenario::Read, Scenario::Write] {
            progress.say(&format!(
                "time to the answer at a fixed rate: {}",
                scenario.name()
            ));
            results.latency.extend(open::run(
                &mut field,
                &mut shuffle,
                scenario,
                effort.open_rounds,
                effort.open_window,
            ));
        }
    }
    if options.wants(Part::Contention) {
        progress.say("many connections count in one session");
        results.contention = contention::run(&mut field, &mut shuffle, effort.contention_rounds);
    }
    if options.wants(Part::Application) {
        results.application = application::run(
            &mut field,
            &mut shuffle,
            options,
            bench,
            effort.python_load(),
        );
    }
    results.troubles = std::mem::take(&mut field.troubles);
    results.run = Run {
        date: machine::today(),
        seconds: progress.elapsed().as_secs(),
        quick: options.quick,
        narrowed: options.is_narrowed(),
        seed: SEED,
        rounds: effort.rounds,
        window_milliseconds: u64::try_from(effort.window.as_millis()).unwrap_or(u64::MAX),
        connections: 32,
        cpu: machine::cpu(),
        cores: machine::cores(),
        versions: machine::versions(options.python.as_deref()),
    };
    progress.say("measured");
    Ok(results)
}

/// The subjects that are asked for, and those that they are measured beside.
fn chosen(options: &Options, all: Vec<Subject>) -> Vec<Subject> {
    let wanted: Vec<&Subject> = all
        .iter()
        .filter(|subject| options.wants_subject(&subject.name))
        .filter(|subject| !(options.no_flask && subject.python))
        .collect();
    let is_needed = |subject: &Subject| {
        let beside = |other: &&Subject| other.reference == subject.name;
        wanted.iter().any(|other| other.name == subject.name) || wanted.iter().any(beside)
    };
    all.iter()
        .filter(|subject| is_needed(subject))
        .cloned()
        .collect()
}

/// Each framework's subjects beside the framework alone.
fn requests(
    field: &mut Field<'_>,
    shuffle: &mut Shuffle,
    scenario: Scenario,
    effort: &Effort,
) -> Vec<Cell> {
    let running = field.running();
    let mut cells = Vec::new();
    for reference in running.iter().filter(|subject| subject.is_reference()) {
        let others: Vec<Subject> = running
            .iter()
            .filter(|subject| subject.reference == reference.name && *subject != reference)
            .cloned()
            .collect();
        let contest = Contest {
            scenario: scenario.name(),
            reference,
            others: &others,
            script: &|subject| script(scenario, subject.has_sessions()),
            load: match reference.python {
                true => effort.python_load(),
                false => effort.load(32),
            },
        };
        cells.extend(contest.run(field, shuffle));
    }
    cells
}

/// The subjects on one database beside the hand-written handler that calls the same driver.
fn drivers(
    field: &mut Field<'_>,
    shuffle: &mut Shuffle,
    scenario: Scenario,
    effort: &Effort,
) -> Vec<Cell> {
    let running = field.running();
    let mut cells = Vec::new();
    for database in Database::ALL {
        let on_it = |subject: &&Subject| subject.database() == Some(database) && !subject.python;
        let floor = running
            .iter()
            .filter(on_it)
            .find(|subject| subject.family == Family::Floor);
        let Some(floor) = floor else {
            continue;
        };
        let others: Vec<Subject> = running
            .iter()
            .filter(on_it)
            .filter(|subject| *subject != floor)
            .cloned()
            .collect();
        let contest = Contest {
            scenario: scenario.name(),
            reference: floor,
            others: &others,
            script: &|_| script(scenario, true),
            load: effort.driver_load(),
        };
        cells.extend(contest.run(field, shuffle));
    }
    cells
}

/// The programs of the bench, which cargo puts side by side.
struct Programs {
    folder: PathBuf,
}

impl Programs {
    fn beside_this_one() -> Result<Self, String> {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let folder = this.parent().ok_or("this program is nowhere")?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// All subjects that there are.
    fn list(&self, options: &Options, bench: &Path) -> Result<Vec<Subject>, String> {
        let mut subjects: Vec<Subject> =
            json(Command::new(self.folder.join("subjects")).arg("--list"))?;
        if let (Some(python), false) = (&options.python, options.no_flask) {
            let serve = bench.join("flask/serve.py");
            let flask: Vec<Subject> = json(Command::new(python).arg(serve).arg("--list"))?;
            subjects.extend(flask.into_iter().map(|subject| Subject {
                python: true,
                ..subject
            }));
        }
        Ok(subjects)
    }

    fn launch(&self, subject: &Subject, options: &Options, bench: &Path) -> Launch {
        let name = subject.name.clone();
        let (program, script) = match (&options.python, subject.python) {
            (Some(python), true) => (python.clone(), Some(bench.join("flask/serve.py"))),
            _ => (self.folder.join("subjects"), None),
        };
        Box::new(move |url| {
            let mut command = Command::new(&program);
            command.args(&script).arg(&name);
            if let Some(url) = url {
                command.args(["--store", url]);
            }
            command
        })
    }

    /// Measures without a network, on the server's core.
    fn in_process(
        &self,
        options: &Options,
        subjects: &[Subject],
        cores: Cores,
    ) -> Result<InProcess, String> {
        let mut command = Command::new(self.folder.join("in-process"));
        if options.quick {
            command.arg("--quick");
        }
        if !options.only.is_empty() {
            for subject in subjects.iter().filter(|subject| !subject.python) {
                command.args(["--subject", &subject.name]);
            }
        }
        for scenario in &options.scenarios {
            command.args(["--scenario", &scenario.name().replace(' ', "-")]);
        }
        command.stderr(Stdio::null());
        cores
            .on(cores.server, || json(&mut command))
            .map_err(|error| error.to_string())?
    }
}

/// Runs a program that prints JSON.
fn json<T: DeserializeOwned>(command: &mut Command) -> Result<T, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        return Err(format!("{name}: {}; {last}", output.status));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{name} printed no JSON: {error}"))
}

fn read_if_given<T: DeserializeOwned + Default>(path: Option<&Path>) -> Result<T, String> {
    let Some(path) = path else {
        return Ok(T::default());
    };
    let read = |path| -> io::Result<T> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
    read(path).map_err(|error| format!("{}: {error}", path.display()))
}
