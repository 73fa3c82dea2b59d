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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/bellwether.key");
        assert!(read(&path).unwrap().is_none());
        let made = make(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let again = read(&path).unwrap().unwrap();
        assert_eq!(again.derive("x"), made.derive("x"));
        assert_ne!(again.derive("x"), again.derive("y"));
        assert!(make(&path).unwrap_err().contains("could not be made"));
        for mode in [0o640, 0o604, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_in_the_file_is_said_with_its_line() {
        let key = STANDARD.encode([1; 32]);
        for (text, part) in [
            (String::new(), "holds no key"),
            (format!("1 {key}\nx {key}\n"), "f:2: a key is written"),
            (format!("\n300 {key}\n"), "f:2: a key is written"),
            (format!("1 {}\n", &key[..40]), "f:1: a key is written"),
            (
                format!("2 {key}\n\n2 {key}\n"),
                "f:3: two keys have the number 2",
            ),
        ] {
            let error = parse_all("f", &text).unwrap_err();
            assert!(error.contains(part) && !error.contains(&key), "{error}");
        }
        let many: String = (0..17).map(|id| format!("{id} {key}\n")).collect();
        let error = parse_all("f", &many).unwrap_err();
        assert!(error.contains("17 keys, at most 16"), "{error}");
        let two = parse_all("f", &format!("7 {key}\n1 {key}\n")).unwrap();
        let ids: Vec<u8> = two.derive("x").iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [7, 1], "the first line is the newest");
    }
}
