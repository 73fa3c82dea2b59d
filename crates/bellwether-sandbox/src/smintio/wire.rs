//! A licence purchase transaction as the feed writes it, with the vendor's field names. Deep links
//! and previews lead back to the stand-in; nothing is stored here.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::ids;
use super::record::{COUNTERS, Lpt, Odd, Term};

/// Fields that an odd record leaves out or knows nothing of.
const OPTIONAL: [&str; 8] = [
    "has_potentially_restrictive_license_terms",
    "license_download_constraints",
    "current_downloads",
    "current_users",
    "current_reuses",
    "collection_uuid",
    "can_be_synced",
    "licensee_name",
];

/// Somebody who buys at the tenant. The feed gives a uuid and a name, never a mail address.
#[derive(Debug, Clone)]
pub(crate) struct Buyer {
    pub(crate) person: String,
    pub(crate) uuid: String,
    pub(crate) name: String,
}

/// What surrounds a record when it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) tenant: &'a str,
    /// Address of the stand-in.
    pub(crate) url: &'a str,
    pub(crate) seed: u64,
    pub(crate) buyers: &'a [Buyer],
}

impl Around<'_> {
    pub(crate) fn uuid(&self, number: u64) -> String {
        ids::uuid("lpt", self.seed, number)
    }

    /// The uuid of the cart that a transaction was bought in.
    pub(crate) fn cart(&self, number: u64) -> String {
        ids::uuid("cart", self.seed, number)
    }

    pub(crate) fn project(&self, lpt: &Lpt) -> String {
        ids::of_text("project", self.seed, &lpt.project)
    }

    pub(crate) fn collection(&self, name: &str) -> String {
        ids::of_text("collection", self.seed, name)
    }

    /// The vendor's form: a prefix of the provider, and the provider's own number.
    pub(crate) fn element(lpt: &Lpt) -> String {
        format!("2:0:{}", 61_000_000 + lpt.element)
    }

    pub(crate) fn file(&self, number: u64, place: usize) -> String {
        ids::uuid("file", self.seed, number * 16 + place as u64)
    }

    /// A picture of the asset that shows name and version.
    pub(crate) fn preview(&self, lpt: &Lpt) -> String {
        let version = lpt.files.iter().max().copied().unwrap_or(1);
        let uuid = self.uuid(lpt.number);
        format!(
            "{}/{}/files/previews/{uuid}?version={version}",
            self.url, self.tenant
        )
    }
}

/// Texts as the vendor localizes them.
fn localized(text: &str) -> Value {
    json!([{"culture": "en", "value": text}, {"culture": "de", "value": text}])
}

/// Keys of a vocabulary with their names.
fn elements(key: &str) -> Value {
    let name = key.replace('_', " ");
    json!({"culture": "en", "metadata_element": {"key": key, "name": name, "url": null}})
}

fn date(at: Option<Timestamp>) -> Value {
    // Whole seconds: the wire form is not public beyond RFC 3339, and so it stays readable.
    at.map_or(Value::Null, |at| {
        let seconds = Timestamp::from_second(at.as_second()).unwrap_or(at);
        json!(seconds.to_string())
    })
}

fn keys(of: &[String]) -> Value {
    of.iter().map(|key| elements(key)).collect()
}

fn term(number: usize, term: &Term, odd: &[Odd]) -> Value {
    let mut exclusivities: Vec<String> = term.exclusivity.iter().cloned().collect();
    if odd.contains(&Odd::UnknownEnum) {
        exclusivities.push("exclusive_hologram".to_owned());
    }
    let mut usages = vec!["any".to_owned()];
    if odd.contains(&Odd::UnknownEnum) {
        usages.push("metaverse_any".to_owned());
    }
    json!({"sequence_number": number, "name": localized(&format!("Term {number}")),
        "exclusivities": keys(&exclusivities),
        "allowed_usages": keys(&usages), "restricted_usages": [],
        "allowed_sizes": [], "restricted_sizes": [],
        "allowed_placements": [], "restricted_placements": [],
        "allowed_distributions": [], "restricted_distributions": [],
        "allowed_geographies": [], "restricted_geographies": keys(&term.restricted_geographies),
        "allowed_industries": [], "restricted_industries": [],
        "allowed_languages": [], "restricted_languages": [],
        "usage_limits": keys(&term.usage_limits),
        "valid_from": date(term.valid_from), "valid_until": date(term.valid_until),
        "to_be_used_until": date(term.to_be_used_until), "is_editorial_use": term.editorial})
}

