//! Saving a flow that open cases are in: steps that would be called otherwise are refused with the
//! line to add, and with that line the cases go on.

use super::installed::Installed;
use super::support::{PATIENCE, binary};

#[tokio::test]
async fn a_flow_that_would_orphan_open_cases_is_refused_with_the_line_to_add() {
    let mut installed = Installed::make().await;
    let server = installed.serve().await;
    let at = installed.at.clone();
    at.order("SF-1", "Open.").await;
    let push = at.push("alice", "Open.").await;
    assert_eq!(server.terminate().await, Some(0));

    let path = installed.path("flows/approval-mail.yaml");
    let text = std::fs::read_to_string(&path).expect("the flow");
    let (without, _) = text.split_once("tests:").expect("its tests");
    let changed = without.replace("- ask: route.approver", "- ask: person('alice')");
    assert_ne!(changed, without);
    installed.write("flows/approval-mail.yaml", &changed);
    let config = installed.path("bellwether.yaml").display().to_string();
    let running = binary().args(["doctor", "--config", &config]).output();
    let ended = tokio::time::timeout(PATIENCE, running).await;
    let output = ended.expect("it ends").expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        "open case names the step `ask-route-approver`, which would be `ask-person-alice` now";
    assert!(said.contains(line), "{said}");
    let asks = changed.lines().position(|line| line.contains("- ask:"));
    let place = format!("approval-mail.yaml:{}:5", asks.expect("the question") + 1);
    assert!(said.contains(&place), "{said}");
    let add = "id: ask-route-approver";
    assert!(
        said.contains(&format!("add this line to the step: {add}")),
        "{said}"
    );

    // The server runs without it: the flow goes on in its earlier version.
    let server = installed.serve().await;
    let flows = installed.at.api("/api/overview").await;
    assert!(flows.is_object(), "{flows}");
    assert_eq!(server.terminate().await, Some(0));

    let kept = changed.replace("    title:", &format!("    {add}\n    title:"));
    installed.write("flows/approval-mail.yaml", &kept);
    let server = installed.serve().await;
    let at = installed.at.clone();
    let said = at.act("alice", &push, "approve").await;
    assert_eq!(said["result"], "decided", "{said}");
    at.answered("SF-1", "Approved by Alice Arnold").await;
    assert_eq!(server.terminate().await, Some(0));
}
