//! Ends of terms and limits of counters: which threshold is passed, what was said of it, when the
//! next one is due. Each is said once; what was passed unseen is said by its tightest one.

use std::collections::BTreeMap;

use bellwether_model::time::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::super::record::{Counter, Rules, Term};
use super::days;

/// What was said of one date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Dated {
    /// The date as the feed wrote it.
    until: String,
    /// Thresholds that are settled: said, or passed in silence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<i64>,
    /// Whether its end is settled.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    over: bool,
    /// Whether anything of it was told to somebody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    told: bool,
    /// Thresholds that lie on or before this day were never ahead: at purchase or renewal.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Date>,
}

/// The two dates of a term.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct TermMemory {
    pub(super) number: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Dated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_use: Option<Dated>,
}

/// Something to say of a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It comes nearer: every threshold that was passed, and the days that are left.
    Nearing { passed: Vec<i64>, days_left: i64 },
    /// It is over.
    Over,
}

/// What is looked at in a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) rules: &'a Rules,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Time,
    /// When the licence was bought, on first sight of the transaction.
    pub(super) bought: Option<Date>,
}

/// Which of the two dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    End,
    FirstUse,
}

impl Which {
    /// The feed's field.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::End => "valid_until",
            Self::FirstUse => "to_be_used_until",
        }
    }

    pub(super) fn of(self, term: &Term) -> Option<&str> {
        match self {
            Self::End => term.valid_until.as_deref(),
            Self::FirstUse => term.to_be_used_until.as_deref(),
        }
    }
}

impl TermMemory {
    pub(super) fn new(number: i64) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    fn dated(&mut self, which: Which) -> &mut Option<Dated> {
        match which {
            Which::End => &mut self.end,
            Which::FirstUse => &mut self.first_use,
        }
    }

    /// Takes notice of a date, which may have changed; tells whether something that was told of it
    /// no longer holds, because it is later now.
    pub(super) fn notice(&mut self, which: Which, until: Option<&str>, look: &Look<'_>) -> bool {
        let before = self.dated(which);
        let Some(until) = until else {
            *before = None;
            return false;
        };
        if before.as_ref().is_some_and(|dated| dated.until == until) {
            return false;
        }
        let told = before.as_ref().is_some_and(|dated| dated.told);
        let earlier = before
            .as_ref()
            .and_then(|dated| Time::parse(&dated.until).ok());
        let renewed = earlier
            .zip(Time::parse(until).ok())
            .is_some_and(|(earlier, later)| later > earlier);
        let from = if renewed {
            Some(days::day(look.now, look.zone))
        } else {
            look.bought
        };
        *before = Some(Dated {
            until: until.to_owned(),
            from,
            ..Dated::default()
        });
        renewed && told
    }

    /// Notes that something of a date was told.
    pub(super) fn tell(&mut self, which: Which) {
        if let Some(dated) = self.dated(which) {
            dated.told = true;
        }
    }

    /// What is to be said of a date now; it is settled by asking.
    pub(super) fn say(&mut self, which: Which, look: &Look<'_>) -> Option<Said> {
        let dated = self.dated(which).as_mut()?;
        let last = days::last_day(Time::parse(&dated.until).ok()?, look.zone);
        if dated.over {
            return None;
        }
        if look.now >= days::ends(last, look.zone) {
            dated.over = true;
            return Some(Said::Over);
        }
        let days_left = days::between(days::day(look.now, look.zone), last);
        let mut passed = Vec::new();
        for threshold in look.rules.days.iter().copied() {
            if threshold < days_left || dated.done.contains(&threshold) {
                continue;
            }
            dated.done.push(threshold);
            let day = days::days_before(last, threshold);
            if dated.from.is_none_or(|from| day > from) {
                passed.push(threshold);
            }
        }
        (!passed.is_empty()).then_some(Said::Nearing { passed, days_left })
    }

    /// When the next thing of a date is due.
    pub(super) fn next(&self, which: Which, look: &Look<'_>) -> Option<Time> {
        let dated = match which {
            Which::End => self.end.as_ref()?,
            Which::FirstUse => self.first_use.as_ref()?,
        };
        if dated.over {
            return None;
        }
        let last = days::last_day(Time::parse(&dated.until).ok()?, look.zone);
        let ahead = look
            .rules
            .days
            .iter()
            .filter(|threshold| !dated.done.contains(threshold))
            .map(|threshold| days::begins(days::days_before(last, *threshold), look.zone));
        let end = days::ends(last, look.zone);
        ahead.chain([end]).filter(|due| *due > look.now).min()
    }

    /// Its end, as the feed wrote it.
    pub(super) fn ends_at(&self) -> Option<&str> {
        self.end.as_ref().map(|dated| dated.until.as_str())
    }

    /// Whether anything was told of its end or of its first use and is still so. It is not once
    /// this was asked: should it be so again, it is told again.
    pub(super) fn take_told(&mut self) -> bool {
        let both = [&mut self.end, &mut self.first_use];
        let mut any = false;
        for dated in both.into_iter().flatten().filter(|dated| dated.told) {
            any = true;
            dated.done.clear();
            (dated.told, dated.over) = (false, false);
        }
        any
    }

    /// Whether the term's end is past.
    pub(super) fn is_over(&self) -> bool {
        self.end.as_ref().is_some_and(|dated| dated.over)
    }
}

/// What was said of one counter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LimitMemory {
    max: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<i64>,
    /// Whether it was said that the limit is exceeded.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exceeded: bool,
}

/// Something to say of a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SaidLimit {
    /// Ascending; empty when none was passed.
    pub(super) passed: Vec<i64>,
    pub(super) exceeded: bool,
    pub(super) percent: i64,
    pub(super) current: i64,
    pub(super) max: i64,
}

/// How much of its limit a counter has used.
pub(super) fn percent(counter: &Counter) -> Option<i64> {
    let (current, max) = (counter.current?, counter.max?);
    (max > 0).then(|| current.saturating_mul(100) / max)
}

/// What is to be said of a counter now; it is settled by asking.
pub(super) fn say_limit(
    memory: &mut BTreeMap<String, LimitMemory>,
    name: &str,
    counter: &Counter,
    percents: &[i64],
) -> Option<SaidLimit> {
    let percent = percent(counter)?;
    let (current, max) = (counter.current?, counter.max?);
    let kept = memory.entry(name.to_owned()).or_default();
    if kept.max != max {
        // Another limit is another matter.
        *kept = LimitMemory {
            max,
            ..LimitMemory::default()
        };
    }
    let passed = percents.iter().copied().filter(|p| percent >= *p);
    let fresh: Vec<i64> = passed.filter(|p| !kept.done.contains(p)).collect();
    kept.done.extend(&fresh);
    let exceeded = current > max && !kept.exceeded;
    kept.exceeded |= exceeded;
    (!fresh.is_empty() || exceeded).then_some(SaidLimit {
        passed: fresh,
        exceeded,
        percent,
        current,
        max,
    })
}
