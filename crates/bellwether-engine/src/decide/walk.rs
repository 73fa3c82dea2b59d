//! Walking a flow's steps: entering blocks, stopping where a step waits, going on after it. What
//! the single verbs do is in `message`, `ask` and `ladder`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_model::connector::Role;
use bellwether_model::event::Event;
use bellwether_model::failure::Failure;
use bellwether_model::id::EffectId;

use super::arms::{arm_of, on_error_at};
use super::branches::{Branch, plain};
use super::draft::{Dead, Emitted, Note, Turn, Via};
use super::state::{EventKey, RunState, event_key};
use super::{Case, comment};
use crate::flow::gatherers::LEAVES;
use crate::flow::{Ask, Block, Step, Verb};
use crate::lang::{EvalError, Scope, Value, person_value};
use crate::seam::TurnSaid;
use crate::store::EffectRow;

/// Results of waits by name, and the latest decided question.
type Results<'r> = (&'r BTreeMap<String, Option<EventKey>>, &'r Option<String>);

/// How a block came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All its steps are done.
    Through,
    /// A step waits.
    Waits,
    /// The run is over.
    Over,
}

/// One turn in the making.
#[derive(Debug)]
pub(super) struct Turner<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) state: RunState,
    pub(super) out: Turn,
    pub(super) path: Vec<String>,
    /// The branch that is walked; None: the run itself.
    pub(super) branch: Option<String>,
    /// The matter was taken back: nothing comes after what is open.
    pub(super) gone: bool,
    current: Option<&'a Event>,
    /// While `on_error` runs: whom the message did not reach.
    unreached: Option<String>,
    ordinal: u32,
    /// One name more for expressions: `list` while one leaves, `it` in what happens meanwhile.
    pub(super) beside: Option<(&'static str, Value)>,
}

impl<'a> Turner<'a> {
    pub(super) fn new(case: &'a Case<'a>, state: RunState) -> Self {
        let mut turner = Self {
            case,
            state,
            out: Turn::default(),
            path: Vec::new(),
            branch: None,
            gone: false,
            current: None,
            unreached: None,
            ordinal: 0,
            beside: None,
        };
        turner.beside = turner.list().map(|list| ("list", list));
        turner
    }

    pub(super) fn finish(mut self) -> Turn {
        self.comes_back();
        self.out.state = self.state;
        self.out
    }

    /// The opening event: all steps from the first.
    pub(super) fn begin(&mut self) {
        self.state.trigger = self.case.trigger.map(str::to_owned);
        let flow = Arc::clone(self.case.flow);
        let way = self.run(&flow.steps, 0);
        self.settle(way);
        if self.out.said.is_none() {
            self.out.said = Some(TurnSaid::Began {
                run: self.case.cell,
            });
        }
    }

    /// An event that names this cell: for the question, for a wait, or to be kept for later.
    pub(super) fn addressed(&mut self, event: &'a Event, effect: Option<&EffectRow>) {
        self.current = Some(event);
        let taken_back = self.withdraw_on(event);
        // What a step waits for is its own, unless it answers a question of ours that is open.
        let no_answer = !self.answers_open(effect);
        let awaited = no_answer && (self.awaited(event) | self.heed(event));
        if awaited || self.asked(event, effect) || self.awaited(event) || taken_back {
            return;
        }
        self.keep(event);
    }

    pub(super) fn timer(&mut self, name: &str) {
        self.out.timers.push((name.to_owned(), None));
        let Some((kind, step)) = name.split_once('/') else {
            return;
        };
        self.enter(step);
        match kind {
            "rung" => self.climb(step),
            LEAVES if self.waits_at(step) => self.list_leaves(),
            "wait" | "pause" if self.waits_at(step) => {
                if kind == "wait" {
                    self.wait_is_over(None);
                } else {
                    self.go_on(None);
                }
            }
            "fan" if self.waits_at(step) => {
                let flow = Arc::clone(self.case.flow);
                if let Some(step) = self.standing(&flow)
                    && let Verb::Each(each) = &step.verb
                {
                    self.path = self.at().to_vec();
                    let way = self.open_slice(step, each);
                    self.path.clear();
                    if way != Way::Waits {
                        self.go_on(None);
                    }
                }
            }
            // A timer of a step that is over was removed in the same turn; one that was read just
            // before that is harmless.
            _ => {}
        }
    }

