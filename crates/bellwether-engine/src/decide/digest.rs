//! `digest`: a line on each reader's list, and the list that leaves at his own time. The line is
//! worked out where the matter is, in the reader's language and zone; what gathers lines knows
//! nothing of the matter but its key, so that the newest line of one replaces the one before.

use std::sync::Arc;

use bellwether_model::connector::Role;
use bellwether_model::directory::Person;
use bellwether_model::event::Event;
use bellwether_model::id::{EffectId, key16};
use bellwether_model::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::draft::Note;
use super::message::Content;
use super::state::AskState;
use super::walk::{Turner, Way};
use crate::calendar;
use crate::flow::gatherers::{LEAVES, kind};
use crate::flow::read::schedule::schedule;
use crate::flow::{Ask, Digest, Moment, Step, Verb};
use crate::lang::{EvalError, Value, instant_value, json_of, person_value};

/// The most lines of one list.
const LINES_MAX: usize = 10_000;
/// What the question of a row is called among its columns.
pub(crate) const TITLE: &str = "title";
/// The most letters of one value.
const VALUE_MAX: usize = 300;
/// The most rows that stand in a mail.
const TABLE_MAX: usize = 20;
/// How far the chain of those who stand in is followed.
const STAND_INS_MAX: usize = 8;

/// A line as it comes to its gatherer.
#[derive(Debug, Deserialize)]
struct Coming {
    key: String,
    #[serde(default)]
    done: bool,
    #[serde(flatten)]
    line: Line,
}

/// A line as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    #[serde(default)]
    pub(crate) row: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Json::is_null")]
    order: Json,
    at: Time,
    /// The notification of the question that stands in this row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<EffectId>,
}

/// Lines as they are read: by their order, then as they came.
pub(crate) fn sorted(lines: &[(String, String)]) -> Vec<Line> {
    let read = |(key, line): &(String, String)| {
        let line: Line = serde_json::from_str(line).ok()?;
        Some((key.clone(), line))
    };
    let mut lines: Vec<(String, Line)> = lines.iter().filter_map(read).collect();
    lines.sort_by(|(key, a), (other, b)| {
        let by_order = compare(&a.order, &b.order);
        by_order.then(a.at.cmp(&b.at)).then(key.cmp(other))
    });
    lines.into_iter().map(|(_, line)| line).collect()
}

