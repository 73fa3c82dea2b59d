//! SVG: the pictures that it links, and its XMP.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use bellwether_engine::store::How;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{DEPTH_MAX, Place, REFERENCES_MAX, Reference, packet};

/// Elements that show another file.
const SHOWING: [&str; 3] = ["feImage", "image", "use"];

/// What a drawing refers to.
///
/// # Errors
/// It is not XML.
pub(super) fn read(path: &Path) -> Result<Vec<Reference>, String> {
    let file = File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let mut reader = Reader::from_reader(BufReader::new(file));
    let mut references = Vec::new();
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    let mut is_drawing = false;
    loop {
        let event = reader.read_event_into(&mut buffer);
        match event.map_err(|error| format!("it is not XML: {error}"))? {
            Event::Start(element) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(format!("elements nest more than {DEPTH_MAX} deep"));
                }
                is_drawing |= element.local_name().as_ref() == "svg";
                shown(&element, &mut references);
            }
            Event::Empty(element) => {
                is_drawing |= element.local_name().as_ref() == "svg";
                shown(&element, &mut references);
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof if is_drawing => break,
            Event::Eof => return Err("it is no SVG drawing".to_owned()),
            _ => {}
        }
        buffer.clear();
    }
    // A drawing without metadata is in order.
    references.extend(packet::read(path).unwrap_or_default());
    Ok(references)
}

fn shown(element: &BytesStart<'_>, references: &mut Vec<Reference>) {
    let name = element.local_name();
    if !SHOWING.contains(&name.as_ref()) || references.len() >= REFERENCES_MAX {
        return;
    }
    for attribute in element.attributes().flatten() {
        if attribute.key.local_name().as_ref() != "href" {
            continue;
        }
        let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) else {
            continue;
        };
        // What stands in the drawing itself is no other file.
        if !value.starts_with('#') && !value.starts_with("data:") {
            let mut reference = Reference::new("href", How::Linked);
            reference.add(Place::Path, &value);
            references.push(reference);
        }
    }
}
