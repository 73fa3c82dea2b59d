//! The portals' frontend: the payload of a portal, the generic executor whose bodies are JSON in a
//! text in JSON, and background tasks that are asked for until they are done.
//!
//! A client that asks for one task more often than once a second is counted as hasty: the vendor
//! asks for 5 to 10 seconds.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::record::{COMPLETED, Lpt};
use super::tenant::Tenant;
use super::wire::Around;
use super::{ids, refuse};
use crate::clock::real_now;
use crate::world::World;

/// Scope of every call here.
const SCOPE: &str = "smintio.portals.frontend";
/// Background tasks that are kept; the oldest are forgotten first.
const TASKS_LIMIT: usize = 1_000;
/// Hits on a page, and how deep pages go: the limits of the vendor's base library.
const PAGE_LIMIT: usize = 50;
const OFFSET_LIMIT: usize = 5_000;
/// Transactions that one search looks at.
const LOOKED_AT: usize = 5_000;
/// Asking again before this has passed is hasty.
const PATIENCE: SignedDuration = SignedDuration::from_secs(1);

/// One execution that may still go on.
#[derive(Debug, Clone)]
struct Task {
    uuid: String,
    /// How many times it must be asked for yet.
    left: u32,
    asked: Timestamp,
    result: Result<Value, String>,
}

impl Task {
    fn shown(&self) -> Value {
        let text = |value: &Value| Value::String(value.to_string());
        let (state, done, result) = match (&self.result, self.left) {
            (_, 2..) => ("created", 0, Value::Null),
            (_, 1) => ("in_progress", 0, Value::Null),
            (Ok(result), _) => ("completed", 1, text(result)),
            (Err(code), _) => {
                let error = super::error_body(code, "The execution failed.");
                ("error", 0, text(&error))
            }
        };
        let failed = u32::from(state == "error");
        json!({"uuid": self.uuid, "state": state, "finished_percentage": done * 100,
            "total_steps": 1, "succeeded_steps": done, "failed_steps": failed,
            "result_string": result})
    }
}

/// The background tasks of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    made: u64,
    all: VecDeque<Task>,
    /// How many times a method was executed, and a task was asked for.
    pub(crate) executed: u64,
    pub(crate) looks: u64,
    /// Calls that came too soon after the one before.
    pub(crate) hasty: u64,
}

impl Tasks {
    /// Forgets every task, as a portal may that was started anew.
    pub(crate) fn forget(&mut self) {
        self.all.clear();
    }
}

pub(crate) fn router() -> Router<Arc<World>> {
    let portal = "/{tenant}/frontend/v1/portals/{portal}";
    let page = format!("{portal}/pageConfigurations/{{page}}");
    let execute = "{interface}/execute/{method}";
    Router::new()
        .route("/{tenant}/portal/v1/payload", get(payload))
        .route(
            &format!("{portal}/portalsContext/{execute}"),
            post(execution),
        )
        .route(&format!("{page}/{{property}}/{execute}"), post(execution))
        .route(
            &format!("{page}/componentConfigurations/{{component}}/{{property}}/{execute}"),
            post(execution),
        )
        .route(
            &format!("{portal}/portalsContext/uploadFile"),
            post(uploaded),
        )
        .route("/{tenant}/frontend/v1/backgroundTasks/{uuid}", get(task))
}

type Fields = Vec<(String, String)>;

fn part<'a>(path: &'a Fields, name: &str) -> &'a str {
    let found = path.iter().find(|(n, _)| n == name);
    found.map_or("", |(_, value)| value.as_str())
}

/// Open to everybody, as it tells where to sign in. Its path is not public; this one is ours.
async fn payload(State(world): State<Arc<World>>, Path(tenant): Path<String>) -> Response {
    let url = world.addresses.url("smintio");
    let found = world.smintio.with(&tenant, |t| {
        let page = ids::uuid("page", t.ledger.seed, 1);
        json!({"current_tenant": {"uuid": ids::of_text("tenant", t.ledger.seed, &t.id),
                "backend_api_url": format!("{url}/{}/frontend/v1", t.id)},
            "current_portal_info": {"uuid": t.portal, "portal_type": "brand_portal",
                "page_router_infos": [{"uuid": page, "page_type": "search"}]}})
    });
    Json(found).into_response()
}

