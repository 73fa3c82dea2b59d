//! How a portal writes things, read with patience: only an asset's id must be there. What is null,
//! absent or of another form is unknown. Nothing is asked of the portal here.

use bellwether_model::id::{hash, hex};
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::wire::{cut, text_of};
use super::calls::Trouble;

/// Bytes of an id, and of an address.
const ID_MAX: usize = 300;
const URL_MAX: usize = 1_000;
/// Related assets of one kind that are kept.
pub(super) const RELATED_MAX: usize = 50;
/// Errors of one answer that are looked at.
const ERRORS_MAX: usize = 50;

/// An asset of a portal as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::smintio) struct PortalAsset {
    pub(in crate::smintio) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) content_type: Option<String>,
    /// The version as a text: numbers and words come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) modified_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) modified_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) publish_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) publish_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) flag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) thumbnail_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::smintio) url: Option<String>,
    /// Related assets of the type `version`. First all of them; what is told are the newer ones,
    /// the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::smintio) versions: Vec<String>,
    /// Related assets of the type `variation`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::smintio) variations: Vec<String>,
}

impl PortalAsset {
    /// The name under which the asset is remembered.
    pub(in crate::smintio) fn key(&self) -> String {
        key(&self.id)
    }

    /// Tells two states of the asset apart; addresses that may differ each time do not count.
    pub(super) fn print(&self) -> String {
        let shown = Self {
            thumbnail_url: None,
            url: None,
            ..self.clone()
        };
        let text = serde_json::to_string(&shown).unwrap_or_default();
        hex(&hash(&[text.as_bytes()])[..12])
    }
}

/// An id of a portal as a key: ids may have any characters of the source's own ids.
pub(in crate::smintio) fn key(id: &str) -> String {
    let plain = id.len() <= 100 && id.bytes().all(|b| b.is_ascii_graphic());
    if plain {
        id.to_owned()
    } else {
        hex(&hash(&[id.as_bytes()])[..12])
    }
}

/// The rank of a flag such as `level_7`; none is 0.
pub(super) fn level(flag: &str) -> Option<u8> {
    match flag {
        "none" => Some(0),
        flag => flag.strip_prefix("level_")?.parse().ok(),
    }
}

fn word(of: &Value, name: &str) -> Option<String> {
    match &of[name] {
        Value::Number(number) => Some(number.to_string()),
        value => text_of(value),
    }
}

fn date(of: &Value, name: &str) -> Option<String> {
    let text = of[name].as_str()?;
    Time::parse(text).ok().map(|_| text.to_owned())
}

/// An id as a text or as an object with the text in it.
fn id_of(value: &Value) -> Option<String> {
    let id = value.as_str().or(value["id"].as_str())?;
    let fine = !id.is_empty() && id.len() <= ID_MAX && !id.chars().any(char::is_control);
    fine.then(|| id.to_owned())
}

/// Reads one asset.
///
/// # Errors
/// It has no id: a sentence.
pub(super) fn asset(record: &Value, asset_url: Option<&str>) -> Result<PortalAsset, String> {
    let id = id_of(&record["id"]).or_else(|| id_of(&record["uuid"]));
    let id = id.ok_or_else(|| "the asset has no id".to_owned())?;
    let web = |value: &Value| {
        let url = value.as_str().filter(|url| url.len() <= URL_MAX)?;
        url.starts_with("http").then(|| url.to_owned())
    };
    let url = asset_url.map(|url| url.replace("{assetId}", &crate::oauth::encoded(&id)));
    Ok(PortalAsset {
        name: word(record, "name"),
        content_type: word(record, "contentType"),
        version: word(record, "version"),
        etag: word(record, "eTag"),
        created_at: date(record, "createdAt"),
        modified_at: date(record, "modifiedAt"),
        modified_by: word(record, "modifiedBy"),
        publish_from: date(record, "publishFrom"),
        publish_until: date(record, "publishUntil"),
        flag: word(record, "flag"),
        thumbnail_url: web(&record["thumbnailUrl"]),
        url,
        versions: related(record, "version", &id),
        variations: related(record, "variation", &id),
        id,
    })
}

fn related(record: &Value, kind: &str, own: &str) -> Vec<String> {
    let all = record["relatedAssets"].as_array().into_iter().flatten();
    let of_kind = all.filter(|one| one["type"] == kind);
    let ids = of_kind.flat_map(|one| one["assetIds"].as_array().into_iter().flatten());
    let mut ids: Vec<String> = ids.filter_map(id_of).filter(|id| id != own).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(RELATED_MAX);
    ids
}

/// One page of assets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) assets: Vec<Value>,
    pub(super) more: bool,
    /// How many there are, if the portal says it.
    pub(super) total: Option<u64>,
    /// To be given with the next page.
    pub(super) set: Option<String>,
    /// Sources that could not be asked.
    pub(super) errors: Vec<(String, Trouble)>,
}

