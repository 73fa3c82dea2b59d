//! Reading what callers give: query values and form fields, each refused with a sentence.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::{Form, extract::Query};
use bellwether_engine::store::ListQuery;
use bellwether_model::id::Id;

use crate::problem::Problem;

/// How many items a list has when nobody says.
pub(crate) const LIMIT_DEFAULT: usize = 100;
/// How many items a list may have.
pub(crate) const LIMIT_MAX: usize = 1000;

/// Keys and values in the order given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The first value of that key; an empty one counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(name, _)| name == key);
        found
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Every value of that key.
    pub(crate) fn every(&self, key: &str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether there is a field of that key, empty or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// The same as an owned text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(str::to_owned)
    }

    /// Refuses keys that mean nothing here: a misspelt filter must not look like no filter.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()))
        {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad(format!(
                "there is no filter {name}; there are: {}",
                known.join(", ")
            ))),
        }
    }

    /// `limit`, between 1 and [`LIMIT_MAX`].
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else {
            return Ok(LIMIT_DEFAULT);
        };
        let limit = text
            .parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.ok_or_else(|| {
            Problem::bad(format!(
                "limit must be a number from 1 to {LIMIT_MAX}, not {text}"
            ))
        })
    }

    /// The fields of a form's body.
    pub(crate) async fn of_form(request: Request) -> Result<Self, Problem> {
        match Form::<Vec<(String, String)>>::from_request(request, &()).await {
            Ok(Form(fields)) => Ok(Self(fields)),
            Err(_) => Err(Problem::bad(
                "the form could not be read; go back and send it again",
            )),
        }
    }

    /// The filters of a list of runs, notifications or dead letters.
    pub(crate) fn list(&self, statuses: &[&str]) -> Result<ListQuery, Problem> {
        self.only(&["flow", "status", "person", "limit", "after"])?;
        let status = self.text("status");
        if let Some(word) = status.as_deref().filter(|word| !statuses.contains(word)) {
            return Err(Problem::bad(format!(
                "status must be one of {}, not {word}",
                statuses.join(", ")
            )));
        }
        if let Some(after) = self.get("after").filter(|text| text.parse::<Id>().is_err()) {
            return Err(Problem::bad(format!(
                "after must be the `next` of an earlier page, not {after}"
            )));
        }
        Ok(ListQuery {
            flow: self.text("flow"),
            status,
            person: self.text("person"),
            after: self.text("after"),
            limit: self.limit()?,
        })
    }
}

/// The number that a list of the register goes on after.
pub(crate) fn number_after(fields: &Fields) -> Result<Option<u64>, Problem> {
    let read = fields.get("after").map(str::parse).transpose();
    read.map_err(|_| Problem::bad("after must be the `next` of an earlier page"))
}

/// The id of a thing in a path; anything that is no id is an unknown thing.
pub(crate) fn id_of(what: &str, text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| Problem::unknown(what, text))
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(Query(fields)) => Ok(Self(fields)),
            Err(_) => Err(Problem::bad(
                "the query is not of the form key=value&key=value",
            )),
        }
    }
}
