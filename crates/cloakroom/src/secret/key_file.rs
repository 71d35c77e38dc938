use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    Keys, KeysError, ScheduledKey,
    file::{KeyText, parse},
    schedule::Schedule,
};
use crate::value::DateTime;

/// A [key file](Keys#the-file) in the hands of an operator: read, changed and put back in one piece, while servers watch
/// it. `cloakroom keys` is made of it.
///
/// ```
/// use cloakroom::{KeyFile, ScheduledKey, SecretKey};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("keys.json");
/// let mut file = KeyFile::new(&path);
/// file.save(vec![ScheduledKey::new("2026", SecretKey::generate()?)])?;
///
/// let mut keys = KeyFile::read(&path)?.keys().to_vec();
/// keys.push(ScheduledKey::new("2027", SecretKey::generate()?).not_before(1_798_761_600));
/// file.save(keys)?;
/// assert_eq!(KeyFile::read(&path)?.keys().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyFile {
    path: PathBuf,
    /// Of the text that was read; none if there is no file yet.
    found: Option<[u8; 32]>,
    keys: Vec<ScheduledKey>,
}

impl KeyFile {
    /// A file that is still to be made.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            found: None,
            keys: Vec::new(),
        }
    }

    /// The file as it is.
    ///
    /// # Errors
    ///
    /// [`KeysError`] as [`Keys::from_file`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, KeysError> {
        // Links lead to the file that is to be replaced, and stay.
        let given = path.as_ref();
        let path = fs::canonicalize(given).unwrap_or_else(|_| given.to_owned());
        let text = KeyText::read(&path)?;
        let named = |error: KeysError| error.found_in(format!("file {}", path.display()));
        let keys = text.keys().map_err(named)?;
        Schedule::new(keys.iter().cloned()).map_err(named)?;
        Ok(Self {
            found: Some(text.digest()),
            keys,
            path,
        })
    }

    /// Its keys, in the order in which they stand there.
    pub fn keys(&self) -> &[ScheduledKey] {
        &self.keys
    }

    /// Puts these keys into the file, if nobody else has changed it since it was read. Whoever reads it meanwhile,
    /// and whatever happens to this process, the file is the old one or the new one.
    ///
    /// A new file is for its owner alone (mode 0600). One that is replaced keeps its owner and group and what the group
    /// may read; all others lose what they may do with it.
    ///
    /// # Errors
    ///
    /// [`KeysError`] for keys that no server would take, [`KeysError::ChangedMeanwhile`], [`KeysError::Exists`] for a
    /// new file that is there already, or [`KeysError::Unwritable`]. The file is then as it was.
    pub fn save(&mut self, keys: Vec<ScheduledKey>) -> Result<(), KeysError> {
        let text = written(&keys)?;
        if text.len() > Keys::MAX_FILE_LENGTH {
            return Err(KeysError::TooLong {
                path: self.path.clone(),
            });
        }
        // As the servers will look at it.
        Schedule::new(parse(&text)?)?;
        self.replace(&text)?;
        self.found = Some(Sha256::digest(&text).into());
        self.keys = keys;
        Ok(())
    }

    fn replace(&self, text: &[u8]) -> Result<(), KeysError> {
        let unwritable = |source| KeysError::Unwritable {
            path: self.path.clone(),
            source,
        };
        let (folder, draft) = self.draft().map_err(unwritable)?;
        let mut file = private_file(&draft).map_err(unwritable)?;
        // One operator at a time. Who waits here for another finds the file changed below, and leaves alone what is
        // the key file by then.
        file.lock().map_err(unwritable)?;
        self.refuse_changed()?;
        let write = || {
            file.set_len(0)?;
            self.keep_rights(&file)?;
            file.write_all(text)?;
            file.sync_all()?;
            fs::rename(&draft, &self.path)?;
            // So that the name lasts as well; where folders cannot be synced, it does in its own time.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
            Ok(())
        };
        write().map_err(unwritable)
    }

    /// The folder, and the file beside this one in which the new text is written.
    fn draft(&self) -> io::Result<(PathBuf, PathBuf)> {
        let name = self.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let folder = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let draft = folder.join(format!(".{}.new", name.display()));
        Ok((folder.to_owned(), draft))
    }

    fn refuse_changed(&self) -> Result<(), KeysError> {
        let path = self.path.clone();
        let Some(found) = self.found else {
            return match self.path.exists() {
                true => Err(KeysError::Exists { path }),
                false => Ok(()),
            };
        };
        match KeyText::read(&self.path)?.digest() == found {
            true => Ok(()),
            false => Err(KeysError::ChangedMeanwhile { path }),
        }
    }

    #[cfg(unix)]
    fn keep_rights(&self, draft: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        if self.found.is_none() {
            return draft.set_permissions(fs::Permissions::from_mode(0o600));
        }
        let (old, new) = (fs::metadata(&self.path)?, draft.metadata()?);
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(draft, Some(old.uid()), Some(old.gid()))?;
        }
        let mode = old.mode() & 0o040 | 0o600;
        draft.set_permissions(fs::Permissions::from_mode(mode))
    }

    #[cfg(not(unix))]
    #[allow(clippy::unused_self)]
    fn keep_rights(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

/// Shows the path and the ids.
impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(ScheduledKey::id).collect();
        formatter
            .debug_struct("KeyFile")
            .field("path", &self.path)
            .field("ids", &ids)
            .finish_non_exhaustive()
    }
}

/// A file that only its owner can read. One that a process left behind which was ended is taken over.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The text of a key file with these keys.
fn written(keys: &[ScheduledKey]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    // Six bytes for each at most, and room for the rest: a growing buffer would leave unwiped copies behind.
    let secrets = keys
        .iter()
        .map(|key| 6 * key.secret().expose_secret().len());
    let mut text = Zeroizing::new(Vec::with_capacity(
        secrets.sum::<usize>() + 512 * keys.len() + 64,
    ));
    text.extend_from_slice(b"{\"keys\": [");
    for (index, key) in keys.iter().enumerate() {
        let gap: &[u8] = if index == 0 { b"\n  " } else { b",\n  " };
        text.extend_from_slice(gap);
        write_key(&mut text, key)?;
    }
    text.extend_from_slice(b"\n]}\n");
    Ok(text)
}

fn write_key(out: &mut Vec<u8>, key: &ScheduledKey) -> Result<(), KeysError> {
    let secret = str::from_utf8(key.secret().expose_secret());
    let (Ok(secret), Some(from)) = (secret, key.signs_from()) else {
        return Err(KeysError::NotText {
            id: key.id().to_owned(),
        });
    };
    out.extend_from_slice(b"{\"id\": ");
    write_text(out, key.id());
    out.extend_from_slice(b", \"secret\": ");
    write_text(out, secret);
    if from > 0 {
        out.extend_from_slice(format!(", \"not_before\": {}", time(from)).as_bytes());
    }
    if let Some(end) = key.ends() {
        out.extend_from_slice(format!(", \"not_after\": {}", time(end)).as_bytes());
    }
    if key.is_revoked() {
        out.extend_from_slice(b", \"revoked\": true");
    }
    out.push(b'}');
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=0x1F => {
                let digit = |four: u8| b"0123456789abcdef"[usize::from(four)];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// RFC 3339 in UTC, or the seconds where that ends.
fn time(unix_seconds: u64) -> String {
    i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| DateTime::from_unix(seconds).ok())
        .map_or_else(
            || unix_seconds.to_string(),
            |time| format!("\"{}\"", time.to_string().replace("+00:00", "Z")),
        )
}
