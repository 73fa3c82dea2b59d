//! A licence purchase transaction in our own words: what the memory keeps and payloads are made of.
//! How the feed writes it is in `wire.rs`. Whatever is not known is absent, never false.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A transaction as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Transaction {
    pub(super) uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<i64>,
    /// As the feed says it; any word may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cart_uuid: Option<String>,
    /// The earlier transaction whose licence this one uses again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reuses: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purchased_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completed_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) collection: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) buyer: Option<Named>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) licensee: Option<Named>,
    pub(super) asset: Asset,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) license_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restrictive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) can_be_synced: Option<bool>,
    /// Kinds of restrictions of which any term names one, such as `geographies`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) restricted: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) terms: Vec<Term>,
    /// By name: downloads, users, reuses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) counters: BTreeMap<String, Counter>,
    /// None while nobody has read them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) files: Option<Vec<File>>,
    /// Fields that were there and could not be understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) doubts: Vec<String>,
}

/// Something with an id and a name, of which one may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
}

/// What was bought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Asset {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_ai: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_editorial_use: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model_release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) property_release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thumbnail_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
}

/// One term of a licence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Term {
    pub(super) number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_from: Option<String>,
    /// Use must have stopped by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<String>,
    /// The first use must have begun by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_be_used_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) is_editorial_use: Option<bool>,
    /// Limits that nobody counts, such as `copy_up_to_10000_copies`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) usage_limits: Vec<String>,
}

/// A counter and its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<i64>,
    /// More than 0, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<i64>,
}

/// One file of a licence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<i64>,
}

/// What connection and flows say about times and limits; it goes with each record, because the
/// memory looks at nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rules {
    pub(super) zone: String,
    /// Ascending.
    pub(super) days: Vec<i64>,
    /// Ascending.
    pub(super) percents: Vec<i64>,
    pub(super) stuck_hours: u64,
}

/// A collection or project whose completion is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Watched {
    /// `collection` or `project`.
    pub(super) kind: String,
    /// Its uuid or name, as the settings have it.
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    pub(super) quiet_hours: u64,
}

impl Watched {
    /// The key of the campaign's memory.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Whether a transaction belongs to it.
    pub(super) fn holds(&self, transaction: &Transaction) -> bool {
        let of = match self.kind.as_str() {
            "collection" => &transaction.collection,
            _ => &transaction.project,
        };
        of.as_ref().is_some_and(|named| {
            let known = [&named.uuid, &named.name];
            known.into_iter().flatten().any(|text| *text == self.name)
        })
    }
}

/// How far a purchase is, as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Asked for, not yet let through.
    Submitted,
    /// Let through, being delivered.
    Approved,
    /// Here.
    Delivered,
    /// It went wrong.
    Failed,
    /// Given up before it was paid.
    Cancelled,
}

impl Phase {
    /// What a state means; nothing for a word that nobody knows.
    pub(super) fn of(state: &str) -> Option<Self> {
        Some(match state {
            "purchase_phase_1" | "purchase_phase_2" => Self::Submitted,
            "downloading" | "finalizing" => Self::Approved,
            "completed" => Self::Delivered,
            "error" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a licence is not held: not yet, or never.
    pub(super) fn holds_nothing(self) -> bool {
        matches!(self, Self::Submitted | Self::Failed | Self::Cancelled)
    }
}
