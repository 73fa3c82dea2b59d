//! A flow's sample: what happens first in the first of its tests, with the people who are really
//! there. It shows what the flow would send; nothing is expected and nothing is compared.

use bellwether_model::time::{Millis, Time};

use super::play::Play;
use super::stage::Stage;
use super::steps::{Deed, Step};
use super::world::{Sent, What};
use super::{Bench, Scene, read};
use crate::seam::{Sample, Sampled};
use crate::yaml::Problem;

/// How long it is waited until something is sent: a list may leave once a week only.
const WAITS: Millis = Millis::days(8);
/// How much of what is sent is shown.
const SHOWN_MAX: usize = 50;

/// Lets the sample of a flow come in and returns what would be sent first. Blocks the caller, like
/// [`super::run`].
///
/// # Errors
/// The inputs do not fit, or the flow has no test that begins with something that comes in.
pub fn sample(scene: Scene<'_>, bench: &dyn Bench) -> Result<Sample, Vec<Problem>> {
    let said = |message: String| vec![Problem::error((1, 1), message)];
    std::thread::scope(|scope| {
        let played = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| said(format!("no runtime could be started: {error}")))?;
            runtime.block_on(first(scene, bench))
        });
        let failed = || said("the server failed while the sample was played".to_owned());
        played.join().unwrap_or_else(|_| Err(failed()))
    })
}

async fn first(scene: Scene<'_>, bench: &dyn Bench) -> Result<Sample, Vec<Problem>> {
    let none = "this flow has no test that begins with something that comes in";
    let said = |message: String| vec![Problem::error((1, 1), message)];
    let story = scene
        .flow
        .tests
        .first()
        .ok_or_else(|| said(none.to_owned()))?;
    // The tests name people of their own, who need not be in the directory.
    let steps = read::story(story, scene.flow, &scene.catalog, &super::directory())?;
    let deeds = beginning(&steps);
    if deeds.is_empty() {
        return Err(said(none.to_owned()));
    }
    let stored = bench.open().map_err(said)?;
    let mut play = Play::new(scene, Stage::new(scene, stored)?);
    let mut out = Sample::default();
    for deed in deeds {
        play.deed(deed).await.map_err(said)?;
        if !matches!(deed, Deed::At(_) | Deed::After(_) | Deed::Customers(_)) {
            out.came = words(deed);
            out.at = play.stage.now();
        }
    }
    let end = out.at + WAITS;
    loop {
        let due = play
            .stage
            .settle()
            .await
            .map_err(|error| said(error.to_string()))?;
        play.gather();
        out.sent = shown(&play.stage.record.sent(), out.at);
        match due {
            Some(due) if out.sent.is_empty() && due <= end => {
                play.pass_until(due.max(play.stage.now() + Millis(1)))
                    .await
                    .map_err(said)?;
            }
            _ => return Ok(out),
        }
    }
}

/// What comes in before something is expected, with the time at which it does.
fn beginning(steps: &[Step]) -> Vec<&Deed> {
    let mut out = Vec::new();
    let mut came = false;
    for step in steps {
        for (_, deed) in &step.deeds {
            let comes = matches!(deed, Deed::Mail(_) | Deed::Happens(_));
            came |= comes;
            // A register of customers that knows nobody would show nothing.
            if comes || matches!(deed, Deed::At(_) | Deed::After(_) | Deed::Customers(_)) {
                out.push(deed);
            }
        }
        if came && step.expect.is_some() {
            break;
        }
    }
    if came { out } else { Vec::new() }
}

fn words(deed: &Deed) -> String {
    match deed {
        Deed::Mail(mail) => {
            let subject = mail.subject.as_deref().unwrap_or("without a subject");
            format!("mail: {subject}")
        }
        Deed::Happens(happening) if happening.times > 1 => {
            format!("{} × {}", happening.times, happening.kind)
        }
        Deed::Happens(happening) => happening.kind.clone(),
        _ => String::new(),
    }
}

fn shown(sent: &[Sent], began: Time) -> Vec<Sampled> {
    let what = |sent: &Sent| match sent.what {
        What::Push => Some("push"),
        What::Mail => Some("mail"),
        What::Reply => Some("reply"),
        What::DeadLetter => Some("dead_letter"),
        What::Request => Some("http"),
        What::Update | What::Label | What::Emit => None,
    };
    let shown = sent.iter().filter_map(|sent| {
        Some(Sampled {
            what: what(sent)?,
            who: sent.who.clone(),
            title: sent.title.clone(),
            text: sent.text.clone(),
            after: sent.at.seconds() - began.seconds(),
        })
    });
    shown.take(SHOWN_MAX).collect()
}
