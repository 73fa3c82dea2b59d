//! The register of customers: written with its member, found by address, listed in pages, counted,
//! and changed in the audit.

use bellwether_engine::store::{
    Answer, CustomerCounts, CustomerQuery, CustomerWrite, Member, Query, RegisterWrite,
};
use bellwether_model::directory::{Consent, Customer};

use super::make::*;
use super::{Everything, each, one};

fn customer(n: usize, consent: Consent) -> Customer {
    Customer {
        address: format!("c{n:05}@home.example"),
        name: format!("Customer {n}"),
        app_id: if n.is_multiple_of(2) {
            format!("app-{n}")
        } else {
            String::new()
        },
        language: "de".to_owned(),
        zone: "Europe/Vienna".to_owned(),
        consent,
    }
}

async fn write(db: &dyn Everything, all: Vec<(Customer, bool)>) {
    let register = all.into_iter().map(|(customer, removed)| {
        RegisterWrite::Customer(CustomerWrite {
            customer,
            removed,
            by: "admin(local)".to_owned(),
            at: at(7),
        })
    });
    let member = Member {
        register: register.collect(),
        ..Member::default()
    };
    done(&one(db, member).await);
}

async fn of(db: &dyn Everything, address: &str) -> Option<Customer> {
    let address = address.to_owned();
    match db
        .answer(&[Query::Customer { address }])
        .await
        .unwrap()
        .as_slice()
    {
        [Answer::Customer(found)] => found.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_customer_is_found_by_his_address_and_changed_in_place() {
    each(|db| async move {
        let first = customer(2, Consent::Given);
        write(&*db, vec![(first.clone(), false)]).await;
        assert_eq!(of(&*db, "c00002@home.example").await, Some(first.clone()));
        assert_eq!(of(&*db, "c00003@home.example").await, None);
        let later = Customer {
            consent: Consent::OptedOut,
            name: String::new(),
            ..first.clone()
        };
        write(&*db, vec![(later.clone(), false)]).await;
        assert_eq!(of(&*db, &first.address).await, Some(later));
        write(&*db, vec![(first.clone(), true)]).await;
        assert_eq!(of(&*db, &first.address).await, None);
        let audit = db.audit(0, 10).await.unwrap();
        let said: Vec<&str> = audit.iter().map(|row| row.what.as_str()).collect();
        assert_eq!(said, ["put 1 customers"; 3], "and no address in the audit");
    });
}

#[test]
fn customers_are_listed_in_pages_and_counted() {
    each(|db| async move {
        let all = (0..2_500).map(|n| {
            let consent = [Consent::Given, Consent::NotAsked, Consent::OptedOut][n % 3];
            (customer(n, consent), false)
        });
        let all: Vec<_> = all.collect();
        for piece in all.chunks(500) {
            write(&*db, piece.to_vec()).await;
        }
        let mut query = CustomerQuery {
            limit: 1_000,
            ..CustomerQuery::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = db.customers(query.clone()).await.unwrap();
            assert_eq!(page.total, 2_500);
            seen.extend(page.items.into_iter().map(|row| row.customer));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert!(seen.iter().eq(all.iter().map(|(customer, _)| customer)));
        let begins = Some("c0001".to_owned());
        let query = CustomerQuery {
            begins,
            limit: 3,
            ..CustomerQuery::default()
        };
        let page = db.customers(query).await.unwrap();
        assert_eq!((page.total, page.items.len()), (10, 3));
        let counts = db.customer_counts().await.unwrap();
        let want = CustomerCounts {
            all: 2_500,
            with_app: 1_250,
            given: 834,
            opted_out: 833,
            reachable: 417,
        };
        assert_eq!(counts, want);
    });
}
