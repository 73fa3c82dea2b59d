//! Names steps: written, or derived from verb and object, so that state can name a step over years
//! while others come and go around it.

/// The most letters that are taken from a step's object.
const OBJECT_MAX: usize = 40;

/// Gives out ids that are unique in the flow.
#[derive(Debug, Default)]
pub(super) struct Ids {
    taken: Vec<String>,
    /// The ids and endings around the present step.
    path: Vec<String>,
}

impl Ids {
    /// The id of a step: below its parent, so that a new step elsewhere in the flow does not rename
    /// it.
    pub(super) fn derive(&mut self, verb: &str, object: &str) -> String {
        let mut name = verb.replace('_', "-");
        let object = slug(object);
        if !object.is_empty() {
            name.push('-');
            name.push_str(&object);
        }
        let mut path = self.path.clone();
        path.push(name);
        let base = path.join(".");
        let mut id = base.clone();
        let mut number = 2;
        while self.taken.contains(&id) {
            id = format!("{base}-{number}");
            number += 1;
        }
        self.taken.push(id.clone());
        id
    }

    /// Takes a written id; false when it is taken already.
    pub(super) fn take(&mut self, id: &str) -> bool {
        let free = !self.taken.iter().any(|taken| taken == id);
        if free {
            self.taken.push(id.to_owned());
        }
        free
    }

    pub(super) fn enter(&mut self, id: &str, ending: &str) {
        // The id already contains the path around it.
        self.path = vec![id.to_owned(), ending.to_owned()];
    }

    pub(super) fn path(&self) -> Vec<String> {
        self.path.clone()
    }

    pub(super) fn restore(&mut self, path: Vec<String>) {
        self.path = path;
    }
}

/// Letters and digits of an expression, joined by `-`.
fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.chars().count() >= OBJECT_MAX {
            break;
        }
    }
    out.trim_end_matches('-').to_owned()
}
