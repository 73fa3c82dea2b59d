//! Lists: pages, filters, totals, and that they agree with what was committed.

use bellwether_engine::store::{
    CellStatus, EffectState, EffectUpdate, EventQuery, ListQuery, Member, Page, RunRow, Views,
};
use bellwether_model::connector::Role;
use bellwether_model::event::Event;
use bellwether_model::failure::Failure;
use bellwether_model::notification::{Delivery, Engagement};
use serde_json::json;

use super::make::*;
use super::{Everything, each, one};

fn query(limit: usize) -> ListQuery {
    ListQuery {
        limit,
        ..ListQuery::default()
    }
}

/// Twelve runs of two flows; every third one is closed.
async fn fill(db: &dyn Everything) {
    let mut members = Vec::new();
    for n in 0..12 {
        let mut member = arriving(n, &format!("k{n:02}"));
        if n % 2 == 1 {
            member.turns[0].program = "other".into();
        }
        if n % 3 == 0 {
            member.turns[0].status = CellStatus::Closed;
        }
        if n == 4 {
            member.arrival.as_mut().unwrap().event.kind = "push.opened".into();
        }
        let mut effect = push(n, &format!("k{n:02}"));
        effect.person = Some(if n < 4 { "p-bob" } else { "p-anna" }.into());
        effect.state = EffectState::Started;
        effect.owner = Some(us());
        member.turns[0].effects.push(effect);
        members.push(member);
    }
    for verdict in db.commit(members).await {
        done(&verdict);
    }
    db.projected().await;
}

async fn runs(db: &dyn Everything, query: ListQuery) -> Page<RunRow> {
    Views::runs(db, query).await.unwrap()
}

fn keys(page: &Page<RunRow>) -> Vec<&str> {
    page.items.iter().map(|r| r.key.as_str()).collect()
}

