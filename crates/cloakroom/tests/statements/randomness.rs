//! S01: without random numbers there are no ids and no keys, and nothing weaker in their place.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::{env, fs, process::Command};

use cloakroom::{Error, Layout, SecretKey, SessionConfig, SessionManager, store::MemoryStore};

/// In the place of the C library's function: it fails whoever asks for random numbers to keep secrets with. (The standard
/// library's hash maps ask with a flag that says that theirs need not be good.)
const BROKEN: &str = "
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>
ssize_t getrandom(void *buffer, size_t length, unsigned int flags) {
    if (flags == 0 && length > 0) { errno = EIO; return -1; }
    return syscall(SYS_getrandom, buffer, length, flags);
}
";

const CHILD: &str = "CLOAKROOM_TEST_WITHOUT_RANDOM_NUMBERS";

/// Runs itself once more, with an operating system that has no random numbers to give.
#[test]
fn s01_without_random_numbers_there_is_an_error_and_no_id() {
    if env::var_os(CHILD).is_some() {
        return without_random_numbers();
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("x.c"), folder.path().join("x.so"));
    fs::write(&source, BROKEN).unwrap();
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    let compiler = compiler.args(["-shared", "-fPIC", "-o"]);
    let made = compiler.args([&library, &source]).status().unwrap();
    assert!(made.success());
    let child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "randomness::s01_without_random_numbers_there_is_an_error_and_no_id",
        ])
        .arg("--nocapture")
        .env(CHILD, "1")
        .env("LD_PRELOAD", library)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(output.contains("nothing was made"), "{output}");
}

fn without_random_numbers() {
    assert!(SecretKey::generate().is_err());
    for layout in [Layout::Flask, Layout::Native, Layout::Sealed] {
        no_session_is_made(SessionConfig::default().layout(layout));
    }
    println!("nothing was made");
}

fn no_session_is_made(config: SessionConfig) {
    let manager = SessionManager::stored(MemoryStore::new(), config).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let session = manager.new_session();
        session.insert("user", "alice").unwrap();
        let error = session.save().await.unwrap_err();
        assert!(matches!(error, Error::Random(_)), "{error:?}");
        assert_eq!(error.status(), 500);
        assert_eq!(manager.cookie_value(&session), None);
        let mut headers = http::HeaderMap::new();
        assert!(manager.close(&session, &mut headers).await.is_err());
        assert!(!headers.contains_key("set-cookie"));
        let page = manager.store().unwrap().list("", None, 10).await.unwrap();
        assert!(page.entries.is_empty());
    });
}
