//! Sessions in DynamoDB, in the table where Flask-Session keeps them.

mod failure;
mod item;
mod table;
mod target;

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    operation::{
        delete_item::builders::DeleteItemFluentBuilder, put_item::builders::PutItemFluentBuilder,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::ReturnValuesOnConditionCheckFailure,
};
use bytes::Bytes;

use self::{
    failure::{Unless, store_error, unless},
    item::{binary, number, text},
    target::Target,
};
use super::{
    CreateError, Cursor, DeleteError, Driver, Page, Prepared, Record, ReplaceError, StoreError,
    TouchError,
};
use crate::Clock;

/// Sessions in DynamoDB.
///
/// The layout is Flask-Session's (`SESSION_TYPE = "dynamodb"`): one table, `Sessions` unless told otherwise,
/// with `id` (the key), `val` (the bytes) and `expiration` (Unix seconds). DynamoDB removes expired items by
/// itself, up to two days late, so reading looks at `expiration` too. Every read is a consistent one, and
/// every write is one conditional request that compares `val`, so a write of Flask's is noticed like one of
/// ours. A tombstone is the attribute `gone_until` on the item, which Flask's writes leave alone.
///
/// Stock Flask-Session computes `expiration` from the local time of its machine: its sessions live longer or
/// shorter here unless that is set to UTC.
///
/// The library's own requests to create tables and to list or clean them up are the only ones that need
/// more rights than `GetItem`, `PutItem`, `UpdateItem` and `DeleteItem`.
///
/// ```no_run
/// # async fn example() -> Result<(), cloakroom::store::StoreError> {
/// use cloakroom::store::{DynamoDbStore, Store};
///
/// let store = Store::new(DynamoDbStore::connect("dynamodb://eu-central-1/Sessions").await?);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "DynamoDBSessionInterface")]
#[doc(alias = "SESSION_DYNAMODB")]
#[derive(Clone)]
pub struct DynamoDbStore {
    client: Client,
    table: Arc<str>,
    clock: Clock,
    /// Where the next clean-up goes on if the last one did not get to the end of the table.
    cleaned_up_to: Arc<Mutex<Option<String>>>,
}

/// The most bytes that a value may have: an item has 400 KiB for its attributes, their names and the key.
pub const MAX_DYNAMODB_VALUE: usize = 399 * 1024;

