//! A sandbox for each test, its control surface, and the pushes that are sent to its phones.

use std::sync::Arc;

use bellwether_connectors::http::HttpClient;
use bellwether_model::connector::{Connection, Outcome};
use bellwether_model::failure::Failure;
use bellwether_model::http::{Http, HttpRequest};
use bellwether_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::common::{self, RealClock, action, connect, host, until};

/// A sandbox of its own for each test, with its control surface.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    http: Arc<HttpClient>,
    pub(crate) opentext: Value,
}

impl World {
    pub(crate) async fn start() -> Self {
        let options = Options {
            port: 0,
            ..Options::default()
        };
        let sandbox = bellwether_sandbox::start(options).await.expect("a sandbox");
        let mut world = Self {
            sandbox,
            http: common::local_client(),
            opentext: Value::Null,
        };
        world.opentext = world.get("/admin/info").await["opentext"].take();
        // Then what was taken is on the phone as soon as the queue is empty.
        world.post("/admin/opentext", json!({"delay_ms": 0})).await;
        world
    }

    pub(crate) async fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Value {
        let url = format!("{}{path}", self.sandbox.addresses().url("page"));
        let mut request = HttpRequest::new(method, url);
        if let Some(body) = body {
            request = request.body("application/json", body.to_string());
        }
        let answer = self.http.send(request).await.expect("the control surface");
        assert!(
            answer.is_success(),
            "{path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", path, Some(&body)).await
    }

    /// The settings of an account of the sandbox, with changes.
    pub(crate) fn settings(&self, profile: &str, changes: Value) -> Value {
        let one = |name: &str| self.opentext[name].clone();
        let mut settings = match profile {
            "otag-fcm" => json!({"otag_app": one("otag_app"), "otag_app_key": one("otag_app_key")}),
            "client_credentials" => json!({"auth": "client_credentials",
                "token_url": one("token_url"), "client_id": one("client_id"),
                "client_secret": one("client_secret")}),
            _ => json!({"user": one("user"), "password": one("password")}),
        };
        settings["base_url"] = one("url");
        if profile == "otag-fcm" {
            settings["profile"] = "otag-fcm".into();
        }
        for (name, value) in common::object(&changes) {
            settings[name] = value.clone();
        }
        settings
    }

    pub(crate) fn connect(&self, profile: &str) -> Arc<dyn Connection> {
        self.connect_with(profile, json!({}))
    }

    pub(crate) fn connect_with(&self, profile: &str, changes: Value) -> Arc<dyn Connection> {
        connect(
            "opentext_push",
            self.settings(profile, changes),
            host(Arc::new(RealClock)),
        )
    }

    /// What is on a phone, newest first, once there are that many.
    pub(crate) async fn on_phone(&self, person: &str, count: usize) -> Vec<Value> {
        let path = format!("/admin/phones/{person}");
        until(&format!("{count} pushes for {person}"), || async {
            let phone = self.get(&path).await;
            let pushes = phone["pushes"].as_array().expect("pushes").clone();
            (pushes.len() >= count).then_some(pushes)
        })
        .await
    }

    /// Every phone's pushes, once everything that was taken has reached its end.
    pub(crate) async fn everywhere(&self) -> usize {
        until("an empty queue", || async {
            (self.get("/admin/opentext").await["queued"] == 0).then_some(())
        })
        .await;
        let phones = self.get("/admin/phones").await;
        let count = |phone: &Value| phone["pushes"].as_array().map_or(0, Vec::len);
        phones.as_array().expect("phones").iter().map(count).sum()
    }

    pub(crate) async fn fault(&self, target: &str, kind: &str, more: Value) {
        let mut fault = json!({"target": target, "kind": kind});
        for (name, value) in common::object(&more) {
            fault[name] = value.clone();
        }
        self.post("/admin/faults", fault).await;
    }
}

pub(crate) fn args(title: &str) -> Value {
    json!({
        "person": "alice", "address": "device-alice", "title": title, "text": "Line 1\nLine 2",
        "link": "https://b.example/n/abc", "notification": "n-1", "token": "own-token",
        "shown": "hash", "case": "approval/1", "kind": "notify", "collapse": "approval/1",
        "actions": [{"id": "approve", "label": "Approve", "comment": "none"}],
        "ttl_seconds": 600, "importance": "high",
    })
}

pub(crate) fn args_for(profile: &str, title: &str) -> Value {
    let mut args = args(title);
    if profile == "otag-fcm" {
        args["address"] = "alice".into();
    }
    args
}

pub(crate) async fn push(connection: &dyn Connection, args: &Value) -> Result<Outcome, Failure> {
    connection.perform(&action("push", args)).await
}

pub(crate) const PROFILES: [&str; 3] = ["basic", "client_credentials", "otag-fcm"];
