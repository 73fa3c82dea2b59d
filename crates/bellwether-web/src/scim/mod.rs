//! SCIM 2.0: the system that keeps an organisation's people (Okta, Entra and the like) keeps ours.
//! Written from RFC 7643 and RFC 7644. Routes, sign-in, lists and errors; what users and groups are
//! stands beside. Its token opens nothing else, and the console's token does not open this.

mod filter;
mod groups;
mod patch;
mod users;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bellwether_engine::seam::{Actor, ActorRole, NotChanged};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::body;
use crate::guard::{may_guess, note_wrong};
use crate::query::Fields;
use crate::web::Web;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// The most bytes of a call: a group with all its members fits.
const BODY_MAX: usize = 2 * 1024 * 1024;
/// The most entries of a list.
const COUNT_MAX: usize = 1_000;
/// How many entries a list has when nobody says.
const COUNT: usize = 100;

pub(crate) fn routes() -> Router<Web> {
    let user = get(users::one)
        .put(users::replace)
        .patch(users::patch)
        .delete(users::delete);
    let group = get(groups::one)
        .put(groups::replace)
        .patch(groups::patch)
        .delete(groups::delete);
    Router::new()
        .route("/scim/v2/ServiceProviderConfig", get(provider))
        .route("/scim/v2/ResourceTypes", get(types))
        .route("/scim/v2/Schemas", get(schemas))
        .route("/scim/v2/Users", get(users::list).post(users::create))
        .route("/scim/v2/Users/{id}", user)
        .route("/scim/v2/Groups", get(groups::list).post(groups::create))
        .route("/scim/v2/Groups/{id}", group)
        .route("/scim/v2/{*rest}", get(nothing).post(nothing))
}

/// An answer that is not what was asked for.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    kind: &'static str,
    detail: String,
}

impl Refusal {
    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind,
            detail: detail.into(),
        }
    }

    fn unknown(what: &str, id: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            kind: "",
            detail: format!("there is no {what} {id}"),
        }
    }

    fn taken(detail: String) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            kind: "uniqueness",
            detail,
        }
    }
}

impl From<NotChanged> for Refusal {
    fn from(error: NotChanged) -> Self {
        let detail = error.to_string();
        let (status, kind) = match error {
            NotChanged::Wrong(_) => (StatusCode::BAD_REQUEST, "invalidValue"),
            NotChanged::Conflict => (StatusCode::SERVICE_UNAVAILABLE, ""),
            NotChanged::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, ""),
        };
        Self {
            status,
            kind,
            detail,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": [ERROR], "status": self.status.as_u16().to_string(), "detail": self.detail,
        });
        if !self.kind.is_empty() {
            body["scimType"] = json!(self.kind);
        }
        let mut answer = Scim(self.status, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        answer
    }
}

/// A body with the protocol's own media type.
#[derive(Debug)]
struct Scim(StatusCode, Value);

impl IntoResponse for Scim {
    fn into_response(self) -> Response {
        let media = [(header::CONTENT_TYPE, "application/scim+json")];
        (self.0, media, self.1.to_string()).into_response()
    }
}

/// Proof that the caller holds the token.
#[derive(Debug)]
struct Keeper(Actor);

impl FromRequestParts<Web> for Keeper {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refusal> {
        let refused = |status, detail: String| Refusal {
            status,
            kind: "",
            detail,
        };
        may_guess(web, &parts.extensions)
            .map_err(|problem| refused(problem.status, problem.message))?;
        let token = &web.app.web.scim_token;
        if token.is_empty() {
            let detail = "SCIM is off: set auth.scim_token in the configuration".to_owned();
            return Err(refused(StatusCode::FORBIDDEN, detail));
        }
        let given = parts.headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok());
        let given = given.and_then(|text| text.strip_prefix("Bearer "));
        let digest = |text: &str| bellwether_model::id::hash(&[text.as_bytes()]);
        let right = given
            .is_some_and(|given| bool::from(digest(given.trim()).ct_eq(&digest(token.expose()))));
        if !right {
            web.counters.turned_away.inc();
            note_wrong(web, &parts.extensions);
            let detail = "send Authorization: Bearer with the SCIM token of this server";
            return Err(refused(StatusCode::UNAUTHORIZED, detail.to_owned()));
        }
        Ok(Self(Actor {
            name: "scim".to_owned(),
            role: ActorRole::Operator,
            means: "token",
        }))
    }
}

/// The same with the JSON body.
#[derive(Debug)]
struct Sent(Actor, Value);

impl FromRequest<Web> for Sent {
    type Rejection = Refusal;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Refusal> {
        let (mut parts, body) = request.into_parts();
        let Keeper(actor) = Keeper::from_request_parts(&mut parts, web).await?;
        let bytes = read(body).await?;
        let value = serde_json::from_slice::<Value>(&bytes);
        let value = value.map_err(|error| {
            Refusal::bad("invalidSyntax", format!("the body is not JSON: {error}"))
        })?;
        if !value.is_object() {
            return Err(Refusal::bad("invalidSyntax", "the body must be an object"));
        }
        Ok(Self(actor, value))
    }
}

