//! The directory over HTTP: read, changed as a whole or not at all, absences, who is on duty,
//! customers, and the pages with their forms.

use serde_json::{Value, json};

use crate::client::{Server, send, start};
use crate::stand_in::fake::lock;
use crate::stand_in::samples::{empty, morning};

const JSON: &str = "content-type: application/json";

async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let answer = send(server.internal, "POST", path, &[JSON], &body.to_string()).await;
    (
        answer.status,
        serde_json::from_str(&answer.body).expect("JSON"),
    )
}

async fn form(server: &Server, page: &str, path: &str, fields: &str) -> Option<String> {
    let shown = server.get(page).await.body;
    let (_, rest) = shown
        .split_once("name=\"form_token\" value=\"")
        .expect("a form with its token");
    let token = rest.split('"').next().expect("a form with its token");
    let media = "content-type: application/x-www-form-urlencoded";
    let body = format!("form_token={token}&{fields}");
    let answer = send(server.internal, "POST", path, &[media], &body).await;
    assert_eq!(answer.status, 303, "{path} {}", answer.body);
    answer.header("location").map(str::to_owned)
}

#[tokio::test]
async fn a_change_is_said_before_it_is_made_and_made_as_a_whole() {
    let server = start(morning(), "").await;
    let change = json!({ "people": { "eva": { "zone": "Europe/Vienna", "manager": "carl" }, "alice": { "team": "sales" } } });
    let (status, said) = post(&server, "/api/directory?dry_run=true", &change).await;
    assert_eq!((status, said["changed"].as_u64()), (200, Some(2)));
    assert_eq!(
        said["said"],
        json!(["alice: changed: team brand → sales", "eva: added"])
    );
    assert!(server.json("/api/directory").await["people"]["eva"].is_null());
    let (status, said) = post(&server, "/api/directory", &change).await;
    assert_eq!((status, said["version"].as_u64()), (200, Some(2)));
    let wrong = json!({ "people": { "eva": { "deputy": "alcie" }, "fay": { "zone": "Mars" } } });
    let (status, said) = post(&server, "/api/directory", &wrong).await;
    assert_eq!(
        (status, said["refused"].as_array().map(Vec::len)),
        (400, Some(2)),
        "{said}"
    );
    assert!(said.to_string().contains("did you mean alice?"), "{said}");
    let now = server.json("/api/directory").await;
    assert!(now["people"]["fay"].is_null() && now["version"] == 2 && now["findings"].is_array());
    server.stop().await;
}

#[tokio::test]
async fn three_thousand_people_come_in_one_call() {
    let server = start(morning(), "").await;
    let people: serde_json::Map<String, Value> = (0..3_000)
        .map(|n| {
            let body = json!({ "name": format!("Person {n}"), "zone": "Europe/Berlin", "team": "all",
                "emails": [format!("p{n}@alpenwerk.example")], "manager": "carl", "deputy": "ivan" });
            (format!("p{n}"), body)
        })
        .collect();
    let (status, said) = post(&server, "/api/directory", &json!({ "people": people })).await;
    assert_eq!((status, said["changed"].as_u64()), (200, Some(3_000)));
    let page = server.get("/people?team=all").await.body;
    assert!(
        page.contains("Person 0") && page.contains("after="),
        "in pages"
    );
    server.stop().await;
}

