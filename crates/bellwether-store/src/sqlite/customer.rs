//! The register of customers: one row each, found by address, listed in order of address. What may
//! be sent to whom is not decided here.

use bellwether_engine::store::{CustomerCounts, CustomerQuery, CustomerRow, CustomerWrite, Page};
use bellwether_model::directory::{Consent, Customer};
use bellwether_model::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use super::read::{cap, uint};
use super::views::PAGE_MAX;

const COLUMNS: &str = "address, name, app_id, language, zone, consent, said_by, said_at";

/// Writes or removes one within the running transaction.
pub(super) fn write(conn: &Connection, write: &CustomerWrite) -> Result<()> {
    let CustomerWrite {
        customer,
        removed,
        by,
        at,
    } = write;
    if *removed {
        let mut gone = conn.prepare_cached("DELETE FROM customer WHERE address = ?1")?;
        return gone.execute([&customer.address]).map(drop);
    }
    let sql = "INSERT INTO customer
                 (address, name, app_id, language, zone, consent, said_by, said_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (address) DO UPDATE SET
                 name = excluded.name, app_id = excluded.app_id, language = excluded.language,
                 zone = excluded.zone, consent = excluded.consent,
                 said_by = excluded.said_by, said_at = excluded.said_at";
    let values = (
        &customer.address,
        &customer.name,
        &customer.app_id,
        &customer.language,
        &customer.zone,
        code(customer.consent),
        by,
        at.0,
    );
    conn.prepare_cached(sql)?.execute(values).map(drop)
}

fn code(consent: Consent) -> i64 {
    let place = Consent::ALL.iter().position(|(known, _)| *known == consent);
    place
        .and_then(|place| i64::try_from(place).ok())
        .unwrap_or(0)
}

fn row(row: &Row<'_>) -> Result<CustomerRow> {
    let consent = usize::from(row.get::<_, u8>(5)?);
    Ok(CustomerRow {
        customer: Customer {
            address: row.get(0)?,
            name: row.get(1)?,
            app_id: row.get(2)?,
            language: row.get(3)?,
            zone: row.get(4)?,
            consent: Consent::ALL
                .get(consent)
                .map_or_else(Consent::default, |(one, _)| *one),
        },
        by: row.get(6)?,
        at: Time(row.get(7)?),
    })
}

/// The customer of an address.
pub(super) fn of(conn: &Connection, address: &str) -> Result<Option<Customer>> {
    let sql = format!("SELECT {COLUMNS} FROM customer WHERE address = ?1");
    let found = conn
        .prepare_cached(&sql)?
        .query_row([address], row)
        .optional()?;
    Ok(found.map(|row| row.customer))
}

/// One page in order of address.
pub(super) fn customers(conn: &Connection, query: &CustomerQuery) -> Result<Page<CustomerRow>> {
    let begins = query.begins.clone().unwrap_or_default();
    // Everything that begins with a text lies between it and it with the highest sign behind.
    let end = format!("{begins}\u{10ffff}");
    let after = query.after.clone().unwrap_or_default();
    let limit = query.limit.min(PAGE_MAX);
    let within = "address >= ?1 AND address < ?2";
    let total = conn
        .prepare_cached(&format!("SELECT count(*) FROM customer WHERE {within}"))?
        .query_row((&begins, &end), |row| uint(row, 0))?;
    let sql = format!(
        "SELECT {COLUMNS} FROM customer WHERE {within} AND address > ?3 ORDER BY address LIMIT ?4"
    );
    let most = cap(limit + 1, PAGE_MAX + 1);
    let mut items = conn
        .prepare_cached(&sql)?
        .query_map((&begins, &end, &after, most), row)?
        .collect::<Result<Vec<_>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more);
    let next = next.map(|last| last.customer.address.clone());
    Ok(Page { total, items, next })
}

/// How many there are.
pub(super) fn counts(conn: &Connection) -> Result<CustomerCounts> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE app_id <> ''),
                 count(*) FILTER (WHERE consent = 1), count(*) FILTER (WHERE consent = 2),
                 count(*) FILTER (WHERE consent = 1 AND app_id <> '') FROM customer";
    conn.prepare_cached(sql)?.query_row([], |row| {
        Ok(CustomerCounts {
            all: uint(row, 0)?,
            with_app: uint(row, 1)?,
            given: uint(row, 2)?,
            opted_out: uint(row, 3)?,
            reachable: uint(row, 4)?,
        })
    })
}
