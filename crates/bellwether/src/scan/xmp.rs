//! What an XMP packet says of the files behind a document: ingredients, linked files, what it was
//! derived from and what was pasted into it. Names are told apart by namespace, whatever prefix a
//! program gave them. Written from the XMP specification, parts 1 and 2, and Adobe's list of
//! namespaces.

use bellwether_engine::store::How;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;

use super::{DEPTH_MAX, Place, REFERENCES_MAX, Reference, TEXT_MAX};

/// The most events of one packet.
const EVENTS_MAX: usize = 2_000_000;

/// Namespaces, as far as they matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    Media,
    Resource,
    ManifestItem,
    Photoshop,
    DublinCore,
    Rdf,
    Other,
}

impl Space {
    fn of(resolved: &ResolveResult<'_>) -> Self {
        let ResolveResult::Bound(Namespace(uri)) = resolved else {
            return Self::Other;
        };
        match *uri {
            "http://ns.adobe.com/xap/1.0/mm/" => Self::Media,
            "http://ns.adobe.com/xap/1.0/sType/ResourceRef#" => Self::Resource,
            "http://ns.adobe.com/xap/1.0/sType/ManifestItem#" => Self::ManifestItem,
            "http://ns.adobe.com/photoshop/1.0/" => Self::Photoshop,
            "http://purl.org/dc/elements/1.1/" => Self::DublinCore,
            "http://www.w3.org/1999/02/22-rdf-syntax-ns#" => Self::Rdf,
            _ => Self::Other,
        }
    }
}

/// What a packet says.
#[derive(Debug, Default)]
pub(super) struct Packet {
    /// The identifiers of what it describes; the document's own first.
    pub(super) ids: Vec<String>,
    document_id: Option<String>,
    /// What it refers to.
    pub(super) references: Vec<Reference>,
}

impl Packet {
    /// `xmpMM:DocumentID` of what it describes.
    pub(super) fn document_id(&self) -> Option<&str> {
        self.document_id.as_deref()
    }
}

/// A list or a structure of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Nothing,
    Ingredients,
    Manifest,
    Ancestors,
    /// What the document remembers about its ingredients.
    Pantry,
    /// What happened to it: it names files and links nothing.
    Skipped,
}

/// Reads a packet.
///
/// # Errors
/// It is not XML, or larger or deeper than it may be.
pub(super) fn read(bytes: &[u8]) -> Result<Packet, String> {
    let text = text_of(bytes)?;
    let mut reader = NsReader::from_str(&text);
    reader.config_mut().check_end_names = true;
    let mut state = State::default();
    for _ in 0..EVENTS_MAX {
        let event = reader.read_event();
        let event = event.map_err(|error| format!("its XMP cannot be read: {error}"))?;
        match event {
            Event::Start(element) => state.enter(&reader, &element)?,
            Event::Empty(element) => {
                state.enter(&reader, &element)?;
                state.leave();
            }
            Event::End(_) => state.leave(),
            Event::Text(text) => state.say(&text.xml10_content()),
            Event::CData(text) => state.say(&text.xml10_content()),
            Event::GeneralRef(entity) => state.say_entity(&entity),
            Event::Eof => return Ok(state.end()),
            _ => {}
        }
    }
    Err(format!("its XMP has more than {EVENTS_MAX} parts"))
}

/// The packet as text. XMP may be written in UTF-16 too; files that we know write UTF-8.
fn text_of(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| "its XMP is not written in UTF-8".to_owned())?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// One open element.
#[derive(Debug)]
struct Open {
    space: Space,
    name: String,
    /// The reference in the making began here.
    begins: bool,
    /// Which list was around it.
    before: Within,
}

#[derive(Debug)]
struct State {
    packet: Packet,
    stack: Vec<Open>,
    within: Within,
    making: Option<Reference>,
    pantry: Vec<Reference>,
    text: String,
}

impl Default for State {
    fn default() -> Self {
        Self {
            packet: Packet::default(),
            stack: Vec::new(),
            within: Within::Nothing,
            making: None,
            pantry: Vec::new(),
            text: String::new(),
        }
    }
}

