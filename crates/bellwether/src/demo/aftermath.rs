//! What the agency's week left behind: on the phone of whoever looks after the systems, in the
//! mailboxes of those who asked, among the people whom nobody has recognised, and in the count of
//! records. The events themselves are compared in `agency`.

use serde_json::Value;

use super::check::Line;
use super::outside::{self, Outside};

/// Pushes about the outage and about the failed purchase, and their ends.
const PUSHES: [&str; 4] = [
    "The link to Smint.io has stopped",
    "The link to Smint.io works again",
    "Delivery from getty has stopped",
    "Delivery from getty works again",
];
/// Users of the tenant whom nobody has said who they are.
const STRANGERS: [&str; 1] = ["Lena Lang"];

/// Looks at everything, at the tenant's address on the stand-in's control surface.
pub(super) async fn check(outside: &Outside, tenant: &str, lines: &mut Vec<Line>) {
    for title in PUSHES {
        let what = format!("ivan's phone got one push \"{title}\"");
        lines.push(match outside.push("ivan", title).await {
            Err(error) => Line::failed(&what, error),
            Ok(_) => {
                let all = outside.phone("ivan").await.unwrap_or_default();
                let count = all.iter().filter(|push| push.title == title).count();
                Line::of(&what, count == 1, format!("{count}"))
            }
        });
    }
    declined(outside, tenant, lines).await;
    strangers(outside, lines).await;
    let what = "missing licences, counted against the whole feed read again";
    let counted = outside.api_post("/api/connections/smintio/recount", &Value::Null);
    lines.push(match counted.await {
        Ok(answer) => Line::of(what, answer["missing"] == 0, answer.to_string()),
        Err(error) => Line::failed(what, error),
    });
}

/// The declined request: its task mail has the reason, and so has the event.
async fn declined(outside: &Outside, tenant: &str, lines: &mut Vec<Line>) {
    let what = "the declined request reached its requester by task mail, with the reason";
    let found = async {
        let shown = outside::get(tenant).await?;
        let mut requests = shown["requests"].as_array().into_iter().flatten();
        let declined = requests.find(|one| one["state"] == "Declined");
        let declined = declined.ok_or("the stand-in knows no declined request")?;
        let reason = declined["reason"].as_str().unwrap_or_default().to_owned();
        let person = declined["requester"].as_str().unwrap_or_default();
        let people = outside
            .api("/api/events?type=smintio.request.rejected")
            .await?;
        let event = &people["items"][0]["data"]["request"];
        if event["task_id"] != declined["id"] || event["reason"] != declined["reason"] {
            return Err(format!("the event says {event}"));
        }
        let phone = outside::get(&format!("{}/{person}", phones(tenant))).await?;
        let address = phone["address"].as_str().unwrap_or_default();
        let fits = |mail: &outside::Mail| mail.text.contains(&reason);
        outside.mail(address, "the task mail", fits).await?;
        Ok(format!("{address}: {reason}"))
    };
    lines.push(match found.await {
        Ok(saw) => Line::of(what, true, saw),
        Err(error) => Line::failed(what, error),
    });
}

/// Where the stand-ins say who carries which phone.
fn phones(tenant: &str) -> String {
    let page = tenant.split("/admin/").next().unwrap_or_default();
    format!("{page}/admin/phones")
}

/// Who is left to be recognised, and nobody else.
async fn strangers(outside: &Outside, lines: &mut Vec<Line>) {
    let what = "people whom the tenant named and nobody has recognised yet";
    lines.push(
        match outside.api("/api/unresolved?connection=smintio").await {
            Err(error) => Line::failed(what, error),
            Ok(list) => {
                let items = list["items"].as_array().into_iter().flatten();
                let names: Vec<&str> = items.filter_map(|one| one["name"].as_str()).collect();
                let ok = STRANGERS.iter().all(|name| names.contains(name));
                Line::of(what, ok, names.join(", "))
            }
        },
    );
}
