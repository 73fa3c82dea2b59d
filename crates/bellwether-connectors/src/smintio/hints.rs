//! The push channel, protocol version 7 of Pusher Channels: one private channel with one event,
//! whose payload says nothing. It only hints that the feed has something new; the poll goes on
//! beside it. What it hears about itself goes to the memory that watches our link.

use std::time::Duration;

use bellwether_model::failure::{Failure, FailureClass};
use bellwether_model::feed::Ear;
use bellwether_model::http::{Heard, HttpRequest, Socket};
use bellwether_model::id::hash;
use bellwether_model::time::Millis;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Smintio;
use super::feed::link_event;

/// The one event of the channel.
const EVENT: &str = "global-transaction-history-update";
/// Where a subscription is signed, under the API's address. It is public.
const AUTH_PATH: &str = "notifications/pusher/auth";
/// A message is never longer: nobody reads payloads.
const MESSAGE_MAX: usize = 256 * 1024;
/// The handshake, the proof and the subscription have so long together.
const OPENING: Duration = Duration::from_secs(30);
/// Without another word a connection is pinged after this, and given up after the second.
const ACTIVITY: Duration = Duration::from_secs(120);
const PONG: Duration = Duration::from_secs(30);
/// The first and the longest wait before a new attempt.
const WAIT: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// The longest where a person must change something: each attempt there costs a token.
const WAIT_PERSON: Duration = Duration::from_secs(15 * 60);
/// After a refusal for good it is asked again this late: somebody may have mended it over there.
const WAIT_REFUSED: Millis = Millis::hours(1);
/// What this part of the link is called.
const PART: &str = "pusher";

/// What the code of an end asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Not to come back unchanged: rarely.
    Rarely,
    /// To come back after a while.
    Wait,
    /// To come back at once.
    Now,
}

impl Then {
    fn of(code: Option<u16>) -> Self {
        match code {
            Some(4_000..=4_099) => Self::Rarely,
            Some(4_200..=4_299) => Self::Now,
            _ => Self::Wait,
        }
    }
}

/// Why a connection ended.
struct End {
    failure: Failure,
    then: Then,
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            then: Then::Wait,
        }
    }
}

/// Listens as long as the process lives.
pub(super) async fn listen(smintio: &Smintio, ear: &dyn Ear) {
    let Some(channel) = smintio.setup.channel else {
        return std::future::pending().await;
    };
    let mut listener = Listener {
        smintio,
        ear,
        channel: format!("private-2-{channel}"),
        said: None,
        wait: WAIT,
        attempts: 0,
    };
    loop {
        let end = listener.session().await;
        let name = &smintio.host.connection;
        tracing::info!(connection.name = %name, "the push channel ended: {}", end.failure);
        listener.say(Some(&end.failure)).await;
        match end.then {
            Then::Rarely => listener.rest().await,
            // It worked before, so the first wait is still short.
            Then::Now if listener.wait == WAIT => listener.wait = WAIT * 2,
            Then::Now | Then::Wait => listener.pause(needs_person(&end.failure)).await,
        }
    }
}

struct Listener<'a> {
    smintio: &'a Smintio,
    ear: &'a dyn Ear,
    channel: String,
    /// What was last said of it: whether it is well, and whether it needs a person.
    said: Option<(bool, bool)>,
    wait: Duration,
    attempts: u64,
}

