//! What the stand-in knows of why: its runs belong to whatever opened them; one flow did not begin,
//! for each reason that there is.

use bellwether_engine::explain::{Began, Why};
use bellwether_engine::seam::Explains;
use bellwether_engine::store::StoreError;
use bellwether_model::BoxFuture;
use bellwether_model::event::Position;

use super::fake::{Fake, done, lock};

impl Explains for Fake {
    fn why(&self, at: Position) -> BoxFuture<'_, Result<Option<Why>, StoreError>> {
        let events = lock(&self.events);
        let Some(event) = events.iter().find(|event| event.position == at).cloned() else {
            return done(Ok(None));
        };
        let runs = lock(&self.runs);
        let opened = |run: &&bellwether_engine::store::RunDetail| run.run.opened_by == Some(at);
        let runs = runs.iter().filter(opened).map(|run| (run.run.id, true));
        let not_so = Began::NotSo {
            part: "order.total >= 100".to_owned(),
            was: vec![
                "order.total is 80".to_owned(),
                "order.kind is \"<b>\"".to_owned(),
            ],
        };
        done(Ok(Some(Why {
            event,
            flows_changed: true,
            flows: vec![
                ("large-orders".to_owned(), not_so),
                ("night-watch".to_owned(), Began::Off),
                (
                    "small-orders".to_owned(),
                    Began::TakenBy("large-orders".to_owned()),
                ),
                (
                    "other-box".to_owned(),
                    Began::OtherSource("alerts".to_owned()),
                ),
            ],
            runs: runs.collect(),
        })))
    }
}
