//! Runs the sandbox alone on free ports, for scripts: prints one line of JSON with the addresses of
//! its parts and serves until its standard input closes.

use std::collections::BTreeMap;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the line is this program's answer")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = bellwether_sandbox::Options {
        port: 0,
        ..Default::default()
    };
    let sandbox = bellwether_sandbox::start(options).await?;
    let parts = sandbox
        .addresses()
        .iter()
        .map(|(name, at)| (name, at.to_string()));
    println!(
        "{}",
        serde_json::to_string(&parts.collect::<BTreeMap<_, _>>())?
    );
    let closed = tokio::task::spawn_blocking(|| {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)
    });
    closed.await??;
    sandbox.shutdown().await;
    Ok(())
}
