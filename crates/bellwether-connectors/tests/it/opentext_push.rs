//! Pushes to the sandbox's phones: what arrives, what must never arrive, and what each fault of the
//! provider is said to be. Answers that the sandbox does not give are in `opentext_answers.rs`.

use bellwether_model::failure::FailureClass;
use bellwether_model::notification::Delivery;
use bellwether_model::time::Millis;
use serde_json::{Value, json};

use crate::sandbox::{PROFILES, World, args, args_for, push};

#[tokio::test]
async fn a_push_arrives_as_it_was_meant_and_an_update_takes_its_place() {
    for profile in PROFILES {
        let world = World::start().await;
        let connection = world.connect(profile);
        let mut args = args_for(profile, "€4,200.00 · Huber");
        let outcome = push(&*connection, &args).await.expect("taken");
        assert_eq!(outcome.delivery, Delivery::Accepted, "{profile}");
        assert_eq!(outcome.reference.is_some(), profile != "otag-fcm");
        let shown = &world.on_phone("alice", 1).await[0];
        assert_eq!(shown["title"], "€4,200.00 · Huber");
        assert_eq!(shown["body"], "Line 1\nLine 2");
        assert_eq!(shown["collapse_key"], "approval/1");
        let data = &shown["data"];
        for name in ["link", "notification", "token", "shown", "case", "kind"] {
            assert_eq!(data[name], args[name], "{profile}: {name}");
        }
        let buttons: Value = serde_json::from_str(data["actions"].as_str().expect("a text"))
            .expect("buttons as JSON text");
        assert_eq!(buttons, args["actions"]);

        args["kind"] = "update".into();
        args["title"] = "Approved by Carl".into();
        push(&*connection, &args).await.expect("taken");
        let pushes = world.on_phone("alice", 2).await;
        assert_eq!(pushes[0]["title"], "Approved by Carl");
        assert_eq!(
            pushes[0]["data"].get("actions"),
            None,
            "{profile}: an update has no buttons"
        );
        assert_eq!(pushes[1]["state"], "replaced", "{profile}");
        assert_eq!(world.everywhere().await, 2, "nobody else has it");
    }
}

#[tokio::test]
async fn no_title_changes_who_gets_it_or_what_else_it_says() {
    let hostile = [
        r#"","broadcast":true,"x":""#,
        r#"}]} "token":"device-carl" \"#,
        "{{ token }} {% raw %} {{ 7*7 }} {# x #}",
        "line\nbreak\r\ttab\u{0}\u{7f}\u{85}\u{2028}",
        "pay \u{202e}00,001\u{202c} \u{2066}x\u{2069}\u{200b}",
        "🧑‍🚀é̂ \u{feff} ﷽ 𝔘",
        "' OR 1=1; -- </script><b>\\u0022",
    ];
    for profile in ["basic", "otag-fcm"] {
        let world = World::start().await;
        let connection = world.connect(profile);
        for (index, title) in hostile.iter().enumerate() {
            let mut args = args_for(profile, title);
            for name in ["notification", "collapse", "case"] {
                args[name] = format!("{index}").into();
            }
            args["text"] = (*title).into();
            push(&*connection, &args).await.expect("taken");
            let shown = &world.on_phone("alice", index + 1).await[0];
            assert_eq!(
                (&shown["title"], &shown["body"]),
                (&json!(title), &json!(title))
            );
            assert_eq!(shown["data"]["token"], "own-token");
        }
        assert_eq!(
            world.everywhere().await,
            hostile.len(),
            "{profile}: only Alice has them"
        );
    }
}

#[tokio::test]
async fn what_is_too_long_is_shortened_visibly_or_refused_before_it_is_sent() {
    for profile in ["basic", "otag-fcm"] {
        let world = World::start().await;
        let connection = world.connect(profile);
        let mut args = args_for(profile, "Short");
        args["text"] = "\"ü\n".repeat(4000).into();
        push(&*connection, &args).await.expect("taken");
        let shown = &world.on_phone("alice", 1).await[0];
        assert_eq!(
            shown["title"], "Short",
            "the title stays while the text can give way"
        );
        let text = shown["body"].as_str().expect("a text");
        assert!(
            text.ends_with('…') && text.len() > 1000,
            "{} bytes",
            text.len()
        );
        assert!("\"ü\n".repeat(4000).starts_with(text.trim_end_matches('…')));

        args["title"] = "t".repeat(10_240).into();
        push(&*connection, &args).await.expect("taken");
        let shown = &world.on_phone("alice", 2).await[0];
        let title = shown["title"].as_str().expect("a text");
        assert!(
            title.ends_with('…') && title.len() > 400,
            "{} bytes",
            title.len()
        );

        args["link"] = format!("https://b.example/{}", "l".repeat(5000)).into();
        let failure = push(&*connection, &args).await.expect_err("too large");
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (FailureClass::Reject, "too_large")
        );
        assert_eq!(world.get("/admin/pushes").await["total"], 2);
    }
}

#[tokio::test]
async fn without_an_address_nothing_is_sent_to_anybody() {
    for profile in PROFILES {
        let world = World::start().await;
        let connection = world.connect(profile);
        for address in [Value::Null, json!(""), json!(["device-alice"]), json!(true)] {
            let mut args = args("x");
            args["address"] = address;
            let failure = push(&*connection, &args).await.expect_err("nobody");
            assert_eq!(failure.class, FailureClass::Reject);
            assert_eq!(failure.code, "no_recipient");
        }
        assert_eq!(world.get("/admin/pushes").await["total"], 0);
    }
}

