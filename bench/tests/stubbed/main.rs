//! The bench against a stub of the server: an honest stub must pass, and each way of cheating must
//! be found. This program is both the test and, started as `NAME serve --config FILE`, the stub.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test without the standard harness"
)]

mod stub;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long the bench may take to end after it was interrupted.
const END_MAX: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|arg| arg == "serve") {
        let name = Path::new(&args[0]).file_name().unwrap().to_str().unwrap();
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(stub::serve(name, Path::new(&args[3])));
        return ExitCode::SUCCESS;
    }
    let filter = args.iter().skip(1).find(|arg| !arg.starts_with('-'));
    let cases: [(&str, Case); 6] = [
        (
            "rates_of_an_honest_server_are_counted_exactly",
            honest_rates,
        ),
        ("an_honest_server_survives_every_kill", honest_kills),
        ("events_in_doubt_may_stay_open", open_doubts),
        ("a_server_that_accepts_before_it_commits_is_found", lossy),
        (
            "a_server_that_forgets_or_doubles_is_found",
            forgetful_and_doubling,
        ),
        ("an_interrupted_bench_leaves_nothing_behind", interrupted),
    ];
    for (name, case) in cases {
        if filter.is_none_or(|filter| name.contains(filter.as_str())) {
            let scene = Scene::new();
            case(&scene);
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

/// One test.
type Case = fn(&Scene);

/// A folder with the stub under its names.
struct Scene(PathBuf);

impl Scene {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stubbed");
        if path.exists() {
            std::fs::remove_dir_all(&path).unwrap();
        }
        std::fs::create_dir_all(&path).unwrap();
        for name in ["honest", "lossy", "forgetful", "doubling"] {
            let own = std::env::current_exe().unwrap();
            std::fs::hard_link(&own, path.join(name))
                .or_else(|_| std::fs::copy(&own, path.join(name)).map(|_| ()))
                .unwrap();
        }
        Self(path)
    }

    /// The bench with the stub `name` in place of the server.
    fn bench(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether-bench"));
        command
            .args(args)
            .arg("--json")
            .arg("--binary")
            .arg(self.0.join(name))
            .arg("--data")
            .arg(&self.0);
        command
    }

    fn report(&self, name: &str, args: &[&str]) -> (bool, Value) {
        let output = self.bench(name, args).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| {
            panic!("no report ({why}); it said:\n{err}");
        });
        (output.status.success(), report)
    }
}

fn honest_rates(scene: &Scene) {
    let (ok, report) = scene.report("honest", &["--pairs", "2", "--seconds", "1"]);
    assert!(ok && report["ok"] == true, "{report:#}");
    let number = |key: &str| {
        report[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} is missing"))
    };
    assert!(
        number("bare_per_s") > 50.0 && number("durable_per_s") > 50.0,
        "{report:#}"
    );
    let ratio = number("durable_per_s") / number("bare_per_s");
    assert!(
        number("ratio") / ratio > 0.3 && number("ratio") / ratio < 3.0,
        "{report:#}"
    );
    for key in [
        "p50_ms",
        "p99_ms",
        "bare_p99_ms",
        "fsync_per_s",
        "idle_rss_mb",
        "loaded_rss_mb",
    ] {
        assert!(number(key) > 0.0, "{key}: {report:#}");
    }
    assert!(number("cold_start_ms") > 0.0 && number("push_bytes") > 100.0);
    assert_eq!(report["errors"], serde_json::json!([]));
    assert_eq!(report["rounds"]["durable"].as_array().unwrap().len(), 2);
}

fn honest_kills(scene: &Scene) {
    let (ok, report) = scene.report("honest", &["kill", "--cycles", "15", "--seed", "3"]);
    assert!(ok && report["ok"] == true, "{report:#}");
    assert_eq!(report["cycles"], 15);
    assert_eq!(report["accepted"], report["recorded"]);
    for key in [
        "lost",
        "doubled_inside",
        "sent_twice_unmarked",
        "unknown",
        "unsettled",
        "ambiguous_unexplained",
    ] {
        assert_eq!(report[key], 0, "{key}: {report:#}");
    }
    for key in ["accepted", "cut_off", "resent", "repeats", "ambiguous"] {
        assert!(report[key].as_u64().unwrap() > 0, "{key}: {report:#}");
    }
    assert_eq!(report["repeats"], report["repeats_recognised"]);
    let most = report["in_flight_per_life_max"].as_u64().unwrap();
    assert!((1..=32).contains(&most), "{report:#}");
}

fn open_doubts(scene: &Scene) {
    let (ok, report) = scene.report("honest", &["kill", "--cycles", "6", "--no-resend"]);
    assert!(ok, "{report:#}");
    assert_eq!(report["resent"], 0);
    assert!(report["in_doubt"].as_u64().unwrap() > 0, "{report:#}");
}

fn lossy(scene: &Scene) {
    let (ok, report) = scene.report("lossy", &["kill", "--cycles", "6"]);
    assert!(!ok && report["ok"] == false, "{report:#}");
    assert!(report["lost"].as_u64().unwrap() > 0, "{report:#}");
}

fn forgetful_and_doubling(scene: &Scene) {
    let (ok, report) = scene.report("forgetful", &["kill", "--cycles", "12"]);
    assert!(
        !ok && report["sent_twice_unmarked"].as_u64().unwrap() > 0,
        "{report:#}"
    );
    let (ok, report) = scene.report("doubling", &["kill", "--cycles", "3"]);
    assert!(
        !ok && report["doubled_inside"].as_u64().unwrap() > 0,
        "{report:#}"
    );
}

fn interrupted(scene: &Scene) {
    let mut bench = scene
        .bench("honest", &["kill", "--cycles", "1000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mark = scene.0.to_str().unwrap();
    let serving = || running(mark, "serve");
    until("the stub is started", || !serving().is_empty());
    interrupt(&bench);
    until("the bench ends", || bench.try_wait().unwrap().is_some());
    until("its children end", || serving().is_empty());
    let mut said = String::new();
    bench
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "");
    assert_eq!(bench.wait().unwrap().code(), Some(2));
    let left: Vec<_> = std::fs::read_dir(&scene.0)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
}

fn until(what: &str, mut come: impl FnMut() -> bool) {
    let began = Instant::now();
    while !come() {
        assert!(began.elapsed() < END_MAX, "waited for nothing: {what}");
        std::thread::yield_now();
    }
}

/// Processes whose command line has both words.
fn running(first: &str, second: &str) -> Vec<PathBuf> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            std::fs::read_to_string(path.join("cmdline"))
                .is_ok_and(|line| line.contains(first) && line.contains(second))
        })
        .collect()
}
