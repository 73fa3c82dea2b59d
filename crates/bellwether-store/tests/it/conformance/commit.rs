//! Members: whole or not at all, once only, refused alone, in order under contention.

use bellwether_engine::store::{CellRef, EventRef, Member, Store, Verdict};
use serde_json::json;

use super::make::*;
use super::{Everything, each};

async fn commit(db: &dyn Everything, member: Member) -> Verdict {
    db.commit(vec![member]).await.remove(0)
}

#[test]
fn an_arrival_and_its_turn_are_there_after_the_verdict() {
    each(|db| async move {
        let mut member = arriving(0, "a");
        member.turns[0].effects.push(push(0, "a"));
        let positions = done(&commit(&*db, member).await);
        assert_eq!(positions.len(), 1);
        let events = Store::events(&*db, &[EventRef::At(positions[0])])
            .await
            .unwrap();
        let event = events[0].clone().unwrap();
        assert_eq!(event.envelope.id, "a");
        assert_eq!(event.envelope.kind, "gmail.message.received");
        assert_eq!((event.flow_set, event.directory), (3, 4));
        assert_eq!(event.received_at, at(0));
        assert_eq!(event.envelope.data["mail"]["subject"], json!("Approve a"));
        let by_key = Store::events(&*db, &[EventRef::Key(event.envelope.seen_key())])
            .await
            .unwrap();
        assert_eq!(by_key[0].as_ref(), Some(&event));
        let open = CellRef::Open {
            program: "flow".into(),
            key: "a".into(),
        };
        let cells = db.load(&[open, CellRef::Id(cell(0, "a"))]).await.unwrap();
        assert_eq!(cells[0], cells[1]);
        let cell = cells[0].clone().unwrap();
        assert_eq!(cell.version, 1);
        assert_eq!(cell.opened_by, Some(event));
        assert!(!cell.has_inbox);
        let effect = db.effects(&[effect_id(0, "a")]).await.unwrap();
        assert_eq!(effect[0].as_ref().unwrap().cell, cell.cell);
        db.projected().await;
        assert_eq!(db.overview().await.unwrap().events, 1);
    });
}
