//! What happens in a tenant of the Smint.io stand-in over time: counters, terms, troubles,
//! campaigns, a whole week, a reset.

use serde_json::{Value, json};

use crate::smintio::{Smint, TENANT};
use crate::wire::call;

#[tokio::test]
async fn counters_grow_loudly_or_silently_and_terms_end_and_are_renewed() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let wish = json!({"name": "Used", "max_downloads": 10, "valid_days": 30});
    let uuid = smint.deed("buy", wish).await["uuid"].clone();
    let (_, cursor) = smint.read(&token, None, 50).await;
    let use_it = json!({"uuid": uuid, "counter": "downloads", "by": 4});
    smint.deed("usage", use_it.clone()).await;
    let (loud, cursor) = smint.read(&token, cursor.as_deref(), 50).await;
    assert_eq!(
        (&loud[0]["current_downloads"], &loud[0]["version"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(
        loud[0]["license_download_constraints"]["effective_max_downloads"],
        10
    );
    smint
        .deed("settings", json!({"silent_counters": true}))
        .await;
    smint.deed("usage", use_it).await;
    let (silent, _) = smint.read(&token, cursor.as_deref(), 50).await;
    assert_eq!(silent.len(), 0, "nobody is told");
    let (all, _) = smint.read(&token, None, 50).await;
    let again = all.iter().find(|r| r["uuid"] == uuid).expect("there");
    assert_eq!(
        (&again["current_downloads"], &again["version"]),
        (&json!(8), &json!(2))
    );

    smint
        .deed(
            "expire",
            json!({"uuid": uuid, "at": "2026-03-31T22:00:00Z"}),
        )
        .await;
    let renewed = smint.deed("renew", json!({"uuid": uuid})).await;
    assert_ne!(
        renewed["uuid"], uuid,
        "terms are fixed at the purchase: it is bought again"
    );
    let (news, _) = smint.read(&token, cursor.as_deref(), 50).await;
    assert_eq!(
        news[0]["license_terms"][0]["valid_until"],
        "2026-03-31T22:00:00Z"
    );
    assert_eq!(
        news[0]["content_element"]["uuid"],
        news[1]["content_element"]["uuid"]
    );
    smint
        .deed("renew", json!({"uuid": uuid, "in_place": true}))
        .await;
    let (news, _) = smint.read(&token, cursor.as_deref(), 50).await;
    let ends = news[1]["license_terms"][0]["valid_until"]
        .as_str()
        .expect("a date")
        .to_owned();
    assert!(ends.as_str() > "2026-12", "{ends}");
}

#[tokio::test]
async fn every_trouble_has_its_status_and_code_and_hits_one_tenant() {
    let smint = Smint::with(20).await;
    let token = smint.token().await;
    for (kind, status, code) in [
        ("unauthorized", 401, "access_token_expired"),
        ("forbidden", 403, "permission_denied"),
        ("tenant_not_found", 404, "tenant_not_found"),
        ("locked", 409, "optimistic_lock_violated"),
        ("too_many", 429, "too_many_requests"),
        ("internal", 500, "internal_server_error"),
        ("unavailable", 503, "backend_service_not_available"),
    ] {
        smint.deed("outage", json!({"kind": kind})).await;
        let hit = smint.page(&token, "").await;
        assert_eq!(
            (hit.status, &hit.json()["error_code"]),
            (status, &json!(code)),
            "{kind}"
        );
        assert_eq!(hit.header("retry-after"), None);
        assert_eq!(smint.page(&token, "").await.status, 200, "{kind} hits once");
    }
    smint
        .deed("outage", json!({"kind": "too_many", "retry_after": 7}))
        .await;
    assert_eq!(
        smint.page(&token, "").await.header("retry-after"),
        Some("7")
    );
    smint.deed("outage", json!({"kind": "truncated"})).await;
    let half = smint.page(&token, "").await;
    assert!(half.status == 200 && serde_json::from_str::<Value>(&half.text).is_err());
    smint.deed("outage", json!({"kind": "reset"})).await;
    let bearer = format!("Bearer {token}");
    let path = format!("/agency{}", smint.feed(""));
    let cut = call(smint.at, "GET", &path, &[("authorization", &bearer)], "").await;
    assert!(cut.is_err(), "the line was cut");
    smint
        .deed("outage", json!({"kind": "slow", "delay_ms": 120}))
        .await;
    let before = std::time::Instant::now();
    assert_eq!(smint.page(&token, "").await.status, 200);
    assert!(before.elapsed().as_millis() >= 120);
}

#[tokio::test]
async fn maintenance_leads_to_a_page_and_only_one_tenant_is_away() {
    let smint = Smint::with(20).await;
    let token = smint.token().await;
    smint
        .deed("outage", json!({"kind": "maintenance", "times": 0}))
        .await;
    let away = smint.page(&token, "").await;
    assert_eq!(away.status, 302);
    let place = away.header("location").expect("a place").to_owned();
    assert_eq!(place, "/Error?errorCode=maintenance_mode");
    let page = call(smint.at, "GET", &place, &[], "")
        .await
        .expect("an answer");
    assert!(page.status == 200 && page.text.starts_with("<!DOCTYPE html>"));
    let other = format!("/{TENANT}/.well-known/openid-configuration");
    let other = call(smint.at, "GET", &other, &[], "")
        .await
        .expect("an answer");
    assert_eq!(other.status, 200, "only the one tenant is away");
    smint
        .deed(
            "outage",
            json!({"kind": "unavailable", "area": "oidc", "times": 0}),
        )
        .await;
    assert_eq!(
        smint.shown().await["troubles"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(smint.deed("recover", json!({})).await["ended"], 2);
    assert_eq!(smint.page(&token, "").await.status, 200);
    let path = "/admin/smintio/agency/outage";
    let unknown = smint.post.admin(path, json!({"kind": "earthquake"})).await;
    assert!(
        unknown.status == 400 && unknown.text.contains("maintenance"),
        "{}",
        unknown.text
    );
}

#[tokio::test]
async fn a_feed_of_a_hundred_thousand_is_served_from_its_seed() {
    let smint = Smint::with(100_000).await;
    let token = smint.token().await;
    let page = smint.page(&token, "limit=50").await.json();
    let first = page["license_purchase_transactions"][0]["uuid"].clone();
    let again = smint.page(&token, "limit=50").await.json();
    assert_eq!(
        page["license_purchase_transactions"],
        again["license_purchase_transactions"]
    );
    let shown = smint.shown().await;
    assert_eq!(shown["count"], 100_000);
    let newest = shown["transactions"][0]["uuid"].clone();
    smint.deed("redeliver", json!({"uuid": first})).await;
    let shown = smint.shown().await;
    assert_eq!(
        shown["transactions"][0]["uuid"], first,
        "it moved to the end"
    );
    assert_eq!(shown["transactions"][1]["uuid"], newest);
    let moved = smint.page(&token, "limit=50").await.json();
    let records = moved["license_purchase_transactions"]
        .as_array()
        .expect("records");
    assert!(
        records.iter().all(|r| r["uuid"] != first),
        "and is not told twice"
    );
}

#[tokio::test]
async fn a_campaign_is_complete_only_with_its_last_picture() {
    let smint = Smint::start().await;
    let begun = smint
        .deed("campaign", json!({"name": "Winter", "assets": 3}))
        .await;
    assert_eq!(begun["uuids"].as_array().map(Vec::len), Some(3));
    let part = smint
        .deed("campaign_finish", json!({"name": "Winter", "assets": 2}))
        .await;
    assert_eq!((&part["completed"], &part["open"]), (&json!(2), &json!(1)));
    let last = smint
        .deed("campaign_finish", json!({"name": "Winter"}))
        .await;
    assert_eq!((&last["completed"], &last["open"]), (&json!(1), &json!(0)));
    let shown = smint.shown().await;
    let all = shown["transactions"].as_array().expect("some");
    let of = |r: &&Value| r["collection_uuid"] == begun["collection_uuid"];
    assert_eq!(
        all.iter()
            .filter(of)
            .filter(|r| r["state"] == "completed")
            .count(),
        3
    );
}

#[tokio::test]
async fn a_week_is_played_step_by_step_and_the_same_for_the_same_seed() {
    let smint = Smint::start().await;
    let path = format!("/admin/smintio/{TENANT}/week");
    let script = smint
        .post
        .admin(&format!("{path}?seed=3"), Value::Null)
        .await
        .json();
    let steps = script["steps"].as_array().expect("steps").len();
    let some = smint
        .post
        .admin(&path, json!({"seed": 3, "steps": 5}))
        .await
        .json();
    assert_eq!(
        (some["left"].as_u64(), &some["played"][0]["deed"]),
        (Some(steps as u64 - 5), &json!("buy"))
    );
    let rest = smint.post.admin(&path, json!({"seed": 3})).await.json();
    assert_eq!(rest["left"], 0);
    let played = [some["played"].clone(), rest["played"].clone()];
    let played: Vec<&Value> = played
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .collect();
    assert_eq!(played.len(), steps);
    for step in &played {
        assert_eq!(step.get("error"), None, "{step:#}");
    }
    let shown = smint.shown().await;
    let states: Vec<&str> = shown["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter_map(|r| r["state"].as_str())
        .collect();
    assert_eq!(states, ["Done", "Declined"]);
    assert_eq!(shown["troubles"], json!([]), "the outage has ended");
    let other = Smint::start().await;
    let same = other.post.admin(&path, json!({"seed": 3})).await.json();
    let words = |all: &[&Value]| all.iter().map(|s| s["words"].clone()).collect::<Vec<_>>();
    assert_eq!(
        words(
            &same["played"]
                .as_array()
                .expect("steps")
                .iter()
                .collect::<Vec<_>>()
        ),
        words(&played)
    );
}

#[tokio::test]
async fn a_reset_brings_the_first_tenant_back_and_mistakes_are_said() {
    let smint = Smint::with(5).await;
    let token = smint.token().await;
    smint.post.admin("/admin/reset", json!({})).await;
    assert_eq!(
        smint.page(&token, "").await.status,
        404,
        "the tenant is gone"
    );
    let list = smint.post.admin("/admin/smintio", Value::Null).await.json();
    assert_eq!(list["tenants"], json!([TENANT]));
    for (deed, body) in [
        ("fly", json!({})),
        ("buy", json!({"by": "nobody"})),
        ("buy", json!({"colour": 1})),
        ("usage", json!({"counter": "prints"})),
        ("expire", json!({"term": 0})),
        ("step", json!({"uuid": "x"})),
        ("campaign_finish", json!({"name": "Nothing"})),
        ("pusher", json!({"close": 1000})),
    ] {
        let path = format!("/admin/smintio/{TENANT}/{deed}");
        let reply = smint.post.admin(&path, body).await;
        assert!(
            reply.status == 400 && reply.json()["error"].is_string(),
            "{deed}: {}",
            reply.text
        );
    }
    let bad = json!({"id": "Not Plain"});
    assert_eq!(smint.post.admin("/admin/smintio", bad).await.status, 400);
    assert_eq!(
        smint
            .post
            .admin("/admin/smintio/nobody/buy", json!({}))
            .await
            .status,
        404
    );
}
