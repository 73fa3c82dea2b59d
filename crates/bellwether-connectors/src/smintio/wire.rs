//! How the feed writes things, read with patience: only the uuid must be there. What is null,
//! absent or of another form than expected is unknown; what was there and made no sense is named
//! among the doubts. Nothing is asked of the provider here.

use bellwether_model::id::{hash, hex};
use bellwether_model::time::Time;
use serde::Deserialize;
use serde_json::Value;

use super::record::{Asset, Counter, File, Named, Term, Transaction};

/// Terms of one licence that are kept.
const TERMS_MAX: usize = 30;
/// Files of one licence that are kept.
const FILES_MAX: usize = 30;
/// Characters of a text that are kept.
const TEXT_MAX: usize = 120;
/// Characters of a uuid, and of an address.
const UUID_MAX: usize = 100;
const URL_MAX: usize = 1_000;
/// Keys of one list that are kept, and characters of a key. All limits together keep a licence
/// well below what a memory may hold.
const KEYS_MAX: usize = 6;
const KEY_MAX: usize = 40;
/// Doubts that are named.
const LIST_MAX: usize = 20;
/// The counters with their names in the feed.
const COUNTERS: [&str; 3] = ["downloads", "users", "reuses"];
/// The kinds of things that a term can restrict.
const KINDS: [&str; 7] = [
    "usages",
    "sizes",
    "placements",
    "distributions",
    "geographies",
    "industries",
    "languages",
];
/// What says nothing about the licence, and may have another address each time.
const VOLATILE: [&str; 3] = ["previews", "provider_urls", "license_urls"];

/// A page of the feed. The records are read one by one, so that a bad one stops nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    pub(super) continuation_uuid: Option<String>,
    #[serde(default, rename = "license_purchase_transactions")]
    pub(super) records: Option<Vec<Value>>,
}

