//! Files, compared with reading and with writing beside and renaming: nothing locked, checked or compared.

use std::{fs, hint::black_box, path::PathBuf};

use cloakroom::store::{FileStore, Store};

use crate::contest::{Contest, TASKS, fill, keep, key, load, replace, task, value};

pub(crate) async fn run() {
    let folder = tempfile::tempdir().unwrap();
    let store = keep(Store::new(
        FileStore::open(folder.path().join("ours")).unwrap(),
    ));
    fill(store, TASKS).await;
    let raw: &PathBuf = keep(folder.path().join("raw"));
    fs::create_dir(raw).unwrap();
    for number in 0..TASKS {
        fs::write(raw.join(key(number)), value(0)).unwrap();
    }

    let read = task(move |number, calls| async move {
        let path = raw.join(key(number));
        for _ in 0..calls {
            let path = path.clone();
            let reading = tokio::task::spawn_blocking(move || fs::read(path).unwrap());
            black_box(reading.await.unwrap());
        }
    });
    let read_here = task(move |number, calls| async move {
        let path = raw.join(key(number));
        for _ in 0..calls {
            black_box(fs::read(&path).unwrap());
        }
    });
    Contest {
        store: "file",
        call: "load",
        calls: 200,
        rounds: 11,
        ours: load(store),
        others: vec![
            ("fs::read on a blocking thread", read),
            ("fs::read, blocking the runtime", read_here),
        ],
    }
    .run()
    .await;

    let write = task(move |number, calls| async move {
        let path = raw.join(key(number));
        for count in 0..calls {
            let path = path.clone();
            let writing = tokio::task::spawn_blocking(move || write_and_rename(path, count));
            writing.await.unwrap();
        }
    });
    let write_here = task(move |number, calls| async move {
        let path = raw.join(key(number));
        for count in 0..calls {
            write_and_rename(path.clone(), count);
        }
    });
    Contest {
        store: "file",
        call: "replace",
        calls: 20,
        rounds: 7,
        ours: replace(store),
        others: vec![
            ("fs::write and rename on a blocking thread", write),
            ("fs::write and rename, blocking the runtime", write_here),
        ],
    }
    .run()
    .await;
}

fn write_and_rename(path: PathBuf, count: usize) {
    let beside = path.with_extension("new");
    fs::write(&beside, value(count)).unwrap();
    fs::rename(beside, path).unwrap();
}
