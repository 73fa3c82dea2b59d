//! What a purchase has come to: its phase, who should look at it, the campaign that it belongs to,
//! and whether it takes too long. Ends, limits and files are in `held.rs`.

use bellwether_model::time::{Millis, Time};
use serde_json::{Value, json};

use super::super::record::{Phase, Watched};
use super::super::{
    ACTION_COMPLETED, ACTION_REQUIRED, CAMPAIGN_MEMBER, REVIEW_REQUIRED, SYNC_FAILED,
    SYNC_RECOVERED, VIOLATION,
};
use super::licence::Turn;
use super::payload::{Severity, known, of};
use super::review;

impl Turn {
    pub(super) fn phase(&mut self) {
        let Some(phase) = self.kept.tx.state.as_deref().and_then(Phase::of) else {
            return;
        };
        let before = self.kept.phase.replace(phase);
        if before == Some(phase) {
            return;
        }
        if self.kept.waits_said {
            let action = waits_for(before);
            let since = self.kept.phase_since.unwrap_or(self.now);
            let id = format!("action/{action}/{}/completed", since.millis());
            let matter = json!({"action": action, "outcome": phase.word()});
            let silent = std::mem::replace(&mut self.silent, false);
            self.say(
                ACTION_COMPLETED,
                &id,
                Severity::Info,
                Some(("action", matter)),
            );
            self.silent = silent;
        }
        let updated = self.kept.tx.updated_at.as_deref();
        let updated = updated.and_then(|at| Time::parse(at).ok());
        self.kept.phase_since = Some(updated.unwrap_or(self.now).min(self.now));
        (self.kept.waits_said, self.kept.waits_over) = (false, false);
        let severity = match phase {
            Phase::Failed => Severity::Critical,
            Phase::Cancelled => Severity::Warning,
            _ => Severity::Info,
        };
        let id = format!("request/{}/{}", self.version(), phase.word());
        let matter = known(vec![
            ("kind", "purchase".into()),
            ("state_from", json!(before.map(Phase::word))),
            ("state_to", phase.word().into()),
        ]);
        self.say(request(phase), &id, severity, Some(("request", matter)));
        self.provider_link(phase);
        let held = matches!(before, Some(Phase::Approved | Phase::Delivered));
        let used = self
            .kept
            .tx
            .counters
            .values()
            .any(|one| one.current > Some(0));
        if phase == Phase::Cancelled && held && used {
            let matter = json!({"rule": "cancelled_license", "fields": ["state"]});
            let id = format!("violation/cancelled_license/{}", self.version());
            self.say(
                VIOLATION,
                &id,
                Severity::Critical,
                Some(("violation", matter)),
            );
        }
    }

    /// A purchase that fails is a failing delivery of its provider too.
    fn provider_link(&mut self, phase: Phase) {
        let failed = phase == Phase::Failed;
        if failed == self.kept.failed_said || (failed && self.silent) {
            return;
        }
        self.kept.failed_said = failed;
        let provider = self.kept.tx.asset.provider.as_deref().unwrap_or("unknown");
        let component = format!("provider:{provider}");
        let (kind, word, severity) = if failed {
            (SYNC_FAILED, "failed", Severity::Warning)
        } else {
            (SYNC_RECOVERED, "recovered", Severity::Info)
        };
        let matter = json!({"component": component, "code": "error", "since": self.now.to_string(),
            "message": format!("transaction {}", self.kept.tx.uuid)});
        let id = format!("{}/sync/{}/{word}", self.kept.tx.uuid, self.version());
        self.emits
            .push(of(kind, id, self.now, severity, "sync", matter));
    }

    pub(super) fn review(&mut self) {
        let all = review::reasons(&self.kept.tx);
        let known: Vec<&str> = self.kept.reasons.iter().map(String::as_str).collect();
        let new: Vec<String> = all
            .iter()
            .filter(|reason| !known.contains(&reason.code))
            .map(|reason| reason.code.to_owned())
            .collect();
        let over = matches!(self.kept.phase, Some(Phase::Failed | Phase::Cancelled));
        if new.is_empty() || (over && !self.silent) {
            return;
        }
        let mut kinds: Vec<&str> = all.iter().map(|reason| reason.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let shown: Vec<Value> = all.iter().map(review::Reason::shown).collect();
        let matter = json!({"reasons": shown, "new": new, "kinds": kinds});
        let id = format!("review/{}", new.join("+"));
        self.kept.reasons.extend(new);
        self.say(
            REVIEW_REQUIRED,
            &id,
            Severity::Warning,
            Some(("review", matter)),
        );
    }

    /// Tells the campaign's own memory how far this asset is.
    pub(super) fn campaign(&mut self, now: Option<Watched>) {
        let status = match self.kept.phase {
            Some(Phase::Delivered) => "done",
            Some(Phase::Cancelled) => "out",
            _ => "open",
        };
        let before = std::mem::replace(&mut self.kept.campaign, now.clone());
        let left = before.filter(|old| now.as_ref().is_none_or(|new| new.key() != old.key()));
        if let Some(left) = left {
            self.member(&left, "out");
            self.kept.campaign_status = None;
        }
        if let Some(watched) = now
            && self.kept.campaign_status.as_deref() != Some(status)
        {
            self.member(&watched, status);
            self.kept.campaign_status = Some(status.to_owned());
        }
    }

    fn member(&mut self, watched: &Watched, status: &str) {
        let (key, uuid) = (watched.key(), &self.kept.tx.uuid);
        let matter = json!({"key": key, "kind": watched.kind, "name": watched.name,
            "size": watched.size, "quiet_hours": watched.quiet_hours,
            "member": {"uuid": uuid, "status": status, "baseline": self.silent}});
        let id = format!("{uuid}/member/{key}/{}/{status}", self.version());
        let derived = of(
            CAMPAIGN_MEMBER,
            id,
            self.now,
            Severity::Info,
            "campaign",
            matter,
        );
        self.emits.push(derived);
    }

    /// When the present phase has taken too long.
    pub(super) fn waits_until(&self) -> Option<Time> {
        let waiting = matches!(self.kept.phase, Some(Phase::Submitted | Phase::Approved));
        let hours = self.kept.rules.stuck_hours;
        let due = self.kept.phase_since? + Millis::hours(hours);
        (waiting && hours > 0 && !self.kept.waits_over).then_some(due)
    }

    pub(super) fn waiting(&mut self) {
        let Some(due) = self.waits_until().filter(|due| *due <= self.now) else {
            return;
        };
        self.kept.waits_over = true;
        self.kept.waits_said = !self.silent;
        let since = self.kept.phase_since.unwrap_or(due);
        let action = waits_for(self.kept.phase);
        let id = format!("action/{action}/{}/required", since.millis());
        let matter = json!({"action": action, "since": since.to_string(),
            "due_at": due.to_string()});
        self.say(
            ACTION_REQUIRED,
            &id,
            Severity::Warning,
            Some(("action", matter)),
        );
    }
}

fn request(phase: Phase) -> &'static str {
    match phase {
        Phase::Submitted => "smintio.request.submitted",
        Phase::Approved => "smintio.request.approved",
        Phase::Delivered => "smintio.request.delivered",
        Phase::Failed => "smintio.request.failed",
        Phase::Cancelled => "smintio.request.cancelled",
    }
}

/// What somebody has to do about a phase that does not end.
fn waits_for(phase: Option<Phase>) -> &'static str {
    match phase {
        Some(Phase::Approved) => "check_delivery",
        _ => "approve_request",
    }
}
