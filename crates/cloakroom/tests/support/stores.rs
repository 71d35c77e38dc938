//! Every kind of store there is, each with the real server behind it.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test file uses a part of it"
)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests may fail loudly"
)]

#[path = "listen.rs"]
#[allow(clippy::duplicate_mod, reason = "each helper may be the only one")]
mod listen;

use cloakroom::store::*;

/// A store of its own for one test, empty.
pub(crate) async fn open(kind: &str) -> Store {
    listen::listen();
    match kind {
        "memory" => MemoryStore::new().into(),
        "file" => FileStore::open(folder()).unwrap().into(),
        "cachelib" => FileStore::cachelib(folder()).unwrap().into(),
        "redis" => redis(servers::redis::shared()).await,
        "memcached" => MemcachedStore::connect(servers::memcached::shared())
            .await
            .unwrap()
            .into(),
        "sqlite" => {
            let url = format!("sqlite:{}/sessions.db?mode=rwc", folder().display());
            let store = SqliteStore::connect(&url).await.unwrap();
            store.migrate().await.unwrap();
            store.into()
        }
        "postgres" => {
            let store = PostgresStore::connect(servers::postgres::shared())
                .await
                .unwrap()
                .table(servers::unique("sessions").replace('-', "_"))
                .unwrap();
            store.migrate().await.unwrap();
            store.into()
        }
        "mysql" => {
            let store = MySqlStore::connect(servers::mariadb::shared())
                .await
                .unwrap()
                .table(servers::unique("sessions").replace('-', "_"))
                .unwrap();
            store.migrate().await.unwrap();
            store.into()
        }
        "dynamodb" => {
            let table = servers::unique("sessions");
            let endpoint = servers::dynamodb::shared();
            // The emulator answers one request after the other.
            let patient = "connect_timeout=60&read_timeout=60";
            let url =
                format!("dynamodb://test:test@us-west-2/{table}?endpoint={endpoint}&{patient}");
            let store = DynamoDbStore::connect(&url).await.unwrap();
            store.create_table().await.unwrap();
            store.into()
        }
        other => panic!("no store is called {other}"),
    }
}

async fn redis(url: &str) -> Store {
    RedisStore::connect(url).await.unwrap().into()
}

/// A folder that lives as long as the test's process.
fn folder() -> std::path::PathBuf {
    let folder = tempfile::tempdir().unwrap();
    // Kept until the machine is tidied up: a test may end while a store still works in it.
    folder.keep()
}

/// A test for each kind of store: `each_store!(p4_nothing_is_lost);` calls the function of that name in the
/// file with a store of its own.
macro_rules! each_store {
    ($($check:ident),* $(,)?) => {$(
        mod $check {
            use super::$check as check;
            $crate::stores::each_store!(@all ());
        }
    )*};
    (@all $layout:tt) => {
        $crate::stores::each_store!(@kinds $layout memory file cachelib redis memcached sqlite postgres mysql dynamodb);
    };
    (@kinds $layout:tt $($kind:ident)*) => {
        $($crate::stores::each_store!(@test $layout $kind);)*
    };
    (@test ($($layout:expr)?) $kind:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $kind() {
            let store = $crate::stores::open(stringify!($kind)).await;
            check(store $(, $layout)?).await;
        }
    };
}
pub(crate) use each_store;

/// As `each_store!`, for functions that take a layout as well. What entries look like is nothing to the stores, so the
/// native layouts are tried with two of them.
macro_rules! each_store_and_layout {
    ($($check:ident),* $(,)?) => {$(
        mod $check {
            use super::$check as check;
            $crate::stores::each_store!(@all (cloakroom::Layout::Flask));

            mod native {
                use super::check;
                $crate::stores::each_store!(@kinds (cloakroom::Layout::Native) memory redis);
            }

            mod sealed {
                use super::check;
                $crate::stores::each_store!(@kinds (cloakroom::Layout::Sealed) memory redis);
            }
        }
    )*};
}
pub(crate) use each_store_and_layout;
