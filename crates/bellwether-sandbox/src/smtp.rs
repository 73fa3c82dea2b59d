//! The mail door: SMTP from outside into the mailboxes. It takes any bytes as a message and never
//! changes them; stamps are put on top by the delivery of the Gmail stand-in. No relaying, no TLS,
//! no login.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::google::{self, Envelope};
use crate::recorder::Call;
use crate::server::{Stop, accept};
use crate::world::World;
use crate::{Door, StandIn};

/// Largest message, as Gmail takes it from outside.
const MESSAGE_LIMIT: usize = 52_428_800;
/// Longest command line; RFC 5321 asks for 512, extensions for more.
const COMMAND_LIMIT: usize = 4_096;
/// Recipients of one message.
const RECIPIENTS_LIMIT: usize = 100;
/// Commands that were not understood before the connection is closed.
const MISTAKES_LIMIT: usize = 50;
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(300);

pub(crate) const STAND_IN: StandIn = StandIn {
    name: "smtp",
    door: Door::Tcp(4, serve),
    targets: &[],
    admin: |_| Router::new(),
    info,
    reset: |_| {},
};

fn info(world: &World) -> Map<String, Value> {
    let mut info = Map::new();
    if let Some(address) = world.addresses.get("smtp") {
        let smtp = json!({"host": address.ip().to_string(), "port": address.port()});
        info.insert("smtp".to_owned(), smtp);
    }
    info
}

fn serve(
    world: Arc<World>,
    listener: TcpListener,
    stop: Stop,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(accept(listener, stop, move |stream, peer| {
        let world = Arc::clone(&world);
        async move {
            let session = Session::new(world, stream, peer);
            if let Err(error) = session.run().await {
                tracing::debug!(%error, %peer, "an SMTP session ended early");
            }
        }
    }))
}

/// One connection.
struct Session {
    world: Arc<World>,
    peer: SocketAddr,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    helo: String,
    mail_from: Option<String>,
    recipients: Vec<String>,
    mistakes: usize,
    /// Whether the last line ended without a carriage return.
    bare: bool,
}

/// What happened to a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Read,
    /// It was read to its end but is too long to keep.
    TooLong,
    /// The client is gone.
    End,
}

impl Session {
    fn new(world: Arc<World>, stream: TcpStream, peer: SocketAddr) -> Self {
        drop(stream.set_nodelay(true));
        let (reader, writer) = stream.into_split();
        Self {
            world,
            peer,
            reader: BufReader::with_capacity(64 * 1024, reader),
            writer,
            helo: String::new(),
            mail_from: None,
            recipients: Vec::new(),
            mistakes: 0,
            bare: false,
        }
    }

    async fn run(mut self) -> std::io::Result<()> {
        self.reply("220 mx.google.com ESMTP sandbox").await?;
        let mut line = Vec::new();
        loop {
            let read = self.line(&mut line, COMMAND_LIMIT).await?;
            let text = match read {
                Line::End => return Ok(()),
                Line::TooLong => {
                    self.mistake("500 5.5.2 Line too long").await?;
                    continue;
                }
                Line::Read => String::from_utf8_lossy(&line).trim().to_owned(),
            };
            let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
            let rest = rest.trim();
            match verb.to_ascii_uppercase().as_str() {
                "HELO" | "EHLO" => self.hello(verb, rest).await?,
                "MAIL" => self.mail(rest).await?,
                "RCPT" => self.rcpt(rest).await?,
                "DATA" => {
                    if !self.data().await? {
                        return Ok(());
                    }
                }
                "RSET" => {
                    self.forget();
                    self.reply("250 2.1.5 Flushed").await?;
                }
                "NOOP" => self.reply("250 2.0.0 OK").await?,
                "VRFY" => self.vrfy(rest).await?,
                "QUIT" => return self.reply("221 2.0.0 closing connection").await,
                _ => self.mistake("502 5.5.1 Unrecognized command").await?,
            }
            if self.mistakes > MISTAKES_LIMIT {
                return self
                    .reply("421 4.7.0 Too many mistakes, closing connection")
                    .await;
            }
        }
    }

    async fn reply(&mut self, text: &str) -> std::io::Result<()> {
        self.writer
            .write_all(format!("{text}\r\n").as_bytes())
            .await
    }

    async fn mistake(&mut self, text: &str) -> std::io::Result<()> {
        self.mistakes += 1;
        self.reply(text).await
    }

    /// Reads a line with its end; a longer one than `limit` is swallowed.
    async fn line(&mut self, line: &mut Vec<u8>, limit: usize) -> std::io::Result<Line> {
        line.clear();
        let mut too_long = false;
        loop {
            let chunk = tokio::time::timeout(SILENCE, self.reader.fill_buf()).await;
            let chunk = chunk.map_err(|_| std::io::ErrorKind::TimedOut)??;
            if chunk.is_empty() {
                return Ok(Line::End);
            }
            let end = chunk.iter().position(|b| *b == b'\n').map(|n| n + 1);
            let used = end.unwrap_or(chunk.len());
            if line.len() + used > limit {
                too_long = true;
            } else if !too_long {
                line.extend_from_slice(&chunk[..used]);
            }
            self.reader.consume(used);
            if end.is_some() {
                self.bare = !line.ends_with(b"\r\n");
                return Ok(if too_long { Line::TooLong } else { Line::Read });
            }
        }
    }

    fn forget(&mut self) {
        self.mail_from = None;
        self.recipients.clear();
    }

