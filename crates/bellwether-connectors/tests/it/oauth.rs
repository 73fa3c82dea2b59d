//! Access tokens: kept, renewed early and singly, rotated refresh tokens kept first, and no secret
//! in any failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bellwether_connectors::oauth::{Client, ClientAuth, Grant, REFRESH_TOKEN, TokenSource};
use bellwether_model::connector::Host;
use bellwether_model::failure::FailureClass;
use bellwether_model::secret::Secret;
use bellwether_model::time::Millis;
use serde_json::json;

use crate::common::{self, MemoryVault, Reply, Server, StillClock};

fn client(server: &Server, auth: ClientAuth) -> Client {
    Client {
        token_url: server.url("/token"),
        id: "client-1".to_owned(),
        secret: Secret::new("client+secret"),
        auth,
    }
}

fn credentials() -> Grant {
    Grant::ClientCredentials {
        scope: "a b".to_owned(),
    }
}

struct Setting {
    clock: Arc<StillClock>,
    vault: Arc<MemoryVault>,
    host: Host,
}

fn setting() -> Setting {
    let clock = StillClock::at("2026-03-02T08:00:00Z");
    let vault = Arc::new(MemoryVault::default());
    let host = Host {
        vault: vault.clone(),
        ..common::host(clock.clone())
    };
    Setting { clock, vault, host }
}

impl Setting {
    fn kept(&self) -> Vec<String> {
        let kept = self.vault.0.lock().expect("vault");
        kept.values()
            .map(|secret| secret.expose().to_owned())
            .collect()
    }
}

async fn numbered() -> Server {
    Server::start(|_, number| {
        common::json(
            200,
            &json!({"access_token": format!("t{number}"), "expires_in": 100}),
        )
    })
    .await
}

#[tokio::test]
async fn a_token_is_kept_renewed_early_and_made_anew_after_a_refusal() {
    let server = numbered().await;
    let setting = setting();
    let source = TokenSource::new(
        &setting.host,
        client(&server, ClientAuth::Basic),
        credentials(),
    );
    let token = || async {
        let token = source
            .token(setting.host.clock.now())
            .await
            .expect("a token");
        token.expose().to_owned()
    };
    assert_eq!(
        (token().await, token().await),
        ("t1".to_owned(), "t1".to_owned())
    );
    // A fifth of a short life is left when it is renewed.
    setting.clock.advance(Millis::seconds(79));
    assert_eq!(token().await, "t1");
    setting.clock.advance(Millis::seconds(1));
    assert_eq!(token().await, "t2");
    source.forget(&Secret::new("t1"));
    assert_eq!(
        token().await,
        "t2",
        "an older refusal does not cost the new token"
    );
    source.forget(&Secret::new("t2"));
    assert_eq!(token().await, "t3");
    let seen = &server.seen()[0];
    assert_eq!(seen.body, "grant_type=client_credentials&scope=a%20b");
    assert_eq!(
        seen.headers["authorization"],
        "Basic Y2xpZW50LTE6Y2xpZW50K3NlY3JldA=="
    );
}

