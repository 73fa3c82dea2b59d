//! PDF, and Illustrator's files that hold one: the metadata stream of the document, and those of
//! what lies in it. A file that is damaged or encrypted is looked through for packets instead.

use std::path::Path;

use lopdf::{Document, LoadOptions, Object};

use super::packet;
use super::{Reference, Unread};

/// The most bytes that one stream may come to.
const STREAM_MAX: usize = 64 * 1024 * 1024;
/// The most metadata streams of one file.
const STREAMS_MAX: usize = 1_000;

/// What a document refers to.
///
/// # Errors
/// It holds no XMP that can be read.
pub(super) fn read(path: &Path) -> Result<Vec<Reference>, Unread> {
    let options = LoadOptions::with_max_decompressed_size(STREAM_MAX);
    let Ok(document) = Document::load_with_options(path, options) else {
        return packet::read(path);
    };
    if document.is_encrypted() {
        return packet::read(path);
    }
    let own = own_metadata(&document);
    let all: Vec<Vec<u8>> = document
        .objects
        .values()
        .filter_map(metadata)
        .take(STREAMS_MAX)
        .collect();
    if all.is_empty() {
        return packet::read(path);
    }
    packet::of(own.as_deref(), &all)
}

fn own_metadata(document: &Document) -> Option<Vec<u8>> {
    let at = document.catalog().ok()?.get(b"Metadata").ok()?;
    let at = at.as_reference().ok()?;
    metadata(document.get_object(at).ok()?)
}

/// What a metadata stream holds.
fn metadata(object: &Object) -> Option<Vec<u8>> {
    let stream = object.as_stream().ok()?;
    let is_type = |key: &[u8], name: &[u8]| {
        let found = stream.dict.get(key).and_then(Object::as_name);
        found.is_ok_and(|found| found == name)
    };
    if !is_type(b"Type", b"Metadata") || !is_type(b"Subtype", b"XML") {
        return None;
    }
    if stream.dict.get(b"Filter").is_err() {
        return Some(stream.content.clone());
    }
    stream.decompressed_content_with_limit(STREAM_MAX).ok()
}
