//! Schemas and samples of the nouns that events carry. Which event carries which is in
//! `triggers.rs`.

use serde_json::{Map, Value, json};

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn number(about: &str) -> Value {
    json!({"type": "integer", "description": about})
}

fn flag(about: &str) -> Value {
    json!({"type": "boolean", "description": about})
}

fn object(about: &str, fields: Value) -> Value {
    json!({"type": "object", "description": about, "properties": fields})
}

fn named(about: &str) -> Value {
    object(
        about,
        json!({"uuid": text("Its uuid."), "name": text("Its name.")}),
    )
}

fn asset() -> Value {
    let fields = json!({
        "id": text("The provider's id of the asset."), "name": text("Its name."),
        "provider": text("Where it was bought; any word may come."),
        "content_type": text("What it is, such as `image`; any word may come."),
        "content_category": text("`creative` or `editorial`; any word may come."),
        "is_ai": flag("Whether it was made with artificial intelligence."),
        "is_editorial_use": flag("Whether it is for editorial use only."),
        "model_release": text("The state of the model release."),
        "property_release": text("The state of the property release."),
        "thumbnail_url": text("A small picture of it."),
        "url": text("Its page at the tenant."),
    });
    object("The asset. What is not known is absent.", fields)
}

fn transaction() -> Value {
    let fields = json!({
        "uuid": text("The licence purchase transaction."), "version": number("Its version."),
        "state": text("Its state as the feed says it; any word may come."),
        "cart_uuid": text("The cart that it was bought in."),
        "reuses": text("The earlier transaction whose licence it uses again."),
        "project": named("The project."), "collection": named("The collection."),
        "licensee": named("Who holds the licence."),
        "license_type": text("Such as `royalty_free`; any word may come."),
        "purchased_at": text("When it was bought."), "completed_at": text("When it was complete."),
    });
    object("The purchase. What is not known is absent.", fields)
}

/// The schema of one noun.
fn noun(name: &str) -> Value {
    let date = "As the feed writes it.";
    match name {
        "asset" => asset(),
        "transaction" => transaction(),
        "actor" => object(
            "Who bought it. The feed has no mail address.",
            json!({"uuid": text("The user's uuid."), "name": text("The user's name."),
                "email": text("The address, when a webhook brings it.")}),
        ),
        "severity" => json!({"type": "string", "enum": ["info", "warning", "critical"],
            "description": "How grave it is."}),
        "review" => object(
            "Why somebody should look.",
            json!({"reasons": {"type": "array", "description": "Each with the field it comes from.",
                    "items": object("A reason.", json!({"code": text("Its name."),
                        "kind": text("`legal` or `brand`."), "field": text("The feed's field."),
                        "detail": text("In words.")}))},
                "new": {"type": "array", "items": {"type": "string"},
                    "description": "The reasons that were not told before."},
                "kinds": {"type": "array", "items": {"type": "string"},
                    "description": "Who should look: legal, brand or both."}}),
        ),
        "license" => object(
            "The term that ends.",
            json!({"id": text("The term: the same in all that is told of it."),
                "sequence_number": number("Which term."), "term_name": text("Its name."),
                "last_day": text("The last day, in the connection's zone."),
                "days_left": number("Days until then; 0 is today."),
                "threshold": number("The threshold that was passed, in days."), "passed": passed(),
                "valid_until": text(date), "to_be_used_until": text(date),
                "renewed_by": text("The transaction whose licence takes over."),
                "renewed_until": text("Until when that one holds; absent when it does not end.")}),
        ),
        "limit" => object(
            "The counter and its limit.",
            json!({"counter": text("`downloads`, `users` or `reuses`."),
                "current": number("How much is used."), "max": number("The limit."),
                "percent": number("Per cent of the limit."),
                "threshold": number("The threshold that was passed, in per cent."),
                "passed": passed()}),
        ),
        "licensed" => object(
            "A licence of an asset.",
            json!({"asset": text("The asset."), "transaction": text("The licence's transaction."),
                "licence": {"description": "How far it reaches and how wide it is; null when it \
                    is no longer held."}}),
        ),
        "covered" => object(
            "A licence and the one that takes over from it.",
            json!({"transaction": text("The licence's transaction."),
                "cover": {"description": "The other one's transaction, with from and until; null \
                    when there is none."}}),
        ),
        "portal" | "collection" | "swallowed" | "watch" => watched(name),
        _ => matter(name),
    }
}

