//! How values look to a reader: amounts and dates in his language and zone, people by name, mail
//! addresses and attachments as people write them.

use minijinja::Value;

use super::money::Money;
use super::scope::{Scope, TEXT_MAX};
use super::values::{Instant, Sort};
use super::words::Language;

/// The most elements of a list that are shown.
const SHOWN_MAX: usize = 100;

impl Scope {
    /// A value as this reader sees it. Absent things are empty.
    pub fn display(&self, value: &Value) -> String {
        let mut out = String::new();
        self.print(value, &mut out);
        out
    }

    pub(crate) fn print(&self, value: &Value, out: &mut String) {
        if let Some(text) = value.as_str() {
            out.push_str(text);
            return;
        }
        match Sort::of(value) {
            Sort::Absent => {}
            Sort::Bool => out.push_str(match (self.language(), value.is_true()) {
                (Language::En, true) => "yes",
                (Language::En, false) => "no",
                (Language::De, true) => "ja",
                (Language::De, false) => "nein",
            }),
            Sort::Money => {
                if let Some(money) = value.downcast_object_ref::<Money>() {
                    out.push_str(&money.words(self.language()));
                }
            }
            Sort::Instant => {
                if let Some(Instant(time)) = value.downcast_object_ref::<Instant>() {
                    out.push_str(&self.language().date_time(*time, &self.zone()));
                }
            }
            Sort::List => self.print_list(value, out),
            Sort::Map => self.print_map(value, out),
            _ => out.push_str(&value.to_string()),
        }
    }

    fn print_list(&self, value: &Value, out: &mut String) {
        let all: Vec<Value> = value
            .try_iter()
            .into_iter()
            .flatten()
            .take(SHOWN_MAX)
            .collect();
        let files: Option<Vec<String>> = all.iter().map(file_name).collect();
        if let Some(names) = files.filter(|names| !names.is_empty()) {
            out.push_str(&self.language().files(&names));
            return;
        }
        for (index, element) in all.iter().enumerate() {
            if out.len() > TEXT_MAX {
                return;
            }
            if index > 0 {
                out.push_str(", ");
            }
            self.print(element, out);
        }
    }

    fn print_map(&self, value: &Value, out: &mut String) {
        let text = |key: &str| {
            let found = value.get_attr(key).ok()?;
            found.as_str().map(str::to_owned).filter(|t| !t.is_empty())
        };
        match (text("name"), text("address").or_else(|| text("email"))) {
            (Some(name), Some(address)) => {
                out.push_str(&format!("{name} <{address}>"));
                return;
            }
            (None, Some(address)) => {
                out.push_str(&address);
                return;
            }
            (Some(name), None) => {
                out.push_str(&name);
                return;
            }
            (None, None) => {}
        }
        let keys = value.try_iter().into_iter().flatten().take(SHOWN_MAX);
        for (index, key) in keys.enumerate() {
            if out.len() > TEXT_MAX {
                return;
            }
            if index > 0 {
                out.push_str(", ");
            }
            self.print(&key, out);
            out.push_str(": ");
            if let Ok(inner) = value.get_item(&key) {
                self.print(&inner, out);
            }
        }
    }
}

/// The name of an attachment; None for anything else.
fn file_name(value: &Value) -> Option<String> {
    if Sort::of(value) != Sort::Map {
        return None;
    }
    let present = |key: &str| {
        let found = value.get_attr(key).ok()?;
        (!found.is_undefined() && !found.is_none()).then_some(found)
    };
    present("size")?;
    let name = present("filename").or_else(|| present("name"));
    // An attachment may have no name at all; then its type must do.
    let name = name.or_else(|| present("type"))?;
    name.as_str().map(str::to_owned)
}