    async fn hello(&mut self, verb: &str, name: &str) -> std::io::Result<()> {
        if name.is_empty() {
            return self.mistake("501 5.5.4 A name is required").await;
        }
        // The name goes into a header, so nothing but a name is kept of it.
        let kept = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(*c));
        self.helo = kept.take(255).collect();
        self.forget();
        let ip = self.peer.ip();
        if verb.eq_ignore_ascii_case("HELO") {
            return self
                .reply(&format!("250 mx.google.com at your service, [{ip}]"))
                .await;
        }
        let text = format!(
            "250-mx.google.com at your service, [{ip}]\r\n250-SIZE {MESSAGE_LIMIT}\r\n\
             250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250 SMTPUTF8"
        );
        self.reply(&text).await
    }

    async fn mail(&mut self, rest: &str) -> std::io::Result<()> {
        if self.helo.is_empty() || self.mail_from.is_some() {
            return self.mistake("503 5.5.1 Bad sequence of commands").await;
        }
        let Some((address, options)) = path(rest, "FROM:") else {
            return self.mistake("555 5.5.2 Syntax error").await;
        };
        let size = options.split_whitespace().find_map(|o| {
            let (name, value) = o.split_once('=')?;
            name.eq_ignore_ascii_case("SIZE")
                .then(|| value.parse::<usize>().ok())?
        });
        if size.is_some_and(|size| size > MESSAGE_LIMIT) {
            return self
                .reply("552 5.3.4 The message exceeds the size limit")
                .await;
        }
        self.mail_from = Some(address);
        self.reply("250 2.1.0 OK").await
    }

    async fn rcpt(&mut self, rest: &str) -> std::io::Result<()> {
        if self.mail_from.is_none() {
            return self.mistake("503 5.5.1 MAIL first").await;
        }
        let Some((address, _)) = path(rest, "TO:").filter(|(a, _)| !a.is_empty()) else {
            return self.mistake("555 5.5.2 Syntax error").await;
        };
        if self.recipients.len() >= RECIPIENTS_LIMIT {
            return self.reply("452 4.5.3 Too many recipients").await;
        }
        if google::mailbox_for(&self.world, &address).is_none() {
            let text = "550 5.1.1 The email account that you tried to reach does not exist";
            return self.reply(text).await;
        }
        self.recipients.push(address);
        self.reply("250 2.1.5 OK").await
    }

    async fn vrfy(&mut self, address: &str) -> std::io::Result<()> {
        if address.is_empty() {
            return self.mistake("501 5.5.4 An address is required").await;
        }
        self.reply("252 2.1.5 Send some mail, I will try my best")
            .await
    }

    /// Takes a message; false when the client went away before its end.
    async fn data(&mut self) -> std::io::Result<bool> {
        if self.recipients.is_empty() {
            self.mistake("503 5.5.1 RCPT first").await?;
            return Ok(true);
        }
        // A client that ends its commands with a bare line feed ends its messages so too. For any
        // other a lone dot before a bare line feed is part of the message.
        let bare = self.bare;
        self.reply("354 Go ahead").await?;
        let mut raw = Vec::new();
        let mut line = Vec::new();
        let mut too_big = false;
        loop {
            match self.line(&mut line, MESSAGE_LIMIT + 2).await? {
                Line::End => return Ok(false),
                Line::TooLong => too_big = true,
                Line::Read if line == b".\r\n" || (bare && line == b".\n") => break,
                Line::Read => {
                    let kept = line.strip_prefix(b".").unwrap_or(&line);
                    too_big |= raw.len() + kept.len() > MESSAGE_LIMIT;
                    if !too_big {
                        raw.extend_from_slice(kept);
                    }
                }
            }
        }
        let code = if too_big {
            (552, "5.3.4 The message exceeds the size limit".to_owned())
        } else {
            self.deliver(&raw)
        };
        self.world.recorder.record(Call {
            number: 0,
            target: "smtp",
            method: "DATA".to_owned(),
            path: format!("{} bytes for {}", raw.len(), self.recipients.join(", ")),
            status: Some(code.0),
            fault: None,
            at: self.world.clock.now(),
        });
        self.forget();
        self.reply(&format!("{} {}", code.0, code.1)).await?;
        Ok(true)
    }

    fn deliver(&self, raw: &[u8]) -> (u16, String) {
        let world = &self.world;
        let full = |to: &&String| {
            google::mailbox_for(world, to).is_some_and(|m| !world.google.has_room(&m, raw.len()))
        };
        if let Some(full) = self.recipients.iter().find(full) {
            return (
                452,
                format!("4.2.2 The mailbox {full} is over quota; reset the sandbox"),
            );
        }
        let envelope = Envelope {
            mail_from: self.mail_from.as_deref().unwrap_or_default(),
            client: self.peer.ip(),
            helo: &self.helo,
            protocol: "ESMTP",
        };
        for to in &self.recipients {
            if google::deliver(world, raw, &envelope, to).is_err() {
                return (
                    452,
                    format!("4.2.2 The mailbox {to} is over quota; reset the sandbox"),
                );
            }
        }
        (250, "2.0.0 OK sandbox".to_owned())
    }
}

/// Reads `FROM:<address> OPTIONS`. Angle brackets may be missing; source routes are dropped.
fn path(rest: &str, keyword: &str) -> Option<(String, String)> {
    let given = rest.get(..keyword.len())?;
    let rest = rest[keyword.len()..].trim_start();
    if !given.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, options) = match rest.strip_prefix('<') {
        Some(inner) => inner.split_once('>')?,
        None => rest.split_once(' ').unwrap_or((rest, "")),
    };
    let address = match address.strip_prefix('@') {
        Some(route) => route
            .split_once(':')
            .map_or(address, |(_, address)| address),
        None => address,
    };
    let clean = address
        .chars()
        .all(|c| !c.is_control() && !"<>".contains(c));
    clean.then(|| (address.trim().to_owned(), options.to_owned()))
}
