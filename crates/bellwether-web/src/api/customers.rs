//! Customers in the API: pages of them, how many there are, and lists handed in as JSON or CSV.

use axum::Json;
use axum::extract::State;
use bellwether_engine::store::{CustomerQuery, CustomerRow};
use bellwether_model::directory::{Consent, Customer};
use serde_json::{Map, Value, json};

use crate::guard::{By, Called};
use crate::problem::Problem;
use crate::query::Fields;
use crate::rows::{entries, text};
use crate::web::Web;

const COLUMNS: [&str; 7] = [
    "address", "name", "app_id", "language", "zone", "consent", "removed",
];

/// The filters of the list.
pub(crate) fn query(fields: &Fields) -> Result<CustomerQuery, Problem> {
    fields.only(&["begins", "limit", "after"])?;
    Ok(CustomerQuery {
        begins: fields.get("begins").map(str::to_lowercase),
        after: fields.text("after"),
        limit: fields.limit()?,
    })
}

pub(crate) async fn list(
    State(web): State<Web>,
    _: By,
    fields: Fields,
) -> Result<Json<Value>, Problem> {
    let page = web.app.views.customers(query(&fields)?).await?;
    Ok(Json(super::shape::page(&page, row)))
}

fn row(row: &CustomerRow) -> Value {
    let mut out = json!(row.customer);
    out["reachable"] = json!(row.customer.is_reachable());
    out["said_by"] = json!(row.by);
    out["said_at"] = json!(row.at.to_string());
    out
}

pub(crate) async fn counts(State(web): State<Web>, _: By) -> Result<Json<Value>, Problem> {
    let counts = web.app.views.customer_counts().await?;
    Ok(Json(json!({
        "all": counts.all, "with_app": counts.with_app, "given": counts.given,
        "opted_out": counts.opted_out, "reachable": counts.reachable,
    })))
}

/// Body: `{customers: [{address, name?, app_id?, language?, zone?, consent?, removed?}]}` or CSV
/// with these columns. All are taken or none.
pub(crate) async fn write(State(web): State<Web>, called: Called) -> Result<Json<Value>, Problem> {
    let entries = entries(called.body, "customers", &COLUMNS)?;
    let mut customers = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        let read = customer(entry).map_err(|why| Problem::bad(format!("entry {at}: {why}")));
        customers.push(read?);
    }
    let written = web
        .app
        .directory
        .write_customers(customers, &called.actor)
        .await?;
    Ok(Json(json!({ "recorded": written })))
}

fn customer(entry: &Map<String, Value>) -> Result<(Customer, bool), String> {
    let consent = text(entry, "consent")?;
    let consent = match consent.as_str() {
        "" => Consent::NotAsked,
        word => Consent::of_word(word).ok_or_else(|| {
            let words = Consent::ALL.map(|(_, word)| word).join(", ");
            format!("`consent` must be one of {words}, not {word}")
        })?,
    };
    let removed = match entry.get("removed") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(removed)) => *removed,
        Some(other) => matches!(other.as_str(), Some("yes" | "true" | "1")),
    };
    let customer = Customer {
        address: text(entry, "address")?.to_lowercase(),
        name: text(entry, "name")?,
        app_id: text(entry, "app_id")?,
        language: text(entry, "language")?,
        zone: text(entry, "zone")?,
        consent,
    };
    Ok((customer, removed))
}