/// Reads the result of a search; None when it is none.
pub(super) fn page(result: &Value, asked: u64, size: u64) -> Option<Page> {
    let assets = result["assetDataObjects"].as_array()?.clone();
    let details = &result["details"];
    let total = details["totalResults"].as_u64();
    let deeper = total.is_some_and(|total| (asked + 1) * size < total);
    let more = details["hasMoreResults"].as_bool().unwrap_or(deeper);
    let errors = match &details["errors"] {
        Value::Array(errors) => errors.iter().take(ERRORS_MAX).map(source_error).collect(),
        Value::Null => Vec::new(),
        other => vec![source_error(other)],
    };
    Some(Page {
        more: more && !assets.is_empty(),
        assets,
        total,
        set: word(details, "searchResultSetId"),
        errors,
    })
}

/// A source that could not be asked, with its name. The form of these errors is not public: texts
/// and objects with the usual names are understood, anything else is told as it is.
fn source_error(error: &Value) -> (String, Trouble) {
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| error[*name].as_str());
        found.filter(|text| !text.is_empty())
    };
    let source = first(&[
        "dataAdapterInstanceKey",
        "data_adapter_instance_key",
        "dataAdapterKey",
        "adapter",
        "source",
        "name",
    ]);
    let code = first(&["error_code", "errorCode", "code", "status"]).or(error.as_str());
    let words = first(&["error_message", "errorMessage", "message"]);
    let words = words.map_or_else(|| error.to_string(), str::to_owned);
    let name = format!("dam:{}", cut(source.unwrap_or("unknown")));
    let trouble = Trouble::new(code.unwrap_or("source_failed"), words);
    (name, trouble)
}

/// Whether an error passes only when somebody does something, by the vendor's list.
pub(super) fn needs_person(code: &str) -> bool {
    const CODES: [&str; 14] = [
        "AuthorizationValuesExpired",
        "PassThroughAuthorizationValuesExpired",
        "Unauthorized",
        "Forbidden",
        "AccessDenied",
        "ScopeNotSufficient",
        "NotSetup",
        "NoAccessToken",
        "NoRefreshToken",
        "EndpointUrlInvalid",
        "CannotReadMetamodel",
        "CompatiblityIssue",
        "not_implemented",
        "bad_request",
    ];
    CODES.contains(&code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::smintio::any::any_json;

    const NAMES: &str = "(id|uuid|name|version|relatedAssets|type|assetIds|details|errors|\
                         assetDataObjects|publishFrom)";

    proptest! {
        #[test]
        fn anything_is_read_or_refused_with_a_sentence(record in any_json(NAMES)) {
            if let Ok(asset) = asset(&record, Some("https://x/{assetId}")) {
                prop_assert!(asset.key().len() <= 100 && !asset.print().is_empty());
            }
            drop(page(&record, 0, 50));
            prop_assert!(source_error(&record).0.starts_with("dam:"));
        }
    }

    #[test]
    fn an_asset_is_read_with_its_relations_and_unknown_things_are_absent() {
        let record = json!({"id": "99:image:ÜB/1 \"x\"", "name": [{"culture": "en", "value": "A"}],
            "version": 7, "eTag": "\"e\"", "publishFrom": "soon", "flag": "level_3",
            "relatedAssets": [
                {"type": "version", "assetIds": ["b", {"id": "a"}, "b"]},
                {"type": "variation", "assetIds": ["c"]}, {"type": "download", "assetIds": ["d"]}]});
        let asset = asset(&record, Some("https://p/asset/{assetId}")).expect("it has an id");
        assert_eq!(asset.version.as_deref(), Some("7"));
        assert_eq!(
            (asset.publish_from.clone(), asset.name.as_deref()),
            (None, Some("A"))
        );
        assert_eq!(asset.versions, ["a", "b"]);
        assert_eq!(asset.variations, ["c"]);
        assert!(asset.key().bytes().all(|b| b.is_ascii_hexdigit()));
        let url = asset.url.as_deref();
        assert_eq!(
            url,
            Some("https://p/asset/99%3Aimage%3A%C3%9CB%2F1%20%22x%22")
        );
        let mut again = asset.clone();
        again.thumbnail_url = Some("https://elsewhere".to_owned());
        assert_eq!(asset.print(), again.print());
        again.etag = None;
        assert_ne!(asset.print(), again.print());
    }

    #[test]
    fn errors_of_sources_are_understood_in_several_forms() {
        let table = [
            (json!("Forbidden"), "dam:unknown", "Forbidden"),
            (
                json!({"dataAdapterInstanceKey": "99", "errorCode": "NotSetup", "message": "m"}),
                "dam:99",
                "NotSetup",
            ),
            (json!({"x": 1}), "dam:unknown", "source_failed"),
        ];
        for (error, name, code) in table {
            let (found, trouble) = source_error(&error);
            assert_eq!((found.as_str(), trouble.code.as_str()), (name, code));
        }
        assert!(needs_person("Forbidden") && !needs_person("GetNotFound"));
    }
}
