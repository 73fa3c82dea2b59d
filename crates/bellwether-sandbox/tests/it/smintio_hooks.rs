//! What the Smint.io stand-in says by itself: signed webhooks and task mails.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::gmail::header;
use crate::smintio::{Smint, TENANT};
use crate::wire::{Ingest, ok};

/// Longest a test waits for a mail.
const DEADLINE: Duration = Duration::from_secs(10);

/// HMAC-SHA256 by its definition, so that the test does not share the stand-in's.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let pad = |byte: u8| block.iter().map(|b| b ^ byte).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

#[tokio::test]
async fn webhooks_are_signed_rightly_and_wrongly() {
    let smint = Smint::start().await;
    let ingest = Ingest::start(|_, _| ok("taken", "Thank you.")).await;
    let secret = BASE64_STANDARD
        .decode(smint.part("/webhook_secret"))
        .expect("base64");
    let good = |at: usize, secret: &[u8]| {
        let heard = &ingest.heard()[at];
        let part = |name: &str| heard.header(name).unwrap_or_default().to_owned();
        let signed = format!("{}.{}", part("x-smintio-timestamp"), heard.text);
        BASE64_STANDARD.encode(hmac(secret, signed.as_bytes())) == part("x-smintio-signature")
    };
    let event = json!({"id": "e-1", "type": "asset.used"});
    let order = |mode: &str| json!({"url": ingest.url, "mode": mode, "event": event});
    let sent = smint.deed("webhook", order("right")).await;
    assert_eq!(sent["status"], 200, "{sent}");
    assert!(good(0, &secret) && ingest.heard()[0].body == event);
    smint.deed("webhook", order("replayed")).await;
    assert!(good(1, &secret), "byte by byte the same");
    assert_eq!(ingest.heard()[0].head, ingest.heard()[1].head);
    for mode in [
        "altered",
        "wrong_secret",
        "empty_secret",
        "wrong_encoding",
        "unsigned",
        "timeless",
    ] {
        smint.deed("webhook", order(mode)).await;
        assert!(!good(ingest.heard().len() - 1, &secret), "{mode}");
    }
    let age = |at: usize| {
        let at = ingest.heard()[at]
            .header("x-smintio-timestamp")
            .expect("one")
            .parse::<i64>();
        jiff::Timestamp::now().as_second() - at.expect("a number")
    };
    for (mode, from, to) in [("old", 600, 700), ("early", -600, -500)] {
        smint.deed("webhook", order(mode)).await;
        let last = ingest.heard().len() - 1;
        assert!(
            good(last, &secret) && (from..=to).contains(&age(last)),
            "{mode}"
        );
    }
    let turned = smint.deed("rotate_webhook_secret", json!({})).await;
    let new = BASE64_STANDARD
        .decode(turned["webhook_secret"].as_str().expect("text"))
        .expect("base64");
    smint.deed("webhook", order("right")).await;
    smint.deed("webhook", order("rotated")).await;
    let last = ingest.heard().len() - 1;
    assert!(
        good(last - 1, &new) && !good(last - 1, &secret),
        "the new secret"
    );
    assert!(good(last, &secret), "the one before");
    let mut big = order("right");
    big["bytes"] = json!(50_000);
    smint.deed("webhook", big).await;
    assert_eq!(
        ingest.heard().last().map(|h| h.text.len() > 49_900),
        Some(true)
    );
    let nowhere = json!({"url": "http://127.0.0.1:1/"});
    let path = format!("/admin/smintio/{TENANT}/webhook");
    assert_eq!(smint.post.admin(&path, nowhere).await.status, 400);
}

#[tokio::test]
async fn requests_are_told_by_mail_and_by_webhook() {
    let smint = Smint::start().await;
    let ingest = Ingest::start(|_, _| ok("taken", "Thank you.")).await;
    smint
        .deed("settings", json!({"webhook_url": ingest.url}))
        .await;
    let ask = json!({"asset": "Gr\u{fc}ner Hang", "by": "dora", "reviewer": "alice"});
    let task = smint.deed("request", ask).await["id"].clone();
    let mail = smint.post.newest("approver@example.com").await;
    assert_eq!(header(&mail, "Subject"), "New request: Gr\u{fc}ner Hang");
    assert_eq!(header(&mail, "X-Task-Id"), task.as_str().expect("text"));
    assert!(header(&mail, "Authentication-Results").contains("dmarc=pass"));
    let declined = json!({"task": task, "reason": "Not for print."});
    assert_eq!(
        smint.deed("reject", declined.clone()).await["state"],
        "Declined"
    );
    let mail = smint.post.newest("deputy@example.com").await;
    assert_eq!(header(&mail, "Subject"), "Declined: Gr\u{fc}ner Hang");
    let path = format!("/admin/smintio/{TENANT}/approve");
    let late = smint.post.admin(&path, declined).await;
    assert!(
        late.status == 400 && late.text.contains("Declined already"),
        "{}",
        late.text
    );
    smint.deed("settings", json!({"no_mails": true})).await;
    assert_eq!(smint.deed("request", json!({})).await["mails"], 0);
    let deadline = std::time::Instant::now() + DEADLINE;
    while ingest.heard().len() < 3 {
        assert!(
            std::time::Instant::now() < deadline,
            "the webhooks did not come"
        );
        tokio::task::yield_now().await;
    }
    let types: std::collections::BTreeSet<String> = ingest
        .heard()
        .iter()
        .filter_map(|h| h.body["type"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        ["request.rejected", "request.submitted"]
    );
}
