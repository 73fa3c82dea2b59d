//! SCIM over HTTP: the calls of Okta and of Entra as they send them, its own token, and what
//! becomes of the directory.

use serde_json::{Value, json};

use crate::client::{Answer, Server, send, start};
use crate::stand_in::samples::morning;

const TOKEN: &str = "authorization: Bearer scim-secret";
const MEDIA: &str = "content-type: application/scim+json; charset=utf-8";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn call(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let answer = send(server.internal, method, path, &[TOKEN, MEDIA], &body).await;
    (answer.status, said(&answer))
}

fn said(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or(Value::Null)
}

async fn get(server: &Server, path: &str) -> Value {
    let (status, body) = call(server, "GET", path, Value::Null).await;
    assert_eq!(status, 200, "{path} {body}");
    body
}

fn patch(operations: Value) -> Value {
    json!({ "schemas": [PATCH], "Operations": operations })
}

#[tokio::test]
async fn only_its_own_token_opens_it_and_it_opens_nothing_else() {
    let server = start(morning(), "console-secret").await;
    let path = "/scim/v2/Users";
    for wrong in [
        "authorization: Bearer console-secret",
        "authorization: Bearer nonsense",
        "accept: */*",
    ] {
        let answer = send(server.internal, "GET", path, &[wrong], "").await;
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(
            said(&answer)["schemas"][0]
                .as_str()
                .unwrap()
                .ends_with(":Error")
        );
    }
    let answer = send(server.internal, "GET", "/api/directory", &[TOKEN], "").await;
    assert_eq!(answer.status, 401, "the token of SCIM opens no API");
    let answer = send(server.public, "GET", path, &[TOKEN], "").await;
    assert_eq!(answer.status, 404, "and it is not on the public listener");
    assert_eq!(get(&server, path).await["totalResults"], 4);
    for about in ["ServiceProviderConfig", "ResourceTypes", "Schemas"] {
        get(&server, &format!("/scim/v2/{about}")).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn okta_makes_changes_and_ends_a_user() {
    let server = start(morning(), "").await;
    // Its test of the connection, then its question whether somebody is there.
    let page = get(&server, "/scim/v2/Users?startIndex=1&count=2").await;
    assert_eq!(
        (page["itemsPerPage"].as_u64(), page["totalResults"].as_u64()),
        (Some(2), Some(4))
    );
    let asked = "/scim/v2/Users?filter=userName%20eq%20%22eva.ebner%40alpenwerk.example%22&startIndex=1&count=100";
    assert_eq!(get(&server, asked).await["totalResults"], 0);
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "eva.ebner@alpenwerk.example", "externalId": "00uEva", "locale": "de-AT",
        "name": {"givenName": "Eva", "familyName": "Ebner"}, "displayName": "Eva Ebner",
        "emails": [{"primary": true, "value": "eva.ebner@alpenwerk.example", "type": "work"}],
        "groups": [], "password": "1mz050nq", "active": true,
    });
    let (status, made) = call(&server, "POST", "/scim/v2/Users", user.clone()).await;
    assert_eq!(
        (status, made["id"].as_str()),
        (201, Some("eva.ebner")),
        "{made}"
    );
    assert!(!made.to_string().contains("1mz050nq"));
    let (status, twice) = call(&server, "POST", "/scim/v2/Users", user.clone()).await;
    assert_eq!(
        (status, twice["scimType"].as_str()),
        (409, Some("uniqueness"))
    );
    let found = get(&server, asked).await;
    assert_eq!(found["Resources"][0]["externalId"], "00uEva");
    // A changed profile comes as a whole.
    let mut changed = user;
    changed["displayName"] = json!("Eva Eder");
    let (status, put) = call(&server, "PUT", "/scim/v2/Users/eva.ebner", changed).await;
    assert_eq!(
        (status, put["displayName"].as_str()),
        (200, Some("Eva Eder"))
    );
    let off = patch(json!([{"op": "replace", "value": {"active": false}}]));
    let (status, left) = call(&server, "PATCH", "/scim/v2/Users/eva.ebner", off).await;
    assert_eq!((status, left["active"].as_bool()), (200, Some(false)));
    let person = &server.json("/api/directory").await["people"]["eva.ebner"];
    assert_eq!(
        (person["inactive"].as_bool(), person["language"].as_str()),
        (Some(true), Some("de"))
    );
    assert_eq!(
        person["zone"], "Europe/Vienna",
        "the owner's, since none was said"
    );
    server.stop().await;
}

