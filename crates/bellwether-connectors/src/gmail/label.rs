//! Labels of a message. Doing it twice is the same as doing it once, so nothing is reconciled here.

use std::collections::BTreeMap;

use bellwether_model::connector::Outcome;
use bellwether_model::failure::Failure;
use bellwether_model::notification::Delivery;
use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use super::Gmail;
use super::client::{Call, path};
use super::parse::clean;
use super::quota::Lane;
use super::wire::{Label, LabelPage};

/// Gmail takes at most this many labels in one call.
const LABELS_MAX: usize = 100;
/// What the ids of labels begin with that people made.
const MADE: &str = "Label_";
/// Gmail's longest label name.
const NAME_MAX: usize = 225;
/// Labels of the system that people may change; SENT and DRAFT say what a message is.
const SYSTEM: &[&str] = &[
    "INBOX",
    "UNREAD",
    "STARRED",
    "IMPORTANT",
    "SPAM",
    "TRASH",
    "CATEGORY_PERSONAL",
    "CATEGORY_SOCIAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_UPDATES",
    "CATEGORY_FORUMS",
];

/// Names of the labels that people made, by id, as they were read last. Gmail says ids, people say
/// names.
#[derive(Debug, Default)]
pub(super) struct Names(tokio::sync::Mutex<Option<(Time, BTreeMap<String, String>)>>);

/// How long names are believed: a label may be renamed.
const BELIEVED: Millis = Millis::minutes(30);
/// After how long names are read again for a label that was not among them.
const AGAIN: Millis = Millis::minutes(1);

impl Gmail {
    /// The labels of a message as people call them. Those of the system are called what they are;
    /// a label that is gone meanwhile keeps its id.
    pub(super) async fn named(&self, ids: Vec<String>) -> Result<Vec<String>, Failure> {
        let made_here = |id: &String| id.starts_with(MADE);
        if !ids.iter().any(made_here) {
            return Ok(ids);
        }
        let mut kept = self.labels.0.lock().await;
        let now = self.host.clock.now();
        let fresh = kept.as_ref().is_some_and(|(read, names)| {
            let known = ids
                .iter()
                .filter(|id| made_here(id))
                .all(|id| names.contains_key(id));
            now < *read + if known { BELIEVED } else { AGAIN }
        });
        if !fresh {
            let call = Call::get("labels", Lane::Fetch, 1);
            let labels = self.client.json::<LabelPage>(call).await?.labels;
            let names = labels.into_iter().map(|label| (label.id, label.name));
            *kept = Some((now, names.collect()));
        }
        let name = |id: String| {
            let names = kept.as_ref().map(|(_, names)| names);
            names
                .and_then(|names| names.get(&id).cloned())
                .unwrap_or(id)
        };
        Ok(ids.into_iter().map(name).collect())
    }

    /// Adds and removes labels by name.
    pub(super) async fn label(&self, args: &Value) -> Result<Outcome, Failure> {
        let id = args["id"].as_str().unwrap_or_default();
        if id.is_empty() {
            let message = "give `id`, the message's id in Gmail (`mail.id`)";
            return Err(Failure::reject("missing_argument", message));
        }
        let (add, remove) = (names(&args["add"])?, names(&args["remove"])?);
        if add.is_empty() && remove.is_empty() {
            let message = "give labels in `add` or `remove`";
            return Err(Failure::reject("missing_argument", message));
        }
        let own = |name: &&String| !SYSTEM.contains(&name.as_str());
        let known = if add.iter().chain(&remove).any(|name| own(&name)) {
            let call = Call::get("labels", Lane::Send, 1);
            self.client.json::<LabelPage>(call).await?.labels
        } else {
            Vec::new()
        };
        let mut add_ids = Vec::new();
        for name in &add {
            add_ids.push(match id_of(name, &known) {
                Some(id) => id,
                None => self.new_label(name).await?,
            });
        }
        // A label that does not exist need not be removed.
        let remove_ids: Vec<_> = remove
            .iter()
            .filter_map(|name| id_of(name, &known))
            .collect();
        let body = json!({ "addLabelIds": add_ids, "removeLabelIds": remove_ids });
        let call = Call::post(path(&["messages", id, "modify"]), 5, body);
        self.client.send(call).await?;
        Ok(Outcome {
            delivery: Delivery::Accepted,
            reference: Some(id.to_owned()),
            aliases: Vec::new(),
        })
    }

    async fn new_label(&self, name: &str) -> Result<String, Failure> {
        let body = json!({
            "name": name,
            "labelListVisibility": "labelShow",
            "messageListVisibility": "show",
        });
        let label: Label = self.client.json(Call::post("labels", 5, body)).await?;
        Ok(label.id)
    }
}

fn id_of(name: &str, known: &[Label]) -> Option<String> {
    if SYSTEM.contains(&name) {
        return Some(name.to_owned());
    }
    known
        .iter()
        .find(|label| label.name.eq_ignore_ascii_case(name) || label.id == name)
        .map(|label| label.id.clone())
}

fn names(value: &Value) -> Result<Vec<String>, Failure> {
    let one = std::slice::from_ref(value);
    let items = match value {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        _ => one,
    };
    if items.len() > LABELS_MAX {
        let message = format!("Gmail takes at most {LABELS_MAX} labels at a time");
        return Err(Failure::reject("too_many_labels", message));
    }
    items
        .iter()
        .map(|item| {
            let name = clean::line(item.as_str().unwrap_or_default(), NAME_MAX);
            if name.is_empty() || name == "SENT" || name == "DRAFT" {
                let message = format!("`{name}` is not a label that can be set");
                return Err(Failure::reject("bad_label", message));
            }
            Ok(name)
        })
        .collect()
}