/// The id of a record, and of what it is about: the same content has the same id, and a record
/// without a uuid has one too.
pub(super) fn identity(record: &Value, rules: &str) -> (String, String) {
    let mut text = String::new();
    canonical(record, &mut text);
    let print = hex(&hash(&[text.as_bytes(), rules.as_bytes()])[..12]);
    match record["uuid"].as_str().filter(|uuid| is_id(uuid)) {
        Some(uuid) => {
            let version = record["version"].as_i64().unwrap_or(0);
            (format!("{uuid}/{version}/{print}"), uuid.to_owned())
        }
        None => (format!("unreadable/{print}"), format!("unreadable/{print}")),
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= UUID_MAX && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A text that is the same for the same content, in whatever order fields come.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields
                .iter()
                .filter(|(name, value)| !value.is_null() && !VOLATILE.contains(&name.as_str()))
                .collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (name, value) in sorted {
                out.push_str(name);
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Reads fields and remembers what made no sense.
struct Reader<'a> {
    record: &'a Value,
    doubts: Vec<String>,
}

impl<'a> Reader<'a> {
    fn doubt(&mut self, name: &str) {
        if self.doubts.len() < LIST_MAX {
            self.doubts.push(name.to_owned());
        }
    }

    /// A field that is there and is what it should be.
    fn get<T>(
        &mut self,
        of: &'a Value,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        match &of[name] {
            Value::Null => None,
            value => {
                let found = read(value);
                if found.is_none() {
                    self.doubt(name);
                }
                found
            }
        }
    }

    fn word(&mut self, of: &'a Value, name: &str) -> Option<String> {
        self.get(of, name, |value| value.as_str().map(cut))
            .filter(|text| !text.is_empty())
    }

    fn flag(&mut self, of: &'a Value, name: &str) -> Option<bool> {
        self.get(of, name, Value::as_bool)
    }

    fn number(&mut self, of: &'a Value, name: &str) -> Option<i64> {
        self.get(of, name, Value::as_i64)
    }

    /// An instant, kept as the feed writes it.
    fn date(&mut self, of: &'a Value, name: &str) -> Option<String> {
        self.get(of, name, |value| {
            let text = value.as_str()?;
            Time::parse(text).ok().map(|_| text.to_owned())
        })
    }

    fn list(&mut self, of: &'a Value, name: &str, most: usize) -> Vec<&'a Value> {
        let all = self.get(of, name, Value::as_array);
        all.map_or_else(Vec::new, |all| all.iter().take(most).collect())
    }

    fn named(&mut self, uuid: &str, name: &str) -> Option<Named> {
        let record = self.record;
        let named = Named {
            uuid: self.word(record, uuid),
            name: text_of(&record[name]),
        };
        (named != Named::default()).then_some(named)
    }

    fn transaction(mut self, web_url: &str) -> Result<Transaction, String> {
        let record = self.record;
        let uuid = match record["uuid"].as_str() {
            Some(uuid) if is_id(uuid) => uuid.to_owned(),
            _ => return Err("the record has no uuid".to_owned()),
        };
        let project = self.named("project_uuid", "project_name");
        let mut transaction = Transaction {
            version: self.number(record, "version"),
            state: self.word(record, "state"),
            cart_uuid: self.word(record, "cart_purchase_transaction_uuid"),
            reuses: self.word(record, "reused_license_purchase_transaction_uuid"),
            created_at: self.date(record, "created_at"),
            updated_at: self.date(record, "last_updated_at"),
            purchased_at: self.date(record, "purchased_at"),
            completed_at: self.date(record, "completed_at"),
            collection: self.named("collection_uuid", "collection_name"),
            buyer: self.named("purchased_by_user_uuid", "purchased_by_user_name"),
            licensee: self.named("licensee_uuid", "licensee_name"),
            restrictive: self.flag(record, "has_potentially_restrictive_license_terms"),
            can_be_synced: self.flag(record, "can_be_synced"),
            counters: self.counters(),
            uuid,
            project,
            ..Transaction::default()
        };
        transaction.license_type = record
            .get("offering")
            .and_then(|offering| self.word(offering, "license_type"));
        transaction.asset = self.asset(&transaction, web_url);
        for term in self.list(record, "license_terms", TERMS_MAX) {
            self.term(term, &mut transaction);
        }
        transaction.doubts = self.doubts;
        Ok(transaction)
    }

    fn counters(&mut self) -> std::collections::BTreeMap<String, Counter> {
        let record = self.record;
        let limits = &record["license_download_constraints"];
        let counter = |name: &&str| {
            let current = self.number(record, &format!("current_{name}"));
            // Zero and less mean that there is no limit, or that nobody knows one.
            let max = self
                .number(limits, &format!("effective_max_{name}"))
                .filter(|max| *max > 0);
            ((*name).to_owned(), Counter { current, max })
        };
        let all: Vec<_> = COUNTERS.iter().map(counter).collect();
        all.into_iter()
            .filter(|(_, counter)| *counter != Counter::default())
            .collect()
    }

    fn asset(&mut self, transaction: &Transaction, web_url: &str) -> Asset {
        let element = &self.record["content_element"];
        let releases = &element["release_details"];
        let id = self.word(element, "uuid");
        let project = transaction
            .project
            .as_ref()
            .and_then(|one| one.uuid.clone());
        let url = match (&id, project) {
            (Some(id), Some(project)) if !web_url.is_empty() => {
                Some(format!("{web_url}/project/{project}/content-element/{id}"))
            }
            _ => None,
        };
        let picture = element["previews"]
            .as_array()
            .and_then(|all| all.first())
            .and_then(|first| first["thumbnail"]["url"].as_str());
        let is_address = |url: &&str| url.len() <= URL_MAX && url.starts_with("http");
        Asset {
            name: text_of(&element["name"]),
            provider: self.word(element, "provider"),
            content_type: self.word(element, "content_type"),
            content_category: self.word(element, "content_category"),
            is_ai: self.flag(element, "is_ai"),
            is_editorial_use: self.flag(element, "is_editorial_use"),
            model_release: self.word(releases, "model_release_state"),
            property_release: self.word(releases, "property_release_state"),
            thumbnail_url: picture.filter(is_address).map(str::to_owned),
            id,
            url,
        }
    }

    fn term(&mut self, term: &'a Value, transaction: &mut Transaction) {
        if !term.is_object() {
            self.doubt("license_terms");
            return;
        }
        let place = i64::try_from(transaction.terms.len()).unwrap_or(0) + 1;
        let number = self.number(term, "sequence_number").unwrap_or(place);
        let taken = transaction.terms.iter().any(|one| one.number == number);
        transaction.terms.push(Term {
            // Two terms with one number must not share what was said of them.
            number: if taken { 1_000 + place } else { number },
            name: text_of(&term["name"]),
            valid_from: self.date(term, "valid_from"),
            valid_until: self.date(term, "valid_until"),
            to_be_used_until: self.date(term, "to_be_used_until"),
            is_editorial_use: self.flag(term, "is_editorial_use"),
            usage_limits: keys_of(&term["usage_limits"]),
        });
        for kind in KINDS {
            let restricts = term[format!("restricted_{kind}").as_str()].as_array();
            let restricts = restricts.is_some_and(|list| !list.is_empty());
            if restricts && !transaction.restricted.iter().any(|known| known == kind) {
                transaction.restricted.push(kind.to_owned());
            }
        }
    }
}

/// Reads one record.
///
/// # Errors
/// It has no uuid: a sentence.
pub(super) fn transaction(record: &Value, web_url: &str) -> Result<Transaction, String> {
    if !record.is_object() {
        return Err("the record is no object".to_owned());
    }
    let reader = Reader {
        record,
        doubts: Vec::new(),
    };
    reader.transaction(web_url)
}

/// Reads the list of files of a licence; None when it is no list.
pub(super) fn files(list: &Value) -> Option<Vec<File>> {
    let file = |file: &Value| {
        let uuid = file["uuid"].as_str().filter(|uuid| is_id(uuid))?;
        Some(File {
            uuid: uuid.to_owned(),
            name: file["recommended_file_name"].as_str().map(cut),
            version: file["version"].as_i64(),
        })
    };
    let list = list.as_array()?;
    Some(list.iter().take(FILES_MAX).filter_map(file).collect())
}

/// A localized text: the English one, else the first.
pub(super) fn text_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Array(all) => {
            let english =
                |one: &&Value| one["culture"].as_str().is_some_and(|c| c.starts_with("en"));
            let one = all.iter().find(english).or(all.first())?;
            one["value"].as_str()?
        }
        _ => return None,
    };
    Some(cut(text)).filter(|text| !text.is_empty())
}

