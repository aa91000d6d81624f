//! A profile, checked, with defaults in place of what was not said.

use geoflow_engine::{Error, Result};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Profile, Span, bytes_of, parse_quantity};

/// Cores of a task.
const CPU: &str = "1";
/// Memory of a task: room for the join of a fragment of the default size.
const MEMORY: u64 = 4 << 30;
/// How much more memory fragments may get that ran out of it, unless the profile says.
const MEMORY_CAP_FACTOR: u64 = 4;
const SPILL: &str = "20Gi";
const PARALLELISM: i32 = 16;
const RETRIES: i32 = 3;
const GRACE_PERIOD: Span = Span { seconds: 30 };
const TTL: Span = Span { seconds: 86_400 };
/// The user of distroless images.
const USER: i64 = 65_532;

/// What the Job of a stage is built from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The profile, checked. Where a field below repeats one of its, that one counts.
    pub profile: Profile,
    /// Image of the tasks.
    pub image: String,
    /// Cores of a task.
    pub cpu: Quantity,
    /// Cores that it may use at most.
    pub cpu_limit: Quantity,
    /// Memory of a task, in bytes.
    pub memory: u64,
    /// The most memory of a fragment that ran out of it, in bytes; not less than `memory`.
    pub memory_cap: u64,
    /// Disk for spilled rows.
    pub spill: Quantity,
    /// Tasks at once.
    pub parallelism: i32,
    /// How often a fragment is tried again.
    pub retries: i32,
    /// How long a task may take to stop.
    pub grace_period: Span,
    /// How long a Job stays once its results are recorded.
    pub ttl: Span,
    /// User and group.
    pub user: i64,
}

impl Settings {
    /// Checks a profile.
    ///
    /// # Errors
    /// No image; a quantity that is none or zero; a cap below the memory; a count out of range; a
    /// credential among the environment variables; an incomplete claim.
    pub fn resolve(profile: Profile) -> Result<Settings> {
        let image = match profile.image.as_deref().map(str::trim) {
            Some(image) if !image.is_empty() && !image.contains(char::is_whitespace) => {
                image.to_string()
            }
            Some(image) => return Err(wrong("image", &format!("\"{image}\" is no image"))),
            None => {
                return Err(wrong(
                    "image",
                    "no image for the tasks: give --image, or image in the [kubernetes] table of geoflow.toml",
                ));
            }
        };
        let cpu = amount("cpu", profile.cpu.as_ref())?.unwrap_or_else(|| Quantity(CPU.into()));
        let cpu_limit =
            amount("cpu-limit", profile.cpu_limit.as_ref())?.unwrap_or_else(|| cpu.clone());
        if parse_quantity(&cpu_limit.0) < parse_quantity(&cpu.0) {
            return Err(wrong("cpu-limit", "it is below cpu"));
        }
        let memory = memory("memory", profile.memory.as_ref())?.unwrap_or(MEMORY);
        let memory_cap = memory_cap(&profile, memory)?;
        let spill = amount("spill", profile.spill.as_ref())?;
        for (name, quantity) in &profile.resources {
            if matches!(name.as_str(), "cpu" | "memory") {
                return Err(wrong("resources", &format!("{name} has a key of its own")));
            }
            amount(&format!("resources.{name}"), Some(quantity))?;
        }
        check_environment(&profile)?;
        check_volumes(&profile)?;
        let count = |key: &str, value: Option<i32>, default: i32, least: i32| match value {
            Some(value) if value < least => Err(wrong(key, &format!("it is at least {least}"))),
            value => Ok(value.unwrap_or(default)),
        };
        if let Some(policy) = &profile.image_pull_policy
            && !["Always", "IfNotPresent", "Never"].contains(&policy.as_str())
        {
            let advice = "it is Always, IfNotPresent or Never";
            return Err(wrong("image-pull-policy", advice));
        }
        if profile.user.is_some_and(|user| user <= 0) {
            return Err(wrong(
                "user",
                "tasks never run as root: give a positive number",
            ));
        }
        count("max-failed", profile.max_failed, 0, 0)?;
        Ok(Settings {
            image,
            cpu,
            cpu_limit,
            memory,
            memory_cap,
            spill: spill.unwrap_or_else(|| Quantity(SPILL.into())),
            parallelism: count("parallelism", profile.parallelism, PARALLELISM, 1)?,
            retries: count("retries", profile.retries, RETRIES, 0)?,
            grace_period: profile.grace_period.unwrap_or(GRACE_PERIOD),
            ttl: profile.ttl.unwrap_or(TTL),
            user: profile.user.unwrap_or(USER),
            profile,
        })
    }
}

fn wrong(key: &str, message: &str) -> Error {
    Error::Statement(format!("[kubernetes] {key}: {message}"))
}

