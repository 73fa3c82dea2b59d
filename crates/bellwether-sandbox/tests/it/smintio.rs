//! The stand-in for Smint.io: what its tests speak with, and sign-in.

use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::gmail::{Post, escaped};
use crate::wire::{Reply, call};

pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub(crate) const TENANT: &str = "alpenwerk";

/// A tenant as its clients see it.
pub(crate) struct Smint {
    pub(crate) post: Post,
    pub(crate) at: SocketAddr,
    pub(crate) tenant: String,
    pub(crate) info: Value,
}

impl Smint {
    pub(crate) async fn start() -> Self {
        let post = Post::start().await;
        let at = post.sandbox.addresses().get("smintio").expect("a part");
        let info = post.admin("/admin/info", Value::Null).await.json()["smintio"].clone();
        let tenant = TENANT.to_owned();
        Self {
            post,
            at,
            tenant,
            info,
        }
    }

    /// A tenant of its own with so many transactions.
    pub(crate) async fn with(transactions: u64) -> Self {
        let mut smint = Self::start().await;
        let add = json!({"id": "agency", "seed": 7, "transactions": transactions});
        let reply = smint.post.admin("/admin/smintio", add).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        (smint.info, smint.tenant) = (reply.json(), "agency".to_owned());
        smint
    }

    pub(crate) fn part(&self, pointer: &str) -> String {
        let found = self.info.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no {pointer} in {:#}", self.info))
            .to_owned()
    }

    /// A deed that must be accepted.
    pub(crate) async fn deed(&self, deed: &str, body: Value) -> Value {
        let path = format!("/admin/smintio/{}/{deed}", self.tenant);
        let reply = self.post.admin(&path, body).await;
        assert_eq!(reply.status, 200, "{deed}: {}", reply.text);
        reply.json()
    }

    pub(crate) async fn shown(&self) -> Value {
        let path = format!("/admin/smintio/{}", self.tenant);
        self.post.admin(&path, Value::Null).await.json()
    }

    pub(crate) async fn send(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), FORM];
        let path = format!("/{}{path}", self.tenant);
        call(self.at, method, &path, &headers, body)
            .await
            .expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.send("GET", path, token, "").await
    }

    /// Asks the token address with these members and the client's own.
    pub(crate) async fn ask(&self, members: &str) -> Reply {
        let (id, secret) = (self.part("/client_id"), self.part("/client_secret"));
        let form = format!("{members}&client_id={id}&client_secret={secret}");
        let path = format!("/{}/connect/token", self.tenant);
        call(self.at, "POST", &path, &[FORM], &form)
            .await
            .expect("an answer")
    }

    pub(crate) async fn refresh(&self, token: &str) -> Reply {
        let token = escaped(token);
        self.ask(&format!("grant_type=refresh_token&refresh_token={token}"))
            .await
    }

    /// An access token by the refresh token at this place of the info.
    pub(crate) async fn token_of(&self, pointer: &str) -> String {
        let reply = self.refresh(&self.part(pointer)).await;
        let token = reply.json()["access_token"].as_str().map(str::to_owned);
        token.unwrap_or_else(|| panic!("no token: {}", reply.text))
    }

    pub(crate) async fn token(&self) -> String {
        self.token_of("/refresh_token").await
    }

    pub(crate) fn feed(&self, query: &str) -> String {
        format!("/consumer/v1/{}?{query}", self.part("/paths/transactions"))
    }

    pub(crate) async fn page(&self, token: &str, query: &str) -> Reply {
        self.get(&self.feed(query), token).await
    }

    /// Everything behind a cursor, and the cursor at the end.
    pub(crate) async fn read(
        &self,
        token: &str,
        from: Option<&str>,
        limit: u32,
    ) -> (Vec<Value>, Option<String>) {
        let mut all = Vec::new();
        let mut cursor = from.map(str::to_owned);
        loop {
            let mut query = format!("limit={limit}");
            if let Some(cursor) = &cursor {
                query.push_str(&format!("&continuationUuid={cursor}"));
            }
            let page = self.page(token, &query).await.json();
            let records = page["license_purchase_transactions"].as_array().cloned();
            let records = records.unwrap_or_else(|| panic!("no records: {page}"));
            assert_eq!(page["count"], records.len());
            if let Some(next) = page["continuation_uuid"].as_str() {
                cursor = Some(next.to_owned());
            }
            if records.is_empty() {
                return (all, cursor);
            }
            all.extend(records);
        }
    }
}

fn members(form: &[(&str, &str)]) -> String {
    let one = |(name, value): &(&str, &str)| format!("{name}={}", escaped(value));
    form.iter().map(one).collect::<Vec<_>>().join("&")
}

/// The value of a parameter in an address.
fn parameter(place: &str, name: &str) -> Option<String> {
    let (_, query) = place.split_once('?')?;
    let found = query
        .split('&')
        .find_map(|p| p.strip_prefix(&format!("{name}=")));
    found.map(str::to_owned)
}

