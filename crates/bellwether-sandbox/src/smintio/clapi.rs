//! The licence feed: vocabularies, transactions behind a cursor, files of a transaction, and the
//! files themselves. The order of the feed is in `ledger.rs`, the form of a record in `wire.rs`.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::BadCursor;
use super::record::Lpt;
use super::tenant::{EndCursor, Tenant};
use super::{refuse, signing, wire};
use crate::clock::real_now;
use crate::world::World;

/// Transactions in an answer when nobody says how many, and the most that may be asked for: the
/// limits of the vendor's base library, inferred for the feed.
const DEFAULT_LIMIT: usize = 10;
const LIMIT: usize = 50;
/// Seconds that a file's address is good, in real time.
const FILE_SECONDS: i64 = 3_600;
/// Scope of every call here.
const SCOPE: &str = "smintio.full";

pub(crate) fn router() -> Router<Arc<World>> {
    Router::new().route("/{tenant}/consumer/v1/{*operation}", get(operation))
}

pub(crate) fn files_router() -> Router<Arc<World>> {
    Router::new()
        .route("/{tenant}/files/previews/{transaction}", get(preview))
        .route("/{tenant}/files/{transaction}/{place}", get(file))
}

type Fields = Vec<(String, String)>;

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(n, _)| n == name);
    found.map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
}

async fn operation(
    State(world): State<Arc<World>>,
    Path((tenant, operation)): Path<(String, String)>,
    Query(mut fields): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = super::caller(&world, &tenant, &headers, SCOPE) {
        return *refusal;
    }
    let Some(paths) = world.smintio.with(&tenant, |t| t.knobs.paths.clone()) else {
        return refuse(404, "tenant_not_found", "The tenant was not found.");
    };
    if operation == paths.metadata {
        return Json(wire::vocabularies()).into_response();
    }
    if operation == paths.transactions {
        return transactions(&world, &tenant, &fields);
    }
    if let Some(found) = matched(&paths.binaries, &operation) {
        fields.extend(found);
        return files(&world, &tenant, &fields);
    }
    refuse(404, "not_found", "There is no such operation.")
}

/// The values of a path's places when it fits the pattern.
fn matched(pattern: &str, path: &str) -> Option<Fields> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut found = Vec::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(name), Some(value)) if name.starts_with('{') => {
                found.push((name.trim_matches(['{', '}']).to_owned(), value.to_owned()));
            }
            (Some(name), Some(value)) if name == value => {}
            _ => return None,
        }
    }
}

fn transactions(world: &World, tenant: &str, fields: &Fields) -> Response {
    let most = match field(fields, "limit").map(str::parse::<usize>) {
        None => DEFAULT_LIMIT,
        Some(Ok(0) | Err(_)) => {
            return refuse(400, "paging_limit_invalid", "The limit is invalid.");
        }
        Some(Ok(most)) if most > LIMIT => {
            let words = format!("The limit may be {LIMIT} at most.");
            return refuse(400, "max_paging_limit_exceeded", &words);
        }
        Some(Ok(most)) => most,
    };
    let cursor = field(fields, "continuationUuid");
    let url = world.addresses.url("smintio");
    let answer = world.smintio.with(tenant, |t| page(t, cursor, most, &url));
    match answer {
        Some(Ok(answer)) => Json(answer).into_response(),
        Some(Err(bad)) => {
            let words = match bad {
                BadCursor::Unknown => "The continuation UUID is invalid.",
                BadCursor::TooOld => "The continuation UUID is too old.",
            };
            refuse(400, "continuation_uuid_invalid", words)
        }
        None => refuse(404, "tenant_not_found", "The tenant was not found."),
    }
}

fn page(
    tenant: &mut Tenant,
    cursor: Option<&str>,
    most: usize,
    url: &str,
) -> Result<Value, BadCursor> {
    let place = cursor.map_or(Ok(0), |cursor| tenant.ledger.place(cursor))?;
    let (found, end) = tenant.ledger.after(place, most);
    let next = match (found.is_empty(), tenant.knobs.end_cursor) {
        (true, EndCursor::Same) => cursor.map(str::to_owned),
        (true, EndCursor::Null) => None,
        (true, EndCursor::New) | (false, _) => Some(tenant.ledger.cursor(end)),
    };
    let around = tenant.around(url);
    let records: Vec<Value> = found
        .iter()
        .map(|lpt| wire::transaction(lpt, &around))
        .collect();
    Ok(json!({"count": records.len(), "continuation_uuid": next,
        "license_purchase_transactions": records}))
}

