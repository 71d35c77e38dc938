//! What a store costs over the bare client: 64 tasks at once on servers of our own.
//!
//! `cargo bench -p cloakroom --no-default-features --features redis,memcached --bench stores`

#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a bench that cannot run should stop"
)]

use std::{
    future::Future,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cloakroom::store::{Driver, MemcachedStore, Record, RedisStore};
use redis::{AsyncCommands, AsyncConnectionConfig, IntoConnectionInfo, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

const TASKS: usize = 64;
const CALLS: usize = 400;
const ROUNDS: usize = 15;
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        on_redis().await;
        on_memcached().await;
    });
}

/// Calls per second of both, in turns so that the machine's moods meet both, and how much of the bare client's
/// is left.
async fn compare<A, B>(
    what: &str,
    bare: impl Fn(usize) -> A + Copy + Send + 'static,
    store: impl Fn(usize) -> B + Copy + Send + 'static,
) where
    A: Future<Output = ()> + Send + 'static,
    B: Future<Output = ()> + Send + 'static,
{
    let (mut bares, mut stores) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bares.push(run(bare).await);
        stores.push(run(store).await);
    }
    let (bare, store) = (median(bares), median(stores));
    println!(
        "{what:<34} {bare:>9.0}/s bare {store:>9.0}/s here {:>5.0} %",
        100.0 * store / bare
    );
}

async fn run<F: Future<Output = ()> + Send + 'static>(task: impl Fn(usize) -> F) -> f64 {
    let began = Instant::now();
    let mut tasks: JoinSet<()> = (0..TASKS).map(task).collect();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    (TASKS * CALLS) as f64 / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn key(task: usize) -> String {
    format!("session:bench-{task:02}-bench-bench-bench-bench-bench")
}

/// A session of the usual size, as different every time as a counter makes it.
fn value(count: usize) -> Bytes {
    let mut value = vec![b'v'; 300];
    value.extend(count.to_string().bytes());
    value.into()
}

/// The script of a replacement, run by its text's hash as any client would.
const REPLACE: &str = "local there = redis.call('MGET', KEYS[1], KEYS[2]) \
    if not there[1] or there[2] then return 0 end \
    if there[1] ~= ARGV[1] then return there[1] end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) \
    return 1";

async fn on_redis() {
    let server = servers::redis::start().unwrap();
    let store: &'static RedisStore =
        Box::leak(Box::new(RedisStore::connect(server.url()).await.unwrap()));
    let info = server.url().into_connection_info().unwrap();
    let info = info.set_tcp_settings(redis::io::tcp::TcpSettings::default().set_nodelay(true));
    let client = redis::Client::open(info).unwrap();
    let config = AsyncConnectionConfig::new().set_pipeline_buffer_size(1024);
    let bare: &'static MultiplexedConnection = Box::leak(Box::new(
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .unwrap(),
    ));
    for task in 0..TASKS {
        store.create(&key(task), value(0), HOUR).await.unwrap();
    }

    let get = move |task: usize| async move {
        let (mut connection, key) = (bare.clone(), key(task));
        for _ in 0..CALLS {
            black_box(connection.get::<_, Vec<u8>>(&key).await.unwrap());
        }
    };
    let mget = move |task: usize| async move {
        let (mut connection, key) = (bare.clone(), key(task));
        let keys = [key.clone(), format!("{{{key}}}:gone")];
        for _ in 0..CALLS {
            black_box(
                connection
                    .mget::<_, Vec<Option<Vec<u8>>>>(&keys)
                    .await
                    .unwrap(),
            );
        }
    };
    let load = move |task: usize| async move {
        let key = key(task);
        for _ in 0..CALLS {
            black_box(store.load(&key).await.unwrap().unwrap());
        }
    };
    compare("redis load, to GET", get, load).await;
    compare("redis load, to MGET of both", mget, load).await;

    let set = move |task: usize| async move {
        let (mut connection, key) = (bare.clone(), key(task));
        for count in 0..CALLS {
            let () = connection
                .set_ex(&key, &value(count)[..], 3600)
                .await
                .unwrap();
        }
    };
    let script: &'static redis::Script = Box::leak(Box::new(redis::Script::new(REPLACE)));
    let evalsha = move |task: usize| async move {
        let (mut connection, key) = (bare.clone(), key(task));
        let tombstone = format!("{{{key}}}:gone");
        let mut base: Vec<u8> = connection.get(&key).await.unwrap();
        for count in 0..CALLS {
            let next = value(count).to_vec();
            let mut call = script.key(&key);
            call.key(&tombstone).arg(&base).arg(&next).arg(3_600_000);
            let answer: i64 = call.invoke_async(&mut connection).await.unwrap();
            assert_eq!(answer, 1);
            base = next;
        }
    };
    let replace = move |task: usize| async move {
        let key = key(task);
        let mut base: Record = store.load(&key).await.unwrap().unwrap();
        for count in 0..CALLS {
            base = store
                .replace(&key, &base, value(count), HOUR)
                .await
                .unwrap();
        }
    };
    compare("redis replace, to its script", evalsha, replace).await;
    compare("redis replace, to a blind SET", set, replace).await;
}

async fn on_memcached() {
    let server = servers::memcached::start().unwrap();
    let store: &'static MemcachedStore = Box::leak(Box::new(
        MemcachedStore::connect(server.url()).await.unwrap(),
    ));
    for task in 0..TASKS {
        store.create(&key(task), value(0), HOUR).await.unwrap();
    }
    let port = server.port();

    // A connection for each task, and nothing checked.
    let get = move |task: usize| async move {
        let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        connection.get_ref().set_nodelay(true).unwrap();
        let request = format!("mg {} v c t\r\n", key(task));
        let (mut line, mut value) = (String::new(), Vec::new());
        for _ in 0..CALLS {
            connection.write_all(request.as_bytes()).await.unwrap();
            line.clear();
            connection.read_line(&mut line).await.unwrap();
            let size: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
            value.resize(size + 2, 0);
            connection.read_exact(&mut value).await.unwrap();
        }
    };
    let load = move |task: usize| async move {
        let key = key(task);
        for _ in 0..CALLS {
            black_box(store.load(&key).await.unwrap().unwrap());
        }
    };
    let set = move |task: usize| async move {
        let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        connection.get_ref().set_nodelay(true).unwrap();
        let (key, mut line) = (key(task), String::new());
        for count in 0..CALLS {
            let value = value(count);
            let mut request = format!("ms {key} {} c T3600\r\n", value.len()).into_bytes();
            request.extend_from_slice(&value);
            request.extend_from_slice(b"\r\n");
            connection.write_all(&request).await.unwrap();
            line.clear();
            connection.read_line(&mut line).await.unwrap();
        }
    };
    let replace = move |task: usize| async move {
        let key = key(task);
        let mut base: Record = store.load(&key).await.unwrap().unwrap();
        for count in 0..CALLS {
            base = store
                .replace(&key, &base, value(count), HOUR)
                .await
                .unwrap();
        }
    };
    compare("memcached load, to mg", get, load).await;
    compare("memcached replace, to a blind ms", set, replace).await;
}
