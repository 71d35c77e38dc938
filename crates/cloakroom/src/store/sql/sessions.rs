use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{
    dialect::{Dialect, Failure, ListedRow, Row, Step, What},
    moment::Moment,
    pool::{Access, Pool},
    statement::{Statement, Statements, Values},
    table::Table,
};
use crate::{
    Clock,
    store::{
        CreateError, Cursor, DeleteError, ExpiryIndex, Listed, MAX_KEY, Page, Record, ReplaceError,
        StoreError, TouchError,
    },
};

/// What tombstones' keys end in. Keys of sessions hold one colon at most.
pub(super) const TOMBSTONE_SUFFIX: &str = ":gone";

/// MessagePack's nil: Flask-Session, should it ever read a tombstone, takes it for no session.
const TOMBSTONE: &[u8] = &[0xC0];

const TIMEOUT: Duration = Duration::from_secs(2);

/// How often a call is tried that the server undid because of another one.
const TRIES: usize = 5;

/// How often reading is tried: a second time on another connection if the first one broke.
const READS: usize = 2;

/// Sessions in a table: the driver of all three databases.
pub(super) struct Sessions<D: Dialect> {
    pool: Pool<D>,
    table: Table,
    statements: Statements,
    clock: Option<Clock>,
}

impl<D: Dialect> Sessions<D> {
    pub(super) fn new(dialect: D, table: Table) -> Self {
        Self {
            pool: Pool::new(dialect, D::CONNECTIONS, TIMEOUT),
            statements: D::statements(&table),
            table,
            clock: None,
        }
    }