/// The files of a transaction; an empty list while it cannot be synced.
fn files(world: &World, tenant: &str, fields: &Fields) -> Response {
    let cart = field(fields, "cartPurchaseTransactionUuid");
    let uuid = field(fields, "licensePurchaseTransactionUuid");
    let Some((cart, uuid)) = cart.zip(uuid) else {
        return refuse(
            400,
            "argument_missing",
            "Both transaction UUIDs are needed.",
        );
    };
    let base = world.addresses.url("smintio");
    let until = real_now().as_second() + FILE_SECONDS;
    let found = world.smintio.with(tenant, |t| {
        let lpt = t.ledger.find(uuid)?;
        let around = t.around(&base);
        (around.cart(lpt.number) == cart).then(|| match lpt.can_be_synced {
            Some(true) => wire::files(&lpt, &around, |place| {
                let path = format!("/{}/files/{uuid}/{place}?expires={until}", t.id);
                let signature = seal(t, uuid, place, until);
                format!("{base}{path}&signature={signature}")
            }),
            _ => json!([]),
        })
    });
    match found.flatten() {
        Some(files) => Json(files).into_response(),
        None => refuse(404, "not_found", "There is no such transaction."),
    }
}

fn seal(tenant: &Tenant, uuid: &str, place: usize, until: i64) -> String {
    let key = format!("files|{}|{}", tenant.id, tenant.client_secret);
    signing::hmac_hex(key.as_bytes(), format!("{uuid}|{place}|{until}").as_bytes())
}

#[derive(Debug, Deserialize)]
struct Sealed {
    #[serde(default)]
    expires: i64,
    #[serde(default)]
    signature: String,
}

async fn file(
    State(world): State<Arc<World>>,
    Path((tenant, uuid, place)): Path<(String, String, usize)>,
    Query(sealed): Query<Sealed>,
) -> Response {
    let now = real_now();
    let until = Timestamp::from_second(sealed.expires).unwrap_or(Timestamp::MIN);
    let found = world.smintio.with(&tenant, |t| {
        let good = seal(t, &uuid, place, sealed.expires) == sealed.signature && until > now;
        good.then(|| t.ledger.find(&uuid))
    });
    let lpt = match found {
        Some(Some(lpt)) => lpt,
        _ => return refuse(403, "permission_denied", "The address is no longer valid."),
    };
    match lpt.as_ref().and_then(|l| Some((l, l.files.get(place)?))) {
        Some((lpt, version)) => {
            let name = format!("attachment; filename=\"{}\"", wire::file_name(lpt, place));
            let headers = [
                (header::CONTENT_TYPE, "image/svg+xml".to_owned()),
                (header::CONTENT_DISPOSITION, name),
            ];
            (headers, wire::picture(lpt, *version)).into_response()
        }
        None => refuse(
            424,
            "cloud_storage_file_not_found",
            "The file is not there.",
        ),
    }
}

#[derive(Debug, Deserialize)]
struct Version {
    version: Option<u32>,
}

/// A picture for people, open to all as the vendor's previews are; also of an older version.
async fn preview(
    State(world): State<Arc<World>>,
    Path((tenant, uuid)): Path<(String, String)>,
    Query(asked): Query<Version>,
) -> Response {
    let found = world.smintio.with(&tenant, |t| t.ledger.find(&uuid));
    let picture = found.flatten().map(|lpt: Lpt| {
        let newest = lpt.files.iter().max().copied().unwrap_or(1);
        wire::picture(&lpt, asked.version.unwrap_or(newest).min(newest))
    });
    match picture {
        Some(picture) => ([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response(),
        None => refuse(404, "asset_not_found", "There is no such asset."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_matched_place_by_place() {
        let found = matched("a/{cart}/b/{lpt}", "a/1/b/2").expect("it fits");
        assert_eq!(field(&found, "cart"), Some("1"));
        assert_eq!(field(&found, "lpt"), Some("2"));
        for other in ["a/1/b", "a/1/c/2", "a/1/b/2/3", ""] {
            assert_eq!(matched("a/{cart}/b/{lpt}", other), None, "{other}");
        }
        assert_eq!(matched("sync", "sync"), Some(Vec::new()));
    }
}