    /// An effect of this cell was given up.
    pub(super) fn failed(&mut self, effect: &EffectRow, failure: &Failure) {
        if self.unreached(effect, failure) || self.on_another_device(effect) {
            return;
        }
        let key = effect.id.to_string();
        let handled = self.state.handled.remove(&key);
        self.branch = self.state.handled_in.remove(&key);
        let flow = Arc::clone(self.case.flow);
        let home = self.home(&flow).unwrap_or(&flow.steps);
        if let Some(block) = handled.as_ref().and_then(|path| on_error_at(home, path)) {
            self.out
                .notes
                .push(Note::of("on_error").because(failure.code.clone()));
            self.path = handled.unwrap_or_default();
            self.path.push("on_error".to_owned());
            self.unreached.clone_from(&effect.person);
            let way = self.run(block, 0);
            self.unreached = None;
            self.path.clear();
            if way == Way::Over && self.branch.is_none() {
                self.settle(way);
            }
            return;
        }
        let reason = format!("{}: {}", effect.role_word(), failure.message);
        self.out.dead_letters.push(Dead {
            effect: Some(effect.id),
            ..Dead::new(&failure.code, reason)
        });
    }

    // ---- blocks ----------------------------------------------------------------------------

    /// Runs the steps of a block from `from`.
    pub(super) fn run(&mut self, block: &Block, from: usize) -> Way {
        for step in block.steps.iter().skip(from) {
            self.path.push(step.id.clone());
            let way = self.step(step);
            if way != Way::Through {
                return way;
            }
            self.path.pop();
        }
        Way::Through
    }

    fn step(&mut self, step: &Step) -> Way {
        let done = match &step.verb {
            Verb::Push(message) => self.push(step, message),
            Verb::Mail(message) => self.mail(step, message),
            Verb::Reply(reply) => self.reply(step, reply),
            Verb::Label(label) => self.label(label),
            Verb::Http(request) => self.request(step, request),
            Verb::Emit(emit) => self.emit(emit),
            Verb::Digest(digest) => self.digest(step, digest),
            Verb::Gather(digest) => return self.gather(step, digest),
            Verb::DeadLetter(text) => self.scope().text(text).map(|text| {
                self.dead("by_flow", text);
            }),
            Verb::Stop => {
                self.out.notes.push(Note::of("stopped").at(&step.id));
                return Way::Over;
            }
            Verb::If(branch) => match self.scope().truthy(&branch.condition) {
                Ok(holds) => {
                    let (arm, block) = if holds {
                        ("then", &branch.then)
                    } else {
                        ("else", &branch.otherwise)
                    };
                    return self.arm(arm, block);
                }
                Err(error) => Err(error),
            },
            Verb::Ask(ask) => return self.begin_ask(step, ask),
            Verb::Wait(wait) => return self.begin_wait(step, wait),
            Verb::Meanwhile(_) => return self.heed_from_now_on(),
            Verb::Call(call) => return self.begin_call(step, call),
            Verb::Each(each) => return self.begin_each(step, each),
            Verb::Together(together) => return self.begin_together(step, together),
            Verb::Pause(span) => {
                let due = match self.due(span) {
                    Ok(due) => due,
                    Err(error) => return self.broken(step, &error),
                };
                self.out
                    .timers
                    .push((format!("pause/{}", self.named(&step.id)), Some(due)));
                return self.stay();
            }
        };
        match done {
            Ok(()) => Way::Through,
            Err(error) => self.broken(step, &error),
        }
    }

    /// Runs a block under an arm's name; on the way out the path is as before.
    pub(super) fn arm(&mut self, name: &str, block: &Block) -> Way {
        self.path.push(name.to_owned());
        let way = self.run(block, 0);
        if way == Way::Through {
            self.path.pop();
        }
        way
    }

