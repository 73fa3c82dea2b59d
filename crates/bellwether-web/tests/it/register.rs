//! The register and the people of other systems: the API's lists and what it takes, and the pages
//! with their buttons.

use serde_json::json;

use crate::client::{send, start};
use crate::stand_in::fake::lock;
use crate::stand_in::samples::{empty, morning};

#[tokio::test]
async fn usages_are_listed_with_filters_and_pages() {
    let server = start(morning(), "").await;
    let all = server.json("/api/usages?limit=3").await;
    assert_eq!(
        (all["total"].as_u64(), all["next"].as_str()),
        (Some(4), Some("2"))
    );
    let rest = server.json("/api/usages?limit=3&after=2").await;
    assert_eq!(
        (
            rest["items"].as_array().map(Vec::len),
            rest["next"].is_null()
        ),
        (Some(1), true)
    );
    let found = server.json("/api/usages?asset=logo-2026&person=dora").await;
    let row = &found["items"][0];
    assert_eq!(row["person"], "dora");
    assert_eq!(
        (row["connection"].as_str(), row["user"].as_str()),
        (Some("assets"), Some("9b2d"))
    );
    assert_eq!(
        (row["how"].as_str(), row["ended_at"].is_null()),
        (Some("derived"), true)
    );
    assert_eq!(row["since"], "2026-02-20T08:00:00Z");
    for wrong in ["aset=1", "ended=maybe", "after=x", "limit=0"] {
        let answer = server.get(&format!("/api/usages?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn usages_are_taken_as_json_and_as_csv_each_for_itself() {
    let server = start(morning(), "").await;
    let body = json!({ "usages": [
        { "asset": "logo", "person": "alice", "document": "Flyer", "how": "linked" },
        { "person": "alice" },
        { "asset": "logo", "connection": "assets", "user": "u-1", "name": "Eve", "ended": true,
          "since": "2026-03-01T08:00:00Z" },
        { "asset": "logo", "user": "u-1" },
        { "asset": "logo", "person": "alice", "how": "sewn" },
    ]});
    let answer = server.post_json("/api/usages", &body.to_string()).await;
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, said["recorded"].as_u64()), (200, Some(2)));
    let refused: Vec<u64> = said["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["entry"].as_u64().unwrap())
        .collect();
    assert_eq!(refused, [1, 3, 4]);
    let csv =
        "asset,person,document,since,ended\nlogo,dora,\"Flyer, A5\",2026-03-01T08:00:00Z,true\n";
    let media = ["content-type: text/csv; charset=utf-8"];
    let answer = send(server.internal, "POST", "/api/usages", &media, csv).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let said = lock(&server.fake.register).said.clone();
    assert_eq!(
        (said[0].document.as_str(), said[0].user.id.as_str()),
        ("Flyer", "alice")
    );
    assert_eq!(
        (said[1].user.connection.as_str(), said[1].ended),
        ("assets", true)
    );
    assert!(said[1].at.is_some() && said[1].since.is_none());
    assert_eq!(
        (said[2].document.as_str(), said[2].ended),
        ("Flyer, A5", true)
    );
    for (media, body) in [
        ("application/json", r#"{"usages":[{"aset":"logo"}]}"#),
        ("application/json", r#"{"usages":7}"#),
        ("text/csv", "asset,colour\nlogo,red\n"),
        ("text/csv", "asset,person\nlogo\n"),
    ] {
        let media = [&*format!("content-type: {media}")].map(str::to_owned);
        let media: Vec<&str> = media.iter().map(String::as_str).collect();
        let answer = send(server.internal, "POST", "/api/usages", &media, body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn another_sites_page_cannot_send_csv() {
    let server = start(morning(), "").await;
    let foreign = ["content-type: text/csv", "origin: https://evil.example"];
    let answer = send(
        server.internal,
        "POST",
        "/api/usages",
        &foreign,
        "asset\nlogo\n",
    )
    .await;
    assert_eq!(answer.status, 403);
    let plain = ["content-type: text/plain"];
    let answer = send(
        server.internal,
        "POST",
        "/api/usages",
        &plain,
        "asset\nlogo\n",
    )
    .await;
    assert_eq!(answer.status, 415);
    assert_eq!(lock(&server.fake.register).said.len(), 0);
}

#[tokio::test]
async fn identities_are_listed_and_mapped_all_or_none() {
    let server = start(morning(), "").await;
    let unresolved = server.json("/api/unresolved").await;
    assert_eq!(unresolved["total"], 2);
    let carl = &unresolved["items"][0];
    assert_eq!(
        (carl["seen"].as_u64(), carl["person"].is_null()),
        (Some(12), true)
    );
    assert_eq!(carl["proposed"]["person"], "carl");
    assert_eq!(carl["last_seen"], "2026-03-02T08:30:00Z");
    let known = server
        .json("/api/identities?status=resolved&person=dora")
        .await;
    assert_eq!(
        (known["total"].as_u64(), &known["items"][0]["mapped_by"]),
        (Some(1), &json!("admin(local)"))
    );
    assert_eq!(server.get("/api/identities?status=maybe").await.status, 400);
    let csv = "connection,id,name,person\nassets,u-1,Eve,carl\nassets,u-2,,\n";
    let media = ["content-type: text/csv"];
    let answer = send(server.internal, "POST", "/api/identities", &media, csv).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"mapped":2}"#)
    );
    let body = json!({ "connection": "assets", "id": "u-3", "person": "stranger" });
    let answer = server.post_json("/api/identities", &body.to_string()).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("does not know stranger"),
        "{}",
        answer.body
    );
    let mapped = lock(&server.fake.register).mapped.clone();
    assert_eq!((mapped.len(), mapped[0].1.as_str()), (2, "admin(local)"));
    assert_eq!(
        (mapped[0].0.person.as_deref(), &mapped[1].0.person),
        (Some("carl"), &None)
    );
    let answer = server.post_json("/api/unresolved/propose", "").await;
    assert_eq!(answer.body, r#"{"proposed":1}"#);
}

#[tokio::test]
async fn the_page_shows_who_is_not_known_and_takes_an_answer() {
    let server = start(morning(), "").await;
    let page = server.get("/people/unknown").await.body;
    for text in [
        "Carl Conrad",
        "may be Carl Conrad",
        "named 12 times",
        "agency-user-7",
        "named once",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let (_, rest) = page.split_once("name=\"form_token\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap();
    let form = ["content-type: application/x-www-form-urlencoded"];
    let body = format!("form_token={token}&connection=assets&id=agency-user-7&person=dora");
    let answer = send(server.internal, "POST", "/people/map", &form, &body).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/people/unknown"))
    );
    let mapped = lock(&server.fake.register).mapped.clone();
    assert_eq!(
        (mapped[0].0.id.as_str(), mapped[0].0.person.as_deref()),
        ("agency-user-7", Some("dora"))
    );
    let stale = "form_token=x&connection=assets&id=u&person=dora";
    assert_eq!(
        send(server.internal, "POST", "/people/map", &form, stale)
            .await
            .status,
        403
    );
    assert_eq!(lock(&server.fake.register).mapped.len(), 1);
    let known = server.get("/people/unknown?status=known").await.body;
    assert!(known.contains("Dora Dorn") && !known.contains("agency-user-7"));
    let uses = server.get("/people/usages?asset=logo-2026").await.body;
    assert!(
        uses.contains("by its name only") && uses.contains("not known"),
        "{uses}"
    );
    assert!(uses.contains("asset logo-2026 ×"));
}

#[tokio::test]
async fn an_empty_register_says_what_to_do() {
    let server = start(empty(), "").await;
    assert!(
        server
            .get("/people/unknown")
            .await
            .body
            .contains("Everybody whom other systems named")
    );
    assert!(
        server
            .get("/people/unknown?status=known")
            .await
            .body
            .contains("bellwether people import")
    );
    assert!(
        server
            .get("/people/usages")
            .await
            .body
            .contains("bellwether scan-links")
    );
}
