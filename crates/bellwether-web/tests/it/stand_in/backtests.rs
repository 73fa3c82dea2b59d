//! The backtests of the stand-in: each ends at once, with one message that would have been another.

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_engine::backtest::{Difference, Kind, Message, Report};
use bellwether_engine::seam::*;
use bellwether_model::BoxFuture;
use bellwether_model::id::Id;
use bellwether_model::time::Time;

use super::fake::{Fake, done, lock};

fn message(who: &str, name: &str) -> Message {
    Message {
        at: Time::from_millis(1_772_442_000_000),
        run: Id::derive(Time(0), &[b"run"]),
        channel: "push",
        who: who.to_owned(),
        name: name.to_owned(),
        title: "<b>Lamps</b> for \u{20ac}4,200.00".to_owned(),
        text: "Approve?".to_owned(),
    }
}

fn report(flow: &str) -> Report {
    Report {
        flow: flow.to_owned(),
        events: 41,
        would_send: 41,
        channels: BTreeMap::from([("push", 41)]),
        people: 6,
        at_night: 3,
        sent: 41,
        same: 40,
        counts: BTreeMap::from([(Kind::OtherRecipient, 1)]),
        differences: vec![Difference {
            kind: Kind::OtherRecipient,
            message: message("carl", "Carl Conrad"),
            instead_of: Some(message("alice", "Alice <Arnold>")),
        }],
        messages: vec![message("carl", "Carl Conrad")],
        ..Report::default()
    }
}

impl Backtests for Fake {
    fn begin(
        &self,
        document: FlowDocument,
        (from, until): (Time, Time),
        _: Option<String>,
    ) -> BoxFuture<'_, Result<(), NotBegun>> {
        let name = document
            .text
            .lines()
            .find_map(|line| line.strip_prefix("flow: "));
        let flow = name.unwrap_or_default().to_owned();
        let mut latest = lock(&self.backtest);
        if latest.as_ref().is_some_and(|latest| latest.end.is_none()) {
            return done(Err(NotBegun::Busy(flow)));
        }
        // A flow of that name never ends by itself.
        let end = (flow != "endless").then(|| Ok(Arc::new(report(&flow))));
        *latest = Some(Backtest {
            flow,
            from,
            until,
            read: 12,
            all: 41,
            end,
        });
        done(Ok(()))
    }

    fn latest(&self) -> Option<Backtest> {
        lock(&self.backtest).clone()
    }

    fn cancel(&self) {
        if let Some(latest) = lock(&self.backtest).as_mut() {
            latest.end = Some(Err(
                "the backtest was ended before it was through".to_owned()
            ));
        }
    }
}
