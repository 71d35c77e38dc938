//! What concerns the table as a whole: making it, listing it, cleaning it up.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    operation::{create_table::CreateTableError, scan::ScanOutput},
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
        ScalarAttributeType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
    },
};

use super::{
    DynamoDbStore,
    failure::{Unless, store_error, unless},
    item::{self, number, text},
};
use crate::store::{Cursor, Listed, Page, StoreError};

/// As `DynamoDbStore::create_table`.
pub(super) async fn create(client: &Client, table: &str) -> Result<(), StoreError> {
    let incomplete = |_| StoreError::refused("dynamodb: the table could not be described");
    let id = AttributeDefinition::builder()
        .attribute_name(item::ID)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .map_err(incomplete)?;
    let key = KeySchemaElement::builder()
        .attribute_name(item::ID)
        .key_type(KeyType::Hash)
        .build()
        .map_err(incomplete)?;
    let made = client
        .create_table()
        .table_name(table)
        .attribute_definitions(id)
        .key_schema(key.clone())
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    match made {
        Ok(_) => {}
        Err(error)
            if error
                .as_service_error()
                .is_some_and(CreateTableError::is_resource_in_use_exception) => {}
        Err(error) => return Err(store_error(error)),
    }
    wait_until_active(client, table, &key).await?;
    switch_on_expiry(client, table).await
}

async fn wait_until_active(
    client: &Client,
    table: &str,
    key: &KeySchemaElement,
) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let answer = client.describe_table().table_name(table).send().await;
        let found = answer.map_err(store_error)?.table;
        let found = found.ok_or_else(|| StoreError::refused("dynamodb: the table is not told"))?;
        if found.key_schema() != std::slice::from_ref(key) {
            return Err(StoreError::refused(
                "dynamodb: there is a table of this name with another key than `id`",
            ));
        }
        if found.table_status() == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::timed_out(
        "dynamodb: the table is being made, and not ready after a minute",
    ))
}

const TRIES: u32 = 120;
const PAUSE: Duration = Duration::from_millis(500);

async fn switch_on_expiry(client: &Client, table: &str) -> Result<(), StoreError> {
    let answer = client
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await;
    let now = answer.map_err(store_error)?.time_to_live_description;
    let status = now.and_then(|now| now.time_to_live_status);
    if let Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) = status {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(item::EXPIRATION)
        .build()
        .map_err(|_| StoreError::refused("dynamodb: the table could not be described"))?;
    client
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(store_error)?;
    Ok(())
}

/// As `Driver::delete_expired`.
///
/// A large table takes longer than one call may, so each goes on where the last one stopped.
pub(super) async fn delete_expired(
    store: &DynamoDbStore,
    limit: usize,
) -> Result<usize, StoreError> {
    let now = number(store.now());
    let mut deleted = 0;
    while deleted < limit {
        let from = cleaned_up_to(store).clone();
        let page = store
            .client
            .scan()
            .table_name(&*store.table)
            .set_exclusive_start_key(
                from.as_deref()
                    .map(|id| [(item::ID.to_owned(), text(id))].into()),
            )
            .projection_expression(item::ID)
            .filter_expression(item::IS_OVER)
            .expression_attribute_values(":now", now.clone())
            .limit(SCANNED)
            .send()
            .await
            .map_err(store_error)?;
        for id in page.items().iter().filter_map(id) {
            if deleted == limit {
                return Ok(deleted);
            }
            let request = store
                .remove(id)
                // It may have been renewed or made anew meanwhile.
                .condition_expression(item::IS_OVER)
                .expression_attribute_values(":now", now.clone());
            if let Unless::Done = unless(request.send().await)? {
                deleted += 1;
            }
            *cleaned_up_to(store) = Some(id.to_owned());
        }
        let next = next(&page);
        let is_last = next.is_none();
        *cleaned_up_to(store) = next;
        if is_last {
            break;
        }
    }
    Ok(deleted)
}

/// How many items are looked at per request, in the clean-up.
const SCANNED: i32 = 1000;

/// As `Driver::list`.
pub(super) async fn list(
    store: &DynamoDbStore,
    prefix: &str,
    from: Option<Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let now = store.now();
    let mut request = store
        .client
        .scan()
        .table_name(&*store.table)
        .consistent_read(true)
        .set_exclusive_start_key(from.map(|Cursor(id)| [(item::ID.to_owned(), text(&id))].into()))
        .limit(i32::try_from(limit).unwrap_or(i32::MAX).max(1));
    if !prefix.is_empty() {
        request = request
            .filter_expression("begins_with(id, :prefix)")
            .expression_attribute_values(":prefix", text(prefix));
    }
    let mut page = request.send().await.map_err(store_error)?;
    let next = next(&page).map(Cursor);
    let items = page.items.take().unwrap_or_default().into_iter();
    let entries = items.filter_map(|found| {
        let id = id(&found)?.to_owned();
        let record = item::live(Some(found), now)?;
        Some(Listed::new(id, record.value.len(), record.expires_in))
    });
    Ok(Page {
        entries: entries.collect(),
        next,
    })
}

fn id(item: &item::Item) -> Option<&str> {
    item.get(item::ID)?.as_s().ok().map(String::as_str)
}

/// Where the next page of a scan begins.
fn next(page: &ScanOutput) -> Option<String> {
    let last = page.last_evaluated_key()?;
    last.get(item::ID).map(AttributeValue::as_s)?.ok().cloned()
}

fn cleaned_up_to(store: &DynamoDbStore) -> MutexGuard<'_, Option<String>> {
    store
        .cleaned_up_to
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
