//! What is left when the process ends in the middle of writing. In a process of its own, as it removes the
//! unfinished files of all of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use geoflow_engine::{Unfinished, remove_unfinished, unfinished};

#[test]
fn what_is_unfinished_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, gone) = (folder.path().join("kept"), folder.path().join("gone"));
    std::fs::write(&kept, "").unwrap();
    std::fs::create_dir(&gone).unwrap();
    std::fs::write(gone.join("x"), "").unwrap();
    drop(Unfinished::new(&kept, "kept.gpkg"));
    let _unfinished = Unfinished::new(&gone, "gone.gpkg");
    assert_eq!(unfinished(), ["gone.gpkg"]);
    remove_unfinished();
    assert!(kept.exists() && !gone.exists());
    assert!(unfinished().is_empty());

    Unfinished::part(&kept, "kept").keep();
    assert!(kept.exists());
    drop(Unfinished::part(&kept, "kept"));
    assert!(!kept.exists());
}