async fn execution(
    State(world): State<Arc<World>>,
    Path(path): Path<Fields>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let tenant = part(&path, "tenant").to_owned();
    if let Err(refusal) = super::caller(&world, &tenant, &headers, SCOPE) {
        return *refusal;
    }
    let Some(asked) = unwrapped(&body) else {
        let words = "The body is a JSON array with one text, and that text is JSON.";
        return refuse(400, "argument_invalid", words);
    };
    let (interface, method) = (part(&path, "interface"), part(&path, "method"));
    let now = world.clock.now();
    let url = world.addresses.url("smintio");
    let answer = world.smintio.with(&tenant, |t| {
        if part(&path, "portal") != t.portal {
            return Err("not_found");
        }
        let failing = t.shelf.fails(method);
        let result = match failing {
            Some(code) => Err(code),
            None => execute(t, &url, now, interface, method, &asked).map_err(str::to_owned),
        };
        if result.as_ref().is_err_and(|code| code == "not_implemented") {
            return Err("not_implemented");
        }
        let task = Task {
            uuid: ids::uuid("job", t.ledger.seed, t.tasks.made + 1),
            left: t.knobs.task_polls,
            asked: real_now(),
            result,
        };
        let tasks = &mut t.tasks;
        tasks.made += 1;
        tasks.executed += 1;
        if tasks.all.len() == TASKS_LIMIT {
            tasks.all.pop_front();
        }
        tasks.all.push_back(task.clone());
        Ok(task.shown())
    });
    match answer {
        Some(Ok(shown)) => Json(shown).into_response(),
        Some(Err("not_implemented")) => {
            let words = format!("{interface}.{method} is not there.");
            refuse(501, "not_implemented", &words)
        }
        Some(Err(_)) | None => refuse(404, "not_found", "There is no such portal."),
    }
}

/// The argument in a body such as `["{\"page\":0}"]`.
fn unwrapped(body: &[u8]) -> Option<Value> {
    let [text]: [String; 1] = serde_json::from_slice(body).ok()?;
    let asked: Value = serde_json::from_str(&text).ok()?;
    asked.is_object().then_some(asked)
}