impl State {
    fn enter(&mut self, reader: &NsReader<&[u8]>, element: &BytesStart<'_>) -> Result<(), String> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(format!("its XMP nests more than {DEPTH_MAX} deep"));
        }
        let (resolved, local) = reader.resolver().resolve_element(element.name());
        let space = Space::of(&resolved);
        let name = local.as_ref().to_owned();
        let before = self.within;
        let mut begins = false;
        match (space, name.as_str()) {
            _ if before == Within::Skipped => {}
            (Space::Media, "Ingredients") if before == Within::Nothing => {
                self.within = Within::Ingredients;
            }
            (Space::Media, "Manifest") if before == Within::Nothing => {
                self.within = Within::Manifest;
            }
            (Space::Media, "Pantry") if before == Within::Nothing => self.within = Within::Pantry,
            (Space::Media, "History" | "Versions") => self.within = Within::Skipped,
            (Space::Photoshop, "DocumentAncestors") if before == Within::Nothing => {
                self.within = Within::Ancestors;
            }
            (Space::Media, "DerivedFrom") if self.making.is_none() => {
                self.making = Some(Reference::new("xmpMM:DerivedFrom", How::Derived));
                begins = true;
            }
            (Space::Rdf, "li") if self.making.is_none() => {
                let new = match before {
                    Within::Ingredients => Some(("xmpMM:Ingredients", How::Linked)),
                    Within::Manifest => Some(("xmpMM:Manifest", How::Linked)),
                    Within::Pantry => Some(("xmpMM:Pantry", How::Linked)),
                    Within::Ancestors => Some(("photoshop:DocumentAncestors", How::Embedded)),
                    Within::Nothing | Within::Skipped => None,
                };
                self.making = new.map(|(kind, how)| Reference::new(kind, how));
                begins = self.making.is_some();
            }
            _ => {}
        }
        self.stack.push(Open {
            space,
            name,
            begins,
            before,
        });
        self.text.clear();
        for attribute in element.attributes().flatten() {
            let (resolved, local) = reader.resolver().resolve_attribute(attribute.key);
            if let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) {
                self.property(Space::of(&resolved), local.as_ref(), &value);
            }
        }
        Ok(())
    }

    fn leave(&mut self) {
        let text = std::mem::take(&mut self.text);
        let Some(open) = self.stack.last() else {
            return;
        };
        let (space, name) = (open.space, open.name.clone());
        if space == Space::Rdf && name == "li" {
            self.item(&text);
        } else {
            self.property(space, &name, &text);
        }
        let Some(open) = self.stack.pop() else { return };
        if open.begins
            && let Some(made) = self.making.take()
        {
            match made.kind {
                "xmpMM:Pantry" => self.pantry.push(made),
                _ if self.packet.references.len() < REFERENCES_MAX => {
                    self.packet.references.push(made);
                }
                _ => {}
            }
        }
        self.within = open.before;
    }

    fn say(&mut self, text: &str) {
        if self.text.len() + text.len() <= TEXT_MAX {
            self.text.push_str(text);
        }
    }

    /// Nothing but the five names of XML and numbers of characters: a packet defines no entities.
    fn say_entity(&mut self, entity: &quick_xml::events::BytesRef<'_>) {
        let known = match entity.as_ref() {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => entity.resolve_char_ref().ok().flatten(),
        };
        if let Some(sign) = known {
            self.say(sign.encode_utf8(&mut [0; 4]));
        }
    }

    /// The text of a list's item.
    fn item(&mut self, text: &str) {
        let around = self.stack.iter().rev().nth(2);
        let list = around.map(|open| (open.space, open.name.as_str()));
        let place = match list {
            Some((Space::Photoshop, "DocumentAncestors")) => Place::Id,
            Some((Space::DublinCore, "identifier")) => Place::Id,
            Some((Space::Resource, "alternatePaths")) => Place::Path,
            _ => return,
        };
        match &mut self.making {
            Some(reference) => reference.add(place, text),
            None if place == Place::Id => self.own_id(text),
            None => {}
        }
    }

    /// A simple property, written as an element or as an attribute.
    fn property(&mut self, space: Space, name: &str, value: &str) {
        if self.within == Within::Skipped || value.trim().is_empty() {
            return;
        }
        let in_pantry = self.within == Within::Pantry;
        if let Some(reference) = &mut self.making {
            match (space, name) {
                (Space::Resource, "documentID" | "instanceID" | "originalDocumentID") => {
                    reference.add(Place::Id, value);
                }
                (Space::Resource, "filePath" | "alternatePaths") => {
                    reference.add(Place::Path, value);
                }
                (Space::Media, "DocumentID" | "InstanceID" | "OriginalDocumentID") if in_pantry => {
                    reference.add(Place::Id, value);
                }
                (Space::DublinCore, "identifier") => reference.add(Place::Id, value),
                // `ReferenceStream` refers to the file; the other forms copy it in.
                (Space::ManifestItem, "linkForm") if value.trim().starts_with("Embed") => {
                    reference.how = How::Embedded;
                }
                (Space::ManifestItem, "linkForm") if value.trim() == "Duplicate" => {
                    reference.how = How::Embedded;
                }
                _ => {}
            }
            return;
        }
        match (space, name) {
            (Space::Media, "DocumentID") => {
                self.packet.document_id = Some(value.trim().to_owned());
                self.own_id(value);
            }
            (Space::Media, "InstanceID" | "OriginalDocumentID")
            | (Space::DublinCore, "identifier") => self.own_id(value),
            _ => {}
        }
    }

    fn own_id(&mut self, id: &str) {
        let id = id.trim();
        let fits = !id.is_empty() && id.len() <= TEXT_MAX && self.packet.ids.len() < 100;
        if fits && !self.packet.ids.iter().any(|known| known == id) {
            self.packet.ids.push(id.to_owned());
        }
    }

    /// What the document remembers of an ingredient is said of that ingredient.
    fn end(mut self) -> Packet {
        for reference in &mut self.packet.references {
            let same = |kept: &&Reference| {
                let mut ids = kept.texts.iter();
                ids.any(|text| text.0 == Place::Id && reference.texts.contains(text))
            };
            let kept: Vec<Reference> = self.pantry.iter().filter(same).cloned().collect();
            for (place, text) in kept.iter().flat_map(|kept| &kept.texts) {
                reference.add(*place, text);
            }
        }
        self.packet
    }
}
