//! Ways through the store that go on from page to page, so that nobody has to begin again.

use std::collections::{HashMap, VecDeque};

use cloakroom::Handle;
use cloakroom::store::{Listed, Record};

use super::server::Inspection;
use crate::output::Failure;
use crate::sessions::filter::FilterArguments;
use crate::sessions::found::Found;
use crate::sessions::scan::{Scan, Sight};
use crate::store::failed;

/// So many sessions are on a page, or a few more.
const ROWS: usize = 100;
/// So many entries are loaded at a time.
const CHUNK: usize = 100;
/// So many entries are looked at for one page: a filter that finds nothing has an end, too.
const MOST_LOOKED: usize = 50_000;
/// So many ways are kept, the latest.
const MOST_WALKS: usize = 16;
/// So many keys of sessions that a page has named are kept.
const MOST_KEYS: usize = 10_000;

/// Where a page ended.
#[derive(Clone)]
struct Walk {
    scan: Scan,
    /// What was listed and not looked at yet.
    rest: VecDeque<Listed>,
}

/// What a page shows.
pub(super) struct Gathered {
    pub(super) found: Vec<Found>,
    pub(super) looked: usize,
    /// What the page after this one says to go on; none at the end of the store.
    pub(super) next: Option<u64>,
}

/// What is remembered between two pages.
#[derive(Default)]
pub(super) struct Memory {
    walks: VecDeque<(u64, Walk)>,
    number: u64,
    /// Which entry a handle on a page names. With it nobody has to look for it again.
    keys: HashMap<Handle, String>,
}

impl Memory {
    fn keep(&mut self, walk: Walk) -> u64 {
        if self.walks.len() >= MOST_WALKS {
            self.walks.pop_front();
        }
        self.number += 1;
        self.walks.push_back((self.number, walk));
        self.number
    }

    fn walk(&self, number: u64) -> Option<Walk> {
        let kept = self.walks.iter().find(|(kept, _)| *kept == number);
        kept.map(|(_, walk)| walk.clone())
    }

    fn note(&mut self, found: &[Found]) {
        if self.keys.len() + found.len() > MOST_KEYS {
            self.keys.clear();
        }
        let named = found.iter().map(|found| (found.handle, found.key.clone()));
        self.keys.extend(named);
    }
}

/// The sessions that pass the filter, from where another page ended or from the beginning. None if nobody remembers
/// that page.
pub(super) async fn gather(
    inspection: &Inspection,
    filter: &FilterArguments,
    from: Option<u64>,
    now: u64,
) -> Result<Option<Gathered>, Failure> {
    let begin = || Walk {
        scan: inspection.scan.clone(),
        rest: VecDeque::new(),
    };
    let walk = match from {
        None => Some(begin()),
        Some(number) => inspection.memory().walk(number),
    };
    let Some(mut walk) = walk else {
        return Ok(None);
    };
    let (mut found, mut looked) = (Vec::new(), 0);
    let is_over = loop {
        if walk.rest.is_empty() {
            match walk.scan.page().await? {
                None => break true,
                Some(page) => walk.rest = page.into(),
            }
        }
        if found.len() >= ROWS || looked >= MOST_LOOKED {
            // Nothing to go on with is no next page, but only the store knows.
            if walk.rest.is_empty() {
                continue;
            }
            break false;
        }
        let count = walk.rest.len().min(CHUNK);
        looked += count;
        let chunk = walk.rest.drain(..count);
        let chunk = chunk.filter(|listed| filter.is_large(listed)).collect();
        let take = |listed, record: Record| {
            let sight = Sight::of(&record);
            let one = Found::loaded(listed, &record, &sight, &filter.identity, now);
            found.extend(one.filter(|one| filter.takes(one, &sight)));
            true
        };
        walk.scan.load(chunk, take).await?;
    };
    let mut memory = inspection.memory();
    memory.note(&found);
    Ok(Some(Gathered {
        found,
        looked,
        next: (!is_over).then(|| memory.keep(walk)),
    }))
}

/// The entry that a handle names; none if it is there no more. One that no page has named is looked for in the whole
/// store.
pub(super) async fn find(
    inspection: &Inspection,
    handle: Handle,
) -> Result<Option<(Listed, Record)>, Failure> {
    let store = inspection.scan.store();
    let key = match inspection.known_key(handle) {
        Some(key) => key,
        None => match search(inspection, handle).await? {
            Some(key) => key,
            None => return Ok(None),
        },
    };
    let Some(record) = store.load(&key).await.map_err(failed)? else {
        return Ok(None);
    };
    let expires_in = match record.expires_in {
        Some(left) => Some(left),
        None => store.expires_in(&key).await.map_err(failed)?,
    };
    let listed = Listed::new(key, record.value.len(), expires_in);
    Ok(Some((listed, record)))
}

async fn search(inspection: &Inspection, handle: Handle) -> Result<Option<String>, Failure> {
    let mut scan = inspection.scan.clone();
    while let Some(page) = scan.page().await? {
        let mut page = page.into_iter();
        if let Some(listed) = page.find(|listed| Handle::of_key(&listed.key) == handle) {
            return Ok(Some(listed.key));
        }
    }
    Ok(None)
}

impl Inspection {
    fn known_key(&self, handle: Handle) -> Option<String> {
        self.memory().keys.get(&handle).cloned()
    }
}