#[tokio::test]
async fn many_callers_cause_one_call_and_share_its_failure() {
    let server = Server::start(|_, number| match number {
        1 => common::json(200, &json!({"access_token": "t", "expires_in": "3600"})),
        _ => Reply::Answer(503, vec![("Retry-After", "9".to_owned())], String::new()),
    })
    .await;
    let setting = setting();
    let source = TokenSource::new(
        &setting.host,
        client(&server, ClientAuth::Body),
        credentials(),
    );
    let now = setting.host.clock.now();
    let all = futures_util::future::join_all((0..50).map(|_| source.token(now))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(server.seen().len(), 1);
    assert!(
        server.seen()[0]
            .body
            .ends_with("&client_id=client-1&client_secret=client%2Bsecret")
    );

    source.forget(&Secret::new("t"));
    let all = futures_util::future::join_all((0..50).map(|_| source.token(now))).await;
    let wait = FailureClass::Retry {
        after: Some(Millis::seconds(9)),
    };
    assert!(
        all.iter()
            .all(|one| one.as_ref().is_err_and(|failure| failure.class == wait))
    );
    assert_eq!(server.seen().len(), 2, "those who waited share the failure");
    source.token(now).await.expect_err("still failing");
    assert_eq!(server.seen().len(), 3, "a later caller asks again");
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_and_used_next() {
    let server = Server::start(|seen, number| {
        let old = format!("refresh_token=r{}", number - 1);
        assert!(seen.body.contains(&old), "{}", seen.body);
        common::json(
            200,
            &json!({"access_token": format!("t{number}"), "expires_in": 100,
                "refresh_token": format!("r{number}")}),
        )
    })
    .await;
    let setting = setting();
    for round in 1..=3 {
        // A new source each time, as after a restart.
        let grant = Grant::Refresh(Secret::new("r0"));
        let source = TokenSource::new(&setting.host, client(&server, ClientAuth::Body), grant);
        let token = source
            .token(setting.host.clock.now())
            .await
            .expect("a token");
        assert_eq!(token.expose(), format!("t{round}"));
        assert_eq!(setting.kept(), [format!("r{round}")]);
    }
}

#[tokio::test]
async fn a_refresh_token_from_a_consent_is_in_the_vault_and_its_absence_is_said() {
    let server = numbered().await;
    let setting = setting();
    let grant = || Grant::Refresh(Secret::default());
    let source = TokenSource::new(&setting.host, client(&server, ClientAuth::Body), grant());
    let now = setting.host.clock.now();
    let failure = source.token(now).await.expect_err("not connected");
    assert_eq!(failure.class, FailureClass::Reauthorise);
    assert_eq!(failure.code, "not_connected");
    let consent = Secret::new("from consent");
    let put = setting.host.vault.put("test", REFRESH_TOKEN, consent).await;
    put.expect("kept");
    source.token(now).await.expect("a token");
    assert!(
        server.seen()[0]
            .body
            .contains("refresh_token=from%20consent")
    );
}

#[tokio::test]
async fn a_token_that_another_process_rotated_is_read_again() {
    let server = Server::start(|seen, _| {
        if seen.body.contains("refresh_token=new") {
            common::json(200, &json!({"access_token": "t", "expires_in": 100}))
        } else {
            common::json(400, &json!({"error": "invalid_grant"}))
        }
    })
    .await;
    let setting = setting();
    // The vault answers with the old token first, then with what the other process kept.
    let vault = Arc::new(Rotating::default());
    let host = Host {
        vault: vault.clone(),
        ..setting.host.clone()
    };
    let grant = Grant::Refresh(Secret::new("first"));
    let source = TokenSource::new(&host, client(&server, ClientAuth::Body), grant);
    source
        .token(setting.host.clock.now())
        .await
        .expect("a token");
    assert_eq!(vault.0.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_rotated_token_that_could_not_be_kept_is_not_lost() {
    let server = Server::start(|seen, number| {
        let old = format!("refresh_token=r{}", number - 1);
        assert!(seen.body.contains(&old), "{}", seen.body);
        let (token, next) = (format!("t{number}"), format!("r{number}"));
        let body = json!({"access_token": token, "expires_in": 100, "refresh_token": next});
        common::json(200, &body)
    })
    .await;
    let setting = setting();
    let grant = Grant::Refresh(Secret::new("r0"));
    let source = TokenSource::new(&setting.host, client(&server, ClientAuth::Body), grant);
    let now = setting.host.clock.now();
    setting.vault.refuse_puts(true);
    let failure = source.token(now).await.expect_err("not kept");
    assert_eq!(failure.code, "vault_closed");
    source.token(now).await.expect_err("still not kept");
    assert_eq!(
        server.seen().len(),
        1,
        "nothing more is rotated before the first is kept"
    );
    setting.vault.refuse_puts(false);
    let token = source.token(now).await.expect("a token");
    assert_eq!(
        (token.expose(), setting.kept()),
        ("t2", vec!["r2".to_owned()])
    );
}

#[derive(Debug, Default)]
struct Rotating(AtomicUsize);

impl bellwether_model::connector::Vault for Rotating {
    fn get<'a>(
        &'a self,
        _connection: &'a str,
        _name: &'a str,
    ) -> bellwether_model::BoxFuture<'a, Result<Option<Secret>, bellwether_model::failure::Failure>>
    {
        let text = match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => "old",
            _ => "new",
        };
        Box::pin(std::future::ready(Ok(Some(Secret::new(text)))))
    }

    fn put<'a>(
        &'a self,
        _connection: &'a str,
        _name: &'a str,
        _secret: Secret,
    ) -> bellwether_model::BoxFuture<'a, Result<(), bellwether_model::failure::Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[tokio::test]
async fn refusals_say_what_to_do_and_repeat_no_secret() {
    let wait = |seconds| FailureClass::Retry {
        after: Some(Millis::seconds(seconds)),
    };
    let never = FailureClass::Retry { after: None };
    let cases = [
        (400, "invalid_grant", FailureClass::Reauthorise),
        (401, "invalid_client", FailureClass::Reauthorise),
        (401, "", FailureClass::Reauthorise),
        (400, "unauthorized_client", FailureClass::Misconfigured),
        (404, "", FailureClass::Misconfigured),
        (429, "", wait(5)),
        (500, "", wait(5)),
        (200, "", never),
    ];
    for (status, word, class) in cases {
        let server = Server::start(move |seen, _| {
            let about = format!("you sent {} and client+secret", seen.body);
            let body = json!({"error": word, "error_description": about});
            let wait = vec![("Retry-After", "5".to_owned())];
            Reply::Answer(status, wait, body.to_string())
        })
        .await;
        let setting = setting();
        let grant = Grant::Refresh(Secret::new("hushhush"));
        let source = TokenSource::new(&setting.host, client(&server, ClientAuth::Body), grant);
        let failure = source
            .token(setting.host.clock.now())
            .await
            .expect_err("refused");
        assert_eq!(failure.class, class, "{status} {word}");
        let shown = format!("{failure:?} {source:?}");
        assert!(
            !shown.contains("hushhush") && !shown.contains("client+secret"),
            "{shown}"
        );
    }
    // A broken call may be made again: one token more does no harm.
    let server = Server::start(|_, _| Reply::Reset).await;
    let setting = setting();
    let source = TokenSource::new(
        &setting.host,
        client(&server, ClientAuth::Basic),
        credentials(),
    );
    let failure = source
        .token(setting.host.clock.now())
        .await
        .expect_err("broken");
    assert_eq!(failure.class, never);
}
