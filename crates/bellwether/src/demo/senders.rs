//! Whoever else sends something in the demo: people with a mail program of their own, systems whose
//! name is misused, workflows that sign what they report. Waiting for what comes of it is in
//! `outside`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_connectors::http::HttpClient;
use bellwether_model::http::{Http as _, HttpRequest};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::company::{self, WORKFLOWS_KEY};
use super::outside::{self, Outside, escaped};

impl Outside {
    /// A person sends a mail from a mailbox with a program of his own.
    pub(super) async fn person_sends(&self, address: &str, raw: &str) -> Result<(), String> {
        let info = outside::get(&format!("{}/admin/info", self.sandbox)).await?;
        let one = company::credentials(&info, address)?;
        let field = |name: &str| escaped(one[name].as_str().unwrap_or_default());
        let form = format!(
            "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
            field("client_id"),
            field("client_secret"),
            field("refresh_token"),
        );
        let url = info["token_url"].as_str().unwrap_or_default();
        let request = HttpRequest::new("POST", url).body("application/x-www-form-urlencoded", form);
        let token = answered(&self.http, request).await?;
        let url = format!(
            "{}/upload/gmail/v1/users/me/messages/send?uploadType=media",
            info["google_url"].as_str().unwrap_or_default()
        );
        let bearer = format!(
            "Bearer {}",
            token["access_token"].as_str().unwrap_or_default()
        );
        let request = HttpRequest::new("POST", &url)
            .header("authorization", &bearer)
            .body("message/rfc822", raw.replace('\n', "\r\n"));
        answered(&self.http, request).await.map(drop)
    }

    /// A mail that comes from a machine which may not write in that name.
    pub(super) async fn impostor(&self, mail: &Value) -> Result<(), String> {
        let mut mail = mail.clone();
        mail["source_ip"] = json!("203.0.113.66");
        outside::post(&format!("{}/admin/mail", self.sandbox), &mail)
            .await
            .map(drop)
    }

    /// Somebody reads the newest mail of a mailbox with that subject.
    pub(super) async fn reads(&self, address: &str, subject: &str) -> Result<(), String> {
        let fits = |mail: &outside::Mail| mail.subject.contains(subject);
        let mail = self.mail(address, subject, fits).await?;
        let body = json!({ "address": address, "id": mail.id });
        outside::post(&format!("{}/admin/read", self.sandbox), &body)
            .await
            .map(drop)
    }

    /// A cloud workflow reports something, signed.
    pub(super) async fn workflow(&self, pages: &str, body: &Value) -> Result<(), String> {
        let text = body.to_string();
        let id = body["id"].as_str().unwrap_or_default();
        let at = outside::seconds();
        let key = WORKFLOWS_KEY.trim_start_matches("whsec_");
        let key = BASE64_STANDARD.decode(key).map_err(|e| e.to_string())?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|e| e.to_string())?;
        mac.update(format!("{id}.{at}.{text}").as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let request = HttpRequest::new("POST", format!("{pages}/hooks/workflows"))
            .header("webhook-id", id)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", format!("v1,{signature}"))
            .body("application/json", text);
        answered(&self.http, request).await.map(drop)
    }
}

async fn answered(http: &HttpClient, request: HttpRequest) -> Result<Value, String> {
    let what = format!("{request:?}");
    let answer = http.send(request).await;
    let answer = answer.map_err(|failure| format!("{what}: {failure}"))?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.is_success() {
        Ok(value)
    } else {
        Err(format!("{what}: {} {value}", answer.status))
    }
}
