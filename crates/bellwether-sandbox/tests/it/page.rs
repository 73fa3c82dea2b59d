//! The page, as a browser without JavaScript sees it: forms act, answers are shown, mail is text.

use crate::wire::{Ingest, Rig, call, ok, push};
use serde_json::json;

#[tokio::test]
async fn a_form_on_the_page_decides_and_shows_the_server_s_words() {
    let rig = Rig::start().await;
    let ingest = Ingest::start(|_, _| ok("decided", "Approved by you <at> 09:02.")).await;
    let set = json!({"engagement_url": ingest.url, "app_key": "k", "received": false});
    rig.admin("/admin/companion", set).await;
    rig.submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("fine");
    rig.phone_when("alice", |p| p["pushes"][0].is_object())
        .await;
    let page = rig.get("/").await.text;
    assert!(
        page.contains("Title n1") && page.contains("value=\"approve\""),
        "{page}"
    );
    assert!(page.contains("nothing leaves this machine"));
    assert!(page.contains("Our convention"));
    assert!(
        !page.contains("tok-n1"),
        "the push's own token must not be printed"
    );

    let fields = "do=act&push=alice-1&action=approve&back=%2F%23card-alice";
    let reply = rig.form("/people/alice/phone", fields).await;
    assert_eq!(reply.status, 303);
    let place = reply.header("location").expect("a place").to_owned();
    assert!(
        place.starts_with("/?said=Approved") && place.ends_with("#card-alice"),
        "{place}"
    );
    let page = rig.get(place.split('#').next().expect("a path")).await.text;
    assert!(page.contains("Approved by you &lt;at&gt; 09:02."), "{page}");
    assert!(page.contains("pressed Approve"));
    assert!(
        !page.contains("value=\"approve\""),
        "a settled push has no buttons"
    );
    assert_eq!(ingest.heard()[0].body["action"], "approve");
}

#[tokio::test]
async fn opening_leads_to_the_push_s_page_and_a_missing_comment_is_said() {
    let rig = Rig::start().await;
    let mut inner = push("device-alice", "n1", "c1");
    inner["message"]["data"]["link"] = json!("http://127.0.0.1:8081/n/n1");
    rig.submit(&inner).await.expect("fine");
    rig.phone_when("alice", |p| p["pushes"][0].is_object())
        .await;
    let opened = rig
        .form("/people/alice/phone", "do=open&push=alice-1&back=%2F")
        .await;
    assert_eq!(
        opened.header("location"),
        Some("http://127.0.0.1:8081/n/n1")
    );
    let fields = "do=act&push=alice-1&action=reject&comment=&back=%2F";
    let reply = rig.form("/people/alice/phone", fields).await;
    assert!(
        reply
            .header("location")
            .is_some_and(|l| l.contains("asks%20for%20a%20comment"))
    );
    assert_eq!(rig.phone("alice").await["pushes"][0]["state"], "opened");
}

#[tokio::test]
async fn faults_are_set_and_cleared_by_buttons() {
    let rig = Rig::start().await;
    let reply = rig.form("/faults", "preset=opentext-minute").await;
    assert!(
        reply
            .header("location")
            .is_some_and(|l| l.ends_with("#stand-ins"))
    );
    let answer = rig
        .submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 503);
    assert!(rig.get("/").await.text.contains("until cleared"));
    rig.form("/faults/clear", "").await;
    let answer = rig
        .submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
    rig.form("/knobs", "knob=hold").await;
    assert_eq!(rig.get("/admin/opentext").await.json()["hold"], true);
}

#[tokio::test]
async fn forms_from_another_site_and_places_outside_are_refused() {
    let rig = Rig::start().await;
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "cross-site"),
    ];
    let path = "/people/alice/phone";
    let reply = call(rig.page, "POST", path, &headers, "do=offline")
        .await
        .expect("an answer");
    assert_eq!(reply.status, 403);
    assert_eq!(rig.phone("alice").await["online"], true);
    let reply = rig.form(path, "do=offline&back=%2F%2Fevil.example").await;
    assert!(
        reply
            .header("location")
            .is_some_and(|l| l.starts_with("/?said="))
    );
    assert_eq!(rig.phone("alice").await["online"], false);
}

#[tokio::test]
async fn everybody_has_a_page_and_the_look_can_be_chosen() {
    let rig = Rig::start().await;
    let people = [
        "alice",
        "dora",
        "carl",
        "lena",
        "ivan",
        "approvals",
        "requester",
        "ariba",
    ];
    for person in people {
        let reply = rig.get(&format!("/people/{person}")).await;
        assert_eq!(reply.status, 200, "{person}");
        assert!(reply.header("content-security-policy").is_some());
    }
    assert_eq!(rig.get("/people/nobody").await.status, 404);
    let dark = rig.form("/theme", "theme=dark&back=%2F").await;
    let cookie = dark.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a value").to_owned();
    let page = call(rig.page, "GET", "/", &[("cookie", &cookie)], "")
        .await
        .expect("an answer");
    assert!(page.text.contains("data-theme=\"dark\""));
}

