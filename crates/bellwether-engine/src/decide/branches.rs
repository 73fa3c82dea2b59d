//! Branches of a run: one for each of a list (`each`), or named ones side by side (`together`),
//! each with its own place, waits and decision. Within the state a step of a branch is called
//! `STEP@BRANCH`; the run itself is the branch without a name. Walking a single block is in `walk`.

use std::sync::Arc;

use bellwether_model::id::{EffectId, hex, key16};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::arms::find;
use super::draft::Note;
use super::state::EventKey;
use super::walk::{Turner, Way};
use crate::flow::fan::DO;
use crate::flow::{Ask, Block, Each, Flow, InputKind, Step, Together, Verb};
use crate::lang::{EvalError, Value, kept, person_of, restored};

/// The most branches that one turn opens; the next turn goes on.
pub(super) const SLICE: usize = 200;
/// The most things that one `each` goes through.
const ITEMS_MAX: usize = 10_000;
/// The most bytes of a run's state: what would make it larger is not begun.
const STATE_MAX: usize = 64 * 1024;
/// What a branch adds to a state beyond its thing, at most: asked, answered and noted.
const BRANCH_ROOM: usize = 768;

/// A branch of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// The branch around it; None: the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The step that opened it.
    pub step: String,
    /// Under which arm of it the branch stands: `do`, or its name.
    pub arm: String,
    /// The thing that it is for.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub item: Json,
    /// Where it waits, within its block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// Results of its waits, by name.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub waits: std::collections::BTreeMap<String, Option<EventKey>>,
    /// Its latest decided question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Events that it went on with already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took: Vec<EventKey>,
    /// It is over, and kept only because a message of it may still fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// A step whose branches are not all over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fan {
    /// Things for which no branch was opened yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<Json>,
    /// How many were opened.
    pub opened: usize,
    /// Events that went to its branches: nothing after it goes on with them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took: Vec<EventKey>,
}

/// The step's id of a name in the state.
pub(super) fn plain(name: &str) -> &str {
    name.split_once('@').map_or(name, |(step, _)| step)
}

/// The step with an id, anywhere below.
pub(super) fn step_of<'f>(block: &'f Block, id: &str) -> Option<&'f Step> {
    block.steps.iter().find_map(|step| {
        if step.id == id {
            return Some(step);
        }
        let mut inner = step.verb.endings().into_iter();
        inner.find_map(|(_, block)| step_of(block, id))
    })
}

