//! Lives of tenants: purchases that walk, terms that end, renewals, counters that grow in silence,
//! records that come again, hints that are lost or doubled, outages, lost tokens and cursors, a
//! process that ends between any two steps. Connector, engine and store are the real ones, the
//! provider is the stand-in, in process or over TCP; time is virtual. What must be said is computed
//! by `expected.rs`, and must be said exactly once and in order.
//! `LIFE=17` plays one seed alone; `LIVES=10000` plays so many.

mod expected;
mod ground;
mod hints;
mod life;
mod portal;
mod said;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bellwether_model::time::Millis;

use crate::world::Dice;
use ground::Ground;
use life::{Life, Tally};

/// How many lives are lived when nobody says otherwise.
const LIVES: u64 = 120;
/// One in so many is lived over TCP.
const OVER_TCP: u64 = 100;
/// How much happens in each.
const LENGTH: usize = 26;
/// A line now and then, where many are lived.
const SAID_EVERY: u64 = 500;

async fn live(ground: &Arc<Ground>, seed: u64) -> Tally {
    let mut dice = Dice::new(seed + 1);
    let mut life = Life::begin(ground, seed).await;
    for _ in 0..3 {
        life.buy(&mut dice).await;
        let days = 1 + dice.below(60) as u64;
        life.pass(Millis::days(days), &mut dice).await;
    }
    life.read(false, true).await;
    if ground.is_tcp() || seed.is_multiple_of(2) {
        life.listen().await;
    }
    for _ in 0..LENGTH {
        match dice.below(11) {
            0 | 1 => life.buy(&mut dice).await,
            2..=4 => life.change(&mut dice).await,
            5 => {
                let hours = 1 + dice.below(1_200) as u64;
                life.pass(Millis::hours(hours), &mut dice).await;
            }
            6 => life.read(false, false).await,
            7 => life.crash(&mut dice).await,
            8 => life.read(true, false).await,
            9 => life.renew(&mut dice).await,
            _ => life.trouble(&mut dice).await,
        }
    }
    life.read(true, false).await;
    life.pass(Millis::days(500), &mut dice).await;
    life.compare().await;
    life.tally.events = life.said.count();
    life.tally.lives = 1;
    life.tally
}

/// The lives that one thread takes, one after the other.
fn live_some(next: &AtomicU64, end: u64, sum: &Mutex<Tally>, say: fn(u64)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mounted = Arc::new(Ground::mounted());
        let mut tcp = None;
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return;
            }
            let ground = if seed.is_multiple_of(OVER_TCP) {
                if tcp.is_none() {
                    tcp = Some(Arc::new(Ground::tcp().await));
                }
                tcp.as_ref().unwrap_or(&mounted)
            } else {
                &mounted
            };
            let tally = live(ground, seed).await;
            sum.lock().unwrap().add(tally);
            if seed % SAID_EVERY == SAID_EVERY - 1 {
                say(seed + 1);
            }
        }
    });
}

#[test]
fn in_every_life_of_a_tenant_each_event_is_said_exactly_once() {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let seeds = match number(option_env!("LIFE")) {
        Some(seed) => seed..seed + 1,
        None => 0..number(option_env!("LIVES")).unwrap_or(LIVES),
    };
    let began = Instant::now();
    let (next, sum) = (&AtomicU64::new(seeds.start), &Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
        for _ in 0..threads {
            let say = |lives| println!("{lives} lives");
            scope.spawn(move || live_some(next, seeds.end, sum, say));
        }
    });
    let sum = *sum.lock().unwrap();
    assert_eq!(sum.lives, seeds.end - seeds.start);
    println!(
        "{} lives ({} over TCP) in {:.0} s: {} events, each once and in order, none missing, none \
         invented; {} crashes, {} consents lost and given again, {} outages, {} renewals by a \
         second purchase, {} hints heard, {} lost, {} doubled",
        sum.lives,
        seeds.end.div_ceil(OVER_TCP) - seeds.start.div_ceil(OVER_TCP),
        began.elapsed().as_secs_f64(),
        sum.events,
        sum.crashes,
        sum.consents,
        sum.outages,
        sum.renewals,
        sum.hints,
        sum.hints_lost,
        sum.hints_doubled,
    );
}