/// What is watched in a portal.
fn watched(name: &str) -> Value {
    let ids =
        |about: &str| json!({"type": "array", "items": {"type": "string"}, "description": about});
    match name {
        "portal" => object(
            "The asset as the portal shows it. What is not known is absent.",
            json!({"id": text("Its id in the portal."), "name": text("Its name."),
                "content_type": text("What it is, such as `image`; any word may come."),
                "version": text("Its version."), "etag": text("The mark of its content."),
                "created_at": text("When it was made."), "modified_at": text("When it was changed."),
                "modified_by": text("Who changed it."),
                "publish_from": text("From when it is published."),
                "publish_until": text("Until when it is published."),
                "flag": text("Its flag, such as level_7; any word may come."),
                "versions": ids("Newer versions of it, the newest first."),
                "variations": ids("Variations of it."), "thumbnail_url": text("A small picture."),
                "url": text("Its page in the portal.")}),
        ),
        "collection" => object(
            "The collection.",
            json!({"uuid": text("Its uuid."), "key": text("The name under which it is remembered."),
                "name": text("Its name in the settings."),
                "ready": {"type": "object", "description": "When it is ready, by the settings."},
                "sum": object("What it adds up to.", json!({"assets": number("Assets in it."),
                    "flag": number("The lowest flag in it."),
                    "from": number("When its last asset is published, in microseconds since 1970."),
                    "until": number("When its first asset is not published any more.")}))}),
        ),
        "swallowed" => object(
            "What the first read kept to itself.",
            json!({"watches": number("Searches and collections that were read."),
                "assets": number("Assets in them."),
                "planned": number("Assets that will be published later; that will be told."),
                "replaced": number("Assets with a newer version."),
                "collections": number("Collections."), "unreadable": number("Unreadable records."),
                "cut": number("Watches that have more assets than are looked at.")}),
        ),
        _ => text("The name of the search or collection."),
    }
}

fn passed() -> Value {
    json!({"type": "array", "items": {"type": "integer"}, "description": "Every threshold that \
        was passed at once, ascending. A flow hears of those that it handed over with `with:`."})
}

fn matter(name: &str) -> Value {
    match name {
        "request" => object(
            "The request.",
            json!({"kind": text("`purchase`; by webhook also download, access, permission, upload."),
            "state_from": text("How far it was."), "state_to": text("How far it is."),
            "reason": text("Why, when somebody gave a reason."),
            "task_id": text("The task in the portal."),
            "recipients": object(
                "By webhook: whom it is for.",
                json!({"users": {"type": "array", "items": {"type": "string"},
                    "description": "Whoever asked for it, as people here are called."}}),
            )}),
        ),
        "violation" => object(
            "What is not as it must be.",
            json!({"rule": text("expired_license, limit_exceeded, cancelled_license; by webhook also \
                missing_metadata and unauthorized_variant."),
                "fields": {"type": "array", "items": {"type": "string"},
                    "description": "The fields that show it."},
                "counter": text("The counter, when it is one."), "current": number("Its value."),
                "max": number("Its limit."), "used_in": text("Where the asset is used.")}),
        ),
        "change" => object(
            "What changed.",
            json!({"what": text("file_version, files_added or files_replaced; in a portal asset_version, \
                    asset_replaced or asset_published; or a webhook's word."),
                "file_uuid": text("The file."), "file_name": text("Its name."),
                "old_version": number("Its version before."), "new_version": number("Its version now."),
                "old_files": {"type": "array", "description": "Files that are gone."},
                "new_files": {"type": "array", "description": "Files that are new."},
                "replacement_asset_id": text("What replaces the asset."),
                "publish_from": text("From when it is published."),
                "publish_until": text("Until when it is published."),
                "modified_at": text("When it was changed, as the portal says.")}),
        ),
        "use" => object(
            "Where the asset is used.",
            json!({"document": text("The document."), "used_at": text("When.")}),
        ),
        "campaign" => object(
            "The campaign.",
            json!({"kind": text("`collection`, `project` or `portal_collection`."), "name": text("Its uuid or name."),
                "key": text("Both together."), "collection_uuid": text("A portal's collection."), "asset_count": number("Assets in it."),
                "size": number("Assets that it was to have."),
                "quiet_hours": number("Hours without a change until it is final."),
                "member": {"type": "object", "description": "The asset whose state changed."}}),
        ),
        "sync" => object(
            "The part that fails or works again.",
            json!({"component": text("smintio_api, smintio_auth, pusher, provider:NAME; in portals \
                portals, portals:WATCH, dam:SOURCE; a webhook's word."), "code": text("A short stable word."), "message": text("In words."),
                "since": text("Since when it fails."), "lasted_minutes": number("For how long."),
                "needs_person": flag("Whether it waits for somebody.")}),
        ),
        "action" => object(
            "What somebody has to do.",
            json!({"action": text("approve_request, check_delivery; by webhook also add_metadata and \
                confirm_usage_rights."), "since": text("Since when it waits."),
                "due_at": text("Until when it was due."), "outcome": text("How it ended.")}),
        ),
        other => json!({"type": "object", "description": format!("The {other}.")}),
    }
}

