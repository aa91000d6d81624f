//! What is done of a job, from the manifests in its folder.

use std::collections::BTreeMap;

use geoflow_engine::{Error, Result};

use crate::job::JobFolder;
use crate::plan::{Fragment, Stage, StageKind};
use crate::task::{Outcome, TaskManifest};

/// All manifests seen so far. Each is read once, since none ever changes.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    manifests: BTreeMap<String, TaskManifest>,
}

/// Rows and bytes that were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Bytes of Parquet.
    pub bytes: u64,
}

impl Tally {
    /// Reads the manifests that are new.
    ///
    /// # Errors
    /// [`Error::Data`] when one cannot be understood, [`Error::Environment`] when they cannot be read.
    pub async fn refresh(&mut self, folder: &JobFolder) -> Result<()> {
        let manifests = folder.folder().folder("manifests");
        for (name, _) in manifests.list().await? {
            if self.manifests.contains_key(&name) {
                continue;
            }
            let Some(bytes) = manifests.get(&name).await? else {
                continue;
            };
            let manifest: TaskManifest = serde_json::from_slice(&bytes).map_err(|error| {
                let name = manifests.display_object(&name);
                Error::Data(format!("{name} cannot be understood: {error}"))
            })?;
            self.manifests.insert(name, manifest);
        }
        Ok(())
    }

    fn of(&self, kind: StageKind, fragment: &str) -> Option<&TaskManifest> {
        self.manifests
            .get(&format!("{}/{fragment}.json", kind.name()))
    }

    /// The fragments of a stage that count: one that was cut is replaced by what it was cut into.
    pub fn leaves(&self, stage: &Stage) -> Vec<Fragment> {
        let mut leaves = Vec::with_capacity(stage.fragments.len());
        // The last one first, so that they come out in order.
        let mut open: Vec<&Fragment> = stage.fragments.iter().rev().collect();
        while let Some(fragment) = open.pop() {
            match self.of(stage.kind, &fragment.id).map(|m| &m.outcome) {
                Some(Outcome::Split(pieces)) => {
                    // Ids grow with every cut, so that this ends whatever a manifest says.
                    let finer = pieces
                        .iter()
                        .filter(|piece| piece.id.len() > fragment.id.len());
                    open.extend(finer.rev());
                }
                _ => leaves.push(fragment.clone()),
            }
        }
        leaves
    }

    /// Whether a fragment is done.
    pub fn is_done(&self, kind: StageKind, fragment: &str) -> bool {
        self.of(kind, fragment)
            .is_some_and(|manifest| matches!(manifest.outcome, Outcome::Written(_)))
    }

    /// What the fragments of a stage have written.
    pub fn written(&self, kind: StageKind) -> Written {
        let mut written = Written::default();
        for manifest in self.manifests.values().filter(|m| m.stage == kind) {
            if let Outcome::Written(parts) = &manifest.outcome {
                written.rows += parts.iter().map(|part| part.rows).sum::<u64>();
                written.bytes += parts.iter().map(|part| part.bytes).sum::<u64>();
            }
        }
        written
    }
}
