//! Runs the real command.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by several test crates, each of which uses its part"
)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// The key that the vectors are made with; known to everyone, so the command warns about it.
pub(crate) const KEY: &str = "secret-key";

/// What a run of the command ended with.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The answer without its line end, when the exit code is 0.
    #[track_caller]
    pub(crate) fn good(&self) -> &str {
        assert_eq!(self.code, 0, "stderr: {}", self.stderr);
        self.stdout.strip_suffix('\n').unwrap()
    }

    /// The reason code of a refusal, which is exit code 1 and nothing on standard output.
    #[track_caller]
    pub(crate) fn refused(&self) -> &str {
        assert_eq!(
            self.code, 1,
            "stdout: {}, stderr: {}",
            self.stdout, self.stderr
        );
        assert_eq!(self.stdout, "");
        let last = self.stderr.lines().last().unwrap();
        last.split_once(": ").unwrap().0
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Runs `cloakroom` with this environment and nothing else, and this on standard input.
pub(crate) fn cloakroom(arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that stops before it reads is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file that goes when it is dropped.
pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn with(content: &[u8]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cloakroom-cli-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> String {
        self.0.to_str().unwrap().to_owned()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A section of a file of vectors.
pub(crate) fn vectors(file: &str, section: &str) -> Vec<Value> {
    let path = format!(
        "{}/../cloakroom/tests/vectors/{file}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    let Value::Array(rows) = serde_json::from_str::<Value>(&text).unwrap()[section].take() else {
        panic!("{file}.json has no rows in {section}");
    };
    rows
}

/// A runtime of one thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Serves an app on a free port until the tests end, and says where.
#[cfg(feature = "doctor")]
pub(crate) fn serve(app: axum::Router) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    url
}

/// Serves one page with one cookie over https, with a certificate of its own making.
#[cfg(feature = "doctor")]
pub(crate) fn serve_tls(folder: &std::path::Path, cookie: &str) -> String {
    use std::io::Read;

    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let [certificate, key] = servers::certificate(folder, "IP:127.0.0.1");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(&certificate).unwrap()],
            PrivateKeyDer::from_pem_file(&key).unwrap(),
        )
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let page = format!(
        "HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\nContent-Length: 6\r\nConnection: close\r\n\r\na page"
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 4096];
            // A client that does not like the certificate hangs up here.
            if stream.read(&mut request).is_ok() {
                let _ = stream.write_all(page.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    url
}
