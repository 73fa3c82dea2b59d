//! What the durable path is compared with: a proxy that keeps nothing. It takes the same POST,
//! reads the same JSON, builds a push envelope of the same size, sends it to the sink and then
//! answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::{During, Outcome};
use crate::process::{announce, parent_gone};
use crate::server::HOOK_PATH;
use crate::sink::PARSER_PATH;

/// Bytes of the outer envelope apart from the payload.
const OUTER: usize = 60;

/// What the handler needs.
#[derive(Debug)]
struct Proxy {
    http: reqwest::Client,
    url: String,
    padding: String,
}

/// Serves until the parent goes away.
///
/// `sink` is the provider's base URL; `push_bytes` the size that the pushes' bodies should have.
pub(crate) async fn serve(sink: &str, push_bytes: usize) -> Outcome<()> {
    let http = reqwest::Client::builder()
        .build()
        .during("the proxy's client cannot be made")?;
    let mut proxy = Proxy {
        http,
        url: format!("{sink}{PARSER_PATH}"),
        padding: String::new(),
    };
    let without = envelope(&proxy, &json!({"number": "bw-000-00000000"}))?.len();
    let missing = push_bytes.saturating_sub(without) * 3 / 4;
    proxy.padding = "x".repeat(missing);
    let app = Router::new()
        .route(HOOK_PATH, post(pass))
        .with_state(Arc::new(proxy));
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .during("the proxy cannot listen on 127.0.0.1")?;
    announce(
        listener
            .local_addr()
            .during("the proxy has no address")?
            .port(),
    )?;
    tokio::select! {
        () = parent_gone() => Ok(()),
        end = axum::serve(listener, app).into_future() => end.during("the proxy stopped"),
    }
}

async fn pass(State(proxy): State<Arc<Proxy>>, body: Bytes) -> (StatusCode, Json<Value>) {
    match forward(&proxy, &body).await {
        Ok(job) => (StatusCode::ACCEPTED, Json(json!({"job": job}))),
        Err(fault) => (StatusCode::BAD_GATEWAY, Json(json!({"error": fault.0}))),
    }
}

async fn forward(proxy: &Proxy, body: &[u8]) -> Outcome<Value> {
    let order: Value = serde_json::from_slice(body).during("the event is not JSON")?;
    let answer = proxy
        .http
        .post(&proxy.url)
        .basic_auth("bench", Some("bench"))
        .header("content-type", "application/json")
        .body(envelope(proxy, &order)?)
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .during("the sink refused")?;
    let answer: Value = answer
        .json()
        .await
        .during("the sink's answer is not JSON")?;
    Ok(answer["job_id"].clone())
}

/// The provider's request: a JSON file in base64 within JSON.
fn envelope(proxy: &Proxy, order: &Value) -> Outcome<Vec<u8>> {
    let number = order["number"].as_str().unwrap_or_default();
    let inner = json!({"message": {
        "token": "device-alice",
        "notification": {"title": format!("{number} was placed"), "body": "An order was placed"},
        "data": {"notification": number, "kind": "notify", "padding": proxy.padding},
    }});
    let inner = serde_json::to_vec(&inner).during("the payload cannot be written")?;
    let mut data = String::with_capacity(inner.len() * 4 / 3 + OUTER);
    STANDARD.encode_string(&inner, &mut data);
    let outer = json!({"domain": "MR", "filename": format!("{number}.json"), "data": data});
    serde_json::to_vec(&outer).during("the envelope cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_brings_the_envelope_to_the_wanted_size() {
        let mut proxy = Proxy {
            http: reqwest::Client::builder().build().unwrap(),
            url: String::new(),
            padding: String::new(),
        };
        let order = json!({"number": "bw-000-00000000"});
        let without = envelope(&proxy, &order).unwrap().len();
        proxy.padding = "x".repeat((1500 - without) * 3 / 4);
        let with = envelope(&proxy, &order).unwrap().len();
        assert!((1490..=1510).contains(&with), "{with}");
    }
}