    #[allow(clippy::unused_self)]
    pub(super) fn name(&self) -> &'static str {
        D::NAME
    }

    pub(super) fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    pub(super) fn max_connections(mut self, size: usize) -> Self {
        let timeout = self.pool.timeout();
        self.pool = self.pool.with(size, timeout);
        self
    }

    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        let size = self.pool.size();
        self.pool = self.pool.with(size, timeout);
        self
    }

    pub(super) fn with_table(
        mut self,
        change: impl FnOnce(&mut Table) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        change(&mut self.table)?;
        self.statements = D::statements(&self.table);
        Ok(self)
    }

    /// Connects once, so that a wrong address shows at the start.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        self.within(async {
            self.pool.lease(Access::Read).await?.give_back();
            Ok(())
        })
        .await
    }

    /// The SQL of [`migrate`](Self::migrate) for a table of this name.
    pub(super) fn migration(name: &str) -> Result<String, StoreError> {
        let mut table = Table::new(D::QUOTE);
        table.set_name(name.to_owned())?;
        Ok(table.migration(D::MIGRATION))
    }

    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let migrated = self.pool.dialect().migrate(&self.table).await;
        migrated.map_err(|error| Failure::of::<D>(error).into())
    }

    pub(super) async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let gone = tombstone_key(key)?;
        let values = self.values(key, &gone);
        self.within(self.load_with(&values)).await
    }

    async fn load_with(&self, values: &Values<'_>) -> Result<Option<Record>, StoreError> {
        let found = Found::among(self.select(values).await?, values.now);
        if found.under_tombstone {
            // Written late by a program that knows nothing of tombstones. Should this fail, it stays missing
            // for as long as the tombstone stands.
            let _ = Box::pin(self.execute(&self.statements.delete, values)).await;
        }
        Ok(found.record)
    }

    pub(super) async fn create(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, CreateError> {
        let gone = tombstone_key(key)?;
        let mut values = self.values(key, &gone);
        values.value = &value;
        values.expiry = expiry::<D>(values.now, ttl);
        let created = async {
            let Some(take_over) = &self.statements.take_over else {
                return Ok(self.execute(&self.statements.create, &values).await?);
            };
            if self.taken(&values).await? {
                return Ok(0);
            }
            match self.execute(&self.statements.create, &values).await {
                Err(Failure::Duplicate) => Ok(self.execute(take_over, &values).await?),
                result => Ok(result?),
            }
        };
        match self.within(created).await? {
            0 => Err(CreateError::Exists),
            _ => Ok(Record::new(value)),
        }
    }

    /// Whether there is an entry or a tombstone.
    async fn taken(&self, values: &Values<'_>) -> Result<bool, StoreError> {
        let rows = self.select(values).await?;
        match rows.iter().any(|row| row.what != What::Another) {
            false if !rows.is_empty() => Err(StoreError::refused(
                "the table's collation takes the key for another one that is there",
            )),
            taken => Ok(taken),
        }
    }

    pub(super) async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        let gone = tombstone_key(key)?;
        let mut values = self.values(key, &gone);
        values.base = &base.value;
        values.value = &value;
        values.expiry = expiry::<D>(values.now, ttl);
        let missed = self.within(async {
            match self.execute(&self.statements.replace, &values).await? {
                0 => Ok(Some(Box::pin(self.load_with(&values)).await?)),
                _ => Ok(None),
            }
        });
        match missed.await? {
            None => Ok(Record::new(value)),
            Some(Some(there)) => Err(ReplaceError::Changed(there)),
            Some(None) => Err(ReplaceError::NotFound),
        }
    }

    pub(super) async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        let gone = tombstone_key(key)?;
        let mut values = self.values(key, &gone);
        values.expiry = expiry::<D>(values.now, ttl);
        let touched = async { Ok(self.execute(&self.statements.touch, &values).await?) };
        match self.within(touched).await? {
            0 => Err(TouchError::NotFound),
            _ => Ok(()),
        }
    }

    pub(super) async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let gone = tombstone_key(key)?;
        let mut values = self.values(key, &gone);
        values.value = TOMBSTONE;
        values.expiry = expiry::<D>(values.now, tombstone);
        if let Some(record) = expected {
            values.base = &record.value;
        }
        let bury = !tombstone.is_zero();
        let statements = &self.statements;
        let at_once = match (expected, bury) {
            (None, true) => &statements.entomb,
            (Some(_), true) => &statements.entomb_expected,
            (None, false) => &statements.delete,
            (Some(_), false) => &statements.delete_expected,
        };
        let deleted = async {
            match self.execute(at_once, &values).await {
                Ok(0) if bury || expected.is_some() => {}
                Err(Failure::Duplicate) => {}
                result => return Ok(result.map(|_| None)?),
            }
            Box::pin(self.delete_in_steps(expected, bury, &values)).await
        };
        match self.within(deleted).await? {
            None => Ok(()),
            Some(Some(there)) => Err(DeleteError::Changed(there)),
            Some(None) => Err(DeleteError::NotFound),
        }
    }

    /// Deletes where one statement has changed nothing: because the entry is not as expected, then what is there is
    /// handed back; or because there is a tombstone already, or an entry that is not there is to get one.
    async fn delete_in_steps(
        &self,
        expected: Option<&Record>,
        bury: bool,
        values: &Values<'_>,
    ) -> Result<Option<Option<Record>>, StoreError> {
        if let Some(expected) = expected {
            let there = self.load_with(values).await?;
            let is_other = |there: &Record| there.value != expected.value;
            if there.as_ref().is_none_or(is_other) {
                return Ok(Some(there));
            }
        }
        let mut tries = 1..TRIES;
        loop {
            match self.delete_once(expected.is_some(), bury, values).await {
                Err(Failure::Undone) if tries.next().is_some() => {}
                Ok(0) if expected.is_some() => return Ok(Some(self.load_with(values).await?)),
                result => return Ok(result.map(|_| None)?),
            }
        }
    }

    /// Deletes the entry and writes its tombstone in one transaction, and says how many entries there were.
    /// Where one was expected and is not there, nothing is written.
    async fn delete_once(
        &self,
        expected: bool,
        bury: bool,
        values: &Values<'_>,
    ) -> Result<u64, Failure> {
        let delete = match expected {
            true => &self.statements.delete_expected,
            false => &self.statements.delete,
        };
        let mut lease = self.pool.lease(Access::Write).await?;
        let connection = lease.connection();
        let steps = async {
            D::transaction(connection, Step::Begin).await?;
            let deleted = D::execute(connection, delete, values).await?;
            if bury && (deleted > 0 || !expected) {
                D::execute(connection, &self.statements.bury, values).await?;
            }
            D::transaction(connection, Step::Commit).await?;
            Ok(deleted)
        };
        // If it failed, the transaction may still be open: closing the connection ends it.
        let deleted = steps.await.map_err(Failure::of::<D>)?;
        lease.give_back();
        Ok(deleted)
    }

    pub(super) async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        let mut values = self.values("", "");
        values.limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let deleted = async {
            Ok(self
                .execute(&self.statements.delete_expired, &values)
                .await?)
        };
        let deleted = self.within(deleted).await?;
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }

    pub(super) async fn expiry_index(&self) -> Result<ExpiryIndex, StoreError> {
        self.within(async {
            let mut lease = self.pool.lease(Access::Read).await?;
            let found = D::has_expiry_index(lease.connection(), &self.table).await;
            Ok(match lease.settle(found)? {
                true => ExpiryIndex::Present,
                false => ExpiryIndex::Missing,
            })
        })
        .await
    }

    pub(super) async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut values = self.values("", "");
        values.prefix = prefix;
        values.limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        values.from = match from {
            Some(Cursor(row)) => row
                .parse()
                .map_err(|_| StoreError::refused("the cursor is not one of this store's"))?,
            None => i64::MIN,
        };
        let listed = async { Ok(self.select_page(&values).await?) };
        let rows = self.within(listed).await?;
        let full = rows.len() >= limit.max(1);
        let next = rows.last().filter(|_| full);
        let next = next.map(|row| Cursor(row.id.to_string()));
        let entries = rows.into_iter().filter_map(|row| {
            let size = usize::try_from(row.size).ok()?;
            let expires_in = Some(row.expiry.since(values.now));
            (!row.key.ends_with(TOMBSTONE_SUFFIX)).then(|| Listed::new(row.key, size, expires_in))
        });
        Ok(Page {
            entries: entries.collect(),
            next,
        })
    }

    /// The rows of an entry and its tombstone. Reading again is safe: so a connection that broke while nobody used it
    /// costs nobody an error, and none needs asking first whether it is still there.
    async fn select(&self, values: &Values<'_>) -> Result<Vec<Row>, Failure> {
        let mut tries = 1..READS;
        loop {
            let mut lease = self.pool.lease(Access::Read).await?;
            let rows = D::rows(lease.connection(), &self.statements.load, values).await;
            match lease.settle(rows) {
                Err(Failure::Lost(_)) if tries.next().is_some() => {}
                result => return result,
            }
        }
    }

    async fn select_page(&self, values: &Values<'_>) -> Result<Vec<ListedRow>, Failure> {
        let mut tries = 1..READS;
        loop {
            let mut lease = self.pool.lease(Access::Read).await?;
            let rows = D::listed(lease.connection(), &self.statements.list, values).await;
            match lease.settle(rows) {
                Err(Failure::Lost(_)) if tries.next().is_some() => {}
                result => return result,
            }
        }
    }

    /// One statement that writes, tried again where the server undid it as a whole.
    async fn execute(&self, statement: &Statement, values: &Values<'_>) -> Result<u64, Failure> {
        let mut tries = 1..TRIES;
        loop {
            let mut lease = self.pool.lease(Access::Write).await?;
            let rows = D::execute(lease.connection(), statement, values).await;
            match lease.settle(rows) {
                Err(Failure::Undone) if tries.next().is_some() => {}
                result => return result,
            }
        }
    }

    fn values<'a>(&self, key: &'a str, gone: &'a str) -> Values<'a> {
        Values {
            key,
            gone,
            now: Moment::now(self.clock.as_ref()),
            ..Values::default()
        }
    }

    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let timeout = self.pool.timeout();
        tokio::time::timeout(timeout, call)
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::timed_out(format!(
                    "{}: no answer within {timeout:?}",
                    D::NAME
                )))
            })
    }
}

