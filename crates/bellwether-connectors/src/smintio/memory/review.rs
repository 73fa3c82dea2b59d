//! Why somebody should look at a new asset: reasons with the fields that they come from. The
//! provider has no such mark and no reviewer; these are rules over its fields. What is not known is
//! no reason.

use serde_json::{Value, json};

use super::super::record::Transaction;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub(super) code: &'static str,
    /// Who looks: `legal` or `brand`.
    pub(super) kind: &'static str,
    /// The field of the feed.
    pub(super) field: &'static str,
    /// What it says.
    pub(super) detail: String,
}

impl Reason {
    pub(super) fn shown(&self) -> Value {
        json!({"code": self.code, "kind": self.kind, "field": self.field, "detail": self.detail})
    }
}

/// The reasons of a transaction, in a fixed order.
pub(super) fn reasons(transaction: &Transaction) -> Vec<Reason> {
    let asset = &transaction.asset;
    let mut all = Vec::new();
    let mut add = |holds: bool, code, kind, field, detail: String| {
        if holds {
            all.push(Reason {
                code,
                kind,
                field,
                detail,
            });
        }
    };
    let restrictive = transaction.restrictive == Some(true);
    let restricted = transaction.restricted.join(", ");
    let detail = match restricted.as_str() {
        "" => "the terms may be restrictive".to_owned(),
        kinds => format!("restricted {kinds}"),
    };
    let field = if restrictive {
        "has_potentially_restrictive_license_terms"
    } else {
        "license_terms"
    };
    let restrictive = restrictive || !transaction.restricted.is_empty();
    add(restrictive, "restrictive_terms", "legal", field, detail);
    let editorial = asset.is_editorial_use == Some(true);
    let by_term = transaction
        .terms
        .iter()
        .any(|term| term.is_editorial_use == Some(true));
    let field = if editorial {
        "content_element.is_editorial_use"
    } else {
        "license_terms.is_editorial_use"
    };
    let detail = "for editorial use only".to_owned();
    add(
        editorial || by_term,
        "editorial_use",
        "legal",
        field,
        detail,
    );
    let none = |state: &Option<String>| state.as_deref() == Some("not_released");
    let detail = "no model release".to_owned();
    let field = "content_element.release_details.model_release_state";
    let missing = none(&asset.model_release);
    add(missing, "model_release_missing", "legal", field, detail);
    let detail = "no property release".to_owned();
    let field = "content_element.release_details.property_release_state";
    let missing = none(&asset.property_release);
    add(missing, "property_release_missing", "legal", field, detail);
    let managed = transaction.license_type.as_deref() == Some("rights_managed");
    let detail = "a rights managed licence".to_owned();
    add(
        managed,
        "rights_managed",
        "legal",
        "offering.license_type",
        detail,
    );
    let ai = asset.is_ai == Some(true);
    let detail = "made with artificial intelligence".to_owned();
    add(ai, "ai_content", "brand", "content_element.is_ai", detail);
    all
}
