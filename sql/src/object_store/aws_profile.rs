//! Keys from the files of the AWS tools: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Only what stands there in plain: profiles that assume roles or sign in by SSO need the AWS
//! tools (`aws configure export-credentials --format env`).

use std::path::PathBuf;

use object_store::aws::AmazonS3Builder;

use super::variables::Variables;

/// What a profile says. It holds a secret and therefore has no `Debug`.
#[derive(Default)]
pub(super) struct Profile {
    key_id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
}

/// The keys of the profile in use (`AWS_PROFILE`, else `default`); `None` when variables give keys
/// or the files do not.
pub(super) fn credentials(variables: &Variables) -> Option<Profile> {
    if variables.any(&["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"])
        || variables.is_true("AWS_SKIP_SIGNATURE")
    {
        return None;
    }
    let name = variables.get("AWS_PROFILE").unwrap_or("default");
    let file = |variable: &str, default: &str| {
        let path = match variables.get(variable) {
            Some(path) => PathBuf::from(path),
            None => variables.home()?.join(".aws").join(default),
        };
        std::fs::read_to_string(path).ok()
    };
    let mut profile = Profile::default();
    if let Some(text) = file("AWS_CONFIG_FILE", "config") {
        profile.take(&text, &format!("profile {name}"));
        profile.take(&text, name);
    }
    if let Some(text) = file("AWS_SHARED_CREDENTIALS_FILE", "credentials") {
        profile.take(&text, name);
    }
    (profile.key_id.is_some() && profile.secret.is_some()).then_some(profile)
}

impl Profile {
    fn take(&mut self, text: &str, section: &str) {
        let mut inside = false;
        for line in text.lines() {
            // Indented lines belong to nested settings.
            if line.starts_with([' ', '\t', '#', ';']) {
                continue;
            }
            if let Some(header) = line
                .trim()
                .strip_prefix('[')
                .and_then(|l| l.strip_suffix(']'))
            {
                inside = header.trim() == section;
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
                continue;
            };
            let slot = match key.trim() {
                "aws_access_key_id" => &mut self.key_id,
                "aws_secret_access_key" => &mut self.secret,
                "aws_session_token" => &mut self.token,
                "region" => &mut self.region,
                "endpoint_url" => &mut self.endpoint,
                _ => continue,
            };
            *slot = Some(value.trim().to_owned());
        }
    }

    /// Gives the builder what the variables do not.
    pub(super) fn apply(
        self,
        mut builder: AmazonS3Builder,
        variables: &Variables,
    ) -> AmazonS3Builder {
        if let (Some(key_id), Some(secret)) = (self.key_id, self.secret) {
            builder = builder
                .with_access_key_id(key_id)
                .with_secret_access_key(secret);
        }
        if let Some(token) = self.token {
            builder = builder.with_token(token);
        }
        if let Some(region) = self.region
            && !variables.any(&["AWS_REGION", "AWS_DEFAULT_REGION"])
        {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = self.endpoint
            && !variables.any(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
        {
            builder = builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(endpoint);
        }
        builder
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn profiles_of_both_files() {
        let dir = tempfile::TempDir::new().unwrap();
        let (config, keys) = (dir.path().join("config"), dir.path().join("credentials"));
        std::fs::write(&config, "[default]\nregion=eu-west-1\n[profile lab]\nregion = eu-north-1\ns3 =\n  endpoint_url = http://nested\nendpoint_url = http://127.0.0.1:8333\n").unwrap();
        std::fs::write(&keys, "[default]\naws_access_key_id = A\naws_secret_access_key = B\n# no\n[lab]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n").unwrap();
        let profile = |extra: &[(&str, &str)]| {
            let paths = [
                ("AWS_CONFIG_FILE", config.to_str().unwrap()),
                ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap()),
            ];
            credentials(&Variables::new(
                paths
                    .iter()
                    .chain(extra)
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
            ))
        };
        let default = profile(&[]).unwrap();
        assert_eq!(
            (default.key_id.as_deref(), default.region.as_deref()),
            (Some("A"), Some("eu-west-1"))
        );
        let lab = profile(&[("AWS_PROFILE", "lab")]).unwrap();
        assert_eq!(
            (lab.secret.as_deref(), lab.token.as_deref()),
            (Some("D"), Some("E"))
        );
        assert_eq!(lab.endpoint.as_deref(), Some("http://127.0.0.1:8333"));
        assert!(profile(&[("AWS_PROFILE", "none")]).is_none());
        assert!(profile(&[("AWS_ACCESS_KEY_ID", "X")]).is_none());
    }
}
