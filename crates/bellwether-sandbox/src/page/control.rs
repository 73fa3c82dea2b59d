//! How the page asks the stand-ins: through the same control surface that scripts use, without a
//! socket. So the page shows nothing that a script could not see, and does nothing it could not do.

use crate::StandIn;
use crate::world::World;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use std::sync::Arc;

/// Largest answer of the control surface that the page reads.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The control surface of all stand-ins but the page itself.
#[derive(Debug, Clone)]
pub(crate) struct Control(Router);

impl Control {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        let others = crate::all()
            .iter()
            .filter(|s| s.name != super::STAND_IN.name);
        let merge = |all: Router, stand_in: &StandIn| all.merge((stand_in.admin)(world));
        Self(others.fold(Router::new(), merge))
    }

    /// Asks for something; none when the answer is a refusal.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        self.call(Request::get(path), Body::empty()).await.ok()
    }

    /// Has something done; the error is a sentence.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let json = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.call(json, Body::from(body.to_string())).await
    }

    async fn call(
        &self,
        request: axum::http::request::Builder,
        body: Body,
    ) -> Result<Value, String> {
        let request = request.body(body).map_err(|e| e.to_string())?;
        let service = TowerToHyperService::new(self.0.clone());
        let answer = service
            .call(request)
            .await
            .map_err(|never| format!("{never:?}"))?;
        let status = answer.status();
        let bytes = axum::body::to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await;
        let bytes = bytes.map_err(|e| e.to_string())?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let words = value.get("error").and_then(Value::as_str);
        Err(words.map_or_else(|| format!("The stand-in answered {status}."), str::to_owned))
    }
}
