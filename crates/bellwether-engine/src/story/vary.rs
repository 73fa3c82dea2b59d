//! Stories that go another way than they say: their deeds one by one, so that each can come twice,
//! in another order, or be cut off by the end of a process. What they expect is left out; whoever
//! plays them looks at what must hold on every way.

use bellwether_model::time::Millis;

use super::inputs::Input;
use super::play::Play;
use super::stage::Stage;
use super::steps::{Deed, Pressing};
use super::{Scene, Stored, Story, read};
use crate::yaml::Problem;

/// A story whose deeds are done one by one.
pub struct Varied<'a> {
    scene: Scene<'a>,
    play: Play<'a>,
    deeds: Vec<Deed>,
}

impl std::fmt::Debug for Varied<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Varied")
            .field("scene", &self.scene)
            .field("deeds", &self.deeds)
            .finish_non_exhaustive()
    }
}

impl<'a> Varied<'a> {
    /// A story, before anything has happened.
    ///
    /// # Errors
    /// The story cannot be read, or the inputs do not fit.
    pub fn new(scene: Scene<'a>, story: &Story, stored: Stored) -> Result<Self, Vec<Problem>> {
        let steps = read::story(story, scene.flow, &scene.catalog, scene.people)?;
        let all = steps.into_iter().flat_map(|step| step.deeds);
        let deeds = all.flat_map(|(_, deed)| apart(deed)).collect();
        let play = Play::new(scene, Stage::new(scene, stored)?);
        Ok(Self { scene, play, deeds })
    }

    /// How many deeds it has.
    pub fn deeds(&self) -> usize {
        self.deeds.len()
    }

    /// Whether a deed lets something come in, besides the passing of time.
    pub fn comes_in(&self, deed: usize) -> bool {
        matches!(
            self.deeds.get(deed),
            Some(
                Deed::Mail(_)
                    | Deed::Replies(_)
                    | Deed::Happens(_)
                    | Deed::Tap(_)
                    | Deed::Press(_)
                    | Deed::Console(_)
                    | Deed::Reads(_)
            )
        )
    }

    /// Whether people, their absences or the inputs change on the way.
    pub fn changes_the_world(&self) -> bool {
        let changes = |deed: &Deed| {
            let people = matches!(deed, Deed::People(_) | Deed::Customers(_) | Deed::Away(_));
            people || matches!(deed, Deed::Inputs(_))
        };
        self.deeds.iter().any(changes)
    }

    /// Has two deeds change places.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.deeds.swap(one, other);
    }

    /// Does one deed. Says why it could not be done: on another way than the story's own there may
    /// be nothing to answer.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn deed(&mut self, deed: usize) -> Result<(), String> {
        let Some(deed) = self.deeds.get(deed).cloned() else {
            return Ok(());
        };
        self.play.deed(&deed).await
    }

    /// What came in with the latest deed comes in once more, just as it was; whoever got no answer
    /// sends it again.
    ///
    /// # Errors
    /// The store failed.
    pub async fn again(&mut self) -> Result<(), String> {
        self.play.again().await
    }

    /// The deed in which a process ended, for the next process: what came in then comes in again,
    /// and what had not yet come does.
    ///
    /// # Errors
    /// As for [`Varied::deed`].
    pub async fn redo(&mut self, deed: usize) -> Result<(), String> {
        let reached = self
            .play
            .last
            .iter()
            .any(|input| !matches!(input, Input::Until(_)));
        if reached || matches!(self.deeds.get(deed), Some(Deed::At(_) | Deed::After(_))) {
            self.again().await
        } else {
            self.deed(deed).await
        }
    }

    /// The process ends, in whatever state, and the next one goes on over this store.
    ///
    /// # Errors
    /// The inputs do not fit any more.
    pub async fn next_process(&mut self, stored: Stored) -> Result<(), Vec<Problem>> {
        let next = Stage::next_process(self.scene, stored, &self.play.stage).await?;
        self.play.stage = next;
        self.play.dead_letters = 0;
        self.play.emits = 0;
        self.play.notes = 0;
        Ok(())
    }

    /// Time passes until everything that is open has ended, at most so long. Says whether it has.
    ///
    /// # Errors
    /// The store failed.
    pub async fn run_out(&mut self, at_most: Millis) -> Result<bool, String> {
        let ended = self.play.stage.run_out(at_most).await;
        ended.map_err(|error| error.to_string())
    }

    /// The stage.
    pub fn stage(&self) -> &Stage {
        &self.play.stage
    }
}

/// A deed of several people or presses as one deed for each.
fn apart(deed: Deed) -> Vec<Deed> {
    let presses = |all: Vec<Pressing>, of: fn(Vec<Pressing>) -> Deed| -> Vec<Deed> {
        let each = all.into_iter().flat_map(|pressing| {
            let person = pressing.person;
            pressing.choices.into_iter().map(move |choice| Pressing {
                person: person.clone(),
                choices: vec![choice],
            })
        });
        each.map(|one| of(vec![one])).collect()
    };
    match deed {
        Deed::Tap(all) => presses(all, Deed::Tap),
        Deed::Press(all) => presses(all, Deed::Press),
        Deed::Console(all) => presses(all, Deed::Console),
        Deed::Replies(all) => {
            let each = all.into_iter();
            each.map(|one| Deed::Replies(vec![one])).collect()
        }
        Deed::Opens(all) => {
            let each = all.into_iter();
            each.map(|one| Deed::Opens(vec![one])).collect()
        }
        Deed::Reads(all) => {
            let each = all.into_iter();
            each.map(|one| Deed::Reads(vec![one])).collect()
        }
        other => vec![other],
    }
}
