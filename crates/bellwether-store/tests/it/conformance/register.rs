//! The register: usages of assets with their order in time, users of other systems with the people
//! they are, pages and totals, and that all of it is written with its member or not at all.

use bellwether_engine::store::{
    Answer, How, Identity, IdentityQuery, Mapping, Member, Page, Proposal, Query, RegisterWrite,
    Sighting, UsageQuery, UsageRow, UsageWrite, Verdict, Who,
};

use super::make::*;
use super::{Everything, each, each_lasting, one};

fn who(connection: &str, id: &str) -> Who {
    Who {
        connection: connection.to_owned(),
        id: id.to_owned(),
    }
}

fn used(n: i64, asset: &str, by: Who, document: &str) -> UsageWrite {
    UsageWrite {
        asset: asset.to_owned(),
        who: by,
        document: document.to_owned(),
        how: How::Linked,
        source: "api".to_owned(),
        since: at(n),
        at: at(n),
        ended: false,
    }
}

fn ended(n: i64, asset: &str, by: Who, document: &str) -> UsageWrite {
    UsageWrite {
        ended: true,
        ..used(n, asset, by, document)
    }
}

fn sighted(n: i64, id: &str, name: &str) -> RegisterWrite {
    RegisterWrite::Sighted(Sighting {
        who: who("dam", id),
        name: name.to_owned(),
        at: at(n),
    })
}

fn known(id: &str, person: Option<&str>) -> RegisterWrite {
    RegisterWrite::Known(Mapping {
        who: who("dam", id),
        name: String::new(),
        person: person.map(str::to_owned),
        by: "admin(local)".to_owned(),
        at: at(99),
    })
}

async fn write(db: &dyn Everything, register: Vec<RegisterWrite>) {
    let member = Member {
        register,
        ..Member::default()
    };
    done(&one(db, member).await);
}

async fn usage(db: &dyn Everything, usage: UsageWrite) {
    write(db, vec![RegisterWrite::Usage(usage)]).await;
}

async fn usages(db: &dyn Everything, query: UsageQuery) -> Page<UsageRow> {
    let limit = if query.limit == 0 { 100 } else { query.limit };
    db.usages(UsageQuery { limit, ..query }).await.unwrap()
}

async fn only(db: &dyn Everything) -> UsageRow {
    let page = usages(db, UsageQuery::default()).await;
    let [row] = page.items.as_slice() else {
        panic!("{page:?}")
    };
    row.clone()
}

async fn identities(db: &dyn Everything, resolved: Option<bool>) -> Vec<Identity> {
    let query = IdentityQuery {
        resolved,
        limit: 100,
        ..IdentityQuery::default()
    };
    db.identities(query).await.unwrap().items
}

