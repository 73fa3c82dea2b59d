//! Why somebody was told, or was not: in sentences on an event's page and in the API.

use serde_json::Value;

use crate::client::start;
use crate::stand_in::fake::lock;
use crate::stand_in::samples::morning;

#[tokio::test]
async fn an_event_says_what_it_began_what_not_and_what_a_person_got() {
    let fake = morning();
    let (at, person) = {
        let runs = lock(&fake.runs);
        let told = |run: &&bellwether_engine::store::RunDetail| {
            run.run.opened_by.is_some() && run.effects.iter().any(|effect| effect.person.is_some())
        };
        let run = runs.iter().find(told).expect("a run that told somebody");
        let person = run.effects.iter().find_map(|effect| effect.person.clone());
        (run.run.opened_by.unwrap(), person.unwrap())
    };
    let server = start(fake, "").await;
    let path = format!("/api/events/{at}/why?person={person}");
    let answer: Value = serde_json::from_str(&server.get(&path).await.body).unwrap();
    let lines: Vec<&str> = answer["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["text"].as_str())
        .collect();
    let all = lines.join("\n");
    assert!(lines[0].starts_with("It opened the case "), "{all}");
    assert!(answer["lines"][0]["case"].is_string());
    assert!(all.contains(" was taken by the provider"), "{all}");
    for line in [
        "\"large orders\" did not begin: `order.total >= 100` is not so; order.total is 80, order.kind is \"<b>\".",
        "\"night watch\" is off.",
        "\"small orders\" would have begun, but \"large orders\" took it.",
        "\"other box\" listens to the connection alerts only.",
        "The flows were others when it came; this is what they would do with it today.",
    ] {
        assert!(lines.contains(&line), "{line}: {all}");
    }
    let nobody: Value = serde_json::from_str(
        &server
            .get(&format!("/api/events/{at}/why?person=paul"))
            .await
            .body,
    )
    .unwrap();
    assert!(
        nobody.to_string().contains("paul was not told; "),
        "{nobody}"
    );
    let page = server
        .get(&format!("/events/{at}?person={person}"))
        .await
        .body;
    assert!(page.contains("Why was this person told, or not?"));
    assert!(
        page.contains("order.kind is &quot;&lt;b&gt;&quot;"),
        "{page}"
    );
    assert!(page.contains(&format!("value=\"{person}\"")), "{page}");
    assert_eq!(server.get("/api/events/999999/why").await.status, 404);
    assert_eq!(server.get("/api/events/x/why").await.status, 404);
    server.stop().await;
}
