//! What an expression can see: the event's nouns, the flow's inputs and named values, the case, and
//! what the step adds (`decision`, `it`). Cheap to clone; the event's value is built once and
//! shared.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use bellwether_model::directory::{Directory, Person, PersonId};
use bellwether_model::event::{Event, NewEvent};
use bellwether_model::time::Time;
use jiff::tz::TimeZone;
use minijinja::Value;

use super::customers::{Customers, Guests};
use super::eval::{Fault, truthy, work_out};
use super::expr::{EvalError, Expr, Part, Text};
use super::lookups::Lookups;
use super::who::{self, PersonOrAddress};
use super::words::Language;
use crate::flow::def::Flow;

/// The most bytes that a text may come to.
pub(crate) const TEXT_MAX: usize = 64 * 1024;
/// How deep named values may refer to each other.
const LETS_DEEP_MAX: u32 = 16;

/// The world as plain data at the moment of a decision.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The people.
    pub directory: Arc<Directory>,
    /// The customers whom the events of this turn name.
    pub customers: Arc<Customers>,
    /// The same customers as readers of messages.
    pub guests: Arc<Guests>,
    /// The time, in flow time.
    pub now: Time,
    /// What expressions look up in the store.
    pub lookups: Arc<Lookups>,
}

impl World {
    /// Whom messages name as their reader: somebody of the directory, active or not, or a customer
    /// of this turn.
    pub(crate) fn reader(&self, id: &str) -> Option<&Person> {
        let known = self.directory.people.get(id);
        known.or_else(|| self.guests.get(id))
    }
}

/// What an expression can see.
#[derive(Clone, Debug)]
pub struct Scope {
    base: Arc<Base>,
    locals: Option<Arc<Local>>,
    reader: Option<Arc<Reader>>,
}

#[derive(Debug)]
struct Base {
    flow: Arc<Flow>,
    inputs: Value,
    data: Value,
    trigger: Value,
    event_key: String,
    lets: Box<[OnceLock<Value>]>,
    case: OnceLock<Value>,
    world: Arc<World>,
}

#[derive(Debug)]
struct Local {
    name: String,
    value: Value,
    next: Option<Arc<Local>>,
}

#[derive(Debug)]
struct Reader {
    language: Language,
    tag: String,
    zone: TimeZone,
}

thread_local! {
    /// How deep named values refer to each other on this thread right now. The reader refuses
    /// circles; this guards scopes that were made without it.
    static LETS_DEEP: Cell<u32> = const { Cell::new(0) };
}

impl Scope {
    /// The scope of an event in a flow.
    pub fn new(
        flow: &Arc<Flow>,
        inputs: &Value,
        event: &Event,
        trigger: Option<&str>,
        world: Arc<World>,
    ) -> Self {
        let data = super::values::value_of(&event.envelope.data);
        Self::of_value(flow, inputs, &event.envelope, data, trigger, world)
    }

    /// The same with the value of the event's payload, which was built before and is shared.
    pub fn of_value(
        flow: &Arc<Flow>,
        inputs: &Value,
        event: &NewEvent,
        data: Value,
        trigger: Option<&str>,
        world: Arc<World>,
    ) -> Self {
        Self {
            base: Arc::new(Base {
                flow: flow.clone(),
                inputs: inputs.clone(),
                data,
                trigger: trigger.map_or(Value::from(()), Value::from),
                event_key: format!("{}/{}", event.source, event.id),
                lets: flow.lets.iter().map(|_| OnceLock::new()).collect(),
                case: OnceLock::new(),
                world,
            }),
            locals: None,
            reader: None,
        }
    }

    /// The connection that brought the event.
    pub(crate) fn source(&self) -> &str {
        let key = self.base.event_key.as_str();
        key.split_once('/').map_or(key, |(source, _)| source)
    }