async fn task(
    State(world): State<Arc<World>>,
    Path((tenant, uuid)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = super::caller(&world, &tenant, &headers, SCOPE) {
        return *refusal;
    }
    let now = real_now();
    let found = world.smintio.with(&tenant, |t| {
        t.tasks.looks += 1;
        let task = t.tasks.all.iter_mut().find(|task| task.uuid == uuid)?;
        if now.duration_since(task.asked) < PATIENCE {
            t.tasks.hasty += 1;
        }
        task.asked = now;
        task.left = task.left.saturating_sub(1);
        Some(task.shown())
    });
    match found.flatten() {
        Some(shown) => Json(shown).into_response(),
        None => refuse(404, "not_found", "There is no such task."),
    }
}

async fn uploaded(
    State(world): State<Arc<World>>,
    Path(path): Path<Fields>,
    headers: HeaderMap,
    Query(_): Query<Fields>,
    body: Bytes,
) -> Response {
    let tenant = part(&path, "tenant");
    if let Err(refusal) = super::caller(&world, tenant, &headers, SCOPE) {
        return *refusal;
    }
    if body.is_empty() {
        return refuse(400, "argument_missing", "There is no file.");
    }
    // The file itself is thrown away: nothing here reads it again.
    let uuid = world.smintio.with(tenant, |t| {
        t.tasks.made += 1;
        ids::uuid("upload", t.ledger.seed, t.tasks.made)
    });
    Json(json!({"uuid": uuid})).into_response()
}

/// Runs one method of the portals' public interfaces.
fn execute(
    tenant: &mut Tenant,
    url: &str,
    now: Timestamp,
    interface: &str,
    method: &str,
    asked: &Value,
) -> Result<Value, &'static str> {
    let around = tenant.around(url);
    match (interface, method) {
        ("IAssetsSearch", "searchAssetsAsync") => search(tenant, &around, now, asked, None),
        ("IAssetsRead", "getAssetAsync") => one(tenant, &around, now, &asked["assetId"])
            .map(|asset| json!({"assetDataObject": asset})),
        ("IAssetsRead", "getAssetsAsync") => {
            let ids = asked["assetIds"].as_array().cloned().unwrap_or_default();
            let found = ids.iter().take(PAGE_LIMIT);
            let found: Result<Vec<Value>, _> =
                found.map(|id| one(tenant, &around, now, id)).collect();
            found.map(|assets| json!({"assetDataObjects": assets}))
        }
        ("ICollectionsSearch", "searchCollectionsAsync") => Ok(collections(tenant, &around, asked)),
        ("ICollectionsAssets" | "ICollectionsAssetsSearch", "searchCollectionAssetsAsync") => {
            let id = asked["collectionId"].as_str().unwrap_or_default();
            search(tenant, &around, now, asked, Some(id))
        }
        ("ICollectionsUsers" | "ICollectionsUsersSearch", "searchCollectionUsersAsync") => {
            let users = tenant.buyers.iter().map(|buyer| {
                json!({"userUuid": buyer.uuid, "displayName": buyer.name,
                    "userGroupName": "Marketing", "userState": "active",
                    "permissionLevel": "read"})
            });
            Ok(json!({"users": users.collect::<Vec<_>>()}))
        }
        ("ISharesSearch", "searchSharesAsync") => Ok(json!({"shares": [], "totalResults": 0})),
        ("ITaskManagementSearch", "searchTasksAsync") if tenant.knobs.task_search => {
            let shown = tenant
                .requests
                .all
                .iter()
                .rev()
                .map(super::requests::Request::shown);
            Ok(json!({"tasks": shown.collect::<Vec<_>>()}))
        }
        _ => Err("not_implemented"),
    }
}

/// The asset's id as the portals write it: adapter, kind, id in the source.
fn asset_id(lpt: &Lpt, around: &Around<'_>) -> String {
    format!("99:{}:{}", lpt.content_type, around.uuid(lpt.number))
}

fn visible(tenant: &Tenant, lpt: &Lpt, now: Timestamp) -> bool {
    lpt.state == COMPLETED && tenant.shelf.shows(lpt, now)
}

fn asset(tenant: &Tenant, around: &Around<'_>, lpt: &Lpt) -> Value {
    let mark = tenant.shelf.mark(lpt);
    let newest = lpt.files.iter().max().copied().unwrap_or(1);
    let version = mark.version.unwrap_or(newest);
    let etag = mark
        .etag
        .unwrap_or_else(|| format!("\"{}-{version}\"", lpt.number));
    let related = [lpt.replaced_by, mark.version_of].into_iter().flatten();
    let related = related.filter_map(|number| tenant.ledger.get(number));
    let related = related.map(|lpt| {
        json!({"type": "version", "assetIds": [asset_id(&lpt, around)],
            "searchAssetsSpecJson": null, "caption": "Replacement"})
    });
    let buyer = around.buyers.get(lpt.buyer).map(|b| &b.name);
    let id = asset_id(lpt, around);
    let id = (!mark.nameless).then_some(id);
    json!({"id": id, "uuid": id, "name": lpt.name, "contentType": lpt.content_type,
        "version": version.to_string(), "eTag": etag,
        "createdAt": lpt.created, "createdBy": buyer, "modifiedAt": mark.touched.unwrap_or(lpt.updated),
        "modifiedBy": buyer, "publishFrom": lpt.publish_from, "publishUntil": lpt.publish_until,
        "flag": mark.flag.as_deref().unwrap_or("none"), "indicator": null,
        "relatedAssets": related.collect::<Vec<_>>(),
        "permissionUuids": [], "totalCommentCount": 0, "isDownloadable": true,
        "assetCategories": [], "thumbnailUrl": around.preview(lpt),
        "rawData": [{"key": "project", "value": lpt.project}]})
}