impl Listener<'_> {
    /// Shows how the channel is, and says so when that changed.
    async fn say(&mut self, failure: Option<&Failure>) {
        self.ear.health(PART, failure);
        let news = Some((failure.is_none(), failure.is_some_and(needs_person)));
        if self.said == news {
            return;
        }
        self.said = news;
        let name = &self.smintio.host.connection;
        let event = link_event(name, PART, failure, self.ear.now());
        self.ear.say(event).await;
    }

    /// Waits long, by the clock: a refusal for good is not to be repeated at once.
    async fn rest(&self) {
        let clock = &self.smintio.host.clock;
        let due = clock.now() + WAIT_REFUSED;
        while clock.now() < due {
            clock.wait_until(due).await;
        }
    }

    /// Waits twice as long each time, with up to a quarter less, so that not all come together.
    async fn pause(&mut self, needs_person: bool) {
        self.attempts += 1;
        let name = self.smintio.host.connection.as_bytes();
        let seed = hash(&[name, &self.attempts.to_be_bytes()]);
        let less = self.wait / 4 * u32::from(seed[0]) / 255;
        sleep(self.wait - less).await;
        let most = if needs_person { WAIT_PERSON } else { WAIT_MAX };
        self.wait = (self.wait * 2).min(most);
    }

    async fn session(&mut self) -> End {
        let opened = timeout(OPENING, self.open()).await;
        let (mut socket, activity) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(end)) => return end,
            Err(_) => {
                let words = "the push channel was not open in time; it is opened again by itself";
                return Failure::retry("push_not_open", words, None).into();
            }
        };
        self.wait = WAIT;
        self.say(None).await;
        // What was hinted at meanwhile is lost.
        self.ear.hint();
        loop {
            match self.heard(&mut *socket, activity).await {
                Ok(event) if event == EVENT => self.ear.hint(),
                Ok(_) => {}
                Err(end) => return end,
            }
        }
    }

    /// The next event's name; a silent connection is pinged and then given up.
    async fn heard(&self, socket: &mut dyn Socket, activity: Duration) -> Result<String, End> {
        let message = match timeout(activity, next(socket)).await {
            Ok(message) => message?,
            Err(_) => {
                let ping = json!({"event": "pusher:ping", "data": {}});
                socket.say(ping.to_string()).await?;
                let words = "the push channel is silent; it is opened anew";
                let silent = |_| Failure::retry("push_silent", words, None);
                timeout(PONG, next(socket)).await.map_err(silent)??
            }
        };
        let event = message["event"].as_str().unwrap_or_default();
        if event == "pusher:ping" {
            let pong = json!({"event": "pusher:pong", "data": {}});
            socket.say(pong.to_string()).await?;
        }
        Ok(event.to_owned())
    }

    /// Connects, proves itself with a fresh token, and subscribes.
    async fn open(&self) -> Result<(Box<dyn Socket>, Duration), End> {
        let setup = &self.smintio.setup;
        let url = format!(
            "{}/app/{}?protocol=7&client=bellwether&version={}",
            setup.push_url,
            crate::oauth::encoded(&setup.push_key),
            env!("CARGO_PKG_VERSION"),
        );
        let mut request = HttpRequest::new("GET", url);
        request.answer_max = MESSAGE_MAX;
        let mut socket = self.smintio.host.http.open(request).await?;
        let hello = wanted(&mut *socket, "pusher:connection_established").await?;
        let hello = data(&hello);
        let id = hello["socket_id"].as_str().unwrap_or_default();
        let activity = hello["activity_timeout"].as_u64().filter(|n| *n > 0);
        let activity = activity.map_or(ACTIVITY, |n| ACTIVITY.min(Duration::from_secs(n)));
        let fields = [("socket_id", id), ("channel_name", self.channel.as_str())];
        let proof = self.smintio.client.form(AUTH_PATH, &fields).await;
        let proof = proof.map_err(|failure| not_ours(failure, &self.channel))?;
        let subscribe = json!({"event": "pusher:subscribe",
            "data": {"channel": self.channel, "auth": proof["auth"]}});
        socket.say(subscribe.to_string()).await?;
        wanted(&mut *socket, "pusher_internal:subscription_succeeded").await?;
        Ok((socket, activity))
    }
}

/// What is refused at the proof is the channel, not the licences.
fn not_ours(failure: Failure, channel: &str) -> Failure {
    if failure.code != "permission_denied" {
        return failure;
    }
    let message = format!(
        "Smint.io does not let us listen to the push channel {channel}; check `channel_id`. \
         Licences are read by polling meanwhile"
    );
    Failure { message, ..failure }
}

/// The next message; the end, and what the server calls an error, are an end here.
async fn next(socket: &mut dyn Socket) -> Result<Value, End> {
    match socket.next().await? {
        Heard::Text(text) => {
            let message: Value = serde_json::from_str(&text).unwrap_or_default();
            let code = data(&message)["code"]
                .as_u64()
                .and_then(|n| u16::try_from(n).ok());
            match message["event"].as_str() {
                Some("pusher:error") if code.is_some_and(|code| code >= 4_000) => Err(ended(code)),
                Some("pusher:subscription_error" | "pusher_internal:subscription_error") => {
                    let words = "the push channel refuses the subscription; check `channel_id`";
                    Err(Failure::misconfigured("push_refused", words).into())
                }
                _ => Ok(message),
            }
        }
        Heard::Closed(code) => Err(ended(code)),
    }
}

/// Reads on to a message of that name.
async fn wanted(socket: &mut dyn Socket, event: &str) -> Result<Value, End> {
    let until = Instant::now() + OPENING;
    let late = |_| {
        Failure::retry(
            "push_not_open",
            "the push channel does not answer; it is opened again by itself",
            None,
        )
    };
    loop {
        let message = timeout_at(until, next(socket)).await.map_err(late)??;
        if message["event"] == event {
            return Ok(message);
        }
    }
}

/// The data of a message, which is an object or a text with an object in it.
fn data(message: &Value) -> Value {
    match &message["data"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    }
}

fn needs_person(failure: &Failure) -> bool {
    matches!(
        failure.class,
        FailureClass::Reauthorise | FailureClass::Misconfigured
    )
}

fn ended(code: Option<u16>) -> End {
    let then = Then::of(code);
    let shown = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
    let failure = match then {
        Then::Rarely => Failure::misconfigured(
            "push_refused",
            format!(
                "the push channel refuses us for good ({shown}): check `push_key` and `channel_id`. \
                 Licences are read by polling meanwhile, and it is asked again every hour"
            ),
        ),
        _ => Failure::retry(
            "push_closed",
            format!("the push channel was closed ({shown}); it is opened again by itself"),
            None,
        ),
    };
    End { failure, then }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_when_to_come_back() {
        let table = [
            (Some(4_000), Then::Rarely),
            (Some(4_009), Then::Rarely),
            (Some(4_100), Then::Wait),
            (Some(4_199), Then::Wait),
            (Some(4_200), Then::Now),
            (Some(4_201), Then::Now),
            (Some(1_006), Then::Wait),
            (None, Then::Wait),
        ];
        for (code, then) in table {
            assert_eq!(Then::of(code), then, "{code:?}");
        }
    }
}