#[tokio::test]
async fn okta_keeps_a_group() {
    let server = start(morning(), "").await;
    // Groups: made with a member, one more is added, one taken out.
    let group = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Test SCIMv2", "members": [{"value": "alice", "display": "alice@alpenwerk.example"}]});
    let (status, made) = call(&server, "POST", "/scim/v2/Groups", group).await;
    assert_eq!((status, made["id"].as_str()), (201, Some("test-scimv2")));
    let both = patch(json!([
        {"op": "remove", "path": "members[value eq \"alice\"]"},
        {"op": "add", "path": "members", "value": [{"value": "carl"}, {"value": "dora"}]},
    ]));
    let (status, after) = call(&server, "PATCH", "/scim/v2/Groups/test-scimv2", both).await;
    assert_eq!(status, 200, "{after}");
    let members: Vec<&str> = after["members"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|m| m["value"].as_str())
        .collect();
    assert_eq!(members, ["carl", "dora"]);
    let renamed =
        patch(json!([{"op": "replace", "value": {"id": "test-scimv2", "displayName": "Testers"}}]));
    assert_eq!(
        call(&server, "PATCH", "/scim/v2/Groups/test-scimv2", renamed)
            .await
            .1["displayName"],
        "Testers"
    );
    assert_eq!(
        call(
            &server,
            "DELETE",
            "/scim/v2/Groups/test-scimv2",
            Value::Null
        )
        .await
        .0,
        204
    );
    server.stop().await;
}

#[tokio::test]
async fn entra_finds_changes_and_disables_a_user() {
    let server = start(morning(), "").await;
    let asked = "/scim/v2/Users?filter=userName+eq+%22alice%40alpenwerk.example%22";
    let found = get(&server, asked).await;
    assert_eq!(
        found["Resources"][0]["id"], "alice",
        "whom a list brought is found by his address"
    );
    let path = "/scim/v2/Users/alice";
    let changes = patch(json!([
        {"op": "Add", "path": "externalId", "value": "9950b140"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a.arnold@alpenwerk.example"},
        {"op": "Replace", "path": "name.familyName", "value": "Auer"},
        {"op": "Replace", "path": "displayName", "value": "Alice Auer"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "ivan"},
        {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "brand"},
    ]));
    let (status, after) = call(&server, "PATCH", path, changes).await;
    assert_eq!(status, 200, "{after}");
    let off = patch(json!([{"op": "Replace", "path": "active", "value": "False"}]));
    assert_eq!(call(&server, "PATCH", path, off).await.1["active"], false);
    let directory = server.json("/api/directory").await;
    let alice = &directory["people"]["alice"];
    assert_eq!(
        (alice["name"].as_str(), alice["manager"].as_str()),
        (Some("Alice Auer"), Some("ivan"))
    );
    assert_eq!(alice["emails"][0], "a.arnold@alpenwerk.example");
    assert_eq!(
        (alice["deputy"].as_str(), &alice["push"][0]),
        (Some("dora"), &json!("alice-phone")),
        "what Entra does not know stays"
    );
    // Who is disabled is still found, and comes back.
    let active = "/scim/v2/Users?filter=externalId+eq+%229950b140%22+and+active+eq+false";
    assert_eq!(get(&server, active).await["totalResults"], 1);
    let on = patch(json!([{"op": "Replace", "path": "active", "value": "True"}]));
    assert_eq!(call(&server, "PATCH", path, on).await.1["active"], true);
    assert_eq!(call(&server, "DELETE", path, Value::Null).await.0, 204);
    assert_eq!(call(&server, "GET", path, Value::Null).await.0, 404);
    let left = &server.json("/api/directory").await["people"]["alice"];
    assert_eq!(
        left["inactive"], true,
        "he left, and nothing of him is lost"
    );
    server.stop().await;
}

#[tokio::test]
async fn entra_keeps_the_people_of_a_group_and_leaves_its_words() {
    let server = start(morning(), "").await;
    // A group is asked for without its members, and a member leaves in Entra's older way.
    let groups = get(
        &server,
        "/scim/v2/Groups?excludedAttributes=members&filter=displayName+eq+%22Approvers%22",
    )
    .await;
    assert!(groups["totalResults"] == 1 && groups["Resources"][0].get("members").is_none());
    let add = patch(
        json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "ivan"}]}]),
    );
    assert_eq!(
        call(&server, "PATCH", "/scim/v2/Groups/approvers", add)
            .await
            .1["members"][0]["value"],
        "ivan"
    );
    let gone = patch(json!([{"op": "Remove", "path": "members", "value": [{"value": "ivan"}]}]));
    assert_eq!(
        call(&server, "PATCH", "/scim/v2/Groups/approvers", gone)
            .await
            .1["members"],
        json!([])
    );
    let kept = &server.json("/api/directory").await["groups"]["approvers"]["members"];
    assert_eq!(
        *kept,
        json!(["role purchasing-lead", "role cfo"]),
        "words are not Entra's to take"
    );
    server.stop().await;
}

