use std::time::Instant;

use plan::{Scenario, Shuffle};
use subjects::{Failure, Subject};

use crate::service::{Requests, Service};

/// What one subject costs in one scenario.
pub(crate) struct Case<'run> {
    pub(crate) subject: &'run Subject,
    pub(crate) scenario: Scenario,
    /// Nanoseconds of a request, by round.
    pub(crate) nanoseconds: Vec<f64>,
    /// Of one request, on the thread that answers it.
    pub(crate) allocations: f64,
    /// Of one request, on the thread that answers it.
    pub(crate) bytes: f64,
}

/// What is measured, and how often.
pub(crate) struct Plan<'run> {
    pub(crate) subjects: &'run [Subject],
    pub(crate) scenarios: &'run [Scenario],
    /// How often each subject has its turn in each scenario.
    pub(crate) rounds: u32,
    /// How many requests a turn has.
    pub(crate) requests: u32,
}

/// Any number will do; the same one gives the same orders.
const SEED: u64 = 1;
/// Requests that are answered before any is measured.
const WARM_UP: u32 = 100;
/// Requests whose allocations are counted.
const COUNTED: u32 = 1_000;

impl<'run> Plan<'run> {
    /// Measures: in each round each subject once, in another order each time, so that whatever else the machine does meets all
    /// alike. A session that does not fit into its subject's cookie is no case.
    pub(crate) fn run(
        &self,
        store: impl Fn(&Subject) -> String,
    ) -> Result<Vec<Case<'run>>, Failure> {
        let mut cases = Vec::new();
        let mut shuffle = Shuffle::seeded(SEED);
        for &scenario in self.scenarios {
            let mut here = Vec::new();
            for subject in self.subjects {
                here.extend(count(subject, scenario, &store(subject))?);
            }
            for _ in 0..self.rounds {
                let mut order: Vec<usize> = (0..here.len()).collect();
                shuffle.shuffle(&mut order);
                for at in order {
                    let case = &mut here[at];
                    let store = store(case.subject);
                    let time = time(case.subject, scenario, &store, self.requests)?;
                    case.nanoseconds.extend(time);
                }
            }
            eprintln!("{}: {} subjects measured", scenario.name(), here.len());
            cases.extend(here);
        }
        Ok(cases)
    }
}

/// Nanoseconds of a request: one turn, on a subject that is opened for it.
pub(crate) fn time(
    subject: &Subject,
    scenario: Scenario,
    store: &str,
    requests: u32,
) -> Result<Option<f64>, Failure> {
    let Some((service, prepared)) = warm(subject, scenario, store, requests)? else {
        return Ok(None);
    };
    let start = Instant::now();
    service.answer_all(prepared)?;
    let taken = start.elapsed().as_secs_f64() * 1e9;
    Ok(Some(taken / f64::from(requests)))
}

/// The case without its times.
fn count<'run>(
    subject: &'run Subject,
    scenario: Scenario,
    store: &str,
) -> Result<Option<Case<'run>>, Failure> {
    let Some((service, prepared)) = warm(subject, scenario, store, COUNTED)? else {
        return Ok(None);
    };
    let mut answered = Ok(());
    let counted = allocation_counter::measure(|| answered = service.answer_all(prepared));
    answered?;
    let of_one =
        |total: u64| u32::try_from(total).map(|total| f64::from(total) / f64::from(COUNTED));
    Ok(Some(Case {
        subject,
        scenario,
        nanoseconds: Vec::new(),
        allocations: of_one(counted.count_total)?,
        bytes: of_one(counted.bytes_total)?,
    }))
}

/// A subject that has answered some requests, and those it is to answer next.
fn warm(
    subject: &Subject,
    scenario: Scenario,
    store: &str,
    requests: u32,
) -> Result<Option<(Service, Requests)>, Failure> {
    let service = Service::open(subject, store)?;
    let Some(first) = service.requests(scenario, WARM_UP)? else {
        return Ok(None);
    };
    service.answer_all(first)?;
    let prepared = service.requests(scenario, requests)?;
    Ok(prepared.map(|prepared| (service, prepared)))
}
