//! The server's keys: read from a file that only its owner may read, made when there is none.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellwether_engine::run::Keyring;

/// Reads the keys, one a line (`id base64`), newest first; makes a file with one key if there is
/// none.
///
/// # Errors
/// A sentence that names the file and says what to do.
pub(crate) fn read_or_make(path: &Path) -> Result<Keyring, String> {
    if !path.exists() {
        make(path)?;
    }
    let shown = path.display();
    let mode = fs::metadata(path)
        .map_err(|error| format!("{shown}: {error}"))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{shown} can be read by others (mode {:o}): run `chmod 600 {shown}`",
            mode & 0o777
        ));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let mut keys = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let key = parse(line).ok_or_else(|| {
            format!(
                "{shown}:{}: a key is written as `id base64-of-32-bytes`",
                number + 1
            )
        })?;
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(format!(
            "{shown} holds no key: remove it to have a new one made"
        ));
    }
    Ok(Keyring::new(keys))
}

fn parse(line: &str) -> Option<(u8, [u8; 32])> {
    let (id, key) = line.trim().split_once(' ')?;
    let bytes = STANDARD.decode(key.trim()).ok()?;
    Some((id.parse().ok()?, bytes.try_into().ok()?))
}

fn make(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let fail = |error: std::io::Error| format!("the key file {shown} could not be made: {error}");
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(fail)?;
    let line = format!("1 {}\n", STANDARD.encode(fresh()?));
    file.write_all(line.as_bytes()).map_err(fail)?;
    file.sync_all().map_err(fail)
}

/// 32 random bytes from the system.
///
/// # Errors
/// The system gives none.
pub(crate) fn fresh() -> Result<[u8; 32], String> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| format!("no random bytes from the system: {error}"))?;
    Ok(key)
}
