//! The portals of the Smint.io stand-in, and its page.

use serde_json::{Value, json};

use crate::gmail::Post;
use crate::smintio::{FORM, Smint, TENANT};
use crate::wire::{Reply, call};

/// Runs a method of the portal; the body is JSON in a text in JSON.
async fn execute(smint: &Smint, token: &str, method: &str, asked: &Value) -> Reply {
    let portal = smint.part("/portals/portal_uuid");
    let path = format!("/{TENANT}/frontend/v1/portals/{portal}/portalsContext/{method}");
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = json!([asked.to_string()]).to_string();
    call(smint.at, "POST", &path, &headers, &body)
        .await
        .expect("an answer")
}

fn result(task: &Value) -> Value {
    serde_json::from_str(task["result_string"].as_str().expect("a text")).expect("JSON in it")
}

const SEARCH: &str = "IAssetsSearch/execute/searchAssetsAsync";

#[tokio::test]
async fn portals_are_searched_with_json_in_a_text() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    let payload = smint.get("/portal/v1/payload", "").await.json();
    assert_eq!(
        payload["current_portal_info"]["uuid"],
        smint.part("/portals/portal_uuid")
    );
    assert_eq!(
        payload["current_tenant"]["backend_api_url"],
        smint.part("/portals/url")
    );
    let uuid = smint
        .deed("buy", json!({"name": "Hidden gem", "state": "completed"}))
        .await["uuid"]
        .clone();
    let ask = json!({"queryString": "gem", "page": 0, "pageSize": 10});
    let found = result(&execute(&smint, &token, SEARCH, &ask).await.json());
    let asset = &found["assetDataObjects"][0];
    assert_eq!(
        (&found["details"]["totalResults"], &asset["version"]),
        (&json!(1), &json!("1"))
    );
    let id = asset["id"].clone();
    assert_eq!(
        id.as_str().and_then(|i| i.rsplit(':').next()),
        uuid.as_str()
    );
    smint
        .deed(
            "publish",
            json!({"uuid": uuid, "from": "2099-01-01T00:00:00Z"}),
        )
        .await;
    let gone = result(&execute(&smint, &token, SEARCH, &ask).await.json());
    assert_eq!(
        gone["details"]["totalResults"], 0,
        "not before it is published"
    );
    smint.deed("publish", json!({"uuid": uuid})).await;
    smint.deed("update", json!({"uuid": uuid})).await;
    let by = smint
        .deed("buy", json!({"name": "New gem", "state": "completed"}))
        .await["uuid"]
        .clone();
    smint.deed("replace", json!({"uuid": uuid, "by": by})).await;
    let one = json!({"assetId": {"id": id}});
    let one = execute(&smint, &token, "IAssetsRead/execute/getAssetAsync", &one)
        .await
        .json();
    let one = result(&one)["assetDataObject"].clone();
    assert_eq!(
        (&one["version"], &one["relatedAssets"][0]["type"]),
        (&json!("2"), &json!("version"))
    );
}

#[tokio::test]
async fn collections_are_found_with_what_is_in_them() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    smint
        .deed("campaign", json!({"name": "Summit", "assets": 2}))
        .await;
    smint
        .deed("campaign_finish", json!({"name": "Summit"}))
        .await;
    let ask = json!({"queryString": "summit"});
    let all = execute(
        &smint,
        &token,
        "ICollectionsSearch/execute/searchCollectionsAsync",
        &ask,
    )
    .await;
    let id = result(&all.json())["collections"][0]["id"].clone();
    let inside = "ICollectionsAssets/execute/searchCollectionAssetsAsync";
    let inside = execute(&smint, &token, inside, &json!({"collectionId": id}))
        .await
        .json();
    assert_eq!(result(&inside)["details"]["totalResults"], 2);
}

#[tokio::test]
async fn background_tasks_are_asked_for_until_they_are_done() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    smint.deed("settings", json!({"task_polls": 2})).await;
    let mut task = execute(&smint, &token, SEARCH, &json!({})).await.json();
    let mut states = vec![task["state"].clone()];
    assert_eq!(task["result_string"], Value::Null);
    let path = format!(
        "/frontend/v1/backgroundTasks/{}",
        task["uuid"].as_str().expect("text")
    );
    while task["state"] != "completed" {
        task = smint.get(&path, &token).await.json();
        states.push(task["state"].clone());
    }
    assert_eq!(states, ["created", "in_progress", "completed"]);
    assert!(result(&task)["details"]["totalResults"].is_u64());
    assert_eq!(smint.shown().await["hasty_polls"], 2);
    smint.deed("settings", json!({"task_polls": 0})).await;
    let failed = execute(&smint, &token, SEARCH, &json!({"pageSize": 51}))
        .await
        .json();
    assert_eq!(
        (&failed["state"], &failed["failed_steps"]),
        (&json!("error"), &json!(1))
    );
    assert_eq!(result(&failed)["error_code"], "max_paging_limit_exceeded");
    let tasks = "ITaskManagementSearch/execute/searchTasksAsync";
    let off = execute(&smint, &token, tasks, &json!({})).await;
    assert_eq!(
        (off.status, &off.json()["error_code"]),
        (501, &json!("not_implemented"))
    );
    smint.deed("settings", json!({"task_search": true})).await;
    smint.deed("request", json!({"asset": "Logo"})).await;
    let on = execute(&smint, &token, tasks, &json!({})).await.json();
    assert_eq!(result(&on)["tasks"][0]["state"], "New");
    let feed = smint.token().await;
    assert_eq!(
        execute(&smint, &feed, SEARCH, &json!({})).await.status,
        403,
        "another scope"
    );
    let plain = smint
        .send(
            "POST",
            &path.replace("backgroundTasks", "nothing"),
            &token,
            "",
        )
        .await;
    assert_eq!(plain.status, 404);
}

