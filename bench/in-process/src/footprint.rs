use subjects::{Failure, Kind, Subject};

use plan::Scenario;

use crate::service::Service;

/// Sessions that are made to be weighed.
const SESSIONS: u32 = 100_000;

/// The bytes of memory that a store in memory takes for each of many sessions, `{"visits": 1}` each: what is allocated when all are
/// there and was not before, divided by their number. None for sessions that live elsewhere.
pub(crate) fn bytes_per_session(subject: &Subject) -> Result<Option<f64>, Failure> {
    if subject.kind != Kind::Memory {
        return Ok(None);
    }
    let service = Service::open(subject, "")?;
    let mut made = Ok(());
    let counted = allocation_counter::measure(|| made = make(&service, SESSIONS));
    made?;
    let grown = u32::try_from(counted.bytes_current)?;
    Ok(Some(f64::from(grown) / f64::from(SESSIONS)))
}

fn make(service: &Service, sessions: u32) -> Result<(), Failure> {
    match service.requests(Scenario::First, sessions)? {
        Some(requests) => service.answer_all(requests),
        None => Err("a session in memory does not fit".into()),
    }
}
