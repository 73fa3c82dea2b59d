//! A tenant of the licence stand-in and the server that reads it, as two processes: how both are
//! started, killed and asked. What is done with them is said by each measurement.

pub(crate) mod desk;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::clock::micros;
use crate::error::{During, Outcome, fault};
use crate::process::Child;
use crate::stage::{json_of, start};

/// How long one call may take.
const CALL_MAX: Duration = Duration::from_secs(120);
/// Transactions that one page of the feed may have, and that one deed may make.
pub(crate) const PAGE: u64 = 50;
pub(crate) const DEED_MAX: u64 = 1_000;

/// The stand-ins' process.
#[derive(Debug)]
pub(crate) struct Sandbox {
    _child: Child,
    http: reqwest::Client,
    page: String,
}

/// One tenant.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    /// What its integrator was given: addresses, client and tokens.
    pub(crate) info: Value,
}

impl Sandbox {
    /// Starts the stand-ins.
    pub(crate) async fn start(binary: &Path, folder: &Path) -> Outcome<Self> {
        let mut command = Command::new(binary);
        command.args(["sandbox", "--port", "0", "--json"]);
        let (child, said) = start("sandbox", command, &folder.join("sandbox.log")).await?;
        let Some(page) = said["addresses"]["page"].as_str() else {
            return fault("the sandbox does not say where its page is");
        };
        Ok(Self {
            _child: child,
            http: client()?,
            page: format!("http://{page}"),
        })
    }

    /// Adds a tenant whose feed has so many transactions; all are held licences that end within
    /// `ahead_days` days if that is said.
    pub(crate) async fn tenant(&self, records: u64, ahead_days: Option<u32>) -> Outcome<Tenant> {
        let id = format!("bench-{records}");
        let mut body = json!({ "id": id, "seed": 7, "transactions": records });
        if let Some(days) = ahead_days {
            body["ahead_days"] = json!(days);
        }
        let info = self.post("/admin/smintio", &body).await?;
        Ok(Tenant { id, info })
    }

    /// Does something to a tenant.
    pub(crate) async fn deed(&self, tenant: &Tenant, deed: &str, body: &Value) -> Outcome<Value> {
        let path = format!("/admin/smintio/{}/{deed}", tenant.id);
        self.post(&path, body).await
    }

    /// Sets the stand-ins' own time, in microseconds since 1970; from there it goes on or not.
    pub(crate) async fn set_time(&self, at_us: u64, goes_on: bool) -> Outcome<()> {
        let rate = f64::from(u8::from(goes_on));
        let body = json!({ "start": instant(at_us), "rate": rate });
        self.post("/admin/clock", &body).await.map(drop)
    }

    /// What an integrator is given now, with a refresh token that nobody has used.
    pub(crate) async fn info(&self, tenant: &Tenant) -> Outcome<Value> {
        let path = format!("{}/admin/smintio/{}", self.page, tenant.id);
        Ok(json_of(self.http.get(path)).await?["info"].take())
    }

    /// Reads a tenant's whole feed as another integrator would, and gives each record to `take`.
    pub(crate) async fn read(&self, tenant: &Tenant, mut take: impl FnMut(&Value)) -> Outcome<()> {
        let info = self.info(tenant).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let form = [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", text(&info["client_id"])),
            ("client_secret", text(&info["client_secret"])),
            ("refresh_token", text(&info["refresh_token"])),
        ];
        let at = text(&info["token_url"]);
        let token = text(&json_of(self.http.post(at).form(&form)).await?["access_token"]);
        let path = text(&info["paths"]["transactions"]);
        let at = format!("{}/{path}", text(&info["feed_url"]));
        let mut cursor = String::new();
        loop {
            let limit = PAGE.to_string();
            let asked = [("limit", &*limit), ("continuationUuid", &*cursor)];
            let asked = &asked[..if cursor.is_empty() { 1 } else { 2 }];
            let page = json_of(self.http.get(&at).bearer_auth(&token).query(asked)).await?;
            let Some(records) = page["license_purchase_transactions"].as_array() else {
                return fault("the feed gives no list of transactions");
            };
            if records.is_empty() {
                return Ok(());
            }
            records.iter().for_each(&mut take);
            cursor = text(&page["continuation_uuid"]);
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Outcome<Value> {
        json_of(self.http.post(format!("{}{path}", self.page)).json(body)).await
    }
}

/// A client of both processes.
fn client() -> Outcome<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(CALL_MAX)
        .build()
        .during("the bench's HTTP client cannot be made")
}

/// An instant as RFC 3339 in UTC, from microseconds since 1970.
pub(crate) fn instant(at_us: u64) -> String {
    let (seconds, fraction) = (at_us / 1_000_000, at_us % 1_000_000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // The civil date of a day number, in years that begin in March.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// Microseconds since 1970 of an instant as RFC 3339 in UTC.
pub(crate) fn read_instant(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(str::parse::<u64>);
    let mut next = || date.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut clock = clock.splitn(3, ':').map(str::parse::<u64>);
    let mut next = || clock.next()?.ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    let micros = format!("{fraction:0<6}").get(..6)?.parse::<u64>().ok()?;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// A zone in which it is about noon: no day ends while something is measured.
pub(crate) fn noon_zone() -> String {
    let hour = micros() / 3_600_000_000 % 24;
    // In these names plus is west of Greenwich.
    match hour {
        12 => "Etc/GMT".to_owned(),
        13..=23 => format!("Etc/GMT+{}", hour - 12),
        _ => format!("Etc/GMT-{}", 12 - hour),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_and_read_back() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_795_305_599_123_456, "2026-11-21T23:59:59.123456Z"),
        ] {
            assert_eq!(instant(at), text);
            assert_eq!(read_instant(text), Some(at));
        }
        assert_eq!(
            read_instant("2026-11-21T23:59:59.5Z"),
            Some(1_795_305_599_500_000)
        );
        assert_eq!(read_instant("2026-11-21"), None);
    }
}