impl<D: Dialect> fmt::Debug for Sessions<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct(D::NAME)
            .field("table", &self.table.quoted())
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// What the rows of `load` say.
struct Found {
    record: Option<Record>,
    under_tombstone: bool,
}

impl Found {
    fn among(rows: Vec<Row>, now: Moment) -> Self {
        let buried = rows.iter().any(|row| row.what == What::Tombstone);
        let entry = rows.into_iter().find(|row| row.what == What::Entry);
        Self {
            under_tombstone: buried && entry.is_some(),
            record: entry.filter(|_| !buried).and_then(|row| {
                let expires_in = row.expiry.since(now);
                row.data
                    .map(|data| Record::new(data).with_expires_in(expires_in))
            }),
        }
    }
}

fn expiry<D: Dialect>(now: Moment, ttl: Duration) -> Moment {
    let expiry = now.after(ttl);
    match D::WHOLE_SECONDS {
        true => expiry.whole_second(),
        false => expiry,
    }
}

/// The key of an entry's tombstone, if the table can hold both.
fn tombstone_key(key: &str) -> Result<String, StoreError> {
    if key.len() > MAX_KEY {
        return Err(StoreError::refused("the key is longer than 250 bytes"));
    }
    if key.ends_with(TOMBSTONE_SUFFIX) {
        return Err(StoreError::refused(
            "the key ends in `:gone`, as only tombstones' keys do",
        ));
    }
    Ok([key, TOMBSTONE_SUFFIX].concat())
}
