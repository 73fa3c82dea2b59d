//! Aliases: committed with turn or outcome, kept after the end, the latest cell wins.

use bellwether_engine::store::{CellStatus, EffectState, EffectUpdate, Member};
use bellwether_model::event::Alias;
use bellwether_model::notification::Delivery;

use super::make::*;
use super::{each, one};

#[test]
fn an_alias_finds_its_cell_also_after_the_end() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        opened.aliases = vec![Alias::new("thread", "t1"), Alias::new("case", "c1")];
        opened.status = CellStatus::Closed;
        done(&one(&*db, turn(opened)).await);
        let asked = [
            Alias::new("case", "c1"),
            Alias::new("thread", "unknown"),
            Alias::new("thread", "t1"),
            Alias::new("case", "t1"),
        ];
        let a = Some(cell(0, "a"));
        assert_eq!(db.resolve(&asked).await.unwrap(), [a, None, a, None]);
    });
}

#[test]
fn an_alias_taken_again_names_the_later_cell() {
    each(|db| async move {
        for (n, key) in [(0, "a"), (1, "b")] {
            let mut opened = opening(n, key);
            opened.aliases = vec![Alias::new("thread", "t1")];
            done(&one(&*db, turn(opened)).await);
        }
        let found = db.resolve(&[Alias::new("thread", "t1")]).await.unwrap();
        assert_eq!(found, [Some(cell(1, "b"))]);
    });
}

#[test]
fn an_outcome_adds_aliases_to_the_cell_of_its_effect() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        let mut mail = push(0, "m");
        mail.state = EffectState::Started;
        mail.owner = Some(us());
        opened.effects = vec![mail];
        done(&one(&*db, turn(opened)).await);
        let outcome = Member {
            effects: vec![EffectUpdate::Done {
                id: effect_id(0, "m"),
                attempt: 1,
                owner: us(),
                delivery: Delivery::Accepted,
                reference: Some("18c2".into()),
                aliases: vec![Alias::new("message-id", "<1@x>")],
                at: at(1),
            }],
            ..Member::default()
        };
        done(&one(&*db, outcome).await);
        let found = db.resolve(&[Alias::new("message-id", "<1@x>")]).await;
        assert_eq!(found.unwrap(), [Some(cell(0, "a"))]);
    });
}