fn element(lpt: &Lpt, around: &Around<'_>) -> Value {
    let content_type = if lpt.odd.contains(&Odd::UnknownEnum) {
        "hologram"
    } else {
        &lpt.content_type
    };
    let picture = around.preview(lpt);
    json!({"uuid": Around::element(lpt), "provider": lpt.provider, "content_type": content_type,
        "content_category": if lpt.editorial == Some(true) { "editorial" } else { "creative" },
        "name": localized(&lpt.name), "description": localized(&lpt.name),
        "contributors": [], "copyright_notices": localized("© the contributor"),
        "keywords": [], "categories": [], "collections": [], "events": [],
        "is_premium": false, "is_editorial_use": lpt.editorial, "is_editorial": lpt.editorial,
        "is_ai": lpt.ai,
        "release_details": {"model_release_state": lpt.model_release,
            "property_release_state": lpt.property_release,
            "provider_allowed_use_comment": [], "provider_release_comment": [],
            "provider_usage_constraints": []},
        "provider_urls": [],
        "previews": [{"thumbnail": {"width": 160, "height": 120, "media_type": "image/svg+xml",
                "url": picture},
            "preview": {"width": 640, "height": 480, "media_type": "image/svg+xml",
                "url": picture}}],
        "created_at": date(Some(lpt.created))})
}

fn offering(lpt: &Lpt, around: &Around<'_>) -> Value {
    let uuid = |kind: &str| ids::of_text(kind, around.seed, &lpt.provider);
    json!({"license_uuid": uuid("license"), "provider_configuration_uuid": uuid("provider"),
        "provider_configuration_name": localized(&lpt.provider), "contract_uuid": uuid("contract"),
        "offering_uuid": uuid("offering"), "offering_name": localized("Large"),
        "has_options": false, "license_type": lpt.license_type, "license_urls": [],
        "media_type": "image/svg+xml", "size": "large", "is_premium": false,
        "is_editorial_use": lpt.editorial, "is_editorial": lpt.editorial,
        "total_price_eur": 49.0, "total_price_usd": 53.5, "has_layout_file": false})
}

/// The record as the feed gives it.
pub(crate) fn transaction(lpt: &Lpt, around: &Around<'_>) -> Value {
    let buyer = around.buyers.get(lpt.buyer);
    let of = |field: fn(&Buyer) -> &String| buyer.map(field);
    let terms: Vec<Value> = lpt
        .terms
        .iter()
        .enumerate()
        .map(|(at, t)| term(at + 1, t, &lpt.odd))
        .collect();
    let mut most = Map::new();
    let mut all = json!({
        "uuid": around.uuid(lpt.number),
        "cart_purchase_transaction_uuid": around.cart(lpt.number),
        "reused_license_purchase_transaction_uuid": lpt.reuses.map(|n| around.uuid(n)),
        "state": lpt.state,
        "project_uuid": around.project(lpt), "project_name": localized(&lpt.project),
        "collection_uuid": lpt.collection.as_deref().map(|name| around.collection(name)),
        "collection_name": lpt.collection.as_deref().map(localized),
        "total_price_eur": 49.0, "total_price_usd": 53.5,
        "content_element": element(lpt, around), "offering": offering(lpt, around),
        "purchased_at": date(lpt.purchased), "completed_at": date(lpt.completed),
        "purchased_by_user_uuid": of(|b| &b.uuid), "purchased_by_user_name": of(|b| &b.name),
        "licensee_uuid": ids::of_text("licensee", around.seed, around.tenant),
        "licensee_name": around.tenant,
        "license_text": {"effective_text": localized("Use as the terms say."),
            "effective_text_is_safe_html": false},
        "license_terms": terms,
        "has_potentially_restrictive_license_terms": lpt.restrictive,
        "can_be_synced": lpt.can_be_synced, "version": lpt.version,
        "created_at": date(Some(lpt.created)), "last_updated_at": date(Some(lpt.updated))});
    for (name, counter) in COUNTERS.iter().zip(&lpt.counters) {
        most.insert(format!("effective_max_{name}"), json!(counter.most));
        all[format!("current_{name}")] = json!(counter.current);
    }
    all["license_download_constraints"] = Value::Object(most);
    distort(&mut all, &lpt.odd);
    all
}

