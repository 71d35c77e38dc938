//! Redis: one connection for all, as the store has it.

use std::hint::black_box;

use cloakroom::store::{RedisStore, Store};
use redis::{AsyncCommands, AsyncConnectionConfig, IntoConnectionInfo, aio::MultiplexedConnection};

use crate::contest::{Contest, TASKS, fill, keep, key, load, replace, task, value};

/// The script of a replacement, run by its text's hash as any client would.
const REPLACE: &str = "local there = redis.call('MGET', KEYS[1], KEYS[2]) \
    if not there[1] or there[2] then return 0 end \
    if there[1] ~= ARGV[1] then return there[1] end \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) \
    return 1";

pub(crate) async fn run() {
    let server = servers::redis::start().unwrap();
    let store = keep(Store::new(RedisStore::connect(server.url()).await.unwrap()));
    fill(store, TASKS).await;
    let info = server.url().into_connection_info().unwrap();
    let info = info.set_tcp_settings(redis::io::tcp::TcpSettings::default().set_nodelay(true));
    let client = redis::Client::open(info).unwrap();
    let config = AsyncConnectionConfig::new().set_pipeline_buffer_size(1024);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let raw: &MultiplexedConnection = keep(connecting.await.unwrap());

    let get = task(move |number, calls| async move {
        let (mut connection, key) = (raw.clone(), key(number));
        for _ in 0..calls {
            black_box(connection.get::<_, Vec<u8>>(&key).await.unwrap());
        }
    });
    let mget = task(move |number, calls| async move {
        let (mut connection, key) = (raw.clone(), key(number));
        let keys = [key.clone(), format!("{{{key}}}:gone")];
        for _ in 0..calls {
            let both: Vec<Option<Vec<u8>>> = connection.mget(&keys).await.unwrap();
            black_box(both);
        }
    });
    Contest {
        store: "redis",
        call: "load",
        calls: 200,
        rounds: 41,
        ours: load(store),
        others: vec![("MGET of both keys, the same command", mget), ("GET", get)],
    }
    .run()
    .await;

    let set = task(move |number, calls| async move {
        let (mut connection, key) = (raw.clone(), key(number));
        for count in 0..calls {
            let value = value(count);
            let () = connection.set_ex(&key, &value[..], 3600).await.unwrap();
        }
    });
    let script = keep(redis::Script::new(REPLACE));
    let evalsha = task(move |number, calls| async move {
        let (mut connection, key) = (raw.clone(), key(number));
        let tombstone = format!("{{{key}}}:gone");
        let mut base: Vec<u8> = connection.get(&key).await.unwrap();
        for count in 0..calls {
            let next = value(count).to_vec();
            let mut call = script.key(&key);
            call.key(&tombstone).arg(&base).arg(&next).arg(3_600_000);
            let answer: i64 = call.invoke_async(&mut connection).await.unwrap();
            assert_eq!(answer, 1);
            base = next;
        }
    });
    Contest {
        store: "redis",
        call: "replace",
        calls: 200,
        rounds: 41,
        ours: replace(store),
        others: vec![
            ("EVALSHA of the same script", evalsha),
            ("a blind SET EX", set),
        ],
    }
    .run()
    .await;
}