#[tokio::test]
async fn absences_and_duty_are_asked_and_said() {
    let server = start(morning(), "").await;
    let away = json!({ "from": "2026-04-01", "until": "2026-04-10", "source": "self" });
    let (status, said) = post(&server, "/api/people/alice/away", &away).await;
    assert_eq!((status, &said["away"][0]["source"]), (200, &json!("self")));
    // The same source says it anew: the later one stands in its place.
    let later = json!({ "from": "2026-04-05", "until": "2026-04-12", "source": "self" });
    assert_eq!(
        post(&server, "/api/people/alice/away", &later).await.1["away"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (path, body) in [
        (
            "/api/people/alice/away",
            json!({ "from": "2026-04-05", "until": "2026-04-01" }),
        ),
        (
            "/api/people/alice/away",
            json!({ "from": "soon", "until": "2026-04-01" }),
        ),
        (
            "/api/people/alice/away",
            json!({ "from": "2026-04-01", "until": "2026-04-01", "source": "rumour" }),
        ),
    ] {
        assert_eq!(post(&server, path, &body).await.0, 400, "{body}");
    }
    assert_eq!(post(&server, "/api/people/nobody/away", &away).await.0, 404);
    let duty = server
        .json("/api/rotas/it-ops/on-duty?at=2026-03-02T10:00:00Z")
        .await;
    assert_eq!(
        (duty["person"].as_str(), duty["next"]["person"].as_str()),
        (Some("ivan"), Some("carl"))
    );
    assert_eq!(
        duty["next"]["from"], "2026-03-04T17:00:00Z",
        "18:00 in Vienna"
    );
    assert_eq!(server.get("/api/rotas/none/on-duty").await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn customers_are_handed_in_counted_and_found() {
    let server = start(morning(), "").await;
    let csv = "address,app_id,language,zone,consent\nEva@home.example,app-1,de,Europe/Vienna,given\nfred@home.example,,en,,not_asked\n";
    let media = "content-type: text/csv";
    let answer = send(server.internal, "POST", "/api/customers", &[media], csv).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let counts = server.json("/api/customers/counts").await;
    assert_eq!(
        (counts["all"].as_u64(), counts["reachable"].as_u64()),
        (Some(2), Some(1))
    );
    let found = server.json("/api/customers?begins=EVA").await;
    assert_eq!(found["items"][0]["address"], "eva@home.example");
    let wrong = json!({ "address": "x@y.example", "consent": "maybe" });
    assert_eq!(post(&server, "/api/customers", &wrong).await.0, 400);
    let page = server.get("/people/customers").await.body;
    assert!(page.contains("eva@home.example") && page.contains("may be sent"));
    server.stop().await;
}

#[tokio::test]
async fn the_pages_say_who_would_be_told_and_take_absences_groups_and_swaps() {
    let server = start(morning(), "").await;
    let alice = server.get("/people/person/alice").await.body;
    assert!(
        alice.contains("If a critical alert came now: phone, at once."),
        "{alice}"
    );
    let dora = server.get("/people/person/dora").await.body;
    assert!(
        dora.contains("Carl Conrad&#39;s mailbox") || dora.contains("Carl Conrad's mailbox"),
        "{dora}"
    );
    let to = "/people/person/alice/away";
    let page = "/people/person/alice";
    let back = form(&server, page, to, "from=2026-03-02&until=2026-03-03").await;
    assert_eq!(back.as_deref(), Some(page));
    let alice = server.get(page).await.body;
    assert!(
        alice.contains("2026-03-03") && alice.contains("Carl Conrad"),
        "{alice}"
    );
    form(
        &server,
        page,
        to,
        "from=2026-03-02&until=2026-03-03&remove=yes",
    )
    .await;
    assert!(server.json("/api/directory").await["people"]["alice"]["away"][0].is_null());
    form(
        &server,
        "/people/groups",
        "/people/groups",
        "name=partners&members=alice%0D%0Arole+cfo%0D%0A",
    )
    .await;
    let groups = &server.json("/api/directory").await["groups"];
    assert_eq!(groups["partners"]["members"], json!(["alice", "role cfo"]));
    form(
        &server,
        "/people/groups",
        "/people/groups",
        "name=partners&members=nobody",
    )
    .await;
    let groups = &server.json("/api/directory").await["groups"];
    assert_eq!(
        groups["partners"]["members"],
        json!(["alice", "role cfo"]),
        "refused as a whole"
    );
    let swap = "rota=it-ops&person=alice&from=2026-03-03T08:00&until=2026-03-03T18:00";
    form(&server, "/people/rotas", "/people/rotas", swap).await;
    let duty = server
        .json("/api/rotas/it-ops/on-duty?at=2026-03-03T12:00:00Z")
        .await;
    assert_eq!(duty["person"], "alice");
    assert_eq!(server.get("/people/person/nobody").await.status, 404);
    assert_eq!(
        lock(&server.fake.documents)
            .iter()
            .filter(|d| d.kind == "directory")
            .count(),
        1
    );
    server.stop().await;
}

#[tokio::test]
async fn empty_pages_say_what_to_do() {
    let server = start(empty(), "").await;
    for (page, words) in [
        ("/people", "bellwether import people"),
        ("/people/groups", "No group yet"),
        ("/people/rotas", "No rota yet"),
        ("/people/customers", "recipe G3"),
    ] {
        let shown = server.get(page).await;
        assert!(shown.status == 200 && shown.body.contains(words), "{page}");
    }
    server.stop().await;
}
