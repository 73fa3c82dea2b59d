//! Whether a message of a mailbox matches a query. What a query means is in `query`.

use std::cell::OnceCell;

use mail_parser::MimeHeaders;

use super::labels::Labels;
use super::letter::{self, Field};
use super::mailbox::Stored;
use super::query::{Query, words};

/// A message while it is compared; its headers and text are read at most once.
struct Looked<'a> {
    message: &'a Stored,
    labels: &'a Labels,
    fields: OnceCell<Vec<Field>>,
    text: OnceCell<Vec<String>>,
}

/// Whether the message matches.
pub(crate) fn matches(query: &Query, message: &Stored, labels: &Labels) -> bool {
    let looked = Looked {
        message,
        labels,
        fields: OnceCell::new(),
        text: OnceCell::new(),
    };
    looked.matches(query)
}

impl Looked<'_> {
    fn matches(&self, query: &Query) -> bool {
        let message = self.message;
        match query {
            Query::All(terms) => terms.iter().all(|t| self.matches(t)),
            Query::Any(terms) => terms.iter().any(|t| self.matches(t)),
            Query::Not(term) => **term != Query::Nothing && !self.matches(term),
            Query::Header(name, wanted) => self.header(name, wanted),
            Query::Recipient(wanted) => ["To", "Cc", "Bcc"]
                .iter()
                .any(|name| self.header(name, wanted)),
            Query::Text(wanted) => contains(self.text(), wanted),
            Query::Label(name) => self
                .labels
                .by_search_name(name)
                .is_some_and(|id| message.has(&id)),
            Query::System(label) => message.has(label),
            Query::Anywhere => true,
            Query::HasAttachment => self.filenames().iter().any(|n| !n.is_empty()),
            Query::HasUserLabels => message.labels.iter().any(|l| self.labels.get(l).is_some()),
            Query::Filename(name) => self.filenames().iter().any(|n| n.contains(name.as_str())),
            Query::MessageId(id) => {
                let value = letter::first(self.fields(), "Message-ID").unwrap_or_default();
                letter::message_ids(value)
                    .first()
                    .is_some_and(|own| own == id)
            }
            Query::After(at) => message.internal_date >= *at,
            Query::Before(at) => message.internal_date < *at,
            Query::Larger(size) => message.raw.len() as u64 > *size,
            Query::Smaller(size) => (message.raw.len() as u64) < *size,
            Query::Nothing => false,
        }
    }

    fn fields(&self) -> &[Field] {
        self.fields
            .get_or_init(|| letter::fields(&self.message.raw))
    }

    fn header(&self, name: &str, wanted: &[String]) -> bool {
        contains(&words(&letter::joined(self.fields(), name)), wanted)
    }

    fn text(&self) -> &[String] {
        self.text.get_or_init(|| {
            let mut all = Vec::new();
            for name in ["Subject", "From", "To", "Cc"] {
                all.extend(words(&letter::joined(self.fields(), name)));
                // A mark that no word equals keeps a phrase from reaching across fields.
                all.push(String::new());
            }
            all.extend(words(&letter::text(&self.message.raw)));
            all
        })
    }

    fn filenames(&self) -> Vec<String> {
        letter::parse(&self.message.raw, |m| {
            let parts = m.into_iter().flat_map(|m| m.parts.iter());
            parts
                .filter_map(|p| p.attachment_name())
                .map(str::to_lowercase)
                .collect()
        })
    }
}

/// Whether the wanted words stand next to each other.
fn contains(text: &[String], wanted: &[String]) -> bool {
    !wanted.is_empty() && text.windows(wanted.len()).any(|w| w == wanted)
}