const CALLBACK: &str = "http://127.0.0.1:9/oauth/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The S256 challenge of the verifier, from RFC 7636.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn discovery_leads_to_every_address() {
    let smint = Smint::start().await;
    let path = format!("/{TENANT}/.well-known/openid-configuration");
    let found = call(smint.at, "GET", &path, &[], "")
        .await
        .expect("an answer");
    let found = found.json();
    assert_eq!(found["token_endpoint"], smint.part("/token_url"));
    assert_eq!(
        found["authorization_endpoint"],
        smint.part("/authorize_url")
    );
    let keys = found["jwks_uri"].as_str().expect("an address");
    let keys = keys
        .split(&smint.at.to_string())
        .nth(1)
        .expect("a path")
        .to_owned();
    let keys = call(smint.at, "GET", &keys, &[], "")
        .await
        .expect("an answer");
    assert_eq!(keys.json()["keys"][0]["alg"], "RS256");
    let other = "/nobody/.well-known/openid-configuration";
    let other = call(smint.at, "GET", other, &[], "")
        .await
        .expect("an answer");
    assert_eq!(other.status, 404);
    assert_eq!(other.json()["error_code"], "tenant_not_found");
}

#[tokio::test]
async fn a_person_consents_and_the_code_is_exchanged_once_with_its_verifier() {
    let smint = Smint::start().await;
    let client = smint.part("/client_id");
    let asked = [
        ("response_type", "code"),
        ("client_id", client.as_str()),
        ("redirect_uri", CALLBACK),
        ("scope", "smintio.full openid profile offline_access"),
        ("state", "s&1"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let path = format!("/{TENANT}/connect/authorize");
    let page = format!("{path}?{}", members(&asked));
    let page = call(smint.at, "GET", &page, &[], "")
        .await
        .expect("an answer");
    assert!(
        page.text.contains("Alice Arnold") && page.text.contains("offline_access"),
        "{}",
        page.text
    );

    let mut answered = asked.to_vec();
    answered.extend([("person", "dora"), ("decision", "allow")]);
    let back = call(smint.at, "POST", &path, &[FORM], &members(&answered))
        .await
        .expect("an answer");
    let place = back.header("location").expect("a place").to_owned();
    assert!(back.status == 302 && place.starts_with(CALLBACK), "{place}");
    assert_eq!(parameter(&place, "state").as_deref(), Some("s%261"));
    let code = parameter(&place, "code").expect("a code");
    let exchange = |verifier: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        members(&form)
    };
    let wrong = smint.ask(&exchange("something-else")).await;
    assert_eq!(
        (wrong.status, &wrong.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    let given = smint.ask(&exchange(VERIFIER)).await.json();
    assert_eq!(given["expires_in"], 3600);
    let claims = given["id_token"]
        .as_str()
        .and_then(|t| t.split('.').nth(1))
        .expect("claims");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(
        (&claims["nonce"], &claims["aud"]),
        (&json!("n-1"), &json!(client))
    );
    let token = given["access_token"].as_str().expect("a token");
    let who = smint.get("/connect/userinfo", token).await.json();
    assert_eq!(
        (&who["name"], &who["sub"]),
        (&json!("Dora Dorn"), &claims["sub"])
    );
    let twice = smint.ask(&exchange(VERIFIER)).await;
    assert_eq!(twice.json()["error"], "invalid_grant");
    assert_eq!(
        smint.get("/connect/userinfo", token).await.status,
        401,
        "the code leaked"
    );
}

#[tokio::test]
async fn a_person_may_say_no() {
    let smint = Smint::start().await;
    let client = smint.part("/client_id");
    let form = [
        ("client_id", client.as_str()),
        ("redirect_uri", CALLBACK),
        ("decision", "deny"),
    ];
    let path = format!("/{TENANT}/connect/authorize");
    let back = call(smint.at, "POST", &path, &[FORM], &members(&form)).await;
    let back = back.expect("an answer");
    let place = back.header("location").expect("a place").to_owned();
    assert_eq!(parameter(&place, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn only_a_known_client_is_sent_back_and_consent_can_be_automatic() {
    let smint = Smint::start().await;
    let client = smint.part("/client_id");
    let ask = |client: &str, uri: &str, more: &str| {
        let form = [
            ("client_id", client),
            ("redirect_uri", uri),
            ("scope", "openid"),
        ];
        format!(
            "/{TENANT}/connect/authorize?response_type=code&{}{more}",
            members(&form)
        )
    };
    for (client, uri) in [
        ("nobody", CALLBACK),
        (client.as_str(), "javascript:alert(1)"),
        (client.as_str(), ""),
    ] {
        let reply = call(smint.at, "GET", &ask(client, uri, ""), &[], "")
            .await
            .expect("an answer");
        assert_eq!(
            (reply.status, &reply.json()["error_code"]),
            (400, &json!("argument_invalid")),
            "{uri}"
        );
    }
    smint.deed("settings", json!({"auto_consent": true})).await;
    let path = ask(&client, CALLBACK, "");
    let reply = call(smint.at, "GET", &path, &[], "")
        .await
        .expect("an answer");
    let place = reply.header("location").expect("a place").to_owned();
    let code = parameter(&place, "code").expect("a code");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
    ];
    let given = smint.ask(&members(&form)).await.json();
    assert_eq!(
        given.get("refresh_token"),
        None,
        "offline access was not asked for"
    );
    let path = ask(&client, CALLBACK, "&response_mode=form_post&state=s");
    let posted = call(smint.at, "GET", &path, &[], "")
        .await
        .expect("an answer");
    assert!(
        posted.text.contains("name=\"code\"") && posted.text.contains(CALLBACK),
        "{}",
        posted.text
    );
}

#[tokio::test]
async fn the_info_says_everything_that_a_connection_needs() {
    let smint = Smint::start().await;
    for pointer in ["/tenant", "/token_url", "/client_id", "/client_secret"] {
        assert!(!smint.part(pointer).is_empty(), "{pointer}");
    }
    for pointer in ["/pusher/key", "/pusher/channel", "/pusher/auth_url"] {
        assert!(!smint.part(pointer).is_empty(), "{pointer}");
    }
    assert_eq!(smint.part("/tenant"), TENANT);
    assert!(
        smint
            .part("/token_url")
            .ends_with("/alpenwerk/connect/token")
    );
    assert!(smint.part("/pusher/channel").starts_with("private-2-"));
    let token = smint.refresh(&smint.part("/refresh_token")).await.json();
    let token = token["access_token"].as_str().expect("a token");
    assert_eq!(smint.page(token, "").await.status, 200, "it opens the feed");
    let secret = base64::prelude::BASE64_STANDARD.decode(smint.part("/webhook_secret"));
    assert_eq!(secret.expect("base64").len(), 32, "a key of full length");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_the_old_one_is_dead() {
    let smint = Smint::start().await;
    let first = smint.part("/refresh_token");
    let again = smint.post.admin("/admin/info", Value::Null).await.json();
    assert_eq!(
        again["smintio"]["refresh_token"], first,
        "the same until it is used"
    );
    let second = smint.refresh(&first).await.json();
    let next = second["refresh_token"]
        .as_str()
        .expect("a next one")
        .to_owned();
    assert_ne!(next, first);
    let reused = smint.refresh(&first).await;
    assert_eq!(
        (reused.status, &reused.json()["error"]),
        (400, &json!("invalid_grant"))
    );
    assert_eq!(
        smint.refresh(&next).await.status,
        200,
        "the newest one lives"
    );
    let later = smint.post.admin("/admin/info", Value::Null).await.json();
    let later = later["smintio"]["refresh_token"]
        .as_str()
        .expect("a fresh one")
        .to_owned();
    assert_eq!(smint.refresh(&later).await.status, 200);
    let form = format!("grant_type=refresh_token&refresh_token={next}&client_id=a&client_secret=b");
    let path = format!("/{TENANT}/connect/token");
    let wrong = call(smint.at, "POST", &path, &[FORM], &form).await;
    let wrong = wrong.expect("an answer");
    assert_eq!(
        (wrong.status, &wrong.json()["error"]),
        (401, &json!("invalid_client"))
    );
    for (form, error) in [
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=client_credentials", "unauthorized_client"),
        ("scope=x", "invalid_request"),
    ] {
        assert_eq!(smint.ask(form).await.json()["error"], error, "{form}");
    }
}

#[tokio::test]
async fn lifetimes_are_short_when_they_are_set_so_and_a_lost_consent_ends_all() {
    let smint = Smint::start().await;
    smint.deed("tokens", json!({"access_seconds": 0})).await;
    let token = smint.token().await;
    let late = smint.page(&token, "").await;
    assert_eq!(
        (late.status, &late.json()["error_code"]),
        (401, &json!("access_token_expired"))
    );
    assert!(
        late.header("www-authenticate")
            .is_some_and(|h| h.starts_with("Bearer"))
    );
    let unknown = smint.page("made-up", "").await;
    assert_eq!(unknown.json()["error_code"], "token_invalid_or_expired");
    smint.deed("tokens", json!({"access_seconds": 60})).await;
    let fresh = smint.post.admin("/admin/info", Value::Null).await.json();
    let fresh = fresh["smintio"]["refresh_token"]
        .as_str()
        .expect("one")
        .to_owned();
    let given = smint.refresh(&fresh).await.json();
    let token = given["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(smint.page(&token, "").await.status, 200);
    smint.deed("tokens", json!({"expire_access": true})).await;
    assert_eq!(smint.page(&token, "").await.status, 401);
    smint.deed("tokens", json!({"lose_consent": true})).await;
    let next = given["refresh_token"].as_str().expect("a next one");
    assert_eq!(smint.refresh(next).await.json()["error"], "invalid_grant");
}