    /// The step at the present path waits.
    pub(super) fn stay(&mut self) -> Way {
        self.set_at(self.path.clone());
        Way::Waits
    }

    /// A step that cannot be carried out ends the run with a dead letter: going on without it could
    /// do half of a matter.
    pub(super) fn broken(&mut self, step: &Step, error: &EvalError) -> Way {
        self.dead(
            "step_failed",
            format!("step {} (line {}): {error}", step.id, step.line),
        );
        Way::Over
    }

    /// Goes on after the step where the run waits. `ending` names the arm of an ask to run first.
    pub(super) fn go_on(&mut self, ending: Option<&str>) {
        let flow = Arc::clone(self.case.flow);
        let mut ending = ending;
        loop {
            let at = self.at().to_vec();
            self.set_at(Vec::new());
            self.path.clear();
            let way = match self.home(&flow) {
                Some(_) if self.gone && ending.is_none() => Way::Over,
                Some(block) => self.resume(block, &at, ending.take()),
                None => Way::Over,
            };
            self.path.clear();
            let Some(branch) = self.branch.clone() else {
                self.settle(way);
                return;
            };
            if way == Way::Waits || !self.leave(&branch) {
                return;
            }
            ending = None;
        }
    }

    fn resume(&mut self, block: &Block, at: &[String], ending: Option<&str>) -> Way {
        let Some((id, rest)) = at.split_first() else {
            return Way::Through;
        };
        let Some(index) = block.steps.iter().position(|step| step.id == *id) else {
            self.dead(
                "lost_step",
                format!("the step {id} is no longer in the flow"),
            );
            return Way::Over;
        };
        let step = &block.steps[index];
        self.path.push(id.clone());
        let way = match rest.split_first() {
            None => match (ending, &step.verb) {
                (Some(ending), Verb::Ask(ask)) => self.ending(ask, ending),
                _ => Way::Through,
            },
            Some((arm, inner)) => match arm_of(step, arm) {
                Some(block) => {
                    self.path.push(arm.clone());
                    let way = self.resume(block, inner, ending);
                    if way == Way::Through {
                        self.path.pop();
                    }
                    way
                }
                None => Way::Through,
            },
        };
        if way != Way::Through {
            return way;
        }
        self.path.pop();
        self.run(block, index + 1)
    }

    pub(super) fn ending(&mut self, ask: &Ask, ending: &str) -> Way {
        match ask.then.iter().find(|(name, _)| name == ending) {
            Some((_, block)) => self.arm(ending, block),
            // What comes after a question is for a matter that still exists.
            None if ending == "withdrawn" || ending == "over" => {
                self.gone = true;
                Way::Over
            }
            None => Way::Through,
        }
    }

    /// The run is over.
    pub(super) fn over(&mut self) {
        self.settle(Way::Over);
    }

    /// What a way means for the run as a whole.
    pub(super) fn settle(&mut self, way: Way) {
        if way != Way::Waits {
            self.out.closed = true;
            self.state.at.clear();
        }
        self.path.clear();
    }

    // ---- small things ----------------------------------------------------------------------

    pub(super) fn waits_at(&self, step: &str) -> bool {
        self.at().last().is_some_and(|id| id == plain(step))
    }

    /// The names that expressions of this run see.
    pub(super) fn scope(&self) -> Scope {
        let basis = self.state.basis.as_ref().and_then(|key| self.event(key));
        let mut scope = match (&self.case.scope, basis) {
            (Some(scope), None) => scope.clone(),
            (_, basis) => Scope::new(
                self.case.flow,
                self.case.inputs,
                basis.unwrap_or(self.case.opened_by),
                self.state.trigger.as_deref(),
                Arc::clone(self.case.world),
            ),
        };
        let root = (&self.state.waits, &self.state.decision);
        scope = self.with_results(scope, root, None);
        for branch in self.around() {
            if let Some((name, thing)) = self.thing_of(branch) {
                scope = scope.with(name, thing);
            }
            scope = self.with_results(scope, (&branch.waits, &branch.decision), Some(branch));
        }
        if let Some((name, value)) = &self.beside {
            scope = scope.with(name, value.clone());
        }
        let world = self.case.world;
        if let Some(person) = self.unreached.as_ref().and_then(|id| world.reader(id)) {
            scope = scope.with("person", person_value(person));
        }
        scope
    }

