//! Calls of a portal's executor: arguments are JSON in a text in JSON, answers are background tasks
//! whose result is JSON in a text again. A task is asked for at one pace until it is done; the pace
//! itself is kept by whoever reads.

use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::client::{BAD_REQUEST, Client, NOT_FOUND, NOT_IMPLEMENTED};
use super::setup::Reading;
use crate::oauth::encoded;

/// Characters of the provider's words that are kept.
const WORDS_MAX: usize = 200;

/// What stands in the way of one thing that is watched, and of nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble {
    pub(super) code: String,
    pub(super) message: String,
}

impl Trouble {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self {
            code: code.chars().take(60).collect(),
            message: message.chars().take(WORDS_MAX).collect(),
        }
    }
}

/// How far an execution is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ran {
    /// It is done: the result, and whether a step of it failed.
    Done(Value, bool),
    /// It goes on; to be asked for by this uuid.
    Pending(String),
    /// It ended without a result.
    Failed(Trouble),
}

/// Executes a method.
///
/// # Errors
/// Of the interface as a whole. What only this execution met is [`Ran::Failed`].
pub(super) async fn execute(
    client: &Client,
    reading: &Reading,
    method: &str,
    arguments: &Value,
) -> Result<Ran, Failure> {
    let mut path = format!("{}/{method}", reading.executor);
    if let Some(culture) = &reading.culture {
        path.push_str(&format!("?culture={}", encoded(culture)));
    }
    let mut headers = Vec::new();
    if let Some(url) = &reading.context_url {
        headers.push(("x-frontend-context-url", url.clone()));
    }
    let body = json!([arguments.to_string()]);
    match client.ask(&path, &headers, &body).await {
        Ok(task) => Ok(ran(&task)),
        Err(failure) if matches!(failure.code.as_str(), NOT_IMPLEMENTED | BAD_REQUEST) => {
            Ok(Ran::Failed(Trouble::new(&failure.code, failure.message)))
        }
        Err(failure) => Err(failure),
    }
}

/// Asks for a task that goes on.
///
/// # Errors
/// Of the interface as a whole. It is left alone as long as for any other look at the task.
pub(super) async fn look(client: &Client, reading: &Reading, task: &str) -> Result<Ran, Failure> {
    let path = format!("backgroundTasks/{}", encoded(task));
    match client.get(&path, &[]).await {
        Ok(task) => Ok(ran(&task)),
        Err(failure) if failure.code == NOT_FOUND => {
            let words = "the portal no longer knows the task that it was working on";
            Ok(Ran::Failed(Trouble::new("task_not_found", words)))
        }
        Err(failure) => Err(patient(failure, reading.task_poll)),
    }
}

fn patient(failure: Failure, pace: Millis) -> Failure {
    match failure.class {
        FailureClass::Retry { after } => Failure {
            class: FailureClass::Retry {
                after: Some(after.unwrap_or_default().max(pace)),
            },
            ..failure
        },
        _ => failure,
    }
}

/// What a background task says. A state that nobody knows is one that goes on.
fn ran(task: &Value) -> Ran {
    let result = unwrapped(&task["result_string"]);
    match task["state"].as_str() {
        Some("completed") => match result {
            Some(result) => Ran::Done(result, task["failed_steps"].as_u64().unwrap_or(0) > 0),
            None => {
                let words = "the portal's result is no JSON in a text";
                Ran::Failed(Trouble::new("bad_result", words))
            }
        },
        Some("error") => Ran::Failed(error(&result.unwrap_or(Value::Null))),
        Some(_) => match task["uuid"].as_str().filter(|uuid| !uuid.is_empty()) {
            Some(uuid) => Ran::Pending(uuid.to_owned()),
            None => Ran::Failed(Trouble::new("bad_task", "the portal's task has no uuid")),
        },
        None => Ran::Failed(Trouble::new(
            "bad_task",
            "the answer is no background task; is it the path of the executor?",
        )),
    }
}

/// JSON in a text; JSON that is not in a text is taken as well.
fn unwrapped(result: &Value) -> Option<Value> {
    match result {
        Value::String(text) => serde_json::from_str(text).ok(),
        Value::Object(_) | Value::Array(_) => Some(result.clone()),
        _ => None,
    }
}

fn error(result: &Value) -> Trouble {
    let text = |names: [&str; 3]| {
        let found = names.iter().find_map(|name| result[*name].as_str());
        found.or(result.as_str()).filter(|text| !text.is_empty())
    };
    Trouble::new(
        text(["error_code", "errorCode", "code"]).unwrap_or("execution_failed"),
        text(["error_message", "errorMessage", "message"]).unwrap_or("the execution failed"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_json_in_a_text_and_states_may_be_new() {
        let text = r#"{"name":"\"Grüße\" \\ 山"}"#;
        let task = json!({"uuid": "t", "state": "completed", "result_string": text});
        let Ran::Done(result, false) = ran(&task) else {
            panic!("it is done");
        };
        assert_eq!(result["name"], "\"Grüße\" \\ 山");
        for state in ["created", "in_progress", "queued_somewhere"] {
            let task = json!({"uuid": "t", "state": state, "result_string": null});
            assert_eq!(ran(&task), Ran::Pending("t".to_owned()), "{state}");
        }
        let words = json!({"error_code": "x", "error_message": "y"}).to_string();
        let codes = [
            (json!({"state": "error", "result_string": words}), "x"),
            (json!({"state": "error"}), "execution_failed"),
            (
                json!({"state": "completed", "result_string": "<html>"}),
                "bad_result",
            ),
            (json!({"state": "created"}), "bad_task"),
            (json!([]), "bad_task"),
        ];
        for (task, code) in codes {
            let Ran::Failed(trouble) = ran(&task) else {
                panic!("{task}");
            };
            assert_eq!(trouble.code, code, "{task}");
        }
    }
}
