//! The creative files of a folder, in order of name. Links are not followed, so nothing outside of
//! the folder is read and no circle is walked.

use std::path::{Path, PathBuf};

/// The extensions of files that are looked into.
const EXTENSIONS: [&str; 11] = [
    "ai", "ait", "eps", "idml", "indd", "indt", "pdf", "psb", "psd", "psdt", "svg",
];
/// How deep folders may nest.
const DEPTH_MAX: usize = 64;
/// The most files that one scan reads.
const FILES_MAX: usize = 1_000_000;

/// What was found in a folder.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The files to read.
    pub(crate) files: Vec<PathBuf>,
    /// What could not be looked into, and why.
    pub(crate) left_out: Vec<(PathBuf, String)>,
}

/// Finds the creative files below a folder.
///
/// # Errors
/// The folder itself cannot be read.
pub(crate) fn walk(folder: &Path) -> Result<Walked, String> {
    let mut walked = Walked::default();
    if let Err(error) = std::fs::read_dir(folder) {
        return Err(format!("{} cannot be read: {error}", folder.display()));
    }
    into(folder, 0, &mut walked);
    walked.files.sort();
    Ok(walked)
}

fn into(folder: &Path, deep: usize, walked: &mut Walked) {
    let mut leave_out = |path: &Path, why: String| walked.left_out.push((path.to_owned(), why));
    if deep > DEPTH_MAX {
        leave_out(folder, format!("it is more than {DEPTH_MAX} folders deep"));
        return;
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            leave_out(folder, format!("it cannot be read: {error}"));
            return;
        }
    };
    for entry in entries {
        let kind = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
        let (path, kind) = match kind {
            Ok(found) => found,
            Err(error) => {
                let why = format!("an entry cannot be read: {error}");
                walked.left_out.push((folder.to_owned(), why));
                continue;
            }
        };
        if kind.is_dir() {
            into(&path, deep + 1, walked);
        } else if !is_creative(&path) {
            continue;
        } else if kind.is_symlink() {
            let why = "it is a symbolic link; links are not followed".to_owned();
            walked.left_out.push((path, why));
        } else if walked.files.len() >= FILES_MAX {
            let why = format!("there are more than {FILES_MAX} files");
            walked.left_out.push((path, why));
            return;
        } else if kind.is_file() {
            walked.files.push(path);
        }
    }
}

fn is_creative(path: &Path) -> bool {
    // What systems write beside a file has its name after two signs.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let extension = extension.to_ascii_lowercase();
    !name.starts_with("._") && EXTENSIONS.contains(&extension.as_str())
}
