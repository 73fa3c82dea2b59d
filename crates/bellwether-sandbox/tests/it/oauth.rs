//! The token endpoint and what access tokens are good for.

use serde_json::{Value, json};

use crate::gmail::{APPROVALS, ARIBA, Post, assertion, escaped};

const PROFILE: &str = "/gmail/v1/users/me/profile";
const JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

fn form(secret: &str, refresh: &str) -> String {
    format!(
        "grant_type=refresh_token&client_id=sandbox-client.apps.googleusercontent.com\
         &client_secret={secret}&refresh_token={}",
        escaped(refresh)
    )
}

const GOOD: &str = "1//sandbox-refresh-approvals";

#[tokio::test]
async fn errors_have_the_shape_of_oauth() {
    let post = Post::start().await;
    for (form, status, error) in [
        (
            form("sandbox-client-secret", "1//unknown"),
            400,
            "invalid_grant",
        ),
        (form("wrong", GOOD), 401, "invalid_client"),
        (
            "grant_type=refresh_token".to_owned(),
            400,
            "invalid_request",
        ),
        (
            "grant_type=password".to_owned(),
            400,
            "unsupported_grant_type",
        ),
    ] {
        let reply = post.token_form(&form).await;
        assert_eq!(reply.status, status, "{form}");
        assert_eq!(reply.json()["error"], error);
        assert!(reply.json()["error_description"].is_string());
    }
}

#[tokio::test]
async fn a_refresh_gives_no_new_refresh_token() {
    let post = Post::start().await;
    let reply = post
        .token_form(&form("sandbox-client-secret", GOOD))
        .await
        .json();
    assert_eq!(
        (&reply["token_type"], &reply["expires_in"]),
        (&json!("Bearer"), &json!(3599))
    );
    assert!(
        reply["scope"]
            .as_str()
            .is_some_and(|s| s.contains("gmail.compose"))
    );
    assert_eq!(reply.get("refresh_token"), None);
}

#[tokio::test]
async fn an_expired_or_unknown_token_draws_googles_401() {
    let post = Post::start().await;
    post.admin("/admin/google", json!({"access_token_seconds": 0}))
        .await;
    let expired = post.token(APPROVALS).await;
    for token in [expired.as_str(), "made-up"] {
        let reply = post
            .bearer(token, "GET", PROFILE, &Value::Null)
            .await
            .expect("an answer");
        assert_eq!(reply.status, 401);
        let error = &reply.json()["error"];
        assert_eq!(
            (&error["code"], &error["status"]),
            (&json!(401), &json!("UNAUTHENTICATED"))
        );
        assert_eq!(error["errors"][0]["reason"], "authError");
        assert!(
            reply
                .header("www-authenticate")
                .is_some_and(|h| h.starts_with("Bearer"))
        );
    }
}

#[tokio::test]
async fn a_withdrawn_consent_kills_its_tokens_until_it_is_given_again() {
    let post = Post::start().await;
    let token = post.token(APPROVALS).await;
    post.admin("/admin/google", json!({"revoke_refresh": APPROVALS}))
        .await;
    let reply = post.token_form(&form("sandbox-client-secret", GOOD)).await;
    assert_eq!(reply.status, 400);
    let described = "Token has been expired or revoked.";
    let wanted = json!({"error": "invalid_grant", "error_description": described});
    assert_eq!(reply.json(), wanted);
    let reply = post
        .bearer(&token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(reply.status, 401);
    post.token(ARIBA).await;
    post.admin("/admin/google", json!({"restore_refresh": APPROVALS}))
        .await;
    post.get(APPROVALS, "profile").await;
}

#[tokio::test]
async fn a_service_account_gets_the_mailbox_it_names() {
    let post = Post::start().await;
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({"iss": "sa@p.iam.example", "sub": APPROVALS, "iat": now, "exp": now + 3600,
        "scope": "https://www.googleapis.com/auth/gmail.readonly",
        "aud": "https://oauth2.googleapis.com/token"});
    let ask = async |claims: &Value| {
        let form = format!(
            "grant_type={}&assertion={}",
            escaped(JWT),
            assertion(claims)
        );
        post.token_form(&form).await
    };
    let reply = ask(&claims).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let reply = reply.json();
    let token = reply["access_token"].as_str().expect("a token");
    let mine = post
        .bearer(token, "GET", PROFILE, &Value::Null)
        .await
        .expect("an answer")
        .json();
    assert_eq!(mine["emailAddress"], APPROVALS);
    for (name, value) in [
        ("sub", json!("nobody@example.com")),
        ("exp", json!(now - 1)),
        ("aud", json!("x")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value;
        let reply = ask(&claims).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (400, &json!("invalid_grant")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn narrow_scopes_are_enforced() {
    let post = Post::start().await;
    let send_only = "https://www.googleapis.com/auth/gmail.send";
    post.admin(
        "/admin/google",
        json!({"address": APPROVALS, "scopes": send_only}),
    )
    .await;
    let refused = post
        .api(APPROVALS, "GET", "messages", Value::Null, 403)
        .await;
    assert_eq!(
        refused["error"]["errors"][0]["reason"],
        "insufficientPermissions"
    );
    let reason = &refused["error"]["details"][0]["reason"];
    assert_eq!(reason, "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    let raw = crate::gmail::raw(&crate::gmail::letter(APPROVALS, ARIBA, "hi", ""));
    post.api(
        APPROVALS,
        "POST",
        "drafts",
        json!({"message": {"raw": raw}}),
        403,
    )
    .await;
    post.post(APPROVALS, "messages/send", json!({"raw": raw}))
        .await;
}

#[tokio::test]
async fn a_stranger_s_mailbox_is_forbidden() {
    let post = Post::start().await;
    let token = post.token(APPROVALS).await;
    let path = format!("/gmail/v1/users/{ARIBA}/profile");
    let reply = post
        .bearer(&token, "GET", &path, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(reply.status, 403);
    let path = "/gmail/v1/users/APPROVALS%40example.com/profile";
    let reply = post
        .bearer(&token, "GET", path, &Value::Null)
        .await
        .expect("an answer");
    assert_eq!(reply.status, 200, "one's own address works like `me`");
}

#[tokio::test]
async fn units_are_counted_and_a_limit_is_kept() {
    let post = Post::start().await;
    let raw = crate::gmail::raw(&crate::gmail::letter(APPROVALS, ARIBA, "hi", ""));
    let draft = post
        .post(APPROVALS, "drafts", json!({"message": {"raw": raw}}))
        .await;
    post.post(APPROVALS, "drafts/send", json!({"id": draft["id"]}))
        .await;
    let used = post.admin("/admin/google", Value::Null).await.json();
    assert_eq!(
        used["units"],
        json!({APPROVALS: 110}),
        "a draft and its sending"
    );
    for (knob, status) in [(false, 429), (true, 403)] {
        let limit = json!({"units_per_minute": 1, "quota_forbids": knob});
        post.admin("/admin/google", limit).await;
        let refused = post
            .api(APPROVALS, "GET", "messages", Value::Null, status)
            .await;
        let error = &refused["error"];
        let one = json!({"domain": "usageLimits", "reason": "rateLimitExceeded"});
        assert_eq!(error["errors"][0]["domain"], one["domain"]);
        assert_eq!(error["errors"][0]["reason"], one["reason"]);
        assert_eq!(error["details"][0]["reason"], "RATE_LIMIT_EXCEEDED");
    }
    post.admin("/admin/google", json!({"units_per_minute": 0}))
        .await;
    post.get(APPROVALS, "messages").await;
}