/// The sample of one noun.
fn example(name: &str) -> Value {
    match name {
        "asset" => json!({"id": "2:0:61019726", "name": "Alpine sunrise", "provider": "getty",
            "content_type": "image", "is_ai": true,
            "url": "https://alpenwerk.smint.io/project/p-1/content-element/2:0:61019726"}),
        "transaction" => json!({"uuid": "0b6a2f6e-6f0e-4f5e-8a44-0d6f3a1b2c3d", "version": 3,
            "state": "completed", "project": {"uuid": "p-1", "name": "Spring"},
            "license_type": "royalty_free"}),
        "actor" => json!({"uuid": "u-17", "name": "Carla Rossi"}),
        "severity" => json!("warning"),
        "review" => json!({"reasons": [{"code": "ai_content", "kind": "brand",
                "field": "content_element.is_ai", "detail": "made with artificial intelligence"}],
            "new": ["ai_content"], "kinds": ["brand"]}),
        "license" => json!({"id": "0b6a2f6e-6f0e-4f5e-8a44-0d6f3a1b2c3d/1",
            "sequence_number": 1, "term_name": "Print", "last_day": "2026-03-31",
            "days_left": 7, "threshold": 7, "passed": [7], "valid_until": "2026-03-31T20:00:00Z"}),
        "limit" => json!({"counter": "downloads", "current": 8, "max": 10, "percent": 80,
            "threshold": 80, "passed": [80]}),
        "licensed" => json!({"asset": "2:0:61019726", "transaction": "t-2",
            "licence": {"until": "2027-03-31T20:00:00Z", "kind": "royalty_free"}}),
        "covered" => json!({"transaction": "t-1",
            "cover": {"by": "t-2", "until": "2027-03-31T20:00:00Z"}}),
        "request" => json!({"kind": "purchase", "state_from": "submitted", "state_to": "approved"}),
        "violation" => json!({"rule": "limit_exceeded", "fields": ["current_downloads"],
            "counter": "downloads", "current": 11, "max": 10}),
        "change" => json!({"what": "file_version", "file_uuid": "f-1",
            "file_name": "alpine-sunrise.jpg", "old_version": 1, "new_version": 2}),
        "use" => json!({"document": "Spring brochure.indd", "used_at": "2026-03-02T09:00:00Z"}),
        "campaign" => json!({"kind": "collection", "name": "Spring images", "asset_count": 12,
            "size": 12}),
        "sync" => json!({"component": "smintio_api", "code": "provider_error",
            "message": "Smint.io answered 503 for alpenwerk", "since": "2026-03-02T08:00:00Z",
            "lasted_minutes": 5, "needs_person": false}),
        "action" => json!({"action": "approve_request", "since": "2026-02-28T09:00:00Z",
            "due_at": "2026-03-02T09:00:00Z"}),
        "baseline" => json!({"transactions": 4000, "open": 3, "expired": 210, "limits": 12,
            "reviews": 96, "unreadable": 1}),
        "link" => json!({"part": "feed", "ok": true}),
        "portal" => json!({"id": "99:image:a-17", "name": "Alpine sunrise", "version": "2",
            "etag": "\"17-2\"", "created_at": "2026-02-01T08:00:00Z",
            "publish_from": "2026-03-02T08:00:00Z", "flag": "level_3"}),
        "collection" => json!({"uuid": "c-1", "key": "c-1", "name": "Spring",
            "ready": {"flag": 10, "published": false, "size": 12},
            "sum": {"assets": 12, "flag": 10}}),
        "swallowed" => json!({"watches": 2, "assets": 340, "planned": 4, "replaced": 7,
            "collections": 1, "unreadable": 0, "cut": 0}),
        "watch" => json!("Everything"),
        "unreadable" => json!({"uuid": "", "reason": "the record has no uuid", "record": "{}"}),
        "webhook" => json!({"reason": "the body is no JSON", "body": "{", "bytes": 1}),
        "rules" => json!({"zone": "Europe/Vienna", "days": [1, 7, 30, 90],
            "percents": [80, 95, 100], "stuck_hours": 48}),
        _ => Value::Null,
    }
}

/// The schema of an event with these nouns.
pub(super) fn of(nouns: &[&str]) -> Value {
    let fields: Map<String, Value> = nouns
        .iter()
        .map(|name| ((*name).to_owned(), noun(name)))
        .collect();
    json!({"type": "object", "required": nouns, "properties": fields})
}

/// The sample of an event with these nouns.
pub(super) fn sample(nouns: &[&str]) -> Value {
    let fields: Map<String, Value> = nouns
        .iter()
        .map(|name| ((*name).to_owned(), example(name)))
        .collect();
    Value::Object(fields)
}
