//! What a person calls an object: a local path or a URL, not a key without its store.

use object_store::ObjectStore;
use object_store::path::Path;

/// The name of an object for messages: `/data/a.parquet`, `s3://bucket/a.parquet`.
///
/// A store knows its own name only as display text, and some only in part; then the key stands
/// alone.
pub fn display_location(store: &dyn ObjectStore, location: &Path) -> String {
    let store = store.to_string();
    let within = |kind: &str| {
        store
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('('))
            .and_then(|rest| rest.strip_suffix(')'))
    };
    if within("LocalFileSystem").is_some() {
        return format!("/{location}");
    }
    if let Some(bucket) = within("AmazonS3") {
        return format!("s3://{bucket}/{location}");
    }
    if let Some(bucket) = within("GoogleCloudStorage") {
        return format!("gs://{bucket}/{location}");
    }
    if let Some(host) = within("Web") {
        return format!("{host}/{location}");
    }
    // The store of one file.
    if let Some(address) = within("WebFile") {
        return address.to_owned();
    }
    if let Some((_, container)) = store
        .strip_prefix("MicrosoftAzure")
        .and_then(|rest| rest.split_once("container: "))
    {
        let container = container.trim_end_matches([' ', '}']);
        return format!("az://{container}/{location}");
    }
    location.to_string()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn local_files_are_paths() {
        let location = Path::from_absolute_path("/tmp/a b%41/ä#.parquet").unwrap();
        assert_eq!(
            display_location(&LocalFileSystem::new(), &location),
            "/tmp/a b%41/ä#.parquet"
        );
    }

    #[test]
    fn buckets_are_urls() {
        let s3 = object_store::aws::AmazonS3Builder::new()
            .with_bucket_name("data")
            .with_region("us-east-1")
            .build()
            .unwrap();
        assert_eq!(
            display_location(&s3, &Path::from("x/y.parquet")),
            "s3://data/x/y.parquet"
        );
        assert_eq!(display_location(&InMemory::new(), &Path::from("y")), "y");
    }
}
