//! The licence feed of the Smint.io stand-in, what goes wrong with it, and a tenant's life.

use serde_json::{Value, json};

use crate::smintio::{Smint, TENANT};
use crate::wire::call;

#[tokio::test]
async fn the_feed_is_read_to_its_end_and_tells_changes_once() {
    let smint = Smint::with(23).await;
    let token = smint.token().await;
    let (all, cursor) = smint.read(&token, None, 10).await;
    assert_eq!(all.len(), 23);
    let cursor = cursor.expect("a cursor");
    let bought = smint
        .deed("buy", json!({"name": "New one", "by": "dora"}))
        .await;
    let old = all[4]["uuid"].clone();
    smint.deed("redeliver", json!({"uuid": old})).await;
    let (more, end) = smint.read(&token, Some(&cursor), 50).await;
    assert_eq!(more.len(), 2);
    assert_eq!(
        (&more[0]["uuid"], &more[1]["uuid"]),
        (&bought["uuid"], &old)
    );
    assert_eq!(
        more[1]["version"], all[4]["version"],
        "a redelivery changes nothing"
    );
    assert_eq!(more[0]["state"], "purchase_phase_1");
    assert_eq!(more[0]["purchased_by_user_name"], "Dora Dorn");
    let (nothing, same) = smint.read(&token, end.as_deref(), 10).await;
    assert_eq!(
        (nothing.len(), &same),
        (0, &end),
        "the cursor at the end is the one asked with"
    );
    smint.deed("settings", json!({"end_cursor": "null"})).await;
    let empty = smint
        .page(&token, &format!("continuationUuid={}", end.expect("one")))
        .await
        .json();
    assert_eq!(
        (&empty["count"], &empty["continuation_uuid"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn limits_and_cursors_are_checked() {
    let smint = Smint::with(60).await;
    let token = smint.token().await;
    assert_eq!(smint.page(&token, "").await.json()["count"], 10);
    assert_eq!(smint.page(&token, "limit=50").await.json()["count"], 50);
    for (query, code) in [
        ("limit=51", "max_paging_limit_exceeded"),
        ("limit=0", "paging_limit_invalid"),
        ("limit=x", "paging_limit_invalid"),
        (
            "continuationUuid=00000000-0000-4000-8000-000000000000",
            "continuation_uuid_invalid",
        ),
    ] {
        let reply = smint.page(&token, query).await;
        assert_eq!(
            (reply.status, &reply.json()["error_code"]),
            (400, &json!(code)),
            "{query}"
        );
    }
    let page = smint.page(&token, "").await.json();
    let cursor = page["continuation_uuid"]
        .as_str()
        .expect("a cursor")
        .to_owned();
    smint.deed("expire_cursors", json!({})).await;
    let old = smint
        .page(&token, &format!("continuationUuid={cursor}"))
        .await
        .json();
    assert_eq!(old["error_code"], "continuation_uuid_invalid");
    assert!(
        old["error_message"]
            .as_str()
            .is_some_and(|m| m.contains("too old")),
        "{old}"
    );
    assert_eq!(
        smint.page(&token, "").await.status,
        200,
        "reading everything again works"
    );
}

#[tokio::test]
async fn records_have_the_vendors_fields_and_their_oddities() {
    let smint = Smint::with(100).await;
    let token = smint.token().await;
    let (all, _) = smint.read(&token, None, 50).await;
    let first = &all[0];
    for field in [
        "uuid",
        "cart_purchase_transaction_uuid",
        "state",
        "project_name",
        "content_element",
        "offering",
        "purchased_by_user_uuid",
        "license_terms",
        "license_download_constraints",
        "version",
        "last_updated_at",
    ] {
        assert!(!first[field].is_null(), "{field}: {first:#}");
    }
    assert_eq!(first["content_element"]["name"][1]["culture"], "de");
    let reuse = "reused_license_purchase_transaction_uuid";
    let at = all
        .iter()
        .position(|r| r[reuse].is_string())
        .expect("one reuses another");
    let reused = all
        .iter()
        .position(|r| r["uuid"] == all[at][reuse])
        .expect("which is there");
    assert!(reused > at, "the reused one comes later");
    let text = json!(all).to_string();
    assert!(
        text.contains("exclusive_hologram"),
        "a key that no list names"
    );
    assert!(
        all.iter().any(|r| r.get("current_users").is_none()),
        "absent fields"
    );
    assert!(
        all.iter()
            .any(|r| r["can_be_synced"].is_null() && r.get("can_be_synced").is_some())
    );
    let restrictive = "has_potentially_restrictive_license_terms";
    assert!(
        all.iter().any(|r| r.get(restrictive) == Some(&Value::Null)),
        "null is not known"
    );
    let broken = smint.deed("buy", json!({"odd": ["broken"]})).await;
    let newest = smint.shown().await["transactions"][0].clone();
    assert_eq!(newest.get("uuid"), None, "{broken}");
    assert_eq!(newest["last_updated_at"], "yesterday");
}

#[tokio::test]
async fn all_seven_states_are_walked_and_files_come_with_the_last() {
    let smint = Smint::start().await;
    let uuid = smint.deed("buy", json!({"name": "Walk"})).await["uuid"].clone();
    let mut states = Vec::new();
    for _ in 0..4 {
        states.push(smint.deed("step", json!({"uuid": uuid})).await["state"].clone());
    }
    assert_eq!(
        states,
        ["purchase_phase_2", "downloading", "finalizing", "completed"]
    );
    let past = format!("/admin/smintio/{TENANT}/step");
    let past = smint.post.admin(&past, json!({"uuid": uuid})).await;
    assert_eq!(past.status, 400, "{}", past.text);
    let new = smint
        .deed("step", json!({"uuid": uuid, "state": "on_hold"}))
        .await;
    assert_eq!(new["state"], "on_hold", "states are open");
    smint.deed("deliver", json!({"uuid": uuid})).await;
    for (deed, state) in [("fail", "error"), ("reject", "cancelled")] {
        let other = smint.deed("buy", json!({})).await["uuid"].clone();
        assert_eq!(
            smint.deed(deed, json!({"uuid": other})).await["state"],
            state
        );
    }
    let shown = smint.shown().await;
    let all = shown["transactions"].as_array().expect("some");
    let record = all
        .iter()
        .find(|r| r["uuid"] == uuid)
        .expect("there")
        .clone();
    assert_eq!(record["can_be_synced"], true);
}

#[tokio::test]
async fn a_licence_is_used_again_and_the_pair_can_come_in_the_wrong_order() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let first = smint.deed("buy", json!({"name": "First"})).await["uuid"].clone();
    let again = json!({"name": "Again", "reuses": first});
    let second = smint.deed("buy", again).await["uuid"].clone();
    let (_, cursor) = smint.read(&token, None, 50).await;
    smint.deed("redeliver", json!({"uuid": second})).await;
    smint.deed("redeliver", json!({"uuid": first})).await;
    let (news, _) = smint.read(&token, cursor.as_deref(), 50).await;
    assert_eq!((&news[0]["uuid"], &news[1]["uuid"]), (&second, &first));
    let reused = &news[0]["reused_license_purchase_transaction_uuid"];
    assert_eq!(reused, &first, "what is reused comes later");
}

#[tokio::test]
async fn files_are_downloaded_by_an_address_that_was_given_out() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let uuid = smint.deed("buy", json!({"state": "completed"})).await["uuid"].clone();
    let record = smint.shown().await["transactions"][0].clone();
    let cart = record["cart_purchase_transaction_uuid"]
        .as_str()
        .expect("a cart");
    let path = smint.part("/paths/binaries");
    let path = path.replace("{cartPurchaseTransactionUuid}", cart);
    let path = path.replace(
        "{licensePurchaseTransactionUuid}",
        uuid.as_str().expect("text"),
    );
    let files = smint
        .get(&format!("/consumer/v1/{path}"), &token)
        .await
        .json();
    assert_eq!(
        (&files[0]["version"], &files[0]["binary_type"]),
        (&json!(1), &json!("standard"))
    );
    smint.deed("update", json!({"uuid": uuid})).await;
    let newer = smint
        .get(&format!("/consumer/v1/{path}"), &token)
        .await
        .json();
    assert_eq!(
        (&newer[0]["version"], &newer[0]["uuid"]),
        (&json!(2), &files[0]["uuid"])
    );
    let url = newer[0]["download_url"].as_str().expect("an address");
    let url = url
        .split(&smint.at.to_string())
        .nth(1)
        .expect("a path")
        .to_owned();
    let file = call(smint.at, "GET", &url, &[], "")
        .await
        .expect("an answer");
    assert!(
        file.status == 200 && file.text.contains("version 2"),
        "{}",
        file.text
    );
    let forged = call(smint.at, "GET", &format!("{url}0"), &[], "")
        .await
        .expect("an answer");
    assert_eq!(forged.status, 403);
}

#[tokio::test]
async fn paths_are_settings_and_vocabularies_are_there() {
    let smint = Smint::start().await;
    let token = smint.token().await;
    let paths = json!({"metadata": "m", "transactions": "t/all", "binaries": "files"});
    smint.deed("settings", json!({"paths": paths})).await;
    assert_eq!(
        smint.page(&token, "").await.status,
        404,
        "the old path is gone"
    );
    assert_eq!(
        smint.get("/consumer/v1/t/all", &token).await.json()["count"],
        10
    );
    let lists = smint.get("/consumer/v1/m", &token).await.json();
    assert_eq!(
        lists["binary_types"][0]["metadata_element"]["key"],
        "standard"
    );
    let missing = smint.get("/consumer/v1/files", &token).await.json();
    assert_eq!(missing["error_code"], "argument_missing");
}
