//! Who may call the internal listener, and from where.

use crate::client::{Answer, Server, send, start};
use crate::stand_in::fake::lock;
use crate::stand_in::samples::{id, morning};

const TOKEN: &str = "a-long-token-of-the-console";

/// Every address of the internal listener that shows or tells something.
const GUARDED: [&str; 19] = [
    "/",
    "/tour",
    "/cases",
    "/notifications",
    "/not-delivered",
    "/connections",
    "/flows",
    "/events",
    "/nope",
    "/metrics",
    "/api/overview",
    "/api/events",
    "/api/events/1",
    "/api/runs",
    "/api/notifications",
    "/api/dead-letters",
    "/api/connections",
    "/api/live",
    "/api/nope",
];

async fn get(server: &Server, path: &str, headers: &[&str]) -> Answer {
    send(server.internal, "GET", path, headers, "").await
}

#[tokio::test]
async fn without_a_token_a_foreign_host_name_is_refused_everywhere() {
    let server = start(morning(), "").await;
    for path in GUARDED {
        let rebound = get(&server, path, &["host: attacker.example.net"]).await;
        assert_eq!(rebound.status, 421, "{path}");
        // A name that is ours but not loopback is not "this machine itself".
        let named = get(&server, path, &["host: console.example.com"]).await;
        assert_eq!(named.status, 403, "{path}");
    }
    for host in [
        "localhost",
        "localhost:8080",
        "127.0.0.1:1",
        "[::1]:8080",
        "app.localhost",
    ] {
        let answer = get(&server, "/api/overview", &[&format!("host: {host}")]).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in [
        "localhost.evil.net",
        "127.0.0.1.evil.net",
        "",
        "evil.net:127.0.0.1",
    ] {
        let answer = get(&server, "/api/overview", &[&format!("host: {host}")]).await;
        assert_ne!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn with_a_token_everything_needs_it() {
    let server = start(morning(), TOKEN).await;
    let right = format!("authorization: Bearer {TOKEN}");
    for path in GUARDED {
        for headers in [
            &[][..],
            &["authorization: Bearer wrong"],
            &["authorization: Bearer "],
        ] {
            let answer = get(&server, path, headers).await;
            assert_eq!(answer.status, 401, "{path} {headers:?}");
            assert!(answer.json()["message"].is_string(), "{path}");
        }
        if path != "/api/live" {
            let answer = get(&server, path, &[&right]).await;
            let expected = if path.ends_with("nope") { 404 } else { 200 };
            assert_eq!(answer.status, expected, "{path}");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&server, path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_token_does_not_open_a_foreign_host_name() {
    let server = start(morning(), TOKEN).await;
    let right = format!("authorization: Bearer {TOKEN}");
    let rebound = get(
        &server,
        "/api/overview",
        &["host: attacker.example.net", &right],
    )
    .await;
    assert_eq!(rebound.status, 421);
    let named = get(
        &server,
        "/api/overview",
        &["host: console.example.com", &right],
    )
    .await;
    assert_eq!(named.status, 200);
}

#[tokio::test]
async fn a_person_signs_in_with_the_form_and_out_again() {
    let server = start(morning(), TOKEN).await;
    let asked = get(&server, "/cases", &["accept: text/html"]).await;
    assert_eq!(asked.status, 401);
    assert!(
        asked
            .body
            .contains(r#"<form class="stack" method="post" action="/sign-in">"#)
    );
    assert!(asked.body.contains(r#"name="back" value="/cases""#));

    let wrong = send(
        server.internal,
        "POST",
        "/sign-in",
        &FORM,
        "token=nope&back=/cases",
    )
    .await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("This token is not the right one."));
    assert!(wrong.cookie("bw_console").is_none());

    let form = format!("token={TOKEN}&back=/cases");
    let entered = send(server.internal, "POST", "/sign-in", &FORM, &form).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, Some("/cases"))
    );
    let cookie = entered.cookie("bw_console").expect("a session");
    assert!(!cookie.contains(TOKEN));
    let session = format!("cookie: {cookie}");
    assert_eq!(get(&server, "/cases", &[&session]).await.status, 200);

    // Changed by one character, or past its time, it is worth nothing.
    let forged = format!("cookie: bw_console=9{}", &cookie["bw_console=".len()..]);
    assert_eq!(get(&server, "/cases", &[&forged]).await.status, 401);
    *lock(&server.fake.now) =
        crate::stand_in::samples::now() + bellwether_model::time::Millis::hours(13);
    assert_eq!(get(&server, "/cases", &[&session]).await.status, 401);
}

#[tokio::test]
async fn the_sign_in_form_leads_nowhere_else() {
    let server = start(morning(), TOKEN).await;
    for back in [
        "//evil.net",
        "https://evil.net",
        "/%5Cevil.net",
        "/a%0d%0aset-cookie:x",
    ] {
        let form = format!("token={TOKEN}&back={back}");
        let entered = send(server.internal, "POST", "/sign-in", &FORM, &form).await;
        assert_eq!(entered.header("location"), Some("/"), "{back}");
    }
}

const FORM: [&str; 1] = ["content-type: application/x-www-form-urlencoded"];

#[tokio::test]
async fn another_sites_page_changes_nothing() {
    let server = start(morning(), "").await;
    let api = format!("/api/runs/{}/decide", id(11));
    let page = format!("/cases/{}/decide", id(11));
    let body = r#"{"person":"alice","choice":"approve"}"#;
    for foreign in [
        "sec-fetch-site: cross-site",
        "origin: https://evil.net",
        "sec-fetch-site: same-site",
    ] {
        let answer = send(server.internal, "POST", &api, &[foreign], body).await;
        assert_eq!(answer.status, 403, "{foreign}");
        let token = form_token(&server).await;
        let form = format!("form_token={token}&person=alice&choice=approve");
        let answer = send(server.internal, "POST", &page, &[foreign, FORM[0]], &form).await;
        assert_eq!(answer.status, 403, "{foreign}");
    }
    // Without the form's token not even our own page may post.
    let answer = send(
        server.internal,
        "POST",
        &page,
        &FORM,
        "person=alice&choice=approve",
    )
    .await;
    assert_eq!(answer.status, 403);
    let answer = send(
        server.internal,
        "POST",
        &page,
        &FORM,
        "form_token=0&choice=approve",
    )
    .await;
    assert_eq!(answer.status, 403);
    assert!(lock(&server.fake.decided_for).is_empty());

    let form = format!(
        "form_token={}&person=alice&choice=approve",
        form_token(&server).await
    );
    let answer = send(
        server.internal,
        "POST",
        &page,
        &["sec-fetch-site: same-origin", FORM[0]],
        &form,
    )
    .await;
    assert_eq!(answer.status, 303);
    assert_eq!(lock(&server.fake.decided_for).len(), 1);
}

#[tokio::test]
async fn the_api_changes_nothing_for_a_page_of_another_port_or_a_frame() {
    let server = start(morning(), "").await;
    let api = format!("/api/runs/{}/decide", id(11));
    let body = r#"{"person":"alice","choice":"approve"}"#;
    let json = "content-type: application/json";
    let own = format!("origin: http://127.0.0.1:{}", server.internal.port());
    for (headers, status) in [
        (vec!["origin: null", json], 403),
        (vec!["origin: null", "content-type: text/plain"], 403),
        (vec!["origin: http://127.0.0.1:1", json], 403),
        (vec!["origin: http://127.0.0.1", json], 403),
        (vec![&own, "content-type: text/plain"], 415),
        (vec![&own], 415),
        (vec!["content-type: text/plain"], 415),
    ] {
        let answer = send(server.internal, "POST", &api, &headers, body).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
    }
    // Verbs have no body, and a text/plain form with an empty one would be the way around.
    let retry = "/api/connections/approvals/test";
    let plain = [own.as_str(), "content-type: text/plain"];
    let answer = send(server.internal, "POST", retry, &plain, "").await;
    assert_eq!(answer.status, 415);
    assert_eq!(
        send(server.internal, "POST", retry, &[], "").await.status,
        200
    );
    assert!(lock(&server.fake.decided_for).is_empty());
    let answer = send(server.internal, "POST", &api, &[&own, json], body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn signed_in(server: &Server) -> String {
    let form = format!("token={TOKEN}");
    let entered = send(server.internal, "POST", "/sign-in", &FORM, &form).await;
    format!(
        "cookie: {}",
        entered.cookie("bw_console").expect("a session")
    )
}

#[tokio::test]
async fn signing_out_ends_the_session_wherever_its_cookie_went() {
    let server = start(morning(), TOKEN).await;
    let (one, other) = (signed_in(&server).await, signed_in(&server).await);
    assert_ne!(one, other);
    let page = get(&server, "/", &[&one]).await.body;
    let form = format!("form_token={}", token_in(&page));
    let out = send(
        server.internal,
        "POST",
        "/sign-out",
        &[&one, FORM[0]],
        &form,
    )
    .await;
    assert_eq!(out.status, 303, "{}", out.body);
    assert_eq!(get(&server, "/cases", &[&one]).await.status, 401);
    assert_eq!(get(&server, "/cases", &[&other]).await.status, 200);
}

#[tokio::test]
async fn whoever_guesses_tokens_soon_has_to_wait() {
    let server = start(morning(), TOKEN).await;
    for n in 0..50 {
        let answer = if n % 2 == 0 {
            send(server.internal, "POST", "/sign-in", &FORM, "token=guess").await
        } else {
            get(&server, "/api/runs", &["authorization: Bearer guess"]).await
        };
        assert_eq!(answer.status, 401);
    }
    // Not even the right one is looked at: an answer would tell it from the others.
    let form = format!("token={TOKEN}");
    let answer = send(server.internal, "POST", "/sign-in", &FORM, &form).await;
    assert_eq!(answer.status, 429, "{}", answer.body);
    let right = format!("authorization: Bearer {TOKEN}");
    assert_eq!(get(&server, "/api/runs", &[&right]).await.status, 429);
    *lock(&server.fake.now) =
        crate::stand_in::samples::now() + bellwether_model::time::Millis::minutes(11);
    assert_eq!(get(&server, "/api/runs", &[&right]).await.status, 200);
}

async fn form_token(server: &Server) -> String {
    token_in(&server.get("/").await.body)
}

fn token_in(page: &str) -> String {
    let (_, rest) = page
        .split_once(r#"name="form_token" value=""#)
        .expect("a form");
    rest.split('"').next().expect("its value").to_owned()
}
