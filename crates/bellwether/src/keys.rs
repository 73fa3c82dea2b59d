//! The server's keys: read from a file that only its owner may read, made when there is none. What
//! they are used for is elsewhere.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellwether_engine::run::Keyring;

/// Keys in the file. Old ones are needed until nothing is sealed with them and no link made with
/// them is good any more; more than a few are a mistake.
const KEYS_MAX: usize = 16;

/// Reads the keys, one a line (`id base64`), newest first; None when there is no file.
///
/// # Errors
/// A sentence that names the file and says what to do.
pub(crate) fn read(path: &Path) -> Result<Option<Keyring>, String> {
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{shown}: {error}")),
    };
    let mode = found.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{shown} can be read by others (mode {:o}): run `chmod 600 {shown}`",
            mode & 0o777
        ));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    parse_all(&shown.to_string(), &text).map(Some)
}

fn parse_all(shown: &str, text: &str) -> Result<Keyring, String> {
    let mut keys: Vec<(u8, [u8; 32])> = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let number = number + 1;
        let key = parse(line).ok_or_else(|| {
            format!(
                "{shown}:{number}: a key is written as `id base64-of-32-bytes`, id from 0 to 255"
            )
        })?;
        if keys.iter().any(|(id, _)| *id == key.0) {
            return Err(format!(
                "{shown}:{number}: two keys have the number {}; give the newer one another",
                key.0
            ));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(format!(
            "{shown} holds no key: put the file back from where it is kept safe, or remove it to \
             have a new one made for a new database"
        ));
    }
    if keys.len() > KEYS_MAX {
        return Err(format!(
            "{shown} holds {} keys, at most {KEYS_MAX}: remove the oldest lines",
            keys.len()
        ));
    }
    Ok(Keyring::new(keys))
}

fn parse(line: &str) -> Option<(u8, [u8; 32])> {
    let (id, key) = line.trim().split_once(' ')?;
    let bytes = STANDARD.decode(key.trim()).ok()?;
    Some((id.parse().ok()?, bytes.try_into().ok()?))
}

/// Makes a file with one key and returns it.
///
/// # Errors
/// The file could not be written, or the system gives no random bytes; a sentence.
pub(crate) fn make(path: &Path) -> Result<Keyring, String> {
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
    let key = fresh()?;
    let line = format!("1 {}\n", STANDARD.encode(key));
    file.write_all(line.as_bytes()).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    // The name has to last as well: without its key a database cannot be used.
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::File::open(folder.unwrap_or(Path::new("."))).map_err(fail)?;
    folder.sync_all().map_err(fail)?;
    Ok(Keyring::new(vec![(1, key)]))
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