    /// The same scope with one more name, such as `decision`.
    #[must_use]
    pub fn with(&self, name: &str, value: Value) -> Self {
        Self {
            base: self.base.clone(),
            locals: Some(Arc::new(Local {
                name: name.to_owned(),
                value,
                next: self.locals.clone(),
            })),
            reader: self.reader.clone(),
        }
    }

    /// The same scope for a reader: how amounts and dates print themselves. A zone that does not
    /// exist reads as UTC.
    #[must_use]
    pub fn for_reader(&self, language: &str, zone: &str) -> Self {
        Self {
            base: self.base.clone(),
            locals: self.locals.clone(),
            reader: Some(Arc::new(Reader {
                language: Language::of(language),
                tag: language.to_owned(),
                zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
            })),
        }
    }

    /// The flow.
    pub fn flow(&self) -> &Arc<Flow> {
        &self.base.flow
    }

    /// The flow's inputs.
    pub fn inputs(&self) -> &Value {
        &self.base.inputs
    }

    /// The world.
    pub fn world(&self) -> &Arc<World> {
        &self.base.world
    }

    /// The event's payload as a value.
    pub fn data(&self) -> &Value {
        &self.base.data
    }

    pub(crate) fn language(&self) -> Language {
        self.reader
            .as_ref()
            .map_or(Language::En, |reader| reader.language)
    }

    pub(crate) fn zone(&self) -> TimeZone {
        self.reader
            .as_ref()
            .map_or(TimeZone::UTC, |reader| reader.zone.clone())
    }

    /// The value of an expression. Absent things are none.
    ///
    /// # Errors
    /// Unlike things were compared, a name is not known, or a person is not in the directory.
    pub fn eval(&self, expr: &Expr) -> Result<Value, EvalError> {
        work_out(expr.ast(), self).map_err(|fault| fault.placed(|at| expr.place(at)))
    }

    /// Whether an expression holds. Absent, empty, zero and false do not.
    ///
    /// # Errors
    /// As for [`Scope::eval`].
    pub fn truthy(&self, expr: &Expr) -> Result<bool, EvalError> {
        self.eval(expr).map(|value| truthy(&value))
    }

    /// A text with its values, for this reader: in his language if it is written in it. Invisible
    /// and direction-changing signs are removed.
    ///
    /// # Errors
    /// As for [`Scope::eval`], or it comes to more than 64 KB.
    pub fn text(&self, text: &Text) -> Result<String, EvalError> {
        let tag = self.reader.as_ref().map_or("", |reader| &reader.tag);
        let text = text.for_reader(tag);
        let mut out = String::with_capacity(text.source().len() * 2);
        for part in text.parts() {
            let (ast, start) = match part {
                Part::Words(words) => {
                    out.push_str(words);
                    continue;
                }
                Part::Value(ast, start) => (ast, *start),
            };
            let place = |at: usize| text.place(start + at);
            let value = work_out(ast, self).map_err(|fault| fault.placed(place))?;
            self.print(&value, &mut out);
            if out.len() > TEXT_MAX {
                let message = format!("this text comes to more than {TEXT_MAX} bytes");
                return Err(Fault::new(ast.at, message).placed(place));
            }
        }
        if out.chars().any(unwanted) {
            out.retain(|c| !unwanted(c));
        }
        Ok(out)
    }

    /// The people that an expression means.
    ///
    /// # Errors
    /// As for [`Scope::eval`]; [`EvalError::unknown`] has the words for people whom the directory
    /// does not know.
    pub fn who(&self, expr: &Expr) -> Result<Vec<PersonId>, EvalError> {
        let value = self.eval(expr)?;
        who::people(&value, self)
            .map_err(|unknown| who::unknown(unknown).placed(|at| expr.place(at)))
    }

