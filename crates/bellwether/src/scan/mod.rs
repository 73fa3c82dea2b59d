//! Reads which files and assets a creative file refers to, out of its metadata: XMP, and the links
//! of formats that write them down. What a reference means is worked out in `resolve`; nothing here
//! renders, follows a link or changes a file.

mod idml;
mod packet;
mod pdf;
mod psd;
mod resolve;
mod svg;
#[cfg(test)]
mod tests;
mod walk;
mod xmp;

pub(crate) use resolve::{Patterns, Resolved};
pub(crate) use walk::walk;

use std::fs::File;
use std::path::Path;

use bellwether_engine::store::How;

/// The most bytes of a file that is read as a whole (PDF, SVG); others are read in pieces.
const WHOLE_MAX: u64 = 256 * 1024 * 1024;
/// The most bytes of a file that is looked through at all.
const FILE_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// The most references of one file.
const REFERENCES_MAX: usize = 10_000;
/// The most bytes of one text in a file that is kept.
const TEXT_MAX: usize = 4096;
/// How deep elements may nest.
const DEPTH_MAX: usize = 128;

/// Where a text of a reference stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// A file's path or address.
    Path,
    /// An identifier in metadata.
    Id,
}

/// Something that a file refers to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    /// Where it was read, such as `xmpMM:Ingredients`.
    pub(crate) kind: &'static str,
    /// How it is in the file.
    pub(crate) how: How,
    /// What is said about it.
    pub(crate) texts: Vec<(Place, String)>,
}

impl Reference {
    fn new(kind: &'static str, how: How) -> Self {
        Self {
            kind,
            how,
            texts: Vec::new(),
        }
    }

    fn add(&mut self, place: Place, text: &str) {
        let text = text.trim();
        if text.is_empty() || text.len() > TEXT_MAX {
            return;
        }
        let new = (place, text.to_owned());
        if !self.texts.contains(&new) {
            self.texts.push(new);
        }
    }

    /// What it is called in a list: its path, else the first identifier.
    pub(crate) fn shown(&self) -> &str {
        let path = self.texts.iter().find(|(place, _)| *place == Place::Path);
        let any = path.or_else(|| self.texts.first());
        any.map_or("", |(_, text)| text)
    }
}

/// Why nothing was read out of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is in order and holds no metadata: it says nothing, which is not the same as linking
    /// nothing.
    Silent,
    /// It cannot be read as what it says that it is, in a sentence.
    Broken(String),
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

/// What a file is, by its first bytes and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Photoshop,
    Pdf,
    Idml,
    Svg,
    /// Anything else: its XMP packets are looked for.
    Packets,
}

fn form(path: &Path, head: &[u8]) -> Form {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    if head.starts_with(b"8BPS") {
        Form::Photoshop
    } else if head.starts_with(b"%PDF-") {
        Form::Pdf
    } else if head.starts_with(b"PK\x03\x04") {
        Form::Idml
    } else if extension == "svg" {
        Form::Svg
    } else {
        Form::Packets
    }
}

/// What a file refers to, each once.
///
/// # Errors
/// The file holds no metadata, or cannot be read as what it says that it is.
pub(crate) fn read(path: &Path) -> Result<Vec<Reference>, Unread> {
    let failed = |error: std::io::Error| format!("it cannot be read: {error}");
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > FILE_MAX {
        return Err(format!("it has {size} bytes, more than {FILE_MAX}").into());
    }
    let mut head = [0; 5];
    let read = packet::read_up_to(&mut file, &mut head).map_err(failed)?;
    let form = form(path, &head[..read]);
    if matches!(form, Form::Pdf | Form::Svg) && size > WHOLE_MAX {
        return Err(format!("it has {size} bytes, more than {WHOLE_MAX}").into());
    }
    if size == 0 {
        return Err("it is empty".to_owned().into());
    }
    let mut references = match form {
        Form::Photoshop => psd::read(path)?,
        Form::Pdf => pdf::read(path)?,
        Form::Idml => idml::read(path)?,
        Form::Svg => svg::read(path)?,
        Form::Packets => packet::read(path)?,
    };
    references.retain(|reference| !reference.texts.is_empty());
    let mut once: Vec<Reference> = Vec::new();
    for reference in references {
        if !once.contains(&reference) && once.len() < REFERENCES_MAX {
            once.push(reference);
        }
    }
    Ok(once)
}
