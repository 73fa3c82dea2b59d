//! What derived events carry: the asset, the transaction, who bought it, and the matter itself.
//! Never prices and never addresses of downloads.

use std::sync::Arc;

use bellwether_model::reduce::Derived;
use bellwether_model::time::Time;
use serde_json::{Map, Value, json};

use super::super::record::Transaction;

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Info,
    Warning,
    Critical,
}

impl Severity {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// An object without what is not known.
pub(super) fn known(fields: Vec<(&str, Value)>) -> Value {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// An event about a transaction: `noun` is what it says beside it.
pub(super) fn about(
    transaction: &Transaction,
    kind: &'static str,
    id: &str,
    time: Time,
    severity: Severity,
    matter: Option<(&str, Value)>,
) -> Derived {
    let mut data = Map::new();
    data.insert("asset".to_owned(), json!(transaction.asset));
    data.insert("transaction".to_owned(), facts(transaction));
    data.insert(
        "actor".to_owned(),
        json!(transaction.buyer.clone().unwrap_or_default()),
    );
    data.insert("severity".to_owned(), severity.word().into());
    if let Some((noun, matter)) = matter {
        data.insert(noun.to_owned(), matter);
    }
    Derived {
        kind,
        id: format!("{}/{id}", transaction.uuid),
        time,
        data: Arc::new(Value::Object(data)),
    }
}

/// An event that is not about one transaction.
pub(super) fn of(
    kind: &'static str,
    id: String,
    time: Time,
    severity: Severity,
    noun: &str,
    matter: Value,
) -> Derived {
    Derived {
        kind,
        id,
        time,
        data: Arc::new(json!({ noun: matter, "severity": severity.word() })),
    }
}

fn facts(transaction: &Transaction) -> Value {
    known(vec![
        ("uuid", json!(transaction.uuid)),
        ("version", json!(transaction.version)),
        ("state", json!(transaction.state)),
        ("cart_uuid", json!(transaction.cart_uuid)),
        ("reuses", json!(transaction.reuses)),
        ("project", json!(transaction.project)),
        ("collection", json!(transaction.collection)),
        ("licensee", json!(transaction.licensee)),
        ("license_type", json!(transaction.license_type)),
        ("purchased_at", json!(transaction.purchased_at)),
        ("completed_at", json!(transaction.completed_at)),
    ])
}
