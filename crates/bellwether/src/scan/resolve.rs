//! Which asset a reference means: patterns over paths and identifiers, in the order of a settings
//! file. What no pattern fits is told as unresolved.

use std::collections::BTreeMap;

use bellwether_engine::store::How;
use bellwether_engine::yaml::{Node, Problem, Reader, parse};
use regex::{Regex, RegexBuilder};

use super::{Place, Reference};

/// The patterns that the product brings.
const SHIPPED: &str = include_str!("patterns.yaml");
/// The most bytes of memory that one pattern may take.
const PATTERN_MAX: usize = 1024 * 1024;
/// The most patterns.
const PATTERNS_MAX: usize = 100;

/// One way to read an asset's id.
#[derive(Debug)]
struct Pattern {
    name: String,
    place: Option<Place>,
    find: Regex,
    how: Option<How>,
    ours: bool,
}

/// The patterns, in order, and files whose asset somebody named.
#[derive(Debug)]
pub(crate) struct Patterns {
    patterns: Vec<Pattern>,
    files: BTreeMap<String, String>,
}

/// The asset that a reference means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Its id.
    pub(crate) asset: String,
    /// The pattern that found it.
    pub(crate) pattern: String,
    /// Whether the pattern is a convention of ours and not documented by whoever gives the ids.
    pub(crate) ours: bool,
    /// How sure.
    pub(crate) how: How,
}

impl Patterns {
    /// The patterns that the product brings.
    ///
    /// # Errors
    /// They cannot be read: our own mistake.
    pub(crate) fn shipped() -> Result<Self, Vec<String>> {
        Self::read(SHIPPED, "patterns.yaml")
    }

    /// Reads a settings file.
    ///
    /// # Errors
    /// Every mistake with file, line and column.
    pub(crate) fn read(text: &str, file: &str) -> Result<Self, Vec<String>> {
        let (node, mut problems) = parse(text);
        let mut read = Self {
            patterns: Vec::new(),
            files: BTreeMap::new(),
        };
        if let Some(node) = &node {
            read.take(node, &mut problems);
        }
        if problems.is_empty() {
            return Ok(read);
        }
        Err(problems.iter().map(|one| one.in_file(file)).collect())
    }

    fn take(&mut self, node: &Node, problems: &mut Vec<Problem>) {
        let mut reader = Reader::new(node, "the patterns", &["patterns", "files"], problems);
        let (patterns, files) = (reader.need("patterns"), reader.get("files"));
        let items = patterns.and_then(Node::elements).unwrap_or_default();
        if items.len() > PATTERNS_MAX {
            let message = format!("there are more than {PATTERNS_MAX} patterns");
            problems.push(Problem::error(node.place(), message));
        }
        for item in items.iter().take(PATTERNS_MAX) {
            if let Some(pattern) = pattern(item, problems) {
                self.patterns.push(pattern);
            }
        }
        for (name, asset) in files.and_then(Node::entries).unwrap_or_default() {
            match asset.text() {
                Some(asset) => {
                    self.files
                        .insert(name.name.to_lowercase(), asset.to_owned());
                }
                None => {
                    let message = "a file is given the id of its asset as a text";
                    problems.push(Problem::error(asset.place(), message));
                }
            }
        }
    }

    /// The asset that a reference means: the first pattern that fits, else a file that is known by
    /// its name.
    pub(crate) fn resolve(&self, reference: &Reference) -> Option<Resolved> {
        let texts: Vec<(Place, String)> = reference
            .texts
            .iter()
            .map(|(place, text)| (*place, decoded(text)))
            .collect();
        for pattern in &self.patterns {
            let fitting = texts.iter();
            let fitting = fitting.filter(|(place, _)| pattern.place.is_none_or(|p| p == *place));
            for (_, text) in fitting {
                if let Some(asset) = pattern.find.captures(text).and_then(|c| c.name("asset")) {
                    return Some(Resolved {
                        asset: asset.as_str().to_lowercase(),
                        pattern: pattern.name.clone(),
                        ours: pattern.ours,
                        how: pattern.how.unwrap_or(reference.how),
                    });
                }
            }
        }
        let paths = texts.iter().filter(|(place, _)| *place == Place::Path);
        paths.into_iter().find_map(|(_, path)| {
            let name = path.rsplit(['/', '\\']).next()?.to_lowercase();
            Some(Resolved {
                asset: self.files.get(&name)?.clone(),
                pattern: "files".to_owned(),
                ours: true,
                how: How::Named,
            })
        })
    }
}

fn pattern(node: &Node, problems: &mut Vec<Problem>) -> Option<Pattern> {
    let keys = ["name", "in", "find", "how", "basis"];
    let mut reader = Reader::new(node, "a pattern", &keys, problems);
    let name = reader.need("name").and_then(Node::text)?.to_owned();
    let place = reader.text("in").unwrap_or("any").to_owned();
    let find = reader.need("find").and_then(Node::text)?.to_owned();
    let how = reader.text("how").map(str::to_owned);
    let basis = reader.text("basis").unwrap_or("ours").to_owned();
    let mut wrong = |message: String| problems.push(Problem::error(node.place(), message));
    let place = match place.as_str() {
        "any" => None,
        "path" => Some(Place::Path),
        "id" => Some(Place::Id),
        other => {
            wrong(format!("`in` is any, path or id, not {other}"));
            return None;
        }
    };
    let how = match how.as_deref().map(|word| (word, How::of_word(word))) {
        None => None,
        Some((_, Some(how))) => Some(how),
        Some((word, None)) => {
            wrong(format!(
                "`how` is linked, embedded, derived or named, not {word}"
            ));
            return None;
        }
    };
    let ours = match basis.as_str() {
        "ours" => true,
        "documented" => false,
        other => {
            wrong(format!("`basis` is documented or ours, not {other}"));
            return None;
        }
    };
    let built = RegexBuilder::new(&find)
        .case_insensitive(true)
        .size_limit(PATTERN_MAX)
        .build();
    let find = match built {
        Ok(find) => find,
        Err(error) => {
            wrong(format!("`find` cannot be understood: {error}"));
            return None;
        }
    };
    if !find.capture_names().flatten().any(|name| name == "asset") {
        wrong("`find` must hold the asset's id as (?<asset>…)".to_owned());
        return None;
    }
    Some(Pattern {
        name,
        place,
        find,
        how,
        ours,
    })
}

/// A text with its percent signs read: paths in metadata are often addresses.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3);
        let value = digits.filter(|_| bytes[at] == b'%');
        match value.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}