impl Turner<'_> {
    // ---- where we are ------------------------------------------------------------------------

    /// What the state calls a step of the present branch.
    pub(super) fn named(&self, step: &str) -> String {
        match &self.branch {
            Some(branch) => format!("{step}@{branch}"),
            None => step.to_owned(),
        }
    }

    /// Goes to the branch of a step's name. A branch that is gone is the run itself: what is asked
    /// of it is over.
    pub(super) fn enter(&mut self, name: &str) {
        let branch = name.split_once('@').map(|(_, branch)| branch);
        let known = branch.filter(|id| self.state.branches.contains_key(*id));
        self.branch = known.map(str::to_owned);
    }

    fn here(&mut self) -> Option<&mut Branch> {
        self.state.branches.get_mut(self.branch.as_ref()?)
    }

    /// Where the present branch waits.
    pub(super) fn at(&self) -> &[String] {
        let branch = self.branch.as_ref();
        match branch.and_then(|id| self.state.branches.get(id)) {
            Some(branch) => &branch.at,
            None => &self.state.at,
        }
    }

    pub(super) fn set_at(&mut self, at: Vec<String>) {
        match self.here() {
            Some(branch) => branch.at = at,
            None => self.state.at = at,
        }
    }

    /// The block of the present branch.
    pub(super) fn home<'f>(&self, flow: &'f Flow) -> Option<&'f Block> {
        let Some(id) = &self.branch else {
            return Some(&flow.steps);
        };
        let branch = self.state.branches.get(id)?;
        let endings = step_of(&flow.steps, &branch.step)?.verb.endings();
        let mut arms = endings.into_iter();
        arms.find(|(arm, _)| *arm == branch.arm)
            .map(|(_, block)| block)
    }

    /// The step at which the present branch waits.
    pub(super) fn standing<'f>(&self, flow: &'f Flow) -> Option<&'f Step> {
        find(self.home(flow)?, self.at())
    }

    /// The run itself and its branches, in the order of their ids.
    pub(super) fn everywhere(&self) -> Vec<Option<String>> {
        let live = self.state.branches.iter();
        let live = live.filter(|(_, branch)| !branch.over);
        let live = live.map(|(id, _)| Some(id.clone()));
        std::iter::once(None).chain(live).collect()
    }

    /// The questions at which the run or a branch waits, by name.
    pub(super) fn waiting_asks<'f>(&mut self, flow: &'f Flow) -> Vec<(String, &'f Ask)> {
        let present = self.branch.take();
        let mut out = Vec::new();
        for place in self.everywhere() {
            self.branch = place;
            if let Some(Step {
                id,
                verb: Verb::Ask(ask),
                ..
            }) = self.standing(flow)
            {
                out.push((self.named(id), ask.as_ref()));
            }
        }
        self.branch = present;
        out
    }

    /// The result of a wait under its name.
    pub(super) fn remember(&mut self, name: &str, event: Option<EventKey>) {
        let waits = match self.branch.as_ref() {
            Some(id) => self.state.branches.get_mut(id).map(|b| &mut b.waits),
            None => Some(&mut self.state.waits),
        };
        if let Some(waits) = waits {
            waits.insert(name.to_owned(), event);
        }
    }

    /// The latest decided question of the present branch.
    pub(super) fn decided(&mut self, step: &str) {
        let step = Some(step.to_owned());
        match self.here() {
            Some(branch) => branch.decision = step,
            None => self.state.decision = step,
        }
    }

    /// The failure of an effect is handled by the step at the present path.
    pub(super) fn handle(&mut self, effect: EffectId) {
        let key = effect.to_string();
        if let Some(branch) = &self.branch {
            self.state.handled_in.insert(key.clone(), branch.clone());
        }
        self.state.handled.insert(key, self.path.clone());
    }

    /// The branches from the outermost to the present one.
    pub(super) fn around(&self) -> Vec<&Branch> {
        let mut out = Vec::new();
        let mut next = self.branch.as_ref();
        while let Some(branch) = next.and_then(|id| self.state.branches.get(id)) {
            out.push(branch);
            next = branch.of.as_ref();
        }
        out.reverse();
        out
    }

    /// The name and the thing that a branch brings to expressions.
    pub(super) fn thing_of(&self, branch: &Branch) -> Option<(&str, Value)> {
        let step = step_of(&self.case.flow.steps, &branch.step)?;
        let Verb::Each(each) = &step.verb else {
            return None;
        };
        let thing = restored(&branch.item, &self.case.world.directory);
        Some((&each.name, thing))
    }

    // ---- opening -----------------------------------------------------------------------------

    pub(super) fn begin_each(&mut self, step: &Step, each: &Each) -> Way {
        let rest = match self.things(each) {
            Ok(rest) => rest,
            Err(error) => return self.broken(step, &error),
        };
        let size: usize = rest.iter().map(|item| item.to_string().len()).sum();
        if rest.len() > ITEMS_MAX || size > STATE_MAX / 2 {
            let reason = format!(
                "step {} (line {}): {} things are more than one run can go through",
                step.id,
                step.line,
                rest.len()
            );
            self.dead("too_many", reason);
            return Way::Over;
        }
        let fan = Fan {
            rest,
            ..Fan::default()
        };
        let name = self.named(&step.id);
        self.state.fans.insert(name, fan);
        self.open_slice(step, each)
    }

    /// Whether the list is an input that says who, in words that the directory understands.
    fn says_who(&self, each: &Each) -> bool {
        let path = each.list.ast().as_path();
        let input = path.filter(|path| &*path.root == "inputs");
        let name = input.and_then(|path| path.fields.first()?.0.as_deref().map(str::to_owned));
        let mut inputs = self.case.flow.inputs.iter();
        name.is_some_and(|name| {
            inputs.any(|input| input.name == name && input.kind == InputKind::Who)
        })
    }

    /// The things of the list, as the state keeps them; people once each.
    fn things(&self, each: &Each) -> Result<Vec<Json>, EvalError> {
        let scope = self.scope();
        if self.says_who(each) {
            let people = scope.who(&each.list)?;
            return Ok(people.iter().map(|id| json!({ "$person": id })).collect());
        }
        let value = scope.eval(&each.list)?;
        if super::values::is_absent(&value) {
            return Ok(Vec::new());
        }
        if person_of(&value).is_some() {
            return Ok(vec![kept(&value)]);
        }
        let kind = value.kind();
        if !matches!(
            kind,
            minijinja::value::ValueKind::Seq | minijinja::value::ValueKind::Iterable
        ) {
            return Err(EvalError {
                message: "`each` goes through a list, but this is none".to_owned(),
                line: each.list.line(),
                column: each.list.column(),
                unknown: Vec::new(),
            });
        }
        let mut out: Vec<Json> = Vec::new();
        for thing in value.try_iter().into_iter().flatten().take(ITEMS_MAX + 1) {
            let stored = kept(&thing);
            if person_of(&thing).is_none() || !out.contains(&stored) {
                out.push(stored);
            }
        }
        Ok(out)
    }

    /// Opens the next branches of an `each`, and goes on when none is left.
    pub(super) fn open_slice(&mut self, step: &Step, each: &Each) -> Way {
        let name = self.named(&step.id);
        let Some(fan) = self.state.fans.get_mut(&name) else {
            return Way::Through;
        };
        let count = fan.rest.len().min(SLICE);
        let slice: Vec<Json> = fan.rest.drain(..count).collect();
        let first = fan.opened;
        fan.opened += count;
        let mut size = self.room_taken();
        for (index, item) in slice.iter().enumerate() {
            if size + BRANCH_ROOM > STATE_MAX {
                size = self.room_taken();
            }
            if size + BRANCH_ROOM > STATE_MAX {
                self.too_large(step, &name, slice.len() - index);
                break;
            }
            size += BRANCH_ROOM + item.to_string().len();
            self.open(step, DO, &each.steps, first + index, item.clone());
        }
        if self.fan_is_over(&step.id) {
            return self.fan_ends(&name);
        }
        if self
            .state
            .fans
            .get(&name)
            .is_some_and(|fan| !fan.rest.is_empty())
        {
            self.out
                .timers
                .push((format!("fan/{name}"), Some(self.case.now)));
        }
        self.stay()
    }

    /// The bytes of the state, with what its open branches may still add.
    fn room_taken(&self) -> usize {
        let open = self.state.branches.values().filter(|branch| !branch.over);
        self.state.write().len() + open.count() * BRANCH_ROOM
    }

    fn too_large(&mut self, step: &Step, name: &str, left: usize) {
        let rest = self.state.fans.get_mut(name);
        let rest = rest.map_or(0, |fan| std::mem::take(&mut fan.rest).len());
        let reason = format!(
            "step {} (line {}): for {} things nothing was begun, because this run holds as much as \
             one can: let each begin a run of its own with `emit`",
            step.id,
            step.line,
            left + rest
        );
        self.dead("too_many", reason);
    }

    pub(super) fn begin_together(&mut self, step: &Step, together: &Together) -> Way {
        let name = self.named(&step.id);
        self.state.fans.insert(name.clone(), Fan::default());
        for (number, (arm, block)) in together.branches.iter().enumerate() {
            self.open(step, arm, block, number, Json::Null);
        }
        if self.fan_is_over(&step.id) {
            return self.fan_ends(&name);
        }
        self.stay()
    }

    /// Opens one branch and runs it as far as it goes.
    fn open(&mut self, step: &Step, arm: &str, block: &Block, number: usize, item: Json) {
        let around = self.branch.clone().unwrap_or_default();
        let key = item.to_string();
        let number = number.to_be_bytes();
        // A person is one thing wherever in the list he stands; others are told apart by it.
        let ordinal: &[u8] = if is_person(&item) { b"" } else { &number };
        let parts = [
            around.as_bytes(),
            step.id.as_bytes(),
            arm.as_bytes(),
            key.as_bytes(),
            ordinal,
        ];
        let id = hex(&key16(&parts)[..6]);
        let branch = Branch {
            of: self.branch.clone(),
            step: step.id.clone(),
            arm: arm.to_owned(),
            item,
            ..Branch::default()
        };
        self.state.branches.insert(id.clone(), branch);
        let outer = self.branch.replace(id.clone());
        let path = std::mem::take(&mut self.path);
        let way = self.run(block, 0);
        if way != Way::Waits {
            self.branch_ends(&id);
        }
        self.branch = outer;
        self.path = path;
    }

    // ---- ending ------------------------------------------------------------------------------

    /// After a branch came to its end: goes to the one around it. False: others still run.
    pub(super) fn leave(&mut self, id: &str) -> bool {
        let Some(branch) = self.state.branches.get(id).cloned() else {
            self.branch = None;
            return true;
        };
        self.branch_ends(id);
        self.branch = branch.of;
        if !self.fan_is_over(&branch.step) {
            return false;
        }
        let name = self.named(&branch.step);
        self.fan_ends(&name);
        true
    }

    fn branch_ends(&mut self, id: &str) {
        let Some(branch) = self.state.branches.get_mut(id) else {
            return;
        };
        branch.over = true;
        branch.at.clear();
        let took = std::mem::take(&mut branch.took);
        let (step, of, arm) = (branch.step.clone(), branch.of.clone(), branch.arm.clone());
        let decision = branch.decision.clone();
        let fan = match &of {
            Some(of) => format!("{step}@{of}"),
            None => step,
        };
        if let Some(fan) = self.state.fans.get_mut(&fan) {
            fan.took.extend(took);
        }
        if arm != DO {
            let asked = self.state.asks.keys().rev();
            let mut asked = asked.filter(|name| name.ends_with(&format!("@{id}")));
            if let Some(ask) = decision.or_else(|| asked.next().cloned()) {
                let key = match &of {
                    Some(of) => format!("{arm}@{of}"),
                    None => arm,
                };
                self.state.outcomes.insert(key, ask);
            }
        }
        let fails = self.state.handled_in.values().any(|branch| branch == id);
        let mut shown = self.state.shown.keys();
        if !fails && !shown.any(|name| name.ends_with(&format!("@{id}"))) {
            self.state.branches.remove(id);
        }
    }

    /// Whether all branches that the present branch opened at a step are over.
    fn fan_is_over(&self, step: &str) -> bool {
        let mut branches = self.state.branches.values();
        let rest = self.state.fans.get(&self.named(step));
        rest.is_none_or(|fan| fan.rest.is_empty())
            && !branches.any(|one| !one.over && one.step == step && one.of == self.branch)
    }

    fn fan_ends(&mut self, name: &str) -> Way {
        if let Some(fan) = self.state.fans.remove(name) {
            self.state.kept.retain(|key| !fan.took.contains(key));
            if let Some(around) = self.here() {
                around.took.extend(fan.took);
            }
        }
        let note = Note::of("all_branches_over").at(name);
        self.out.notes.push(note);
        if self.gone { Way::Over } else { Way::Through }
    }

    /// A matter that no longer exists has nothing more to wait for.
    pub(super) fn end_all(&mut self) {
        let flow = Arc::clone(self.case.flow);
        for place in self.everywhere() {
            self.branch = place;
            let Some(step) = self.standing(&flow) else {
                continue;
            };
            let name = self.named(&step.id);
            for kind in ["wait", "pause", "fan"] {
                self.out.timers.push((format!("{kind}/{name}"), None));
            }
        }
        self.branch = None;
        self.state.fans.clear();
        self.state.branches.retain(|_, branch| branch.over);
        self.settle(Way::Over);
    }
}

fn is_person(item: &Json) -> bool {
    item.get("$person").is_some()
}
