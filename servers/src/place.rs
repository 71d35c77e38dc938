//! Folders, ports, programs and users.

use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

use tempfile::TempDir;

/// The build folder that the running test is in.
pub(crate) fn target() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let built_in = program
        .ancestors()
        // Cargo keeps this at the top of each.
        .find(|folder| folder.join(".rustc_info.json").is_file());
    // Tests of documentation run elsewhere.
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
    Ok(built_in.map_or_else(usual, Path::to_path_buf))
}

/// The Python of the environment that `cargo xtask test` makes, with Flask and the emulator of DynamoDB.
///
/// # Errors
///
/// It is not there yet.
pub fn python() -> io::Result<PathBuf> {
    let python = target()?.join("interop-venv/bin/python");
    if python.is_file() {
        return Ok(python);
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!(
            "there is no {}: `cargo xtask test --only servers` makes it",
            python.display()
        ),
    ))
}

/// Where folders of servers and templates are made: below the build folder, or in the system's temporary
/// folder if `user` can't get there.
pub(crate) fn parent(user: Option<User>) -> io::Result<PathBuf> {
    let folder = target()?.join("servers");
    fs::create_dir_all(&folder)?;
    let anyone_may_pass = folder.ancestors().all(|folder| {
        fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    });
    if user.is_none() || anyone_may_pass {
        return Ok(folder);
    }
    let folder = env::temp_dir().join("cloakroom-test-servers");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A new folder, for `user` if there is one.
pub(crate) fn folder(name: &str, user: Option<User>) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(parent(user)?)?;
    if let Some(user) = user {
        chown(folder.path(), Some(user.uid), Some(user.gid))?;
    }
    Ok(folder)
}

/// A port of 127.0.0.1 that nobody listens on.
///
/// Below the ports that the system gives to outgoing connections: one of those could take the port while
/// the server is down, or even connect to itself.
pub(crate) fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 12_000;
    const PORTS: u32 = 20_000;
    // Processes begin at different ports, so that they seldom try the same one at the same time.
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let start = std::process::id().wrapping_mul(7919).wrapping_add(now);
    for _ in 0..PORTS {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % PORTS;
        if let Ok(port) = u16::try_from(port)
            && is_free(port)
        {
            return Ok(port);
        }
    }
    Err(io::Error::other("no port of 127.0.0.1 is free"))
}

/// Whether nobody listens on a port of 127.0.0.1.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Where a program is, on the `PATH` or where Debian keeps those that only a service needs.
pub(crate) fn program(name: &str, package: &str) -> io::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let postgres = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin"));
    // First, because a link on the PATH may stand alone without the programs beside it.
    postgres
        .chain(env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "there is no {name}: install {package}, or let `cargo xtask test --only servers` do it"
                ),
            )
        })
}

/// A user of this system.
#[derive(Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Who has to run a server that refuses to run as root: `name` if root asks, nobody else otherwise.
pub(crate) fn user_instead_of_root(name: &str) -> io::Result<Option<User>> {
    if !is_root()? {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let user = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        found.then_some(User { uid, gid })
    });
    user.map(Some).ok_or_else(|| {
        io::Error::other(format!("there is no user {name}, and root may not do this"))
    })
}

/// Whether this process is root's.
pub(crate) fn is_root() -> io::Result<bool> {
    // A file that this process made is its user's.
    Ok(tempfile::tempfile()?.metadata()?.uid() == 0)
}
