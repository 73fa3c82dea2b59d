//! InDesign's exchange format: a ZIP of XML whose spreads and stories name the files that they
//! link, beside the document's XMP.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bellwether_engine::store::How;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use zip::ZipArchive;

use super::{DEPTH_MAX, Place, REFERENCES_MAX, Reference, packet};

/// The most entries of an archive.
const ENTRIES_MAX: usize = 20_000;
/// The most bytes that one entry may come to.
const ENTRY_MAX: u64 = 64 * 1024 * 1024;
/// The most bytes that all entries together may come to: a small archive can be made to hold much.
const ALL_MAX: u64 = 512 * 1024 * 1024;
/// Where links stand, and the XMP.
const LINKED_IN: [&str; 3] = ["Spreads/", "MasterSpreads/", "Stories/"];
const XMP: &str = "META-INF/metadata.xml";

/// What a document refers to.
///
/// # Errors
/// It is no such document.
pub(super) fn read(path: &Path) -> Result<Vec<Reference>, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("it is no IDML document: {error}");
    let file = File::open(path).map_err(|error| wrong(&error))?;
    let mut archive = ZipArchive::new(file).map_err(|error| wrong(&error))?;
    if archive.len() > ENTRIES_MAX {
        return Err(format!("it has more than {ENTRIES_MAX} entries"));
    }
    if archive.index_for_name("designmap.xml").is_none() {
        return Err(wrong(&"it has no designmap.xml"));
    }
    let mut references = Vec::new();
    let mut left = ALL_MAX;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| wrong(&error))?;
        let Ok(name) = entry.name().map(std::borrow::Cow::into_owned) else {
            continue;
        };
        let links = LINKED_IN.iter().any(|folder| name.starts_with(folder));
        if !links && name != XMP {
            continue;
        }
        let mut body = Vec::new();
        let most = ENTRY_MAX.min(left);
        let mut entry = entry.take(most + 1);
        let read = entry.read_to_end(&mut body);
        read.map_err(|error| format!("{name} cannot be read: {error}"))?;
        let size = body.len() as u64;
        if size > most {
            return Err(format!("{name} is larger than it may be"));
        }
        left -= size;
        if links {
            links_of(&body, &mut references).map_err(|why| format!("{name}: {why}"))?;
        } else {
            references.extend(packet::of(Some(&body), &[]).unwrap_or_default());
        }
    }
    Ok(references)
}

fn links_of(body: &[u8], references: &mut Vec<Reference>) -> Result<(), String> {
    let mut reader = Reader::from_reader(body);
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    loop {
        let event = reader.read_event_into(&mut buffer);
        match event.map_err(|error| format!("it is not XML: {error}"))? {
            Event::Start(element) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(format!("elements nest more than {DEPTH_MAX} deep"));
                }
                link_of(&element, references);
            }
            Event::Empty(element) => link_of(&element, references),
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => return Ok(()),
            _ => {}
        }
        buffer.clear();
    }
}

fn link_of(element: &BytesStart<'_>, references: &mut Vec<Reference>) {
    if element.name().as_ref() != "Link" || references.len() >= REFERENCES_MAX {
        return;
    }
    let mut reference = Reference::new("Link", How::Linked);
    for attribute in element.attributes().flatten() {
        let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) else {
            continue;
        };
        // A value that only begins like this means "none".
        let value = value.strip_prefix("$ID/").unwrap_or(&value);
        match attribute.key.as_ref() {
            "LinkResourceURI" | "AssetURL" => reference.add(Place::Path, value),
            "AssetID" => reference.add(Place::Id, value),
            "StoredState" if value == "Embedded" => reference.how = How::Embedded,
            _ => {}
        }
    }
    references.push(reference);
}