    /// What waits, questions and branches brought, in one branch or the run itself.
    fn with_results(&self, scope: Scope, of: Results<'_>, branch: Option<&Branch>) -> Scope {
        let (waits, decision) = of;
        let mut scope = scope;
        for (name, key) in waits {
            let event = key.as_ref().and_then(|key| self.event(key));
            scope = scope.with(name, super::values::waited(event));
        }
        if let Some(decision) = decision.as_ref().and_then(|step| self.decision(step)) {
            scope = scope.with("decision", decision);
        }
        for (name, step) in &self.state.outcomes {
            let (name, of) = name.split_once('@').unwrap_or((name, ""));
            if self.is_branch(of, branch) {
                scope = scope.with(name, self.outcome(step));
            }
        }
        scope
    }

    /// Whether this is the branch of that id; the run itself has none.
    fn is_branch(&self, id: &str, branch: Option<&Branch>) -> bool {
        match branch {
            Some(branch) => self.state.branches.get(id) == Some(branch),
            None => id.is_empty(),
        }
    }

    /// How a question ended: its decision, or a choice that is the ending's name.
    fn outcome(&self, step: &str) -> Value {
        if let Some(decision) = self.decision(step) {
            return decision;
        }
        let over = self.state.asks.get(step).and_then(|ask| ask.over.as_ref());
        let choice = match over.map(|(how, _)| how.as_str()) {
            Some("expired") => "expire",
            Some(how) => how,
            None => "",
        };
        Value::from_pairs([("choice".to_owned(), Value::from(choice))])
    }

    fn decision(&self, step: &str) -> Option<Value> {
        let ask = self.state.asks.get(step)?;
        let decided = ask.decided.as_ref()?;
        let event = self.event(&decided.event);
        let comment = event.map(comment::of_decision).unwrap_or_default();
        Some(super::values::decision_value(
            &self.case.world.directory,
            &decided.choice,
            &decided.by,
            decided.at,
            &comment,
        ))
    }

    /// An event that the state refers to: from the record, or the one of this turn.
    pub(super) fn event(&self, key: &str) -> Option<&Event> {
        let current = self
            .current
            .filter(|event| event_key(&event.envelope) == key);
        self.case.past.get(key).or(current)
    }

    pub(super) fn set_current(&mut self, event: &'a Event) {
        self.current = Some(event);
    }

    /// The event that the nouns stand for.
    pub(super) fn basis(&self) -> &Event {
        let basis = self.state.basis.as_ref().and_then(|key| self.event(key));
        basis.unwrap_or(self.case.opened_by)
    }

    /// By which connection something leaves: a mail from the mailbox that the matter came to, so
    /// that answers come back there; without one, or for a push, whichever does this.
    pub(super) fn via(&self, role: Role) -> Via {
        Via::Source(self.basis().envelope.source.clone(), role)
    }

    /// A new effect id: the same for the same cell, turn, step and ordinal.
    pub(super) fn effect_id(&mut self) -> EffectId {
        self.ordinal += 1;
        let turn = self.case.version + 1;
        let place = self.named(&self.path.join("/"));
        EffectId::derive(
            self.case.now,
            &[
                self.case.cell.bytes(),
                &turn.to_be_bytes(),
                place.as_bytes(),
                &self.ordinal.to_be_bytes(),
            ],
        )
    }

    pub(super) fn emit_event(&mut self, kind: &str, data: serde_json::Value) {
        self.out.emits.push(Emitted {
            kind: kind.to_owned(),
            data,
            aliases: Vec::new(),
        });
    }

    pub(super) fn dead(&mut self, code: &str, reason: String) {
        self.out.dead_letters.push(Dead::new(code, reason));
    }
}
