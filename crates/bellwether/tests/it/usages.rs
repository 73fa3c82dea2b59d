//! Who uses which asset, through the whole product: said by a webhook, read out of a folder of
//! files, handed in by commands; and a user of another system whom flows find once somebody has
//! said who he is.

#[path = "../../src/scan/tests/files.rs"]
mod files;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use super::bad_input::{hook, signed};
use super::installed::{Installed, person};
use super::support::{APPROVER, Place, binary, until};

const CARLA: &str = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";
const SUN: &str = "9b2d1c55-0000-4c1e-9a55-7d0000000001";
const LOGO: &str = "9b2d1c55-0000-4c1e-9a55-7d0000000002";

/// A flow that tells whoever an event names.
const TELL: &str = "bellwether: 1
flow: tell-the-buyer
about: Whoever bought is told.
when: { event: order.placed, if: order.kind == 'bought' }
steps:
  - push: order.buyer
    title: \"Bought {{ order.number }}\"
    text: \"It is yours.\"
";

async fn installed() -> Installed {
    let people = json!({
        "alice": person("Alice Arnold", APPROVER, Some("device-alice")),
        "carla": person("Carla Maier", "carla@example.com", Some("device-dora")),
    });
    let installed = Installed::with(&people, 60).await;
    installed.write("flows/tell.yaml", TELL);
    installed
}

/// A CloudEvent of the shop.
async fn event(at: &Place, id: &str, kind: &str, data: Value) -> u16 {
    let body =
        json!({ "specversion": "1.0", "id": id, "source": "shop", "type": kind, "data": data });
    let body = body.to_string();
    let mut headers = signed(id, 0, &body);
    headers.push(("content-type", "application/cloudevents+json".to_owned()));
    hook(at, "shop", &headers, &body).await.status
}

/// Runs a command that asks the server.
async fn command(at: &Place, arguments: &[&str]) -> Output {
    let mut run = binary();
    run.args(arguments).env("BELLWETHER_URL", &at.console);
    run.output().await.expect("it runs")
}

async fn asked(at: &Place, arguments: &[&str]) -> Value {
    let output = command(at, &[arguments, &["--json"]].concat()).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_of_another_system_is_listed_proposed_and_found_once_somebody_says_who_he_is() {
    let mut installed = installed().await;
    let server = installed.serve().await;
    let at = installed.at.clone();
    let used = json!({ "asset": SUN, "user": { "id": CARLA, "name": "Carla Maier" },
        "document": "Flyer.indd", "time": "2026-03-01T08:00:00Z" });
    assert_eq!(event(&at, "u-1", "asset.used", used.clone()).await, 202);
    assert_eq!(event(&at, "u-1", "asset.used", used).await, 202);
    let usages = at.api(&format!("/api/usages?asset={SUN}")).await;
    let usage = &usages["items"][0];
    assert_eq!(
        (usages["total"].as_u64(), &usage["person"]),
        (Some(1), &Value::Null)
    );
    assert_eq!(
        (&usage["connection"], &usage["user"]),
        (&json!("shop"), &json!(CARLA))
    );
    assert_eq!(usage["since"], "2026-03-01T08:00:00Z");
    // What is no usage is told where people look.
    assert_eq!(
        event(&at, "u-2", "asset.used", json!({ "asset": SUN })).await,
        202
    );
    until("the letter about it", async || {
        let letters = at.api("/api/dead-letters").await;
        let reason = letters["items"][0]["reason"].as_str()?;
        reason.contains("it names no user").then_some(())
    })
    .await;
    // Nobody is told before somebody has said who it is: a proposal is only shown.
    assert_eq!(asked(&at, &["people", "propose"]).await["proposed"], 1);
    let unresolved = asked(&at, &["people", "unresolved"]).await;
    let carla = &unresolved["items"][0];
    assert_eq!(
        (carla["seen"].as_u64(), &carla["proposed"]["person"]),
        (Some(1), &json!("carla"))
    );
    let bought =
        |number: &str| json!({ "kind": "bought", "number": number, "buyer": { "id": CARLA } });
    assert_eq!(event(&at, "o-1", "order.placed", bought("B-1")).await, 202);
    until("a letter that nobody knows the buyer", async || {
        (at.total("/api/dead-letters").await == 2).then_some(())
    })
    .await;
    assert_eq!(at.phone("dora").await.len(), 0);
    let wrong = command(&at, &["people", "map", "shop", CARLA, "nobody-here"]).await;
    assert!(!wrong.status.success());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("does not know nobody-here"));
    asked(&at, &["people", "map", "shop", CARLA, "carla@example.com"]).await;
    assert_eq!(at.total("/api/unresolved").await, 0);
    assert_eq!(at.total("/api/usages?person=carla").await, 1);
    assert_eq!(event(&at, "o-2", "order.placed", bought("B-2")).await, 202);
    at.push("dora", "Bought B-2").await;
    // It is known after a restart, before anybody asks.
    server.terminate().await;
    let _server = installed.serve().await;
    let at = installed.at.clone();
    assert_eq!(event(&at, "o-3", "order.placed", bought("B-3")).await, 202);
    at.push("dora", "Bought B-3").await;
    let known = asked(&at, &["people", "list", "--person", "carla"]).await;
    assert_eq!(known["items"][0]["mapped_by"], "admin(local)");
}