impl DynamoDbStore {
    /// Connects with `dynamodb://[REGION][/TABLE][?endpoint=URL]`.
    ///
    /// The table is `Sessions` unless named. Region and credentials come from where AWS's tools look for them
    /// (`AWS_REGION`, `AWS_ACCESS_KEY_ID`, profiles, the role of the machine), and so does the endpoint
    /// unless it is given: `dynamodb://us-west-2/Sessions?endpoint=http://127.0.0.1:8000` is DynamoDB Local.
    /// For such an emulator `ACCESS_KEY_ID:SECRET_ACCESS_KEY@`, percent-encoded, may stand before the region.
    /// `connect_timeout=` (2 unless set) and `read_timeout=` (1.5), in seconds, are boto's settings.
    ///
    /// A missing table is no error yet, so that [`create_table`](Self::create_table) can make it.
    ///
    /// # Errors
    ///
    /// [`Refused`](super::StoreErrorKind::Refused) for another URL, or if there are no region or no
    /// credentials or they are not valid; otherwise as DynamoDB cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        let client = target.client().await?;
        let store = Self {
            client,
            table: target.table.into(),
            clock: Clock::system(),
            cleaned_up_to: Arc::default(),
        };
        store.probe().await?;
        Ok(store)
    }

    /// The clock that tells what has expired.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the table if it is missing, paid per request, and switches on the removal of expired items.
    /// It takes some seconds; a deployment that makes its tables elsewhere never needs it.
    ///
    /// # Errors
    ///
    /// [`Refused`](super::StoreErrorKind::Refused) without the right to do so, or if there is a table of
    /// this name with another key; otherwise as DynamoDB cannot be reached.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        table::create(&self.client, &self.table).await
    }

    /// Asks for an item that is not there, which needs no right that the calls do not need.
    async fn probe(&self) -> Result<(), StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(item::ID, text("cloakroom"))
            .send()
            .await;
        match answer {
            Err(error) if failure::is_missing_table(&error) => Ok(()),
            answer => answer.map(drop).map_err(store_error),
        }
    }

    fn now(&self) -> u64 {
        self.clock.unix_seconds()
    }

    /// A part of a second rounds up.
    fn after(&self, time: Duration) -> u64 {
        let seconds = time
            .as_secs()
            .saturating_add(u64::from(time.subsec_nanos() > 0));
        self.now().saturating_add(seconds)
    }

    fn put(&self, key: &str) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&*self.table)
            .item(item::ID, text(key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn update(&self, key: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&*self.table)
            .key(item::ID, text(key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn remove(&self, key: &str) -> DeleteItemFluentBuilder {
        self.client
            .delete_item()
            .table_name(&*self.table)
            .key(item::ID, text(key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// Says so before DynamoDB does, whose answer would not tell this refusal from others.
fn check_size(value: &Bytes) -> Result<(), StoreError> {
    if value.len() <= MAX_DYNAMODB_VALUE {
        return Ok(());
    }
    Err(StoreError::refused(
        "the session is larger than an item of DynamoDB may be (400 KB): keep less in it",
    ))
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DynamoDbStore")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl Driver for DynamoDbStore {
    fn name(&self) -> &'static str {
        "dynamodb"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&*self.table)
            .key(item::ID, text(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(store_error)?;
        if answer.item.as_ref().is_some_and(item::is_overwritten) {
            // For us it stays a tombstone; Flask-Session is to read it as one again.
            let answer = self
                .update(key)
                .update_expression("SET val = :nil, expiration = gone_until")
                .condition_expression("attribute_exists(gone_until)")
                .expression_attribute_values(":nil", binary(&item::NIL))
                .send()
                .await;
            unless(answer)?;
        }
        Ok(item::live(answer.item, self.now()))
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        check_size(&value)?;
        let answer = self
            .put(key)
            .item(item::VALUE, binary(&value))
            .item(item::EXPIRATION, number(self.after(ttl)))
            .condition_expression(item::IS_FREE)
            .expression_attribute_values(":now", number(self.now()))
            .send()
            .await;
        match unless(answer)? {
            Unless::Done => Ok(Record::new(value)),
            Unless::There(_) => Err(CreateError::Exists),
        }
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        check_size(&value)?;
        let now = self.now();
        let answer = self
            .update(key)
            .update_expression("SET val = :value, expiration = :expiration")
            .condition_expression(item::IS_LIVE_AND_EQUAL)
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":base", binary(&base.value))
            .expression_attribute_values(":value", binary(&value))
            .expression_attribute_values(":expiration", number(self.after(ttl)))
            .send()
            .await;
        match unless(answer)? {
            Unless::Done => Ok(Record::new(value)),
            Unless::There(there) => {
                Err(item::live(there, now).map_or(ReplaceError::NotFound, ReplaceError::Changed))
            }
        }
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        let answer = self
            .update(key)
            .update_expression("SET expiration = :expiration")
            .condition_expression(item::IS_LIVE)
            .expression_attribute_values(":now", number(self.now()))
            .expression_attribute_values(":expiration", number(self.after(ttl)))
            .send()
            .await;
        match unless(answer)? {
            Unless::Done => Ok(()),
            Unless::There(_) => Err(TouchError::NotFound),
        }
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        let now = self.now();
        let until = number(self.after(tombstone));
        let (condition, values) = match expected {
            Some(expected) => (
                item::IS_LIVE_AND_EQUAL,
                vec![(":now", number(now)), (":base", binary(&expected.value))],
            ),
            None => (
                item::HAS_NO_LATER_TOMBSTONE,
                vec![(":until", until.clone())],
            ),
        };
        let values = values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let answer = if tombstone.is_zero() {
            let request = self.remove(key).condition_expression(condition);
            unless(
                request
                    .set_expression_attribute_values(Some(values))
                    .send()
                    .await,
            )?
        } else {
            let request = self
                .put(key)
                .item(item::VALUE, binary(&item::NIL))
                .item(item::EXPIRATION, until.clone())
                .item(item::GONE_UNTIL, until)
                .condition_expression(condition);
            unless(
                request
                    .set_expression_attribute_values(Some(values))
                    .send()
                    .await,
            )?
        };
        match (answer, expected) {
            // With nothing expected, there can only be a tombstone that lasts longer.
            (Unless::Done, _) | (Unless::There(_), None) => Ok(()),
            (Unless::There(there), Some(_)) => {
                Err(item::live(there, now).map_or(DeleteError::NotFound, DeleteError::Changed))
            }
        }
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        table::delete_expired(self, limit).await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        table::list(self, prefix, from, limit).await
    }

    async fn prepare(&self) -> Result<Prepared, StoreError> {
        self.create_table().await?;
        Ok(Prepared::Ready)
    }
}
