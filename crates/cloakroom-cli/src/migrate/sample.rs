//! A look at the result: some of the copies are loaded again, and so are their originals.

use serde_json::{Value, json};

use super::pass::{AT_A_TIME, Job, SLACK, list, persist};
use super::rule::Known;
use super::state::State;
use super::summary::Sample;
use crate::output::Failure;
use crate::runtime::each;
use cloakroom::store::{Store, StoreErrorKind};

/// A few of the keys that were written, each as likely as any other.
pub(super) struct Keys {
    kept: Vec<String>,
    most: usize,
    seen: u64,
}

impl Keys {
    pub(super) fn new(most: usize) -> Self {
        Self {
            kept: Vec::new(),
            most,
            seen: 0,
        }
    }

    pub(super) fn take(&mut self, keys: Vec<String>) {
        for key in keys {
            self.seen += 1;
            if self.kept.len() < self.most {
                self.kept.push(key);
                continue;
            }
            let mut bytes = [0; 8];
            // Without randomness the first ones are the sample.
            let _ = getrandom::fill(&mut bytes);
            let place = u64::from_ne_bytes(bytes) % self.seen;
            if let Some(kept) = usize::try_from(place)
                .ok()
                .and_then(|place| self.kept.get_mut(place))
            {
                *kept = key;
            }
        }
    }

    pub(super) async fn compare(mut self, job: &Job, state: &State) -> Result<Sample, Failure> {
        self.kept.sort_unstable();
        self.kept.dedup();
        let salt = state.salt();
        let keys = self.kept.into_iter().map(|key| {
            let known = state.known(super::state::hash(salt, key.as_bytes()));
            (key, known)
        });
        let compared = each(keys, AT_A_TIME, async |(key, known): (String, Known)| {
            let from = persist(async || job.ends.from.load(&key).await).await?;
            let to = persist(async || job.ends.to.load(&key).await).await?;
            let (Some(from), copied) = (from, known.done) else {
                return Ok(Found::ChangedSince);
            };
            let unchanged =
                copied.is_some_and(|copied| copied.source == super::state::hash(salt, &from.value));
            Ok(match to {
                _ if !unchanged => Found::ChangedSince,
                None => Found::Missing,
                Some(to) if job.form.of(&from.value).ok().as_deref() != Some(&to.value[..]) => {
                    Found::ChangedSince
                }
                Some(_) => {
                    let from = persist(async || job.ends.from.expires_in(&key).await).await?;
                    let to = persist(async || job.ends.to.expires_in(&key).await).await?;
                    match (from, to) {
                        // Whoever uses the target renews it.
                        (Some(from), Some(to)) if to.as_secs() + SLACK < from.as_secs() => {
                            Found::OtherLifetime
                        }
                        _ => Found::Same,
                    }
                }
            })
        })
        .await?;
        let count = |found: &Found| compared.iter().filter(|other| *other == found).count() as u64;
        Ok(Sample {
            checked: compared.len() as u64,
            same: count(&Found::Same),
            changed_since: count(&Found::ChangedSince),
            missing: count(&Found::Missing),
            other_lifetime: count(&Found::OtherLifetime),
        })
    }
}

#[derive(PartialEq, Eq)]
enum Found {
    Same,
    ChangedSince,
    Missing,
    OtherLifetime,
}

impl Sample {
    pub(super) fn text(&self) -> String {
        let same = format!(
            "compared {} of the copies: {} the same",
            self.checked, self.same
        );
        let others = [
            (self.changed_since, "changed since"),
            (self.missing, "missing"),
            (self.other_lifetime, "with a shorter life"),
        ];
        let others = others.into_iter().filter(|(count, _)| *count > 0);
        let others = others.map(|(count, what)| format!(", {count} {what}"));
        std::iter::once(same).chain(others).collect()
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "checked": self.checked,
            "same": self.same,
            "changed_since": self.changed_since,
            "missing": self.missing,
            "other_lifetime": self.other_lifetime,
        })
    }
}

impl Job {
    /// How many live entries the target has; none where it does not list.
    pub(super) async fn count_target(&self) -> Result<Option<u64>, Failure> {
        match self.ends.to.list(&self.prefixes[0], None, 1).await {
            Err(error) if error.kind() == StoreErrorKind::Refused => Ok(None),
            _ => self.count_in(&self.ends.to).await.map(Some),
        }
    }

    pub(super) async fn count_source(&self) -> Result<u64, Failure> {
        self.count_in(&self.ends.from).await
    }

    async fn count_in(&self, store: &Store) -> Result<u64, Failure> {
        let mut keys = std::collections::HashSet::new();
        for prefix in &self.prefixes {
            let mut from = None;
            loop {
                let page = list(store, prefix, from, self.batch).await?;
                keys.extend(page.entries.into_iter().map(|listed| listed.key));
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
        }
        Ok(keys.len() as u64)
    }
}