#[tokio::test]
async fn the_style_stays_small_and_readable_in_both_looks() {
    let rig = Rig::start().await;
    let style = rig.get("/style.css").await.text;
    assert!(style.len() <= 15 * 1024, "{} bytes", style.len());
    let light = colours(style.split("@media").next().expect("the first block"));
    let dark = style
        .split("[data-theme=dark]{")
        .nth(1)
        .expect("the dark block");
    let dark = colours(dark.split('}').next().expect("its end"));
    for (look, colour) in [("light", light), ("dark", dark)] {
        for (ink, ground, least) in [
            ("text", "bg", 7.0),
            ("text", "card", 7.0),
            ("muted", "bg", 4.5),
            ("muted", "card", 4.5),
            ("muted", "sunk", 4.5),
            ("ok", "ok-bg", 4.5),
            ("warn", "warn-bg", 4.5),
            ("bad", "bad-bg", 4.5),
            ("info", "info-bg", 4.5),
            ("accent", "card", 4.5),
            ("edge", "card", 3.0),
        ] {
            let ratio = contrast(&colour(ink), &colour(ground));
            assert!(ratio >= least, "{look}: {ink} on {ground} is {ratio:.2}");
        }
    }
}

/// A reader of `--name:#rrggbb` in a block.
fn colours(block: &str) -> impl Fn(&str) -> String {
    let block = block.replace('{', ";");
    move |name| {
        let start = format!("--{name}:#");
        let found = block
            .split([';', '\n'])
            .find_map(|l| l.trim().strip_prefix(&start));
        let hex = found.unwrap_or_else(|| panic!("no colour {name}"));
        if hex.len() == 3 {
            hex.chars().flat_map(|c| [c, c]).collect()
        } else {
            hex.to_owned()
        }
    }
}

/// Contrast of two colours by WCAG 2.
fn contrast(one: &str, two: &str) -> f64 {
    let light = |hex: &str| {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
    };
    let (a, b) = (light(one), light(two));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[tokio::test]
async fn mail_is_written_read_and_answered_by_forms_and_shown_as_text() {
    let rig = Rig::start().await;
    let fields = "from=%22J.+Berger%22+%3Crequester%40example.com%3E&to=approvals%40example.com\
        &subject=PO-1+%3Cb%3E&text=%3Cscript%3Ealert(1)%3C%2Fscript%3E+http%3A%2F%2Fa.example%2Fx\
        &back=%2F";
    let reply = rig.form("/mail", fields).await;
    assert!(
        reply
            .header("location")
            .is_some_and(|l| l.contains("on%20its%20way")),
        "{reply:?}"
    );
    let mailbox = rig
        .get("/admin/mailboxes/approvals@example.com")
        .await
        .json();
    let mail = &mailbox["messages"][0];
    assert_eq!(mail["subject"], "PO-1 <b>");
    let thread = mail["thread_id"].as_str().expect("a thread");
    let page = rig
        .get(&format!("/people/approvals?thread={thread}"))
        .await
        .text;
    assert!(
        page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"),
        "{page}"
    );
    assert!(page.contains("href=\"http://a.example/x\""));
    assert!(
        page.contains("value=\"requester@example.com\""),
        "the answer goes to the sender"
    );
    assert!(page.contains("value=\"Re: PO-1 &lt;b&gt;\""));

    let read = format!("thread={thread}&back=%2Fpeople%2Fapprovals");
    assert_eq!(rig.form("/people/approvals/read", &read).await.status, 303);
    let mailbox = rig
        .get("/admin/mailboxes/approvals@example.com")
        .await
        .json();
    let labels = mailbox["messages"][0]["labels"].to_string();
    assert!(!labels.contains("UNREAD"), "{labels}");

    let answer = "from=approvals%40example.com&to=requester%40example.com&subject=Re%3A+PO-1\
        &text=Fine&in_reply_to=%3Cpo1%40example.com%3E&references=%3Cpo1%40example.com%3E";
    rig.form("/mail", answer).await;
    let mailbox = rig
        .get("/admin/mailboxes/requester@example.com")
        .await
        .json();
    assert_eq!(
        mailbox["messages"][0]["headers"]["In-Reply-To"],
        "<po1@example.com>"
    );
    rig.form(
        "/mail",
        "from=approver%40example.com&to=x%40elsewhere.example&text=gone",
    )
    .await;
    assert!(
        rig.get("/stand-ins")
            .await
            .text
            .contains("to x@elsewhere.example")
    );
}

#[tokio::test]
async fn what_happened_to_somebody_is_told_to_the_page() {
    let rig = Rig::start().await;
    let before = rig.get("/people/alice/card").await.text;
    assert!(before.contains("No notifications") && before.contains("data-person=\"alice\""));
    rig.submit(&push("device-alice", "n1", "c1"))
        .await
        .expect("fine");
    rig.phone_when("alice", |p| p["pushes"][0].is_object())
        .await;
    let after = rig.get("/people/alice/card").await.text;
    assert!(after.contains("Title n1"));
    let panel = rig.get("/stand-ins").await.text;
    assert!(panel.contains("Alice's phone shows: Title n1") || panel.contains("Title n1"));
    assert!(
        panel.contains("/mra/v1/utils/parser") && panel.contains("alice: shown"),
        "{panel}"
    );
}