#[tokio::test]
async fn a_token_is_used_until_it_is_refused_and_then_renewed_once() {
    let world = World::start().await;
    let connection = world.connect("client_credentials");
    let issued = || async { world.get("/admin/opentext").await["tokens_issued"].clone() };
    push(&*connection, &args("1")).await.expect("taken");
    push(&*connection, &args("2")).await.expect("taken");
    assert_eq!(issued().await, 1);
    world
        .post("/admin/opentext", json!({"revoke_tokens": true}))
        .await;
    push(&*connection, &args("3"))
        .await
        .expect("taken with a new token");
    assert_eq!(issued().await, 2);
    assert_eq!(world.on_phone("alice", 3).await[0]["title"], "3");
    // Refused with a fresh token too: a person must look.
    world
        .fault("opentext.mra", "status", json!({"status": 401, "times": 2}))
        .await;
    let failure = push(&*connection, &args("4")).await.expect_err("refused");
    assert_eq!(failure.class, FailureClass::Reauthorise);
    assert_eq!(issued().await, 3);
    assert_eq!(world.everywhere().await, 3);
}

#[tokio::test]
async fn wrong_credentials_wait_for_a_person() {
    let world = World::start().await;
    for (profile, field, class, code) in [
        (
            "basic",
            "password",
            FailureClass::Reauthorise,
            "unauthorized",
        ),
        (
            "client_credentials",
            "client_secret",
            FailureClass::Reauthorise,
            "invalid_client",
        ),
        (
            "otag-fcm",
            "otag_app_key",
            FailureClass::Misconfigured,
            "forbidden",
        ),
        (
            "otag-fcm",
            "otag_app",
            FailureClass::Misconfigured,
            "no_such_address",
        ),
        (
            "basic",
            "base_url",
            FailureClass::Misconfigured,
            "no_such_address",
        ),
    ] {
        let wrong = match field {
            "base_url" => format!("{}/elsewhere", world.opentext["url"].as_str().expect("url")),
            _ => "wrong-value".to_owned(),
        };
        let connection = world.connect_with(profile, json!({ field: wrong }));
        let failure = push(&*connection, &args("x")).await.expect_err(field);
        assert_eq!(
            (failure.class, failure.code.as_str()),
            (class, code),
            "{profile} {field}"
        );
        assert!(!format!("{failure:?}").contains("wrong-value") || field == "otag_app");
    }
    assert_eq!(world.everywhere().await, 0);
}

#[tokio::test]
async fn a_busy_provider_is_asked_again_when_it_says() {
    let world = World::start().await;
    let connection = world.connect("basic");
    let busy = json!({"status": 503, "retry_after": 7});
    world.fault("opentext.mra", "status", busy).await;
    let failure = push(&*connection, &args("x")).await.expect_err("busy");
    let after = Some(Millis::seconds(7));
    assert_eq!(failure.class, FailureClass::Retry { after });
    world
        .fault(
            "opentext.token",
            "status",
            json!({"status": 429, "retry_after": 9}),
        )
        .await;
    let tokens = world.connect("client_credentials");
    let failure = push(&*tokens, &args("x")).await.expect_err("busy");
    let after = Some(Millis::seconds(9));
    assert_eq!(failure.class, FailureClass::Retry { after });
    assert_eq!(world.everywhere().await, 0);
    push(&*connection, &args("x")).await.expect("taken at last");
    push(&*tokens, &args("x")).await.expect("taken at last");
}

#[tokio::test]
async fn a_lost_answer_may_be_a_delivered_push() {
    for (profile, target) in [("basic", "opentext.mra"), ("otag-fcm", "opentext.otag")] {
        for (kind, arrives) in [
            ("reset_after", true),
            ("reset_before", false),
            ("html", false),
        ] {
            let world = World::start().await;
            let connection = world.connect(profile);
            world.fault(target, kind, json!({})).await;
            let failure = push(&*connection, &args_for(profile, "x"))
                .await
                .expect_err(kind);
            assert_eq!(failure.class, FailureClass::MaybeDone, "{profile} {kind}");
            let count = world.everywhere().await;
            assert_eq!(
                count,
                usize::from(arrives),
                "{profile} {kind}: what the phone has"
            );
        }
    }
}

#[tokio::test]
async fn half_an_answer_and_a_doubled_call_show_one_push() {
    let world = World::start().await;
    let connection = world.connect("basic");
    world.fault("opentext.mra", "truncate", json!({})).await;
    let outcome = push(&*connection, &args("x")).await.expect("200 was said");
    assert_eq!(
        (outcome.delivery, outcome.reference),
        (Delivery::Accepted, None)
    );
    assert_eq!(world.everywhere().await, 1);
    world.fault("opentext.mra", "duplicate", json!({})).await;
    let mut again = args("y");
    again["notification"] = "n-2".into();
    push(&*connection, &again).await.expect("taken");
    assert_eq!(world.get("/admin/pushes").await["total"], 3);
    let pushes = world.on_phone("alice", 2).await;
    assert_eq!(
        (&pushes[0]["title"], &pushes[0]["times_received"]),
        (&json!("y"), &json!(2))
    );
    assert_eq!(pushes[1]["state"], "replaced");
}