#[test]
fn runs_page_from_the_newest() {
    each(|db| async move {
        fill(&*db).await;
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = runs(&*db, ListQuery { after, ..query(5) }).await;
            assert_eq!(page.total, 12);
            seen.extend(page.items.iter().map(|r| r.key.clone()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<String> = (0..12).rev().map(|n| format!("k{n:02}")).collect();
        assert_eq!(seen, expected);
        let first = runs(&*db, query(1)).await.items.remove(0);
        assert_eq!(
            (first.flow.as_str(), first.status, first.turns),
            ("other", "open", 1)
        );
        assert_eq!(first.opened_at, at(11));
        assert_eq!(first.flow_hash, "09".repeat(16));
        assert!(first.opened_by.is_some());
    });
}

#[test]
fn the_states_of_a_flows_open_runs_are_read_page_by_page() {
    each(|db| async move {
        fill(&*db).await;
        let page = async |flow: &str, after, limit| {
            let states = db.open_states(flow, after, limit).await;
            states.unwrap()
        };
        let all = page("flow", None, 100).await;
        assert_eq!(all.len(), 4, "every third of six is closed");
        let first = page("flow", None, 3).await;
        let rest = page("flow", first.last().map(|(id, _)| *id), 3).await;
        assert_eq!([first, rest].concat(), all);
        for (id, state) in &all {
            let run = db.run(*id).await.unwrap().unwrap();
            assert_eq!((run.run.status, &run.state), ("open", state));
        }
        assert_eq!(page("unknown", None, 9).await, []);
    });
}

#[test]
fn runs_are_filtered_by_flow_status_and_person() {
    each(|db| async move {
        fill(&*db).await;
        let with = |flow: Option<&str>, status: Option<&str>, person: Option<&str>| ListQuery {
            flow: flow.map(Into::into),
            status: status.map(Into::into),
            person: person.map(Into::into),
            ..query(20)
        };
        let page = runs(&*db, with(Some("flow"), Some("closed"), None)).await;
        assert_eq!((keys(&page), page.total), (vec!["k06", "k00"], 2));
        let page = runs(&*db, with(None, Some("open"), None)).await;
        assert_eq!((page.items.len(), page.total), (8, 8));
        let page = runs(&*db, with(Some("other"), None, None)).await;
        assert_eq!((page.items.len(), page.total), (6, 6));
        let page = runs(&*db, with(Some("flow"), None, Some("p-bob"))).await;
        assert_eq!((keys(&page), page.total), (vec!["k02", "k00"], 2));
        for none in [
            with(Some("unknown"), None, None),
            with(None, Some("nonsense"), None),
            with(None, None, Some("p-nobody")),
        ] {
            let page = runs(&*db, none).await;
            assert_eq!((page.items.len(), page.total, page.next), (0, 0, None));
        }
    });
}

#[test]
fn a_run_moves_from_open_to_closed() {
    each(|db| async move {
        fill(&*db).await;
        let mut end = next(&opening(2, "k02"), 1, 20);
        end.status = CellStatus::Closed;
        done(&one(&*db, turn(end)).await);
        db.projected().await;
        let open = ListQuery {
            status: Some("open".into()),
            ..query(20)
        };
        assert_eq!(runs(&*db, open).await.total, 7);
        let closed = ListQuery {
            status: Some("closed".into()),
            ..query(20)
        };
        let page = runs(&*db, closed).await;
        assert_eq!(
            (keys(&page), page.total),
            (vec!["k09", "k06", "k03", "k02", "k00"], 5)
        );
        let overview = db.overview().await.unwrap();
        assert_eq!((overview.open_runs, overview.oldest_open), (7, Some(at(1))));
    });
}

#[test]
fn reducers_of_connections_are_no_runs() {
    each(|db| async move {
        let mut reducer = opening(0, "licence");
        reducer.program = "reduce:smint".into();
        done(&one(&*db, turn(reducer.clone())).await);
        let mut end = next(&reducer, 1, 1);
        end.status = CellStatus::Closed;
        done(&one(&*db, turn(end)).await);
        done(&one(&*db, arriving(2, "a")).await);
        db.projected().await;
        assert_eq!(keys(&runs(&*db, query(9)).await), ["a"]);
        assert_eq!(db.overview().await.unwrap().open_runs, 1);
    });
}

#[test]
fn a_run_is_read_whole_and_without_lag() {
    each(|db| async move {
        let mut member = arriving(0, "a");
        member.turns[0].effects.push(push(0, "a"));
        member.turns[0].timers = vec![("remind".into(), Some(at(60)))];
        done(&one(&*db, member).await);
        let run = db.run(cell(0, "a")).await.unwrap().unwrap();
        assert_eq!((run.run.key.as_str(), run.status), ("a", CellStatus::Open));
        assert_eq!(run.state["at"], json!("ask"));
        assert_eq!(run.journal.len(), 1);
        assert_eq!(run.journal[0].body, json!({"turn": 1}));
        assert_eq!(run.effects.len(), 1);
        assert_eq!(run.timers, vec![("remind".into(), at(60))]);
        assert_eq!(run.opened_by.unwrap().envelope.id, "a");
        assert!(db.run(cell(9, "no")).await.unwrap().is_none());
    });
}

/// Outcomes for some of the twelve notifications, and a label, which is none.
async fn settle(db: &dyn Everything) {
    let mut label = turn(opening(20, "label"));
    let mut effect = push(20, "label");
    effect.role = Role::Label;
    label.turns[0].effects.push(effect);
    done(&one(db, label).await);
    let outcome = |n: i64, name: &str| EffectUpdate::Done {
        id: effect_id(n, name),
        attempt: 1,
        owner: us(),
        delivery: Delivery::Accepted,
        reference: Some(format!("ref {name}")),
        aliases: Vec::new(),
        at: at(30),
    };
    let member = Member {
        effects: vec![
            outcome(1, "k01"),
            outcome(5, "k05"),
            EffectUpdate::Fail {
                id: effect_id(6, "k06"),
                attempt: 1,
                owner: us(),
                failure: Failure::reject("unknown_recipient", "Nobody has that address."),
                at: at(31),
            },
            EffectUpdate::Report {
                id: effect_id(5, "k05"),
                delivery: Some(Delivery::Delivered),
                engagement: Some(Engagement::Opened),
                at: at(32),
            },
        ],
        ..Member::default()
    };
    done(&one(db, member).await);
    db.projected().await;
}

#[test]
fn notifications_are_filtered_by_person_flow_and_word() {
    each(|db| async move {
        fill(&*db).await;
        settle(&*db).await;
        let with = |flow: Option<&str>, status: Option<&str>, person: Option<&str>| ListQuery {
            flow: flow.map(Into::into),
            status: status.map(Into::into),
            person: person.map(Into::into),
            ..query(20)
        };
        let totals = [
            (with(None, None, None), 12),
            (with(None, Some("started"), None), 9),
            (with(None, Some("done"), None), 2),
            (with(None, Some("delivered"), None), 1),
            (with(None, Some("failed"), None), 1),
            (with(Some("other"), Some("done"), None), 2),
            (with(Some("flow"), None, None), 6),
            (with(None, None, Some("p-bob")), 4),
            (with(Some("other"), Some("accepted"), Some("p-bob")), 1),
            (with(None, Some("nonsense"), None), 0),
        ];
        for (query, total) in totals {
            let label = format!("{query:?}");
            let page = db.notifications(query).await.unwrap();
            assert_eq!(page.total, total, "{label}");
            assert_eq!(page.items.len() as u64, total, "{label}");
        }
        assert_eq!(db.overview().await.unwrap().outstanding, 10);
    });
}

#[test]
fn a_notification_says_what_became_of_it() {
    each(|db| async move {
        fill(&*db).await;
        settle(&*db).await;
        let failed = ListQuery {
            status: Some("failed".into()),
            ..query(20)
        };
        let row = db.notifications(failed).await.unwrap().items.remove(0);
        assert_eq!((row.state, row.delivery), ("failed", Delivery::Failed));
        assert_eq!(row.failure.as_deref(), Some("Nobody has that address."));
        assert_eq!((row.title.as_str(), row.channel), ("Approve k06?", "push"));
        assert_eq!((row.run, row.flow.as_str()), (cell(6, "k06"), "flow"));
        assert_eq!((row.attempts, row.connection.as_str()), (1, "phones"));
    });
}

#[test]
fn notifications_page_from_the_newest() {
    each(|db| async move {
        fill(&*db).await;
        let page = db.notifications(query(5)).await.unwrap();
        assert_eq!(page.items[4].id, effect_id(7, "k07"));
        let after = page.next;
        let rest = ListQuery { after, ..query(20) };
        let rest = db.notifications(rest).await.unwrap();
        assert_eq!((rest.items.len(), rest.next), (7, None));
    });
}

fn ids(page: &Page<Event>) -> Vec<&str> {
    page.items.iter().map(|e| e.envelope.id.as_str()).collect()
}

#[test]
fn events_page_by_position_and_by_type() {
    each(|db| async move {
        fill(&*db).await;
        let newest = EventQuery {
            newest: true,
            limit: 2,
            ..EventQuery::default()
        };
        let page = Views::events(&*db, newest.clone()).await.unwrap();
        assert_eq!((ids(&page), page.total), (vec!["k11", "k10"], 12));
        let oldest = EventQuery {
            limit: 10,
            ..EventQuery::default()
        };
        let page = Views::events(&*db, oldest.clone()).await.unwrap();
        assert_eq!(ids(&page)[0], "k00");
        let after = page.next.unwrap().parse().unwrap();
        let page = Views::events(
            &*db,
            EventQuery {
                after: Some(after),
                ..oldest.clone()
            },
        )
        .await
        .unwrap();
        assert_eq!(ids(&page), ["k10", "k11"]);
        assert_eq!(page.next, None);
        let kind = Some("push.opened".to_owned());
        for query in [newest, oldest.clone()] {
            let query = EventQuery {
                kind: kind.clone(),
                ..query
            };
            let page = Views::events(&*db, query).await.unwrap();
            assert_eq!((ids(&page), page.total), (vec!["k04"], 1));
        }
        let kind = Some("nothing.known".to_owned());
        let page = Views::events(&*db, EventQuery { kind, ..oldest })
            .await
            .unwrap();
        assert_eq!((page.items.len(), page.total), (0, 0));
    });
}

/// A type whose events lie far apart is found through its blocks, in both directions.
#[test]
fn events_of_a_rare_type_are_found_among_many() {
    each(|db| async move {
        let mut members = Vec::new();
        for n in 0..900 {
            let mut write = event(n, &format!("e{n}"));
            if n % 300 == 7 {
                write.event.kind = "rare".into();
            }
            members.push(Member {
                arrival: Some(write),
                ..Member::default()
            });
        }
        for verdict in db.commit(members).await {
            done(&verdict);
        }
        db.projected().await;
        let rare = EventQuery {
            kind: Some("rare".into()),
            limit: 2,
            ..EventQuery::default()
        };
        let page = Views::events(&*db, rare.clone()).await.unwrap();
        assert_eq!((ids(&page), page.total), (vec!["e7", "e307"], 3));
        let after = page.next.map(|p| p.parse().unwrap());
        let page = Views::events(
            &*db,
            EventQuery {
                after,
                ..rare.clone()
            },
        )
        .await
        .unwrap();
        assert_eq!(ids(&page), ["e607"]);
        let newest = EventQuery {
            newest: true,
            ..rare
        };
        let page = Views::events(&*db, newest).await.unwrap();
        assert_eq!(ids(&page), ["e607", "e307"]);
    });
}

#[test]
fn an_idle_projector_is_not_behind() {
    each(|db| async move {
        fill(&*db).await;
        let overview = db.overview().await.unwrap();
        assert_eq!((overview.lag_ms, overview.outstanding), (0, 12));
    });
}

/// Lists lag behind the record: while one is behind, it may miss a run, but never says of an ended
/// one that it is open.
#[test]
fn an_ended_run_is_never_listed_as_open() {
    each(|db| async move {
        for n in 0..30 {
            let first = opening(n, &format!("k{n:02}"));
            done(&one(&*db, turn(first.clone())).await);
            db.projected().await;
            let mut end = next(&first, 1, n + 1);
            end.status = CellStatus::Closed;
            done(&one(&*db, turn(end)).await);
            let open = ListQuery {
                status: Some("open".into()),
                ..query(100)
            };
            let listed = runs(&*db, open).await.items;
            assert!(listed.is_empty(), "{listed:?}");
        }
    });
}
