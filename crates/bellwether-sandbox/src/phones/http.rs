//! The least HTTP/1.1 client that a companion app needs: one POST, one answer, connection closed.
//! Plain `http://` only: the stand-ins talk to a server on the same machine.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;
/// Longest wait for connecting, sending and reading together.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// Where a POST goes: the parts of an `http://` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Address {
    /// Reads `http://host[:port]/path`; the error is a sentence.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            format!(
                "{url:?} is not an http:// address; the phone speaks plain HTTP on this machine"
            )
        })?;
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let clean = |text: &str| !text.bytes().any(|b| b <= b' ' || b == 0x7f || b == b'@');
        if authority.is_empty() || !clean(authority) || !clean(path) {
            return Err(format!("{url:?} is not an address the phone can call"));
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (
                host,
                port.parse()
                    .map_err(|_| format!("{port:?} in {url:?} is not a port"))?,
            ),
            _ => (authority, 80),
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Ok(Self {
            host,
            port,
            path: path.to_owned(),
        })
    }
}

/// An HTTP answer, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends one JSON POST; the error says in words why there is no answer.
pub(crate) async fn post_json(
    address: &Address,
    bearer: &str,
    body: &str,
) -> Result<Reply, String> {
    let place = format!("{}:{}", address.host, address.port);
    match timeout(CALL_DEADLINE, exchange(address, bearer, body)).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(format!("No answer from {place}: {error}")),
        Err(_) => Err(format!(
            "No answer from {place} within {} s",
            CALL_DEADLINE.as_secs()
        )),
    }
}

async fn exchange(address: &Address, bearer: &str, body: &str) -> Result<Reply, String> {
    let words = |error: std::io::Error| error.to_string();
    if bearer.bytes().any(|b| b < b' ' || b == 0x7f) {
        return Err("the app key holds a control character".to_owned());
    }
    let mut stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(words)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}:{}\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\
         User-Agent: sandbox-companion/1\r\nConnection: close\r\n\r\n",
        address.path,
        address.host,
        address.port,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.map_err(words)?;
    stream.write_all(body.as_bytes()).await.map_err(words)?;
    let mut raw = Vec::new();
    stream
        .take(MAX_ANSWER_BYTES)
        .read_to_end(&mut raw)
        .await
        .map_err(words)?;
    parse(&raw)
}

/// Reads a whole HTTP/1.1 answer from the bytes up to the end of the connection.
fn parse(raw: &[u8]) -> Result<Reply, String> {
    let end = find(raw, b"\r\n\r\n").ok_or("the answer broke off in its head")?;
    let head = std::str::from_utf8(&raw[..end]).map_err(|_| "the answer's head is not text")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or("the answer has no status line")?;
    let mut length = None;
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    let rest = &raw[end + 4..];
    let body = match (chunked, length) {
        (true, _) => unchunk(rest)?,
        (false, Some(length)) => rest
            .get(..length)
            .ok_or("the answer broke off in its body")?
            .to_vec(),
        (false, None) => rest.to_vec(),
    };
    Ok(Reply { status, body })
}

fn unchunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let broken = || "the answer broke off in a chunk".to_owned();
    let mut body = Vec::new();
    loop {
        let line_end = find(rest, b"\r\n").ok_or_else(broken)?;
        let line = std::str::from_utf8(&rest[..line_end]).map_err(|_| broken())?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| broken())?;
        if size == 0 {
            return Ok(body);
        }
        let from = line_end + 2;
        let to = from.checked_add(size).ok_or_else(broken)?;
        body.extend_from_slice(rest.get(from..to).ok_or_else(broken)?);
        rest = rest.get(to + 2..).ok_or_else(broken)?;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_says_what_is_wrong_with_others() {
        let read = Address::parse("http://127.0.0.1:8081/hooks/ot/engagement").expect("good");
        assert_eq!((read.host.as_str(), read.port), ("127.0.0.1", 8081));
        assert_eq!(read.path, "/hooks/ot/engagement");
        assert_eq!(Address::parse("http://[::1]:9").expect("good").host, "::1");
        assert_eq!(Address::parse("http://host/x").expect("good").port, 80);
        for bad in [
            "https://x/",
            "http://",
            "http://a b/",
            "http://h:port/",
            "http://h/a\r\nX: y",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_lengths_and_chunks_and_notices_what_broke_off() {
        let ok = |raw: &str| parse(raw.as_bytes()).expect("a whole answer");
        assert_eq!(
            ok("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").body,
            b"{}"
        );
        let chunks =
            "HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(
            ok(chunks),
            Reply {
                status: 503,
                body: b"{}".to_vec()
            }
        );
        for broken in [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
            "HTTP/1.1 2",
            "x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{",
        ] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