#[tokio::test]
async fn the_page_shows_and_does_without_a_script() {
    let smint = Smint::start().await;
    smint
        .deed(
            "buy",
            json!({"name": "<b>Bold</b> hut", "valid_days": 20, "max_downloads": 10}),
        )
        .await;
    smint.deed("request", json!({"asset": "Logo pack"})).await;
    let post: &Post = &smint.post;
    let page = call(post.page, "GET", "/smintio", &[], "")
        .await
        .expect("an answer");
    assert_eq!(page.status, 200);
    for words in [
        "&lt;b&gt;Bold&lt;/b&gt; hut",
        "Logo pack",
        "being bought",
        "nothing leaves this machine",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert!(!page.text.contains("<b>Bold"), "names are text");
    let form = "deed=deliver&uuid=";
    let uuid = smint.shown().await["transactions"][0]["uuid"]
        .as_str()
        .expect("text")
        .to_owned();
    let path = format!("/smintio/{TENANT}");
    let done = call(post.page, "POST", &path, &[FORM], &format!("{form}{uuid}"))
        .await
        .expect("an answer");
    assert_eq!(done.status, 303);
    assert!(
        done.header("location")
            .is_some_and(|l| l.starts_with("/smintio/alpenwerk?said="))
    );
    assert_eq!(smint.shown().await["transactions"][0]["state"], "completed");
    let foreign = [FORM, ("sec-fetch-site", "cross-site")];
    let refused = call(post.page, "POST", &path, &foreign, "deed=buy")
        .await
        .expect("an answer");
    assert_eq!(refused.status, 403);
    assert_eq!(
        call(post.page, "GET", "/smintio/nobody", &[], "")
            .await
            .expect("an answer")
            .status,
        404
    );
}

#[tokio::test]
async fn the_portal_alone_knows_marks_errors_and_what_it_hides() {
    let smint = Smint::start().await;
    let token = smint.token_of("/portals/refresh_token").await;
    let gem = json!({"name": "Hidden gem", "state": "completed"});
    let uuid = smint.deed("buy", gem).await["uuid"].clone();
    let found = async || {
        let ask = json!({"queryString": "gem"});
        result(&execute(&smint, &token, SEARCH, &ask).await.json())
    };
    let mark = json!({"uuid": uuid, "flag": "level_7", "etag": "\"e\"", "errors": ["Forbidden"]});
    smint.deed("portal", mark).await;
    let answer = found().await;
    let asset = &answer["assetDataObjects"][0];
    assert_eq!(
        (&asset["flag"], &asset["eTag"]),
        (&json!("level_7"), &json!("\"e\""))
    );
    assert_eq!(answer["details"]["errors"], json!(["Forbidden"]));
    let later = json!({"uuid": uuid, "from": "2099-01-01T00:00:00Z"});
    smint.deed("publish", later).await;
    for (what, hits) in [
        (json!({"unpublished": true}), 1),
        (json!({"uuid": uuid, "hidden": true}), 0),
        (json!({"uuid": uuid, "hidden": false}), 1),
        (json!({"unpublished": false}), 0),
    ] {
        smint.deed("portal", what.clone()).await;
        let total = &found().await["details"]["totalResults"];
        assert_eq!(total, &json!(hits), "{what}");
    }
    let fail = json!({"fail": {"method": "searchAssetsAsync", "code": "NotSetup"}});
    smint.deed("portal", fail).await;
    assert_eq!(found().await["error_code"], "NotSetup");
    assert_eq!(found().await["details"]["totalResults"], 0, "once only");
    // Tasks that are forgotten are not there.
    smint.deed("settings", json!({"task_polls": 2})).await;
    let task = execute(&smint, &token, SEARCH, &json!({})).await.json();
    smint.deed("portal", json!({"lose_tasks": true})).await;
    let path = format!(
        "/frontend/v1/backgroundTasks/{}",
        task["uuid"].as_str().expect("text")
    );
    assert_eq!(smint.get(&path, &token).await.status, 404);
}