/// The keys of a list of vocabulary entries.
fn keys_of(value: &Value) -> Vec<String> {
    let key = |one: &Value| {
        let element = &one["metadata_element"];
        let key = element["key"].as_str().or(one["key"].as_str())?;
        Some(key.chars().take(KEY_MAX).collect())
    };
    let all = value.as_array().into_iter().flatten();
    let mut keys: Vec<String> = all.filter_map(key).take(KEYS_MAX).collect();
    keys.dedup();
    keys
}

pub(super) fn cut(text: &str) -> String {
    text.trim().chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::smintio::any::any_json;

    const NAMES: &str = "(uuid|license_terms|content_element|version|project_name|[a-z_]{1,8})";

    proptest! {
        #[test]
        fn any_record_is_read_or_refused_with_a_sentence(record in any_json(NAMES)) {
            let (id, subject) = identity(&record, "");
            prop_assert!(!id.is_empty() && id.len() <= 512 && !subject.is_empty());
            match transaction(&record, "https://a.smint.io") {
                Ok(read) => prop_assert_eq!(subject, read.uuid),
                Err(reason) => prop_assert!(!reason.is_empty()),
            }
        }
    }

    #[test]
    fn unknown_is_never_false_and_nonsense_is_a_doubt() {
        let record = json!({"uuid": "u1", "can_be_synced": null, "current_downloads": "many",
            "license_terms": "see contract", "last_updated_at": "yesterday",
            "license_download_constraints": {"effective_max_downloads": 0},
            "content_element": {"is_ai": null, "content_type": "hologram"}});
        let read = transaction(&record, "").expect("it has a uuid");
        assert_eq!((read.can_be_synced, read.asset.is_ai), (None, None));
        assert!(read.counters.is_empty() && read.terms.is_empty());
        assert_eq!(read.asset.content_type.as_deref(), Some("hologram"));
        assert_eq!(
            read.doubts,
            ["last_updated_at", "current_downloads", "license_terms"]
        );
    }

    #[test]
    fn the_longest_licence_can_be_remembered() {
        let long = "\u{fc}".repeat(5_000);
        let keys: Vec<_> = (0..50)
            .map(|n| json!({"key": format!("{n}{long}")}))
            .collect();
        let term = json!({"name": long, "usage_limits": keys,
            "valid_until": "2026-03-31T20:00:00Z", "valid_from": "2026-03-31T20:00:00Z",
            "to_be_used_until": "2026-03-31T20:00:00Z"});
        let terms = vec![term; 500];
        let element = json!({"name": long, "provider": long, "content_type": long});
        let record = json!({"uuid": "u".repeat(100), "state": long, "license_terms": terms,
            "project_name": long, "collection_name": long, "licensee_name": long,
            "content_element": element});
        let mut read = transaction(&record, "https://a.smint.io").expect("it has a uuid");
        let file = json!({"uuid": "f".repeat(100), "recommended_file_name": long, "version": 1});
        read.files = files(&Value::from(vec![file; 900]));
        let length = json!(read).to_string().len();
        // What is said of thirty terms comes on top, and stays below 12 KB.
        assert!((30_000..52_000).contains(&length), "{length}");
    }

    #[test]
    fn the_same_content_has_the_same_id_whatever_the_order_and_the_addresses() {
        let one = json!({"uuid": "u1", "version": 2, "a": 1, "b": null,
            "content_element": {"previews": [{"url": "https://x/1"}]}});
        let same = json!({"a": 1, "version": 2, "uuid": "u1",
            "content_element": {"previews": [{"url": "https://x/2"}]}});
        let other = json!({"uuid": "u1", "version": 2, "a": 2, "content_element": {}});
        assert_eq!(identity(&one, "r"), identity(&same, "r"));
        assert_ne!(identity(&one, "r").0, identity(&other, "r").0);
        assert_ne!(identity(&one, "r").0, identity(&one, "s").0, "other rules");
        assert!(identity(&one, "r").0.starts_with("u1/2/"));
        let nobody = identity(&json!({"version": 1}), "").0;
        assert!(nobody.starts_with("unreadable/"));
    }
}