impl Turner<'_> {
    /// `digest:`: puts the matter on each reader's list, or takes it off.
    pub(super) fn digest(&mut self, step: &Step, digest: &Digest) -> Result<(), EvalError> {
        let scope = self.scope();
        let readers = scope.who(&digest.who)?;
        let done = match &digest.drop {
            Some(test) => scope.truthy(test)?,
            None => false,
        };
        let order = match &digest.order {
            Some(order) => json_of(&scope.eval(order)?),
            None => Json::Null,
        };
        let directory = Arc::clone(&self.case.world.directory);
        let kind = kind(&self.case.flow.name, &step.id);
        for person in readers.iter().filter_map(|id| directory.person(id)) {
            let scope = scope.for_reader(&person.language, &person.zone);
            let mut row = Vec::with_capacity(digest.row.len());
            for (label, value) in &digest.row {
                let value = scope.eval(value)?;
                let shown = if super::values::is_absent(&value) {
                    String::new()
                } else {
                    scope.display(&value).chars().take(VALUE_MAX).collect()
                };
                row.push((label.clone(), shown));
            }
            let line = json!({
                "person": person.id, "key": self.case.key, "done": done, "row": row,
                "order": order, "at": self.case.now,
            });
            self.emit_event(&kind, json!({ "line": line }));
            let what = if done { "taken_off_list" } else { "listed" };
            let note = Note::of(what).about(&person.id).at(&step.id);
            self.out.notes.push(note);
        }
        Ok(())
    }

    /// Puts a question on a person's list. The row has a notification of its own, which is not
    /// sent:
    /// what is pressed in the row is pressed there.
    pub(super) fn list_question(
        &mut self,
        (step, ask): (&str, &Ask),
        list: &Digest,
        person: &Person,
        content: &Content,
    ) -> EffectId {
        let id = self.effect_id();
        let mut args = content.args();
        args["step"] = json!(step);
        args["kind"] = json!("row");
        let order = key16(&[self.case.cell.bytes(), b"row", person.id.as_bytes()]);
        self.send_question((step, ask), person, (id, Role::Push), args, order);
        let mut row = vec![(TITLE.to_owned(), content.title.clone())];
        row.extend(content.facts().iter().cloned());
        let sorted = list.order.as_ref().map(|order| self.scope().eval(order));
        let order = match sorted.transpose() {
            Ok(value) => value.map_or(Json::Null, |value| json_of(&value)),
            Err(error) => {
                self.dead("text_failed", format!("step {step}: {error}"));
                Json::Null
            }
        };
        let line = json!({
            "person": person.id, "key": self.case.key, "row": row, "order": order,
            "at": self.case.now, "effect": id,
        });
        let kind = kind(&self.case.flow.name, step);
        self.emit_event(&kind, json!({ "line": line }));
        id
    }

    /// Takes a question that is over off the lists that have not left.
    pub(super) fn off_list(&mut self, step: &str, state: &AskState) {
        let flow = Arc::clone(self.case.flow);
        let ask = super::ask::ask_step(&flow.steps, step);
        if ask.is_none_or(|ask| ask.list.is_none()) {
            return;
        }
        let kind = kind(&self.case.flow.name, step);
        for asked in &state.asked {
            let line = json!({
                "person": asked.person, "key": self.case.key, "done": true, "at": self.case.now,
            });
            self.emit_event(&kind, json!({ "line": line }));
        }
    }

    /// Whether nobody need decide, because the very event that would ask says so.
    pub(super) fn is_over(&self, ask: &Ask) -> bool {
        let over = ask.over_if.as_ref();
        over.is_some_and(|test| self.scope().truthy(test).unwrap_or(false))
    }

    /// The first line of a list: from now on it waits for its time.
    pub(super) fn gather(&mut self, step: &Step, digest: &Digest) -> Way {
        let Some(coming) = coming(self.case.opened_by) else {
            self.dead("step_failed", "this event has no line".to_owned());
            return Way::Over;
        };
        if coming.done {
            return Way::Over;
        }
        let due = match self.leaves(&digest.at) {
            Ok(due) => due,
            Err(error) => return self.broken(step, &error),
        };
        let timer = (format!("{LEAVES}/{}", step.id), Some(due));
        self.out.timers.push(timer);
        self.put_line(coming);
        self.stay()
    }

    /// A further line of a list that has not left. False when this is no gatherer.
    pub(super) fn gathered(&mut self, event: &Event) -> bool {
        if self.gatherer().is_none() {
            return false;
        }
        if let Some(coming) = coming(event) {
            self.put_line(coming);
        }
        true
    }

    fn put_line(&mut self, coming: Coming) {
        if coming.done {
            self.out.items.push((coming.key, None));
            return;
        }
        if self.state.lines >= LINES_MAX {
            let reason = format!("this list has {LINES_MAX} lines already; the line is left out");
            self.dead("list_full", reason);
            return;
        }
        self.state.lines += 1;
        let line = serde_json::to_string(&coming.line).unwrap_or_default();
        self.out.items.push((coming.key, Some(line)));
    }

    /// The time of a list has come: it leaves, and is over. An empty one is not sent.
    pub(super) fn list_leaves(&mut self) {
        let Some((step, digest)) = self.gatherer() else {
            return;
        };
        if self.case.lines.is_empty() {
            self.out.notes.push(Note::of("list_empty").at(&step.id));
            self.over();
            return;
        }
        self.out.notes.push(
            Note::of("list_left")
                .at(&step.id)
                .because(self.case.lines.len().to_string()),
        );
        self.path = vec![step.id.clone()];
        self.arm("then", &digest.then);
        self.over();
    }

    /// The one step of a gatherer.
    fn gatherer(&self) -> Option<(Step, Arc<Digest>)> {
        let step = self.case.flow.steps.steps.first()?;
        match &step.verb {
            Verb::Gather(digest) => Some((step.clone(), Arc::clone(digest))),
            _ => None,
        }
    }

    /// What `list` means: None outside of lists.
    pub(super) fn list(&self) -> Option<Value> {
        if self.case.lines.is_empty() {
            return None;
        }
        let rows: Vec<Value> = sorted(self.case.lines)
            .into_iter()
            .map(|line| {
                let columns = line.row.into_iter();
                Value::from_pairs(columns.map(|(label, value)| (label, Value::from(value))))
            })
            .collect();
        let directory = &self.case.world.directory;
        let nobody = Person::default();
        let of = directory.people.get(self.case.key).unwrap_or(&nobody);
        let reader = self.reader(of);
        let stands_in = if reader.id == of.id { "" } else { &of.name };
        Some(Value::from_pairs([
            ("person".to_owned(), person_value(reader)),
            ("for".to_owned(), Value::from(stands_in)),
            ("count".to_owned(), Value::from(rows.len())),
            (
                "first".to_owned(),
                rows.first().cloned().unwrap_or_default(),
            ),
            ("rows".to_owned(), Value::from(rows)),
            (
                "since".to_owned(),
                instant_value(self.case.opened_by.received_at),
            ),
            ("until".to_owned(), instant_value(self.case.now)),
        ]))
    }

    /// The list as a table: its first rows, and how many there are besides. All of them are
    /// attached at each attempt, from where the lines lie.
    pub(super) fn table(&self) -> Json {
        let lines = sorted(self.case.lines);
        let more = lines.len().saturating_sub(TABLE_MAX);
        let columns: Vec<&String> = match lines.first() {
            Some(line) => line.row.iter().map(|(label, _)| label).collect(),
            None => Vec::new(),
        };
        let rows = lines.iter().take(TABLE_MAX);
        let rows: Vec<Vec<&String>> = rows
            .map(|line| line.row.iter().map(|(_, value)| value).collect())
            .collect();
        json!({ "columns": columns, "rows": rows, "more": more })
    }

    /// Who reads a list now: its reader, or who stands in for him while he is on leave.
    fn reader<'p>(&'p self, of: &'p Person) -> &'p Person {
        let (directory, now) = (&self.case.world.directory, self.case.now);
        let mut reader = of;
        for _ in 0..STAND_INS_MAX {
            if !reader.is_away(now) && !reader.inactive {
                return reader;
            }
            let next = reader.deputy.as_deref().and_then(|id| directory.person(id));
            match next {
                Some(next) if next.id != of.id => reader = next,
                _ => break,
            }
        }
        of
    }

    /// When a list leaves that begins now.
    fn leaves(&self, at: &Moment) -> Result<Time, EvalError> {
        let directory = &self.case.world.directory;
        let nobody = Person::default();
        let reader = directory.people.get(self.case.key).unwrap_or(&nobody);
        let schedule = match at {
            Moment::After(length) => return self.due(length),
            Moment::Fixed(schedule) => schedule.clone(),
            Moment::Given(input) => {
                let value = self.scope().eval(input)?;
                let given = schedule(value.as_str().unwrap_or_default());
                given.map_err(|message| EvalError {
                    message,
                    line: input.line(),
                    column: input.column(),
                    unknown: Vec::new(),
                })?
            }
        };
        Ok(calendar::next(&schedule, self.case.now, reader))
    }
}

fn coming(event: &Event) -> Option<Coming> {
    let line = event.envelope.data.get("line")?;
    serde_json::from_value(line.clone()).ok()
}

/// Numbers before texts, what has no order last.
fn compare(a: &Json, b: &Json) -> std::cmp::Ordering {
    let rank = |value: &Json| match value {
        Json::Number(_) => 0,
        Json::String(_) => 1,
        _ => 2,
    };
    let numbers = || {
        let (a, b) = (a.as_f64()?, b.as_f64()?);
        Some(a.total_cmp(&b))
    };
    let texts = || Some(a.as_str()?.cmp(b.as_str()?));
    let same = || {
        numbers()
            .or_else(texts)
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    rank(a).cmp(&rank(b)).then_with(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_an_order_come_last() {
        let mut all = vec![json!(null), json!("b"), json!(7), json!(-1.5), json!("a")];
        all.sort_by(compare);
        assert_eq!(
            all,
            [json!(-1.5), json!(7), json!("a"), json!("b"), json!(null)]
        );
    }
}