/// Calls that are refused, with the status and the protocol's word.
fn refused() -> Vec<(&'static str, &'static str, Value, u16, &'static str)> {
    let users = "/scim/v2/Users";
    vec![
        (
            "POST",
            users,
            json!({"displayName": "Nobody"}),
            400,
            "invalidValue",
        ),
        ("POST", users, json!([1]), 400, "invalidSyntax"),
        (
            "POST",
            users,
            json!({"userName": "x@y.example", "timezone": "Mars/Base"}),
            400,
            "invalidValue",
        ),
        (
            "PATCH",
            "/scim/v2/Users/alice",
            patch(json!([{"op": "remove"}])),
            400,
            "noTarget",
        ),
        (
            "PATCH",
            "/scim/v2/Users/alice",
            patch(json!([{"op": "add", "path": "a[b", "value": 1}])),
            400,
            "invalidPath",
        ),
        ("PATCH", "/scim/v2/Users/nobody", patch(json!([])), 404, ""),
        (
            "PUT",
            "/scim/v2/Users/alice",
            json!({"userName": "dora@alpenwerk.example"}),
            400,
            "invalidValue",
        ),
        (
            "GET",
            "/scim/v2/Users?filter=userName+co+%22a%22",
            Value::Null,
            400,
            "invalidFilter",
        ),
        (
            "GET",
            "/scim/v2/Users?startIndex=x",
            Value::Null,
            400,
            "invalidValue",
        ),
        (
            "POST",
            "/scim/v2/Groups",
            json!({"displayName": "Approvers"}),
            409,
            "uniqueness",
        ),
        (
            "POST",
            "/scim/v2/Groups",
            json!({"displayName": "New", "members": [{"value": "nobody"}]}),
            400,
            "invalidValue",
        ),
        ("GET", "/scim/v2/Nothing", Value::Null, 404, ""),
    ]
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_the_words_of_the_protocol() {
    let server = start(morning(), "").await;
    let before = server.json("/api/directory").await["version"].clone();
    for (method, path, body, status, kind) in refused() {
        let (was, answer) = call(&server, method, path, body.clone()).await;
        assert_eq!(
            (was, answer["scimType"].as_str().unwrap_or_default()),
            (status, kind),
            "{method} {path} {body} {answer}"
        );
        assert_eq!(answer["status"], status.to_string());
    }
    assert_eq!(
        server.json("/api/directory").await["version"],
        before,
        "nothing was changed"
    );
    server.stop().await;
}
