use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Makes a certificate that nobody else has signed, for a server of this name, such as `DNS:localhost`: the files
/// `server.crt` and `server.key` in this folder.
///
/// # Panics
///
/// If `openssl` is missing or makes none.
pub fn certificate(folder: &Path, name: &str) -> [PathBuf; 2] {
    let files = ["server.crt", "server.key"].map(|file| folder.join(file));
    let [certificate, key] = &files;
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext"])
        .arg(format!("subjectAltName={name}"))
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .output();
    match made {
        Ok(made) if made.status.success() => files,
        made => panic!("openssl makes no certificate: {made:?}"),
    }
}
