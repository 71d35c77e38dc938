//! memcached, compared with a connection for each task and nothing checked.

use cloakroom::store::{MemcachedStore, Store};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::contest::{Contest, TASKS, fill, keep, key, load, replace, task, value};

pub(crate) async fn run() {
    let server = servers::memcached::start().unwrap();
    let store = keep(Store::new(
        MemcachedStore::connect(server.url()).await.unwrap(),
    ));
    fill(store, TASKS).await;
    let port = server.port();

    let get = task(move |number, calls| async move {
        let mut connection = connected(port).await;
        let request = format!("mg {} v c t\r\n", key(number));
        let (mut line, mut value) = (String::new(), Vec::new());
        for _ in 0..calls {
            connection.write_all(request.as_bytes()).await.unwrap();
            line.clear();
            connection.read_line(&mut line).await.unwrap();
            let size: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
            value.resize(size + 2, 0);
            connection.read_exact(&mut value).await.unwrap();
        }
    });
    Contest {
        store: "memcached",
        call: "load",
        calls: 400,
        rounds: 15,
        ours: load(store),
        others: vec![("mg, a connection for each task", get)],
    }
    .run()
    .await;

    let set = task(move |number, calls| async move {
        let mut connection = connected(port).await;
        let (key, mut line) = (key(number), String::new());
        for count in 0..calls {
            let value = value(count);
            let mut request = format!("ms {key} {} c T3600\r\n", value.len()).into_bytes();
            request.extend_from_slice(&value);
            request.extend_from_slice(b"\r\n");
            connection.write_all(&request).await.unwrap();
            line.clear();
            connection.read_line(&mut line).await.unwrap();
        }
    });
    Contest {
        store: "memcached",
        call: "replace",
        calls: 400,
        rounds: 15,
        ours: replace(store),
        others: vec![("a blind ms, a connection for each task", set)],
    }
    .run()
    .await;
}

async fn connected(port: u16) -> BufReader<TcpStream> {
    let connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.set_nodelay(true).unwrap();
    BufReader::new(connection)
}