async fn users_of(db: &dyn Everything, asset: &str) -> Vec<String> {
    let asset = asset.to_owned();
    let mut answers = db.answer(&[Query::UsersOf { asset }]).await.unwrap();
    match answers.remove(0) {
        Answer::People(people) => people,
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_usage_keeps_its_beginning_and_its_latest_sight() {
    each(|db| async move {
        let alice = || who("", "alice");
        usage(&*db, used(10, "logo", alice(), "Flyer")).await;
        let mut later = used(20, "logo", alice(), "Flyer");
        (later.how, later.source) = (How::Embedded, "dam".to_owned());
        usage(&*db, later).await;
        usage(&*db, used(5, "logo", alice(), "Flyer")).await;
        let row = only(&*db).await;
        assert_eq!(
            (row.since, row.seen_at, row.ended_at),
            (at(5), at(20), None)
        );
        assert_eq!((row.how, row.source.as_str()), (How::Embedded, "dam"));
        assert_eq!((row.person.as_deref(), row.who), (Some("alice"), alice()));
        assert_eq!(
            (row.asset.as_str(), row.document.as_str()),
            ("logo", "Flyer")
        );
    });
}

#[test]
fn an_end_holds_against_everything_earlier_and_a_new_beginning_revives() {
    each(|db| async move {
        let alice = || who("", "alice");
        // The end comes first: its late beginning does not revive it.
        usage(&*db, ended(30, "logo", alice(), "Flyer")).await;
        usage(&*db, used(10, "logo", alice(), "Flyer")).await;
        assert_eq!(usages(&*db, UsageQuery::default()).await.total, 0);
        let gone = usages(
            &*db,
            UsageQuery {
                ended: true,
                ..UsageQuery::default()
            },
        )
        .await;
        assert_eq!((gone.total, gone.items[0].ended_at), (1, Some(at(30))));
        assert_eq!(users_of(&*db, "logo").await, [""; 0]);
        usage(&*db, used(40, "logo", alice(), "Flyer")).await;
        let row = only(&*db).await;
        assert_eq!(
            (row.since, row.seen_at, row.ended_at),
            (at(40), at(40), None)
        );
        // An end of an earlier time is late.
        usage(&*db, ended(35, "logo", alice(), "Flyer")).await;
        assert_eq!(only(&*db).await.ended_at, None);
        // It is seen again now, though it says that it is as old as ever: since the end at most.
        usage(&*db, ended(41, "logo", alice(), "Flyer")).await;
        let mut old = used(50, "logo", alice(), "Flyer");
        old.since = at(1);
        usage(&*db, old).await;
        let row = only(&*db).await;
        assert_eq!((row.since, row.seen_at), (at(41), at(50)));
        usage(&*db, ended(51, "logo", alice(), "Flyer")).await;
        assert_eq!(usages(&*db, UsageQuery::default()).await.total, 0);
    });
}

#[test]
fn usages_are_found_by_asset_document_and_person_in_pages() {
    each(|db| async move {
        for n in 0..5 {
            let document = format!("doc-{n}");
            usage(&*db, used(n, "logo", who("", "alice"), &document)).await;
        }
        usage(&*db, used(6, "photo", who("dam", "u-1"), "doc-0")).await;
        usage(&*db, used(7, "photo", who("dam", "u-2"), "doc-0")).await;
        write(&*db, vec![known("u-1", Some("alice"))]).await;
        let total = async |query| usages(&*db, query).await.total;
        let of = |asset, person, document| UsageQuery {
            asset,
            person,
            document,
            ..UsageQuery::default()
        };
        assert_eq!(total(of(None, None, None)).await, 7);
        assert_eq!(total(of(text("logo"), None, None)).await, 5);
        assert_eq!(total(of(None, text("alice"), None)).await, 6);
        assert_eq!(total(of(text("photo"), text("alice"), None)).await, 1);
        assert_eq!(total(of(None, None, text("doc-0"))).await, 3);
        assert_eq!(total(of(None, text("nobody"), None)).await, 0);
        let first = usages(
            &*db,
            UsageQuery {
                limit: 4,
                ..UsageQuery::default()
            },
        )
        .await;
        let next = first.next.clone().unwrap().parse().unwrap();
        let rest = usages(
            &*db,
            UsageQuery {
                after: Some(next),
                limit: 4,
                ..UsageQuery::default()
            },
        )
        .await;
        assert_eq!(
            (first.items.len(), rest.items.len(), rest.next),
            (4, 3, None)
        );
        let mut numbers: Vec<u64> = first.items.iter().map(|row| row.number).collect();
        numbers.extend(rest.items.iter().map(|row| row.number));
        assert!(
            numbers.is_sorted_by(|a, b| a > b),
            "newest first: {numbers:?}"
        );
    });
}

#[test]
fn a_mapping_holds_for_what_was_registered_before_it_and_can_be_changed() {
    each(|db| async move {
        usage(&*db, used(1, "logo", who("dam", "u-1"), "Flyer")).await;
        usage(&*db, used(2, "logo", who("dam", "u-2"), "Flyer")).await;
        usage(&*db, used(3, "logo", who("", "alice"), "Poster")).await;
        assert_eq!(users_of(&*db, "logo").await, ["alice"]);
        write(&*db, vec![known("u-1", Some("bob"))]).await;
        assert_eq!(users_of(&*db, "logo").await, ["alice", "bob"]);
        write(
            &*db,
            vec![known("u-1", Some("alice")), known("u-2", Some("alice"))],
        )
        .await;
        assert_eq!(users_of(&*db, "logo").await, ["alice"]);
        write(&*db, vec![known("u-1", None)]).await;
        let unresolved = identities(&*db, Some(false)).await;
        assert_eq!(unresolved.len(), 1);
        assert_eq!(unresolved[0].who, who("dam", "u-1"));
        // Each call leaves one row in the audit trail, without ids of users.
        let trail = db.audit(0, 10).await.unwrap();
        let what: Vec<&str> = trail.iter().map(|row| row.what.as_str()).collect();
        let says = |n: u8| format!("map {n} users of other systems");
        assert_eq!(what, [says(1), says(2), says(1)]);
        assert_eq!(trail[0].actor, "admin(local)");
    });
}

#[test]
fn unresolved_users_are_counted_and_a_proposal_is_only_shown() {
    each(|db| async move {
        usage(&*db, used(1, "logo", who("dam", "u-1"), "Flyer")).await;
        write(&*db, vec![sighted(10, "u-1", "Eve")]).await;
        write(
            &*db,
            vec![sighted(30, "u-1", ""), sighted(20, "u-1", "Eva Vega")],
        )
        .await;
        let proposal = |person: &str| {
            RegisterWrite::Proposed(Proposal {
                who: who("dam", "u-1"),
                person: person.to_owned(),
                why: "has the same name".to_owned(),
            })
        };
        write(&*db, vec![proposal("eve")]).await;
        let [eve] = &identities(&*db, Some(false)).await[..] else {
            panic!("one")
        };
        assert_eq!(
            (eve.seen, eve.name.as_str(), &eve.person),
            (3, "Eva Vega", &None)
        );
        assert_eq!(
            (eve.first_seen, eve.last_seen),
            (Some(at(10)), Some(at(30)))
        );
        let why = "has the same name".to_owned();
        assert_eq!(eve.proposed, Some(("eve".to_owned(), why)));
        assert_eq!(
            users_of(&*db, "logo").await,
            [""; 0],
            "a proposal is never used"
        );
        write(&*db, vec![known("u-1", Some("eve")), proposal("bob")]).await;
        let [eve] = &identities(&*db, Some(true)).await[..] else {
            panic!("one")
        };
        assert_eq!((eve.person.as_deref(), &eve.proposed), (Some("eve"), &None));
        assert_eq!(eve.mapped, Some(("admin(local)".to_owned(), at(99))));
        assert_eq!((eve.seen, eve.name.as_str()), (3, "Eva Vega"));
        assert_eq!(identities(&*db, None).await.len(), 1);
        // A proposal for somebody who was never seen changes nothing.
        let stranger = RegisterWrite::Proposed(Proposal {
            who: who("dam", "u-2"),
            person: "eve".to_owned(),
            why: String::new(),
        });
        write(&*db, vec![stranger]).await;
        assert_eq!(identities(&*db, None).await.len(), 1);
    });
}

#[test]
fn what_an_event_says_is_written_with_it_or_not_at_all() {
    each(|db| async move {
        let saying = |n| Member {
            register: vec![
                sighted(n, "u-1", "Eve"),
                RegisterWrite::Usage(used(n, "logo", who("dam", "u-1"), "Flyer")),
            ],
            ..arriving(n, "PO-1")
        };
        done(&one(&*db, saying(1)).await);
        let again = one(&*db, saying(1)).await;
        assert!(matches!(again, Verdict::Duplicate { .. }));
        assert_eq!(
            identities(&*db, None).await[0].seen,
            1,
            "a repeat says nothing new"
        );
        let mut stale = saying(1);
        if let Some(arrival) = &mut stale.arrival {
            arrival.event.id = "another".to_owned();
        }
        stale.turns[0].expects = 7;
        assert_eq!(one(&*db, stale).await, Verdict::Stale);
        assert_eq!(identities(&*db, None).await[0].seen, 1);
        // What the schema does not take is refused, with everything else of its member.
        let wrong = Member {
            register: vec![
                sighted(2, "u-2", ""),
                RegisterWrite::Usage(used(2, "", who("dam", "u-2"), "Flyer")),
            ],
            ..Member::default()
        };
        assert!(matches!(one(&*db, wrong).await, Verdict::Refused(_)));
        assert_eq!(identities(&*db, None).await.len(), 1);
    });
}

#[test]
fn the_register_lasts() {
    each_lasting(|backend, path| async move {
        let db = backend.open(&path);
        usage(&*db, used(1, "logo", who("dam", "u-1"), "Flyer")).await;
        write(&*db, vec![known("u-1", Some("alice"))]).await;
        db.close();
        drop(db);
        let db = backend.open(&path);
        assert_eq!(users_of(&*db, "logo").await, ["alice"]);
        assert_eq!(only(&*db).await.person.as_deref(), Some("alice"));
    });
}