fn one(
    tenant: &Tenant,
    around: &Around<'_>,
    now: Timestamp,
    id: &Value,
) -> Result<Value, &'static str> {
    // An id comes as a text or as an object with the text in it.
    let id = id.as_str().or(id["id"].as_str()).unwrap_or_default();
    let uuid = id.rsplit(':').next().unwrap_or_default();
    let found = tenant
        .ledger
        .find(uuid)
        .filter(|lpt| visible(tenant, lpt, now));
    let lpt = found.ok_or("asset_not_found")?;
    Ok(asset(tenant, around, &lpt))
}

/// Page number (from 0) and size.
fn page(asked: &Value) -> Result<(usize, usize), &'static str> {
    let number = |name: &str, default: u64| asked[name].as_u64().unwrap_or(default);
    let size = usize::try_from(number("pageSize", 10)).unwrap_or(usize::MAX);
    let page = usize::try_from(number("page", 0)).unwrap_or(usize::MAX);
    if size == 0 || size > PAGE_LIMIT {
        return Err("max_paging_limit_exceeded");
    }
    let skip = page.saturating_mul(size);
    if skip > OFFSET_LIMIT {
        return Err("max_paging_offset_exceeded");
    }
    Ok((page, size))
}

fn search(
    tenant: &Tenant,
    around: &Around<'_>,
    now: Timestamp,
    asked: &Value,
    collection: Option<&str>,
) -> Result<Value, &'static str> {
    let (page, size) = page(asked)?;
    let words = asked["queryString"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    let within = |lpt: &Lpt| {
        collection.is_none_or(|id| {
            let own = lpt
                .collection
                .as_deref()
                .map(|name| around.collection(name));
            own.as_deref() == Some(id)
        })
    };
    let hits: Vec<Lpt> = tenant
        .ledger
        .newest(0, LOOKED_AT)
        .into_iter()
        .filter(|lpt| visible(tenant, lpt, now) && within(lpt))
        .filter(|lpt| words.is_empty() || lpt.name.to_lowercase().contains(&words))
        .collect();
    let shown = hits.iter().skip(page * size).take(size);
    let shown: Vec<Value> = shown.map(|lpt| asset(tenant, around, lpt)).collect();
    let more = hits.len() > (page + 1) * size;
    Ok(
        json!({"details": {"currentPage": page, "maxPages": hits.len().div_ceil(size),
            "totalResults": hits.len(), "hasMoreResults": more, "errors": tenant.shelf.errors,
            "searchResultSetId": ids::uuid("results", tenant.ledger.seed, tenant.tasks.made)},
        "filterModel": {"filters": []}, "assetDataObjects": shown}),
    )
}

fn collections(tenant: &Tenant, around: &Around<'_>, asked: &Value) -> Value {
    let words = asked["queryString"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    let mut names: Vec<String> = Vec::new();
    for lpt in tenant.ledger.newest(0, LOOKED_AT) {
        if let Some(name) = lpt.collection.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names.retain(|name| words.is_empty() || name.to_lowercase().contains(&words));
    let shown: Vec<Value> = names
        .iter()
        .take(PAGE_LIMIT)
        .map(|name| json!({"id": around.collection(name), "name": name, "flag": "none"}))
        .collect();
    json!({"collections": shown, "totalResults": names.len()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_text_with_json_in_it() {
        let asked = unwrapped(br#"["{\"page\":2}"]"#).expect("well made");
        assert_eq!(asked["page"], 2);
        for bad in [
            r#"{"page":2}"#,
            r#"[{"page":2}]"#,
            "[]",
            r#"["x"]"#,
            r#"["1"]"#,
            r#"["{}","{}"]"#,
        ] {
            assert_eq!(unwrapped(bad.as_bytes()), None, "{bad}");
        }
    }
}
