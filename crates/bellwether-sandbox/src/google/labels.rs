//! The labels of one mailbox: Gmail's own and the user's. Which message carries which is with the
//! mailbox.

use serde_json::{Value, json};

/// Labels of one mailbox at most, as Gmail allows.
pub(crate) const LABELS_LIMIT: usize = 10_000;
/// Longest name of a label.
const NAME_LIMIT: usize = 225;

/// Gmail's own labels, in the order of its answers.
pub(crate) const SYSTEM: [&str; 14] = [
    "CHAT",
    "SENT",
    "INBOX",
    "IMPORTANT",
    "TRASH",
    "DRAFT",
    "SPAM",
    "CATEGORY_FORUMS",
    "CATEGORY_UPDATES",
    "CATEGORY_PERSONAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_SOCIAL",
    "STARRED",
    "UNREAD",
];

/// Labels that only Gmail itself sets.
const FIXED: [&str; 3] = ["SENT", "DRAFT", "CHAT"];

/// One label of the user.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Fields that are stored as given: visibility and colour.
    pub(crate) extra: Value,
}

/// The user's labels of one mailbox.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    own: Vec<Label>,
    last: u64,
}

/// Why a label was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelRefused {
    Name,
    Exists,
    TooMany,
    System,
    Unknown,
}

impl Labels {
    pub(crate) fn own(&self) -> &[Label] {
        &self.own
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Label> {
        self.own.iter().find(|l| l.id == id)
    }

    /// Whether messages can carry this label.
    pub(crate) fn known(&self, id: &str) -> bool {
        SYSTEM.contains(&id) || self.get(id).is_some()
    }

    /// Whether a client may set or remove this label.
    pub(crate) fn settable(&self, id: &str) -> bool {
        self.known(id) && !FIXED.contains(&id)
    }

    /// The id for a name as written in a search: case and the difference of space, `-` and `/` do
    /// not matter.
    pub(crate) fn by_search_name(&self, name: &str) -> Option<String> {
        let wanted = search_name(name);
        if let Some(system) = SYSTEM.iter().find(|s| search_name(s) == wanted) {
            return Some((*system).to_owned());
        }
        self.own
            .iter()
            .find(|l| search_name(&l.name) == wanted)
            .map(|l| l.id.clone())
    }

    fn check_name(&self, name: &str, but: Option<&str>) -> Result<(), LabelRefused> {
        if name.trim().is_empty() || name.chars().count() > NAME_LIMIT {
            return Err(LabelRefused::Name);
        }
        let taken = self
            .own
            .iter()
            .any(|l| l.name.eq_ignore_ascii_case(name) && but.is_none_or(|but| l.id != but));
        if taken || SYSTEM.iter().any(|s| s.eq_ignore_ascii_case(name)) {
            return Err(LabelRefused::Exists);
        }
        Ok(())
    }

    pub(crate) fn create(&mut self, name: &str, extra: Value) -> Result<Label, LabelRefused> {
        self.check_name(name, None)?;
        if self.own.len() >= LABELS_LIMIT {
            return Err(LabelRefused::TooMany);
        }
        self.last += 1;
        let label = Label {
            id: format!("Label_{}", self.last),
            name: name.to_owned(),
            extra,
        };
        self.own.push(label.clone());
        Ok(label)
    }

    pub(crate) fn update(
        &mut self,
        id: &str,
        name: Option<&str>,
        extra: Value,
    ) -> Result<Label, LabelRefused> {
        if SYSTEM.contains(&id) {
            return Err(LabelRefused::System);
        }
        if let Some(name) = name {
            self.check_name(name, Some(id))?;
        }
        let label = self
            .own
            .iter_mut()
            .find(|l| l.id == id)
            .ok_or(LabelRefused::Unknown)?;
        if let Some(name) = name {
            label.name = name.to_owned();
        }
        if let (Some(old), Some(new)) = (label.extra.as_object_mut(), extra.as_object()) {
            old.extend(new.clone());
        }
        Ok(label.clone())
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), LabelRefused> {
        if SYSTEM.contains(&id) {
            return Err(LabelRefused::System);
        }
        let at = self
            .own
            .iter()
            .position(|l| l.id == id)
            .ok_or(LabelRefused::Unknown)?;
        self.own.remove(at);
        Ok(())
    }
}

fn search_name(name: &str) -> String {
    name.to_lowercase().replace([' ', '/', '_'], "-")
}

/// A label as the API shows it.
pub(crate) fn shown(label: &Label) -> Value {
    let mut shown = json!({"id": label.id, "name": label.name, "type": "user"});
    if let (Some(shown), Some(extra)) = (shown.as_object_mut(), label.extra.as_object()) {
        shown.extend(extra.clone());
    }
    shown
}

/// One of Gmail's own labels as the API shows it.
pub(crate) fn system_shown(id: &str) -> Value {
    let mut shown = json!({"id": id, "name": id, "type": "system"});
    if id.starts_with("CATEGORY_") || id == "CHAT" {
        shown["messageListVisibility"] = json!("hide");
        shown["labelListVisibility"] = json!("labelHide");
    }
    shown
}
