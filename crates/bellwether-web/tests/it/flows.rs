//! Recipes and flows over HTTP: cards, the form with its fields and errors, preview, saving, the
//! switch, the text with its lint, tests and versions.

use bellwether_engine::store::Registry as _;
use serde_json::{Value, json};

use crate::client::{form, start};
use crate::stand_in::fake::Fake;
use crate::stand_in::samples::morning;

async fn kept(fake: &Fake) -> Option<Value> {
    let found = fake.get("flow", "opened-late").await.expect("a registry");
    found.map(|document| document.body)
}

const RECIPE: &str = "/recipes/opened-late";

#[tokio::test]
async fn a_card_leads_to_a_form_that_says_what_each_field_takes() {
    let server = start(morning(), "").await;
    let cards = server.get("/recipes").await.body;
    assert!(
        cards.contains("Opened late") && cards.contains(RECIPE),
        "{cards}"
    );
    assert!(cards.contains("Whoever opens a push late"));
    let shown = server.get(RECIPE).await.body;
    for part in [
        "Not set up yet",
        "Who wants to know",
        "list=\"who\"",
        "<option value=\"alice\">",
        "value=\"50 EUR\"",
        "name=\"rows.0.kind\"",
        "value=\"shadow\" checked",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(server.get("/recipes/nothing").await.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_field_and_nothing_is_saved() {
    let fake = morning();
    let server = start(fake.clone(), "").await;
    let fields = "do=save&seen=0&position=on&tell=&limit=much&loud.shown=1&loud=true&rows.0.kind=a%3Cb&rows.0.who=alice";
    let (status, _, shown) = form(&server, RECIPE, RECIPE, fields).await;
    assert_eq!(status, 200);
    assert!(shown.contains("2 of the fields below need you"), "{shown}");
    assert!(shown.contains("is not a clear amount such as 5000 EUR"));
    // What was typed is not lost, and is text.
    assert!(shown.contains("value=\"much\"") && shown.contains("value=\"a&lt;b\""));
    assert!(shown.contains("value=\"true\" selected"));
    assert!(kept(&fake).await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn a_preview_shows_and_saves_nothing_and_a_save_switches() {
    let fake = morning();
    let server = start(fake.clone(), "").await;
    let fields = "seen=0&position=shadow&tell=alice%2C+role+cfo&limit=&loud.shown=1&rows.0.kind=x&rows.0.who=&rows.1.kind=&rows.1.who=";
    let preview = format!("do=preview&{fields}");
    let (status, _, shown) = form(&server, RECIPE, RECIPE, &preview).await;
    assert_eq!(status, 200);
    assert!(shown.contains("What it would send") && shown.contains("after 2 h"));
    assert!(shown.contains("&lt;b&gt;Lamps"), "{shown}");
    assert!(kept(&fake).await.is_none());

    let (_, _, more) = form(&server, RECIPE, RECIPE, &format!("do=rows&{fields}")).await;
    assert!(more.contains("name=\"rows.5.kind\"") && !more.contains("of the fields"));

    let save = format!("do=save&{fields}");
    let (status, place, _) = form(&server, RECIPE, RECIPE, &save).await;
    assert_eq!((status, place.as_str()), (303, "/flows/opened-late"));
    let saved = kept(&fake).await.expect("a flow");
    assert_eq!(saved["position"], "shadow");
    let filled = json!({ "tell": ["alice", "role cfo"], "loud": false, "rows": [{ "kind": "x" }] });
    assert_eq!(saved["inputs"], filled);
    // The same form again, from a tab that was left open.
    let (status, _, shown) = form(&server, RECIPE, RECIPE, &save).await;
    assert_eq!(status, 200);
    assert!(shown.contains("somebody else saved this flow meanwhile"));
    server.stop().await;
}

#[tokio::test]
async fn a_flow_has_a_switch_a_picture_tests_and_a_text_that_is_checked() {
    let fake = morning();
    let server = start(fake.clone(), "").await;
    form(
        &server,
        RECIPE,
        RECIPE,
        "do=save&seen=0&position=shadow&tell=alice",
    )
    .await;
    let page = "/flows/opened-late";
    let shown = server.get(page).await.body;
    assert!(shown.contains("<svg class=\"diagram\"") && shown.contains("push: inputs.tell"));
    let switch = format!("{page}/position");
    let (status, place, _) = form(&server, page, &switch, "seen=1&position=on").await;
    assert_eq!((status, place.as_str()), (303, page));
    assert_eq!(kept(&fake).await.expect("a flow")["position"], "on");
    let (_, _, again) = form(&server, page, &switch, "seen=1&position=off").await;
    assert!(again.is_empty());
    assert_eq!(kept(&fake).await.expect("a flow")["position"], "on");

    let (_, _, played) = form(&server, page, &format!("{page}/play"), "").await;
    assert!(played.contains("1 of 2 are as expected") && played.contains("line 15"));

    let text = format!("{page}/text");
    let broken =
        "bellwether%3A+1%0D%0Aflow%3A+opened-late%0D%0Awhen%3A+%7B+event%3A+push.opend+%7D";
    let (status, _, said) = form(
        &server,
        &text,
        &text,
        &format!("do=save&seen=2&text={broken}"),
    )
    .await;
    assert_eq!(status, 200);
    assert!(
        said.contains("Not saved") && said.contains("Line 3"),
        "{said}"
    );
    assert!(said.contains("push.opened") && said.contains("push.opend"));
    let kept = kept(&fake).await.expect("a flow");
    assert!(
        kept["text"]
            .as_str()
            .expect("a text")
            .contains("push.opened }")
    );
    server.stop().await;
}
