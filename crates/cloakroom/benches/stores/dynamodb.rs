//! DynamoDB's emulator, which is so slow that only a difference in the number of requests would show.

use std::hint::black_box;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::{
    Client,
    config::Credentials,
    primitives::Blob,
    types::AttributeValue::{B, N, S},
};
use cloakroom::store::{DynamoDbStore, Store};

use crate::contest::{Contest, TASKS, fill, keep, key, load, replace, task, value};

pub(crate) async fn run() {
    let server = servers::dynamodb::start().unwrap();
    let endpoint = server.url();
    let url =
        format!("dynamodb://bench:bench@us-west-2/Sessions?endpoint={endpoint}&read_timeout=30");
    let store = DynamoDbStore::connect(&url).await.unwrap();
    store.create_table().await.unwrap();
    let store = keep(Store::new(store));
    fill(store, TASKS).await;
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .load()
        .await;
    let client: &Client = keep(Client::new(&config));

    let get = task(move |number, calls| async move {
        let key = key(number);
        for _ in 0..calls {
            let request = client.get_item().table_name("Sessions");
            let request = request.key("id", S(key.clone())).consistent_read(true);
            black_box(request.send().await.unwrap().item.unwrap());
        }
    });
    Contest {
        store: "dynamodb",
        call: "load",
        calls: 3,
        rounds: 5,
        ours: load(store),
        others: vec![("get_item", get)],
    }
    .run()
    .await;

    let update = task(move |number, calls| async move {
        let key = key(number);
        for count in 0..calls {
            let request = client.update_item().table_name("Sessions");
            request
                .key("id", S(key.clone()))
                .update_expression("SET val = :value, expiration = :expiration")
                .expression_attribute_values(":value", B(Blob::new(value(count))))
                .expression_attribute_values(":expiration", N("4000000000".to_owned()))
                .send()
                .await
                .unwrap();
        }
    });
    Contest {
        store: "dynamodb",
        call: "replace",
        calls: 3,
        rounds: 5,
        ours: replace(store),
        others: vec![("update_item", update)],
    }
    .run()
    .await;
}