async fn read(body: Body) -> Result<axum::body::Bytes, Refusal> {
    let read = body::read(body, BODY_MAX).await;
    read.map_err(|problem| Refusal {
        status: problem.status,
        kind: "",
        detail: problem.message,
    })
}

/// A page of a list: `startIndex` counts from 1.
fn page(mut all: Vec<Value>, fields: &Fields) -> Result<Scim, Refusal> {
    let number = |key: &str, usual: usize| match fields.get(key) {
        None => Ok(usual),
        Some(text) => {
            // Negative ones are read as the least, as the protocol has it.
            let read = text.parse::<i64>().map(|n| usize::try_from(n).unwrap_or(0));
            read.map_err(|_| Refusal::bad("invalidValue", format!("{key} must be a number")))
        }
    };
    let start = number("startIndex", 1)?.max(1);
    let count = number("count", COUNT)?.min(COUNT_MAX);
    if let Some(text) = fields.get("filter") {
        let filter = filter::parse(text)?;
        all.retain(|resource| filter::fits(resource, &filter));
    }
    let total = all.len();
    let mut items: Vec<Value> = all.into_iter().skip(start - 1).take(count).collect();
    let without = fields.get("excludedAttributes").unwrap_or_default();
    for item in &mut items {
        leave_out(item, without);
    }
    let body = json!({
        "schemas": [LIST], "totalResults": total, "startIndex": start,
        "itemsPerPage": items.len(), "Resources": items,
    });
    Ok(Scim(StatusCode::OK, body))
}

/// Takes attributes out that a caller does not want: members of groups are many.
fn leave_out(resource: &mut Value, names: &str) {
    if let Some(fields) = resource.as_object_mut() {
        for name in names.split(',').map(str::trim) {
            if !["id", "schemas"].contains(&name) {
                fields.remove(name);
            }
        }
    }
}

/// A text of a resource, whatever the case of its key.
fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    patch::get(value, key)?.as_str().map(str::trim)
}

/// True and false, also as the texts that some send.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

async fn provider(_: Keeper) -> Scim {
    let no = json!({ "supported": false });
    Scim(
        StatusCode::OK,
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": { "supported": true },
            "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
            "filter": { "supported": true, "maxResults": COUNT_MAX },
            "changePassword": no, "sort": no, "etag": no,
            "authenticationSchemes": [{
                "type": "oauthbearertoken", "name": "Bearer token",
                "description": "auth.scim_token of the server's configuration", "primary": true,
            }],
            "meta": { "resourceType": "ServiceProviderConfig",
                "location": "/scim/v2/ServiceProviderConfig" },
        }),
    )
}

async fn types(_: Keeper) -> Scim {
    let kind = |name: &str, schema: &str| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name, "name": name, "endpoint": format!("/{name}s"), "schema": schema,
        })
    };
    let mut user = kind("User", USER);
    user["schemaExtensions"] = json!([{ "schema": ENTERPRISE, "required": false }]);
    let all = json!([user, kind("Group", GROUP)]);
    Scim(
        StatusCode::OK,
        json!({ "schemas": [LIST], "totalResults": 2, "startIndex": 1, "itemsPerPage": 2,
            "Resources": all }),
    )
}

async fn schemas(_: Keeper) -> Scim {
    let attribute = |name: &str, kind: &str, many: bool| {
        json!({
            "name": name, "type": kind, "multiValued": many, "required": name == "userName",
            "caseExact": false, "mutability": "readWrite", "returned": "default",
            "uniqueness": if name == "userName" { "server" } else { "none" },
        })
    };
    let schema = |id: &str, name: &str, all: &[(&str, &str, bool)]| {
        let all = all
            .iter()
            .map(|(name, kind, many)| attribute(name, kind, *many));
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id, "name": name, "attributes": all.collect::<Value>(),
        })
    };
    let user = [
        ("userName", "string", false),
        ("externalId", "string", false),
        ("name", "complex", false),
        ("displayName", "string", false),
        ("emails", "complex", true),
        ("active", "boolean", false),
        ("timezone", "string", false),
        ("preferredLanguage", "string", false),
        ("roles", "complex", true),
    ];
    let enterprise = [
        ("department", "string", false),
        ("manager", "complex", false),
    ];
    let group = [
        ("displayName", "string", false),
        ("members", "complex", true),
    ];
    let all = json!([
        schema(USER, "User", &user),
        schema(ENTERPRISE, "EnterpriseUser", &enterprise),
        schema(GROUP, "Group", &group),
    ]);
    Scim(
        StatusCode::OK,
        json!({ "schemas": [LIST], "totalResults": 3, "startIndex": 1, "itemsPerPage": 3,
            "Resources": all }),
    )
}

async fn nothing(_: Keeper) -> Refusal {
    Refusal {
        status: StatusCode::NOT_FOUND,
        kind: "",
        detail: "there are /Users, /Groups, /ServiceProviderConfig, /ResourceTypes and /Schemas"
            .to_owned(),
    }
}