/// A folder with a file of every kind: two of them use the sun, one the logo.
fn creative_files(folder: &Path) {
    let path = format!("file:/Users/carla/sun%20rise_lpt-{SUN}.jpg");
    let web = format!("https://acme.smint.io/project/{CARLA}/content-element/{LOGO}");
    let sun = files::packet("", &files::ingredient(&path));
    let logo = files::packet("", &files::ingredient(&web));
    let psd = files::psd(&files::resource(1060, b"", sun.as_bytes()));
    let write = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write("Spring/poster.psd", &psd);
    write(
        "Spring/flyer.idml",
        &files::idml(&files::link(&path, ""), &files::packet("", "")),
    );
    write("Spring/flyer.indd", &files::indd(&logo));
    write(
        "brand.pdf",
        &files::pdf(&files::packet("", ""), Some(&logo), true),
    );
    write(
        "mark.ai",
        &files::pdf(
            &files::packet("", &files::ingredient("other.jpg")),
            None,
            true,
        ),
    );
    let drawing = format!("<svg xmlns='http://www.w3.org/2000/svg'><image href='{web}'/></svg>");
    write("map.svg", drawing.as_bytes());
    write("broken.psd", b"8BPS");
    write("plain.eps", b"%!PS-Adobe-3.0 EPSF-3.0");
    write("notes.txt", b"not looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_creative_files_says_which_assets_it_uses() {
    let folder = tempfile::tempdir().unwrap();
    creative_files(folder.path());
    let dir = folder.path().display().to_string();
    let csv = folder.path().join("usages.csv").display().to_string();
    let output = binary()
        .args(["scan-links", &dir, "--json"])
        .output()
        .await
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains("broken.psd: "),
        "{said}"
    );
    assert_eq!(
        (
            found["files"].as_u64(),
            found["unreadable"].as_array().map(Vec::len)
        ),
        (Some(6), Some(1))
    );
    assert_eq!(found["without_metadata"], json!(["plain.eps"]));
    let links = found["links"].as_array().unwrap();
    let mut lines: Vec<String> = links
        .iter()
        .map(|link| {
            let text = |name: &str| link[name].as_str().unwrap_or("-");
            format!(
                "{} {} {} {}",
                text("document"),
                text("asset"),
                text("how"),
                text("basis")
            )
        })
        .collect();
    lines.sort();
    let want = [
        format!("Spring/flyer.idml {SUN} named ours"),
        format!("Spring/flyer.indd {LOGO} linked documented"),
        format!("Spring/poster.psd {SUN} named ours"),
        format!("map.svg {LOGO} linked documented"),
        "mark.ai - linked -".to_owned(),
    ];
    assert_eq!(lines, want);
    let without = binary()
        .args(["scan-links", &dir, "--out", &csv])
        .output()
        .await
        .unwrap();
    assert!(!without.status.success(), "whose they are is not guessed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_creative_files_fills_the_register_and_what_is_gone_ends() {
    let mut installed = installed().await;
    let _server = installed.serve().await;
    let at = installed.at.clone();
    let folder = tempfile::tempdir().unwrap();
    creative_files(folder.path());
    let dir = folder.path().display().to_string();
    let csv = installed.path("usages.csv").display().to_string();
    // As a file for an import, twice: the same usage is the same row.
    let scanned = ["scan-links", &dir, "--person", "carla", "--out", &csv];
    assert!(command_alone(&scanned).await.status.success());
    for _ in 0..2 {
        let imported = asked(&at, &["usages", "import", &csv]).await;
        assert_eq!(
            (
                imported["recorded"].as_u64(),
                imported["unresolved"].as_u64()
            ),
            (Some(4), Some(0))
        );
    }
    let listed = asked(&at, &["usages", "list", "--person", "carla"]).await;
    assert_eq!(listed["total"], 4);
    assert_eq!(at.total(&format!("/api/usages?asset={SUN}")).await, 2);
    // The flyer drops the sun: handed in straight, its usage ends and the others last.
    let empty = files::idml("", &files::packet("", ""));
    std::fs::write(folder.path().join("Spring/flyer.idml"), empty).unwrap();
    let scan = [
        "scan-links",
        &dir,
        "--person",
        "carla",
        "--server",
        &at.console,
    ];
    let output = command_alone(&scan).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(at.total(&format!("/api/usages?asset={SUN}")).await, 1);
    let gone = at.api("/api/usages?ended=true").await;
    assert_eq!(
        (gone["total"].as_u64(), &gone["items"][0]["document"]),
        (Some(1), &json!("Spring/flyer.idml"))
    );
    assert_eq!(at.total("/api/usages?person=carla").await, 3);
    // The old flyer is back, as old as it ever was: it is used again.
    let path = format!("file:/Users/carla/sun_lpt-{SUN}.jpg");
    let flyer = folder.path().join("Spring/flyer.idml");
    std::fs::write(&flyer, files::idml(&files::link(&path, ""), "")).unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let file = std::fs::File::options().write(true).open(&flyer).unwrap();
    file.set_modified(long_ago).unwrap();
    assert!(command_alone(&scan).await.status.success());
    assert_eq!(at.total(&format!("/api/usages?asset={SUN}")).await, 2);
    // A row that is none is told with its line, and stops no other.
    std::fs::write(
        &csv,
        "asset,person,document\n,carla,a\nlogo,eve@agency.example,b\n",
    )
    .unwrap();
    let output = command(&at, &["usages", "import", &csv]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("line 2: it names no asset"),
        "{said}"
    );
    assert_eq!(
        at.total("/api/unresolved").await,
        1,
        "an address that nobody knows is listed"
    );
}

/// Runs a command without the server's address in its environment.
async fn command_alone(arguments: &[&str]) -> Output {
    binary().args(arguments).output().await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_imported_from_csv_all_of_a_piece_or_none() {
    let mut installed = installed().await;
    let _server = installed.serve().await;
    let at = installed.at.clone();
    let csv = installed.path("people.csv").display().to_string();
    std::fs::write(
        &csv,
        format!("uuid,name,person\n{CARLA},Carla M.,carla\nu-2,Eve,eve\n"),
    )
    .unwrap();
    let output = command(&at, &["people", "import", &csv, "--connection", "assets"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("does not know eve"),
        "{said}"
    );
    assert_eq!(at.total("/api/identities").await, 0);
    std::fs::write(
        &csv,
        format!("uuid,name,person\n{CARLA},Carla M.,carla\nu-2,Eve,\n"),
    )
    .unwrap();
    let imported = asked(&at, &["people", "import", &csv, "--connection", "assets"]).await;
    assert_eq!(imported["mapped"], 2);
    assert_eq!(
        at.total("/api/identities?status=resolved&person=carla")
            .await,
        1
    );
    assert_eq!(at.total("/api/unresolved?connection=assets").await, 1);
    // A UUID is the same person at a connection that was not named.
    let used = json!({ "asset": SUN, "user": { "id": CARLA } });
    assert_eq!(event(&at, "u-9", "asset.used", used).await, 202);
    assert_eq!(at.total("/api/usages?person=carla").await, 1);
    assert_eq!(at.total("/api/unresolved").await, 1);
}
