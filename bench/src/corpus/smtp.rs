//! A small SMTP client that transmits any bytes as a message, as a hostile or broken sender would.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::error::{During, Outcome, fault};

/// One connection to a mail server.
#[derive(Debug)]
pub(super) struct Smtp {
    stream: BufReader<TcpStream>,
}

impl Smtp {
    /// Connects and says hello.
    pub(super) async fn connect(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)
            .await
            .during("the mail server cannot be reached")?;
        stream
            .set_nodelay(true)
            .during("the mail connection cannot be set up")?;
        let mut smtp = Self {
            stream: BufReader::new(stream),
        };
        smtp.expect("the greeting", '2').await?;
        smtp.write(b"EHLO bench.example.net\r\n").await?;
        smtp.expect("EHLO", '2').await?;
        Ok(smtp)
    }

    /// Sends one message; whether the server took it. `from` may be empty, as in a bounce.
    pub(super) async fn send(&mut self, from: &str, to: &str, message: &[u8]) -> Outcome<bool> {
        self.write(format!("MAIL FROM:<{from}>\r\n").as_bytes())
            .await?;
        self.expect("MAIL", '2').await?;
        self.write(format!("RCPT TO:<{to}>\r\n").as_bytes()).await?;
        self.expect("RCPT", '2').await?;
        self.write(b"DATA\r\n").await?;
        self.expect("DATA", '3').await?;
        self.write(&on_the_wire(message)).await?;
        let answer = self.answer().await?;
        Ok(answer.starts_with('2'))
    }

    async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.stream
            .get_mut()
            .write_all(bytes)
            .await
            .during("the mail connection broke while sending")
    }

    async fn expect(&mut self, what: &str, first: char) -> Outcome<()> {
        let answer = self.answer().await?;
        if answer.starts_with(first) {
            return Ok(());
        }
        fault(format!("the mail server refused {what}: {answer}"))
    }

    /// The last line of an answer.
    async fn answer(&mut self) -> Outcome<String> {
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).await;
            if read.during("the mail server's answer cannot be read")? == 0 {
                return fault("the mail server hung up");
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }
}

/// The message with doubled leading dots and its end. Its bytes are not changed otherwise.
fn on_the_wire(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 64 + 5);
    let mut line_begins = true;
    for byte in message {
        if line_begins && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        line_begins = *byte == b'\n';
    }
    if !line_begins && !message.is_empty() {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::on_the_wire;

    #[test]
    fn dots_are_doubled_and_the_end_is_unmistakable() {
        assert_eq!(on_the_wire(b""), b".\r\n");
        assert_eq!(on_the_wire(b".a\r\n..\r\n"), b"..a\r\n...\r\n.\r\n");
        assert_eq!(on_the_wire(b"a\r.b"), b"a\r.b\r\n.\r\n");
    }
}