/// Makes the record as odd as it is to be.
fn distort(all: &mut Value, odd: &[Odd]) {
    let Some(fields) = all.as_object_mut() else {
        return;
    };
    if odd.contains(&Odd::Null) {
        for name in OPTIONAL {
            fields.insert(name.to_owned(), Value::Null);
        }
    }
    if odd.contains(&Odd::Absent) {
        for name in OPTIONAL {
            fields.remove(name);
        }
    }
    if odd.contains(&Odd::Broken) {
        fields.remove("uuid");
        fields.insert("license_terms".to_owned(), json!("see contract"));
        fields.insert("last_updated_at".to_owned(), json!("yesterday"));
    }
}

/// The files of a transaction, each with an address for its download.
pub(crate) fn files(lpt: &Lpt, around: &Around<'_>, address: impl Fn(usize) -> String) -> Value {
    let files = lpt.files.iter().enumerate().map(|(place, version)| {
        let name = file_name(lpt, place);
        json!({"uuid": around.file(lpt.number, place), "content_type": lpt.content_type,
            "binary_type": "standard", "name": localized(&lpt.name), "description": [],
            "usage": [], "download_url": address(place), "recommended_file_name": name,
            "culture": null, "version": version})
    });
    files.collect()
}

/// The name that a file should be kept under.
pub(crate) fn file_name(lpt: &Lpt, place: usize) -> String {
    let name = lpt.name.to_lowercase().replace(' ', "-");
    let part = if place == 0 {
        String::new()
    } else {
        format!("-{}", place + 1)
    };
    format!("{name}{part}.svg")
}

/// A picture that shows name and version, so that old and new can be told apart.
pub(crate) fn picture(lpt: &Lpt, version: u32) -> String {
    let hue = (lpt.element * 47 + u64::from(version) * 90) % 360;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 320 240\" width=\"640\" \
         height=\"480\"><rect width=\"320\" height=\"240\" fill=\"hsl({hue},45%,78%)\"/>\
         <path d=\"M0 240L110 90l70 90 40-50 100 110z\" fill=\"hsl({hue},40%,38%)\"/>\
         <text x=\"16\" y=\"36\" font-family=\"sans-serif\" font-size=\"20\">{}</text>\
         <text x=\"16\" y=\"60\" font-family=\"sans-serif\" font-size=\"14\">version {version}\
         </text></svg>",
        lpt.name.replace('&', "&amp;").replace('<', "&lt;")
    )
}

/// The vocabularies, each only as far as the stand-in uses it; the vendor's are longer and open.
pub(crate) fn vocabularies() -> Value {
    let of = |keys: &[&str]| -> Value { keys.iter().map(|key| elements(key)).collect() };
    json!({
        "providers": of(&["getty", "istock", "shutterstock", "adobestock", "panthermedia"]),
        "content_types": of(&["image", "video", "audio", "document", "3d", "template"]),
        "binary_types": of(&["standard"]),
        "content_categories": of(&["creative", "editorial"]),
        "license_types": of(&["all", "royalty_free", "rights_managed", "rights_ready"]),
        "release_states": of(&["all", "not_released", "no_release_required", "released"]),
        "license_exclusivities": of(&["any", "exclusive_usage"]),
        "license_usages": of(&["any"]), "license_sizes": of(&["any"]),
        "license_placements": of(&["any"]), "license_distributions": of(&["any"]),
        "license_geographies": of(&["europe_any", "north_america_any"]),
        "license_industries": of(&["any"]), "license_languages": of(&["language_german"]),
        "license_usage_limits": of(&["any", "copy_up_to_10000_copies"])})
}
