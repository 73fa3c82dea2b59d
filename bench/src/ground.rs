//! What every measurement stands on: the binary, and a folder on a disk. What is measured is said
//! by each.

use std::path::PathBuf;

use crate::disk;
use crate::error::Outcome;
use crate::process::Folder;
use crate::server::build;

/// What may be chosen on the command line.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Ground {
    /// The bellwether binary; without it, cargo builds a release.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The folder for data; it must be on a disk. Default: the temporary folder.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Leaves the data and logs for inspection.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Ground {
    /// The binary, built if none was given, and a new folder.
    pub(crate) async fn prepare(&self) -> Outcome<(PathBuf, Folder)> {
        let binary = build::binary(self.binary.clone()).await?;
        let folder = Folder::make(&disk::parent(self.data.clone()), self.keep)?;
        Ok((binary, folder))
    }
}
