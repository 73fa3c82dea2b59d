//! When a watched collection counts as final, and when it does not. Assets by themselves are in the
//! parent.

use super::*;

#[tokio::test]
async fn a_collection_is_final_when_the_whole_of_it_has_the_flag() {
    let mut portal = Portal::start(everything()).await;
    let done = portal
        .world
        .deed("campaign", json!({"name": "Summit", "assets": 3}))
        .await;
    let all = done["uuids"].as_array().unwrap().clone();
    let ready = json!({"flag": "level_7", "size": 3});
    let collection =
        json!({"name": "Summit", "uuid": done["collection_uuid"], "ready_when": ready});
    portal.restart(json!({ "collections": [collection], "page_size": 2 }));
    portal.scan().await;
    portal
        .world
        .deed("campaign_finish", json!({"name": "Summit"}))
        .await;
    assert_eq!(portal.news().await, [""; 0], "there, but without the flag");
    for (at, uuid) in all.iter().enumerate() {
        let flag = ["level_7", "level_10"][at % 2];
        portal.mark(json!({"uuid": uuid, "flag": flag})).await;
        let said = if at == 2 {
            vec!["campaign.finalized"]
        } else {
            vec![]
        };
        assert_eq!(portal.news().await, said, "{at}: a part of it is not told");
    }
    let campaign = &portal.said("smintio.campaign.finalized")[0]["campaign"];
    assert_eq!(
        (&campaign["kind"], &campaign["asset_count"]),
        (&json!("portal_collection"), &json!(3))
    );
    // An asset is not found for a while.
    portal.mark(json!({"uuid": all[0], "hidden": true})).await;
    assert_eq!(portal.news().await, [""; 0]);
    portal.pass_to("2026-03-02T08:20:00Z").await;
    portal.mark(json!({"uuid": all[0], "hidden": false})).await;
    assert_eq!(portal.news().await, [""; 0], "it was final all the time");
    // It is taken back for good, and final again.
    portal.mark(json!({"uuid": all[0], "flag": "none"})).await;
    assert_eq!(portal.news().await, [""; 0]);
    portal.pass_to("2026-03-02T10:00:00Z").await;
    portal
        .mark(json!({"uuid": all[0], "flag": "level_10"}))
        .await;
    assert_eq!(portal.news().await, ["campaign.finalized"]);
    portal.scan().await;
    assert_eq!(portal.cells.news(), [""; 0]);
}

#[tokio::test]
async fn a_collection_whose_source_fails_is_not_final() {
    let mut portal = Portal::start(everything()).await;
    let done = portal
        .world
        .deed("campaign", json!({"name": "Summit", "assets": 2}))
        .await;
    let ready = json!({"all_published": true, "size": 2});
    let collection =
        json!({"name": "Summit", "uuid": done["collection_uuid"], "ready_when": ready});
    portal.restart(json!({ "collections": [collection] }));
    portal.scan().await;
    portal
        .world
        .deed("campaign_finish", json!({"name": "Summit"}))
        .await;
    portal
        .mark(json!({"errors": ["GetNotFound"], "unpublished": true}))
        .await;
    assert_eq!(
        portal.news().await,
        [""; 0],
        "nobody knows whether that is all"
    );
    let later = json!({"uuid": done["uuids"][1], "from": "2026-03-04T08:00:00Z"});
    portal.world.deed("publish", later).await;
    portal.mark(json!({"errors": []})).await;
    assert_eq!(
        portal.news().await,
        [""; 0],
        "one of them is not published yet"
    );
    portal.pass_to("2026-03-04T08:00:00Z").await;
    let mut news = portal.cells.news();
    news.sort();
    assert_eq!(news, ["asset.published", "campaign.finalized"]);
}
