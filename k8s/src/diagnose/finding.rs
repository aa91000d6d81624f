//! One thing that is wrong.

use std::fmt::Write;

use serde::Serialize;

/// How bad it is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It does not get better by itself.
    Failed,
    /// Nothing runs until something outside changes.
    Waiting,
    /// The cluster tries again by itself.
    TriedAgain,
    /// It happened, and a later attempt succeeded.
    Overcome,
    /// Nothing failed, and yet it may not be what was meant.
    Noted,
}

/// What it comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A task needed more memory than it has.
    OutOfMemory,
    /// The data of a fragment are wrong.
    BadData,
    /// A file is another than when the job was planned.
    InputChanged,
    /// Two coordinate reference systems meet.
    CrsMismatch,
    /// The plan cannot be read, or is of another version.
    BadPlan,
    /// Object storage refuses the credentials, or there are none.
    BadCredentials,
    /// The environment of the tasks is wrong.
    BadConfiguration,
    /// A task ended as no task should.
    TaskFailed,
    /// The container could not be started.
    BadCommand,
    /// The image cannot be pulled.
    ImagePull,
    /// The image would run as root.
    RootImage,
    /// A Secret or ConfigMap is missing.
    MissingSecret,
    /// A volume cannot be mounted.
    Volume,
    /// No node has the cores.
    NoCpu,
    /// No node has the memory.
    NoMemory,
    /// No node has the device.
    NoDevice,
    /// No node may be used, by selectors, affinity or taints.
    NoNode,
    /// A claim does not exist.
    MissingClaim,
    /// A claim has no volume.
    UnboundClaim,
    /// More was spilled than the volume holds.
    SpillFull,
    /// A node ran short of something.
    NodePressure,
    /// A pod was evicted.
    Evicted,
    /// A pod had to make room for others.
    Preempted,
    /// The Job ran for too long.
    Deadline,
    /// Too many fragments failed.
    TooManyFailures,
    /// A quota of the namespace is used up.
    Quota,
    /// The namespace's Pod Security refuses the pods.
    PodSecurity,
    /// The cluster refuses the pods for another reason.
    PodsRefused,
    /// The Job is suspended.
    Suspended,
    /// The result has no rows.
    EmptyResult,
    /// Something that is not known here.
    Unknown,
}

impl Cause {
    /// In words, for a heading.
    pub fn title(self) -> &'static str {
        match self {
            Cause::OutOfMemory => "out of memory",
            Cause::BadData => "bad data",
            Cause::InputChanged => "an input has changed",
            Cause::CrsMismatch => "different coordinate reference systems",
            Cause::BadPlan => "the plan cannot be run",
            Cause::BadCredentials => "bad credentials",
            Cause::BadConfiguration => "bad configuration",
            Cause::TaskFailed => "a task failed",
            Cause::BadCommand => "the container cannot start",
            Cause::ImagePull => "the image cannot be pulled",
            Cause::RootImage => "the image runs as root",
            Cause::MissingSecret => "a Secret or ConfigMap is missing",
            Cause::Volume => "a volume cannot be mounted",
            Cause::NoCpu => "not enough cores",
            Cause::NoMemory => "not enough memory",
            Cause::NoDevice => "no such device free",
            Cause::NoNode => "no node fits",
            Cause::MissingClaim => "a PersistentVolumeClaim is missing",
            Cause::UnboundClaim => "a PersistentVolumeClaim has no volume",
            Cause::SpillFull => "the spill volume is full",
            Cause::NodePressure => "a node ran short",
            Cause::Evicted => "evicted",
            Cause::Preempted => "preempted",
            Cause::Deadline => "deadline exceeded",
            Cause::TooManyFailures => "too many failures",
            Cause::Quota => "quota used up",
            Cause::PodSecurity => "refused by Pod Security",
            Cause::PodsRefused => "pods are refused",
            Cause::Suspended => "suspended",
            Cause::EmptyResult => "the result is empty",
            Cause::Unknown => "unknown",
        }
    }
}

/// One thing that is wrong, with all fragments that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it comes down to.
    pub cause: Cause,
    /// The fragments it concerns; none when it concerns all.
    pub fragments: Vec<String>,
    /// Why, in a sentence or two.
    pub explanation: String,
    /// What to do.
    pub remedy: String,
    /// Where it was seen: an object, and what the cluster says of it.
    pub evidence: Vec<String>,
    /// How often it was seen beyond that.
    pub more_evidence: usize,
}

/// What one object shows.
#[derive(Debug, Clone)]
pub(super) struct Symptom {
    pub(super) severity: Severity,
    pub(super) cause: Cause,
    pub(super) fragments: Vec<String>,
    /// The same for all objects with the same cause.
    pub(super) explanation: String,
    pub(super) remedy: String,
    pub(super) evidence: String,
}

impl Symptom {
    pub(super) fn new(
        severity: Severity,
        cause: Cause,
        explanation: impl Into<String>,
        remedy: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Symptom {
            severity,
            cause,
            fragments: Vec::new(),
            explanation: explanation.into(),
            remedy: remedy.into(),
            evidence: evidence.into(),
        }
    }
}

/// The findings as a person reads them.
pub fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let state = match finding.severity {
            Severity::Failed => "failed",
            Severity::Waiting => "waiting",
            Severity::TriedAgain => "tried again",
            Severity::Overcome => "overcome",
            Severity::Noted => "note",
        };
        let _ = write!(text, "{state}: {}", finding.cause.title());
        if !finding.fragments.is_empty() {
            let _ = write!(text, " ({})", fragments(&finding.fragments));
        }
        text.push('\n');
        let mut line = |name: &str, value: &str| {
            let value = value.trim_end().replace('\n', "\n          ");
            let _ = writeln!(text, "  {name:<7} {value}");
        };
        line("why", &finding.explanation);
        line("do", &finding.remedy);
        for evidence in &finding.evidence {
            line("seen", evidence);
        }
        if finding.more_evidence > 0 {
            line("", &format!("and {} more", finding.more_evidence));
        }
    }
    text
}

fn fragments(ids: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = ids.iter().take(SHOWN).map(String::as_str).collect();
    let what = if ids.len() == 1 {
        "fragment"
    } else {
        "fragments"
    };
    match ids.len().saturating_sub(SHOWN) {
        0 => format!("{what} {}", shown.join(", ")),
        more => format!("{what} {} and {more} more", shown.join(", ")),
    }
}