    /// Whom a message is for: people of the directory and customers that the flow looked up; with
    /// what is wrong when words mean nobody.
    ///
    /// # Errors
    /// As for [`Scope::eval`].
    pub(crate) fn readers(
        &self,
        expr: &Expr,
    ) -> Result<(Vec<String>, Option<EvalError>), EvalError> {
        let (readers, missing) = who::readers(&self.eval(expr)?, self);
        let unknown = || who::unknown(missing.clone()).placed(|at| expr.place(at));
        Ok((readers, (!missing.is_empty()).then(unknown)))
    }

    /// The people of a value, such as an input.
    ///
    /// # Errors
    /// The words for people whom the directory does not know.
    pub fn who_is(&self, value: &Value) -> Result<Vec<PersonId>, Vec<String>> {
        who::people(value, self)
    }

    /// The people that an expression means, or their addresses where the directory does not know
    /// them. Nothing is missing, so absent things are simply not there.
    ///
    /// # Errors
    /// As for [`Scope::eval`].
    pub fn people_or_addresses(&self, expr: &Expr) -> Result<Vec<PersonOrAddress>, EvalError> {
        let value = self.eval(expr)?;
        Ok(who::people_or_addresses(&value, self))
    }

    /// What counts as the same matter: the flow's `case`, or the event itself.
    ///
    /// # Errors
    /// As for [`Scope::eval`].
    pub fn case(&self) -> Result<String, EvalError> {
        let value = self.case_value()?;
        Ok(match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        })
    }

    fn case_value(&self) -> Result<Value, EvalError> {
        if let Some(known) = self.base.case.get() {
            return Ok(known.clone());
        }
        let plain = self.plain();
        let value = match &self.base.flow.case {
            Some(expr) => plain.eval(expr)?,
            None => Value::from(()),
        };
        let value = if truthy(&value) {
            Value::from(plain.display(&value))
        } else {
            Value::from(self.base.event_key.as_str())
        };
        Ok(self.base.case.get_or_init(|| value).clone())
    }

    /// Without locals and reader: what named values are worked out in.
    fn plain(&self) -> Self {
        Self {
            base: self.base.clone(),
            locals: None,
            reader: None,
        }
    }

    /// The value of a name.
    pub(crate) fn lookup(&self, name: &str, at: usize) -> Result<Value, Box<Fault>> {
        let mut local = self.locals.as_ref();
        while let Some(found) = local {
            if found.name == name {
                return Ok(found.value.clone());
            }
            local = found.next.as_ref();
        }
        let lets = &self.base.flow.lets;
        if let Some(index) = lets.iter().position(|(known, _)| known == name) {
            return self.named_value(index, at);
        }
        match name {
            "inputs" => Ok(self.base.inputs.clone()),
            "trigger" => Ok(self.base.trigger.clone()),
            "case" => self.case_value().map_err(Fault::from_error),
            _ => Ok(self
                .base
                .data
                .get_attr(name)
                .unwrap_or_else(|_| Value::from(()))),
        }
    }

    fn named_value(&self, index: usize, at: usize) -> Result<Value, Box<Fault>> {
        let (name, expr) = &self.base.flow.lets[index];
        if let Some(known) = self.base.lets[index].get() {
            return Ok(known.clone());
        }
        let deep = LETS_DEEP.get();
        if deep >= LETS_DEEP_MAX {
            let message = format!("{name} refers to itself, or to too many others in a row");
            return Err(Fault::new(at, message));
        }
        LETS_DEEP.set(deep + 1);
        // What depends on the reader is worked out for each; the rest once for all.
        let scope = Self {
            reader: self.reader.clone().filter(|_| expr.speaks()),
            ..self.plain()
        };
        let value = scope.eval(expr).map_err(Fault::from_error);
        LETS_DEEP.set(deep);
        let value = value?;
        if expr.speaks() {
            return Ok(value);
        }
        Ok(self.base.lets[index].get_or_init(|| value).clone())
    }
}

/// Signs that could make a text look like something else: invisible, or changing its direction.
fn unwanted(c: char) -> bool {
    let control = c.is_control() && c != '\n' && c != '\t';
    let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    let direction = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    control || invisible || direction
}
