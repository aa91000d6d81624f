//! Profiles in the files of the AWS tools: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Keys, web identity, region and endpoint are taken. Profiles that assume other roles, run a program
//! or sign in by SSO need the AWS tools (`aws configure export-credentials --format env`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use geoflow_engine::Error;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::variables::Variables;

/// What a profile says. It holds a secret and therefore has no `Debug`.
#[derive(Default)]
pub(super) struct Profile {
    key_id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    web_identity: Option<String>,
    role: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    /// What it needs the AWS tools for.
    needs: Option<&'static str>,
    found: bool,
}

/// The profile in use: `AWS_PROFILE`, else `default`. `None` where that is not there.
///
/// # Errors
/// [`Error::Environment`] when a profile is asked for that is not there, or that gives no keys though
/// nothing else does.
pub(super) fn profile(variables: &Variables) -> Result<Option<Profile>, Error> {
    let asked = variables.get("AWS_PROFILE");
    let name = asked.unwrap_or("default");
    let file = |variable: &str, default: &str| {
        let path = match variables.get(variable) {
            Some(path) => PathBuf::from(path),
            None => variables.home()?.join(".aws").join(default),
        };
        std::fs::read_to_string(path).ok()
    };
    let config = file("AWS_CONFIG_FILE", "config");
    let keys = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let mut profile = Profile::default();
    if let Some(text) = &config {
        profile.take(text, &format!("profile {name}"));
        profile.take(text, name);
    }
    if let Some(text) = &keys {
        profile.take(text, name);
    }
    let fail = |message: String| {
        Err(Error::Environment {
            message,
            retryable: false,
        })
    };
    if !profile.found {
        let there: BTreeSet<&str> = [&config, &keys]
            .into_iter()
            .flatten()
            .flat_map(|t| names(t))
            .collect();
        return match asked {
            None => Ok(None),
            Some(_) if there.is_empty() => fail(format!(
                "there is no AWS profile \"{name}\": neither ~/.aws/config nor ~/.aws/credentials (or what AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name) has any"
            )),
            Some(_) => fail(format!(
                "there is no AWS profile \"{name}\": there are {}",
                there.into_iter().collect::<Vec<_>>().join(", ")
            )),
        };
    }
    let others = variables.any(&["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"])
        || variables.is_true("AWS_SKIP_SIGNATURE");
    match profile.needs {
        Some(needs) if asked.is_some() && !others && !profile.has_credentials() => fail(format!(
            "the AWS profile \"{name}\" {needs}, which geoflow does not do: run `eval \"$(aws configure export-credentials --profile {name} --format env)\"` and leave the profile out"
        )),
        _ => Ok(Some(profile)),
    }
}

/// The profiles of a file.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let name = line.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
        let name = name.strip_prefix("profile ").unwrap_or(name).trim();
        (!name.starts_with("sso-session ") && !name.starts_with("services ")).then_some(name)
    })
}

impl Profile {
    /// Whether requests can be signed by it.
    pub(super) fn has_credentials(&self) -> bool {
        (self.key_id.is_some() && self.secret.is_some())
            || (self.web_identity.is_some() && self.role.is_some())
    }

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
                self.found |= inside;
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
                continue;
            };
            let slot = match key.trim() {
                "aws_access_key_id" => &mut self.key_id,
                "aws_secret_access_key" => &mut self.secret,
                "aws_session_token" => &mut self.token,
                "web_identity_token_file" => &mut self.web_identity,
                "role_arn" => &mut self.role,
                "region" => &mut self.region,
                "endpoint_url" => &mut self.endpoint,
                "source_profile" | "credential_source" => {
                    self.needs = Some("assumes a role of another profile");
                    continue;
                }
                "sso_session" | "sso_start_url" | "login_session" => {
                    self.needs = Some("signs in by SSO");
                    continue;
                }
                "credential_process" => {
                    self.needs = Some("asks a program for its keys");
                    continue;
                }
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
        let others = variables.any(&["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"]);
        if let (Some(key_id), Some(secret), false) = (self.key_id, self.secret, others) {
            builder = builder
                .with_access_key_id(key_id)
                .with_secret_access_key(secret);
            if let Some(token) = self.token {
                builder = builder.with_token(token);
            }
        } else if let (Some(file), Some(role), false) = (self.web_identity, self.role, others) {
            builder = builder
                .with_config(AmazonS3ConfigKey::WebIdentityTokenFile, file)
                .with_config(AmazonS3ConfigKey::RoleArn, role);
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
        std::fs::write(&config, "[default]\nregion=eu-west-1\n[profile lab]\nregion = eu-north-1\ns3 =\n  endpoint_url = http://nested\nendpoint_url = http://127.0.0.1:8333\n[profile desk]\nsso_session = corp\n[sso-session corp]\nsso_region = x\n[profile pod]\nrole_arn = arn:aws:iam::1:role/r\nweb_identity_token_file = /var/run/token\n").unwrap();
        std::fs::write(&keys, "[default]\naws_access_key_id = A\naws_secret_access_key = B\n# no\n[lab]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n").unwrap();
        let profile = |extra: &[(&str, &str)]| {
            let paths = [
                ("AWS_CONFIG_FILE", config.to_str().unwrap()),
                ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().unwrap()),
            ];
            profile(&Variables::new(
                paths
                    .iter()
                    .chain(extra)
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
            ))
        };
        let default = profile(&[]).unwrap().unwrap();
        assert_eq!(
            (default.key_id.as_deref(), default.region.as_deref()),
            (Some("A"), Some("eu-west-1"))
        );
        let lab = profile(&[("AWS_PROFILE", "lab")]).unwrap().unwrap();
        assert_eq!(
            (lab.secret.as_deref(), lab.token.as_deref()),
            (Some("D"), Some("E"))
        );
        assert_eq!(lab.endpoint.as_deref(), Some("http://127.0.0.1:8333"));
        let pod = profile(&[("AWS_PROFILE", "pod")]).unwrap().unwrap();
        assert!(pod.has_credentials() && pod.key_id.is_none());
        let message = |name: &str| {
            let error = profile(&[("AWS_PROFILE", name)]).err().unwrap();
            error.to_string()
        };
        assert_eq!(
            message("none"),
            "there is no AWS profile \"none\": there are default, desk, lab, pod"
        );
        assert!(
            message("desk").contains("signs in by SSO"),
            "{}",
            message("desk")
        );
        // Keys of variables go first; of the profile its region is left.
        let both = [("AWS_PROFILE", "desk"), ("AWS_ACCESS_KEY_ID", "X")];
        assert!(profile(&both).unwrap().is_some());
    }
}
