//! Timers: set, moved, removed, due in order, gone when the cell closes.

use bellwether_engine::store::CellStatus;

use super::make::*;
use super::{each, load, one};

#[test]
fn timers_are_due_in_order_and_the_next_one_is_named() {
    each(|db| async move {
        for (n, key, due) in [(0, "a", 30), (1, "b", 10), (2, "c", 50)] {
            let mut opened = opening(n, key);
            opened.timers = vec![("remind".into(), Some(at(due)))];
            done(&one(&*db, turn(opened)).await);
        }
        let ready = db.ready(at(5), 10).await.unwrap();
        assert_eq!((ready.cells.len(), ready.next_timer), (0, Some(at(10))));
        let ready = db.ready(at(30), 10).await.unwrap();
        let cells: Vec<_> = ready.cells.iter().map(|w| w.cell).collect();
        assert_eq!(cells, [cell(1, "b"), cell(0, "a")]);
        assert_eq!(ready.cells[0].timers, vec![("remind".into(), at(10))]);
        assert_eq!(ready.next_timer, Some(at(50)));
        assert_eq!(db.ready(at(99), 1).await.unwrap().cells.len(), 1);
    });
}

#[test]
fn a_timer_moves_by_its_name_and_goes_when_it_is_removed() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        opened.timers = vec![
            ("remind".into(), Some(at(10))),
            ("escalate".into(), Some(at(20))),
        ];
        done(&one(&*db, turn(opened.clone())).await);
        let mut second = next(&opened, 1, 1);
        second.timers = vec![
            ("remind".into(), Some(at(40))),
            ("escalate".into(), None),
            ("unknown".into(), None),
        ];
        done(&one(&*db, turn(second)).await);
        let cell = load(&*db, opened.cell).await.unwrap();
        assert_eq!(cell.timers, vec![("remind".into(), at(40))]);
        let ready = db.ready(at(39), 10).await.unwrap();
        assert_eq!((ready.cells.len(), ready.next_timer), (0, Some(at(40))));
    });
}

#[test]
fn closing_removes_all_timers_also_those_of_the_same_turn() {
    each(|db| async move {
        let mut opened = opening(0, "a");
        opened.timers = vec![("remind".into(), Some(at(10)))];
        done(&one(&*db, turn(opened.clone())).await);
        let mut end = next(&opened, 1, 1);
        end.status = CellStatus::Closed;
        end.timers = vec![("late".into(), Some(at(20)))];
        done(&one(&*db, turn(end)).await);
        let mut at_once = opening(2, "b");
        at_once.status = CellStatus::Closed;
        at_once.timers = vec![("never".into(), Some(at(20)))];
        done(&one(&*db, turn(at_once)).await);
        let ready = db.ready(at(99), 10).await.unwrap();
        assert_eq!((ready.cells.len(), ready.next_timer), (0, None));
        assert_eq!(load(&*db, opened.cell).await.unwrap().timers, vec![]);
    });
}

#[test]
fn due_timers_and_deliveries_of_one_cell_are_one_piece_of_work() {
    each(|db| async move {
        let mut member = arriving(0, "a");
        member.turns[0].timers = vec![
            ("one".into(), Some(at(3))),
            ("two".into(), Some(at(2))),
            ("later".into(), Some(at(9))),
        ];
        member.deliveries = vec![cell(0, "a")];
        let position = done(&one(&*db, member).await)[0];
        let ready = db.ready(at(5), 10).await.unwrap();
        assert_eq!(ready.cells.len(), 1);
        assert_eq!(ready.cells[0].inbox, vec![position]);
        let due = [("two", 2), ("one", 3)].map(|(name, n)| (name.to_owned(), at(n)));
        assert_eq!(ready.cells[0].timers, due);
    });
}