fn amount(key: &str, quantity: Option<&Quantity>) -> Result<Option<Quantity>> {
    match quantity {
        None => Ok(None),
        Some(quantity) if parse_quantity(&quantity.0).is_some_and(|value| value > 0.0) => {
            Ok(Some(quantity.clone()))
        }
        Some(quantity) => Err(wrong(
            key,
            &format!(
                "\"{}\" is no positive quantity: write 500m, 2, 8Gi or the like",
                quantity.0
            ),
        )),
    }
}

fn memory(key: &str, quantity: Option<&Quantity>) -> Result<Option<u64>> {
    /// Below this not even a task without data starts.
    const LEAST: u64 = 64 << 20;
    let bytes = amount(key, quantity)?.as_ref().and_then(bytes_of);
    match bytes {
        Some(bytes) if bytes < LEAST => Err(wrong(
            key,
            &format!(
                "{bytes} bytes are too little, a task needs 64Mi at least: is the unit missing?"
            ),
        )),
        bytes => Ok(bytes),
    }
}

fn memory_cap(profile: &Profile, memory_of_task: u64) -> Result<u64> {
    match memory("memory-cap", profile.memory_cap.as_ref())? {
        Some(cap) if cap < memory_of_task => Err(wrong(
            "memory-cap",
            "it is below memory: fragments start with that already",
        )),
        Some(cap) => Ok(cap),
        None => Ok(memory_of_task.saturating_mul(MEMORY_CAP_FACTOR)),
    }
}

/// Everybody who may read Jobs reads their environment variables.
fn check_environment(profile: &Profile) -> Result<()> {
    for name in profile.env.keys() {
        let upper = name.to_uppercase();
        let secret = [
            "SECRET",
            "PASSWORD",
            "SESSION_TOKEN",
            "ACCESS_KEY",
            "ACCOUNT_KEY",
            "SAS_TOKEN",
        ];
        if secret.iter().any(|word| upper.contains(word)) {
            return Err(wrong(
                "env",
                &format!(
                    "{name} is a credential, and whoever may read the Job would read it: put it into a Secret \
                     (kubectl create secret generic s3-credentials --from-literal={name}=...) and name that in `secrets`"
                ),
            ));
        }
        let valid = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty();
        if !valid {
            return Err(wrong(
                "env",
                &format!("\"{name}\" is no name of a variable"),
            ));
        }
    }
    Ok(())
}

fn check_volumes(profile: &Profile) -> Result<()> {
    let mut paths = std::collections::BTreeSet::new();
    for volume in &profile.volumes {
        if volume.claim.is_empty() {
            return Err(wrong("volumes", "a volume without a claim"));
        }
        if !volume.path.starts_with('/') || volume.path == "/" {
            return Err(wrong(
                "volumes",
                &format!(
                    "claim {} needs an absolute path to be mounted at, not \"{}\"",
                    volume.claim, volume.path
                ),
            ));
        }
        if volume.path.trim_end_matches('/') == "/tmp" || !paths.insert(&volume.path) {
            return Err(wrong(
                "volumes",
                &format!(
                    "{} is taken: mount claim {} elsewhere",
                    volume.path, volume.claim
                ),
            ));
        }
    }
    if profile
        .web_identity
        .as_ref()
        .is_some_and(|identity| identity.role_arn.is_empty())
    {
        return Err(wrong("web-identity", "it needs a role-arn"));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn resolve(toml: &str) -> Result<Settings> {
        let text = format!("[kubernetes]\nimage = \"geoflow:1\"\n{toml}");
        Settings::resolve(Profile::from_toml(&text, "geoflow.toml")?)
    }

    #[test]
    fn defaults_fill_what_was_not_said() {
        let settings = resolve("memory = \"2Gi\"").unwrap();
        assert_eq!(settings.memory, 2 << 30);
        assert_eq!(settings.memory_cap, 8 << 30);
        assert_eq!(settings.cpu_limit, settings.cpu);
    }

    #[test]
    fn what_cannot_work_is_refused_before_anything_starts() {
        let mut answers = format!("{}\n", Settings::resolve(Profile::default()).unwrap_err());
        for toml in [
            "memory = \"8\"",
            "memory = \"8GB\"",
            "memory = \"8Gi\"\nmemory-cap = \"4Gi\"",
            "cpu = \"0\"",
            "cpu = \"2\"\ncpu-limit = \"1\"",
            "parallelism = 0",
            "retries = -1",
            "user = 0",
            "image-pull-policy = \"always\"",
            "env = { AWS_SECRET_ACCESS_KEY = \"x\" }",
            "env = { \"a b\" = \"x\" }",
            "resources = { memory = \"1Gi\" }",
            "volumes = [{ claim = \"data\", path = \"data\" }]",
            "volumes = [{ claim = \"data\", path = \"/tmp\" }]",
            "web-identity = {}",
        ] {
            answers.push_str(&format!("{}\n", resolve(toml).unwrap_err()));
        }
        insta::assert_snapshot!(answers);
    }
}
