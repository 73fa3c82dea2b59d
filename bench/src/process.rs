//! Child processes: started, watched through /proc, and always ended. The bench's own children end
//! by themselves when their standard input closes, so that even a killed bench leaves none behind.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::error::{During, Outcome, fault};

/// How long a process may take to say that it is ready.
pub(crate) const READY_MAX: Duration = Duration::from_secs(15);
/// Linux counts CPU time for user space in hundredths of a second.
const TICK_US: u64 = 10_000;
/// Linux counts resident memory in pages of this size on the machines that we measure on.
const KIB: u64 = 1024;

/// A child that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    pid: u32,
    child: tokio::process::Child,
}

/// What /proc says about a process. Zeros when it is gone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time since it started, in microseconds.
    pub(crate) cpu_us: u64,
    /// Memory now, in bytes.
    pub(crate) rss: u64,
    /// The most memory so far, in bytes.
    pub(crate) rss_peak: u64,
    /// Bytes that it caused to be written to disk.
    pub(crate) written: u64,
}

impl Child {
    /// Starts a command.
    pub(crate) fn start(name: &str, mut command: Command) -> Outcome<Self> {
        command.kill_on_drop(true);
        let child = command
            .spawn()
            .during(&format!("{name} cannot be started ({command:?})"))?;
        let Some(pid) = child.id() else {
            return fault(format!("{name} ended before it began"));
        };
        Ok(Self {
            name: name.to_owned(),
            pid,
            child,
        })
    }

    /// Starts this very program as `role` and waits for the port that it listens on.
    pub(crate) async fn own(role: &str, args: &[String]) -> Outcome<(Self, u16)> {
        let program = std::env::current_exe().during("the bench cannot find itself")?;
        let mut command = Command::new(program);
        command
            .arg(role)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = Self::start(role, command)?;
        let line = child.first_line().await?;
        let port = line
            .trim()
            .parse()
            .during(&format!("{role} said no port"))?;
        Ok((child, port))
    }

    /// The first line that it prints on standard output.
    pub(crate) async fn first_line(&mut self) -> Outcome<String> {
        let Some(stdout) = self.child.stdout.take() else {
            return fault(format!("{} was started without a pipe", self.name));
        };
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = tokio::time::timeout(READY_MAX, reader.read_line(&mut line)).await;
        read.during(&format!("{} said nothing in {READY_MAX:?}", self.name))?
            .during(&format!("{} cannot be read", self.name))?;
        if line.is_empty() {
            return fault(format!("{} ended before it was ready", self.name));
        }
        self.child.stdout = Some(reader.into_inner());
        Ok(line)
    }

    /// Whether it ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        Some(format!("{} ended by itself: {status}", self.name))
    }

    /// SIGKILL, then waits until it is gone.
    pub(crate) async fn kill(mut self) -> Outcome<()> {
        self.child
            .kill()
            .await
            .during(&format!("{} cannot be killed", self.name))
    }

    /// What it used so far.
    pub(crate) fn usage(&self) -> Usage {
        usage(self.pid)
    }
}

/// What the bench itself used so far.
pub(crate) fn own_usage() -> Usage {
    usage(std::process::id())
}

fn usage(pid: u32) -> Usage {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    let stat = read("stat").unwrap_or_default();
    let status = read("status").unwrap_or_default();
    let io = read("io").unwrap_or_default();
    Usage {
        cpu_us: cpu_ticks(&stat) * TICK_US,
        rss: field(&status, "VmRSS:") * KIB,
        rss_peak: field(&status, "VmHWM:") * KIB,
        written: field(&io, "write_bytes:"),
    }
}

/// Fields 14 and 15 of /proc/PID/stat; the name before them may hold spaces and brackets.
fn cpu_ticks(stat: &str) -> u64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let tick = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    tick(11).unwrap_or(0) + tick(12).unwrap_or(0)
}

fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// A child's side: says the port to the parent.
pub(crate) fn announce(port: u16) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{port}")
        .and_then(|()| out.flush())
        .during("the port cannot be told to the bench")
}

/// A child's side: ends when the parent is gone.
pub(crate) async fn parent_gone() {
    let waiting = tokio::task::spawn_blocking(|| {
        let mut nothing = [0; 16];
        while matches!(std::io::stdin().read(&mut nothing), Ok(count) if count > 0) {}
    });
    // Whether the thread ended well or not, nobody can be asked any more.
    drop(waiting.await);
}

/// A folder that is removed with this value, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes a new folder of this process in `parent`.
    pub(crate) fn make(parent: &Path, keep: bool) -> Outcome<Self> {
        let path = parent.join(format!("bellwether-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).during(&format!("{} cannot be made", path.display()))?;
        Ok(Self { path, keep })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left for the operator to find; there is nobody to tell.
        if !self.keep && std::fs::remove_dir_all(&self.path).is_err() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_proc() {
        let stat = "12 (a (b) c) S 1 12 12 0 -1 0 0 0 0 0 30 12 0 0 20 0 9 0 1";
        assert_eq!(cpu_ticks(stat), 42);
        assert_eq!(field("VmHWM:\t  900 kB\nVmRSS:\t  800 kB\n", "VmRSS:"), 800);
        let own = usage(std::process::id());
        assert!(own.rss > 0 && own.rss_peak >= own.rss);
        assert_eq!(usage(u32::MAX).rss, 0);
    }
}
