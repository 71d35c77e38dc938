//! How often each kind of request asks the server of its store and waits, counted on the wire, beside what the commands
//! of other libraries come to.

#[path = "../../tests/support/round_trips.rs"]
mod counted;

use counted::{SCENARIOS, count};

/// Others, by their source and by the commands that a server saw; none where they have no such thing.
///
/// tower-sessions 0.15 on Redis: SET NX; DEL of a random id, SET NX; GET; GET, SET XX; DEL, GET, SET NX; DEL. In
/// PostgreSQL its creation is BEGIN, SELECT, INSERT and COMMIT; that sqlx's pool asks a connection before each use whether
/// it is still there, unless told otherwise, is not counted. actix-session 0.11: SET; GET; GET, SET; GET, EXPIRE; DEL, GET,
/// SET; GET, DEL. Flask-Session 0.8: SET; GET, SET, whatever the request does; GET, DEL, SET; GET, DEL.
const OTHERS: [(&str, [u64; OWN]); 4] = [
    ("tower-sessions, Redis", [1, 2, 1, 2, 2, 3, 1]),
    ("actix-session, Redis", [1, 1, 1, 2, 2, 3, 2]),
    ("Flask-Session, Redis", [1, 1, 2, 2, 2, 3, 2]),
    ("tower-sessions, PostgreSQL", [4, 5, 1, 2, 2, 6, 1]),
];

/// The first scenarios are those that others have too.
const OWN: usize = 7;

pub(crate) async fn run() {
    let (redis, memcached) = (
        servers::redis::start().unwrap(),
        servers::memcached::start().unwrap(),
    );
    let (postgres, mysql) = (
        servers::postgres::start().unwrap(),
        servers::mariadb::start().unwrap(),
    );
    let ours = [
        ("redis", redis.url()),
        ("memcached", memcached.url()),
        ("postgres", postgres.url()),
        ("mysql", mysql.url()),
    ];
    let mut columns = Vec::new();
    for (kind, url) in ours {
        columns.push((kind, count(kind, url).await.to_vec()));
    }
    columns.extend(OTHERS.map(|(name, counts)| (name, counts.to_vec())));
    print!("{:<34}", "round trips of a request");
    for (name, _) in &columns {
        print!("  {name}");
    }
    println!();
    for (place, scenario) in SCENARIOS.iter().enumerate() {
        print!("{scenario:<34}");
        for (name, counts) in &columns {
            let count = counts.get(place).map_or("-".to_owned(), u64::to_string);
            print!("  {count:>0$}", name.len());
        }
        println!();
    }
}
