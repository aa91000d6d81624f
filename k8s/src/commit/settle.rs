//! Which fragments of a stage are done, by its manifests alone.

use std::collections::HashMap;

use crate::plan::{Fragment, StageKind};
use crate::task::{Outcome, Part, TaskManifest};

/// The fragments of a stage as the manifests leave them: those that were cut finer have those in their
/// place that they were cut into.
#[derive(Debug, Default)]
pub struct Settled<'a> {
    /// The manifest of each fragment that is done.
    pub done: Vec<&'a TaskManifest>,
    /// The fragments that still have to run.
    pub missing: Vec<Fragment>,
    /// How many were cut finer.
    pub split: usize,
}

impl<'a> Settled<'a> {
    /// The files that were written.
    pub fn parts(&self) -> Vec<&'a Part> {
        let written = self
            .done
            .iter()
            .flat_map(|manifest| match &manifest.outcome {
                Outcome::Written(parts) => parts.as_slice(),
                Outcome::Split(_) => &[],
            });
        written.collect()
    }
}

/// Sorts the fragments of a stage.
pub fn settle<'a>(
    stage: StageKind,
    fragments: &[Fragment],
    manifests: &'a [TaskManifest],
) -> Settled<'a> {
    let by_id: HashMap<&str, &TaskManifest> = manifests
        .iter()
        .filter(|manifest| manifest.stage == stage)
        .map(|manifest| (manifest.fragment.as_str(), manifest))
        .collect();
    let mut settled = Settled::default();
    for fragment in fragments {
        add(&by_id, fragment, &mut settled);
    }
    settled
}

fn add<'a>(
    manifests: &HashMap<&str, &'a TaskManifest>,
    fragment: &Fragment,
    settled: &mut Settled<'a>,
) {
    match manifests.get(fragment.id.as_str()) {
        None => settled.missing.push(fragment.clone()),
        Some(manifest) => match &manifest.outcome {
            Outcome::Written(_) => settled.done.push(manifest),
            Outcome::Split(into) => {
                settled.split += 1;
                // Ids grow with every cut, so that this ends whatever a manifest says.
                let finer = into
                    .iter()
                    .filter(|finer| finer.id.len() > fragment.id.len());
                for finer in finer {
                    add(manifests, finer, settled);
                }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(id: &str) -> Fragment {
        Fragment {
            id: id.into(),
            rows: 1,
            bytes: 1,
            cost: 1.0,
            bounds: None,
            slices: vec![],
        }
    }

    fn manifest(id: &str, outcome: Outcome) -> TaskManifest {
        TaskManifest {
            version: 1,
            job: "j".into(),
            stage: StageKind::Parts,
            fragment: id.into(),
            attempt: "a".into(),
            outcome,
            statistics: None,
            warnings: vec![],
        }
    }

    #[test]
    fn what_was_cut_finer_stands_in_its_place() {
        let fragments = [fragment("0"), fragment("1"), fragment("2")];
        let manifests = [
            manifest("0", Outcome::Written(vec![])),
            manifest("1", Outcome::Split(vec![fragment("1.0"), fragment("1.1")])),
            manifest("1.1", Outcome::Written(vec![])),
            // Of another stage.
            TaskManifest {
                stage: StageKind::States,
                ..manifest("2", Outcome::Written(vec![]))
            },
        ];
        let settled = settle(StageKind::Parts, &fragments, &manifests);
        let missing: Vec<&str> = settled.missing.iter().map(|f| f.id.as_str()).collect();
        assert_eq!(missing, ["1.0", "2"]);
        assert_eq!((settled.done.len(), settled.split), (2, 1));
    }

    #[test]
    fn a_manifest_that_names_itself_ends() {
        let manifests = [manifest("0", Outcome::Split(vec![fragment("0")]))];
        let settled = settle(StageKind::Parts, &[fragment("0")], &manifests);
        assert!(settled.done.is_empty() && settled.missing.is_empty());
    }
}
