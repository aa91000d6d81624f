//! Jobs, pods and events of the namespace.

use geoflow_engine::{Error, Result};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Cluster;
use crate::diagnose::{KILLING, POD_DELETED};
use crate::manifest::PLAN_ANNOTATION;

/// Who made a change, in the cluster's managed fields.
const FIELD_MANAGER: &str = "geoflow";
/// Objects of one answer: the API server holds no more in memory for us.
const PAGE: u32 = 500;
/// How often a change that another one came before is tried again.
const CONFLICTS: usize = 5;

/// What came of creating a Job.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is new.
    New(Job),
    /// It is there already, for the same plan: an earlier answer was lost, or another `wait` was
    /// faster.
    Already(Job),
}

impl Cluster {
    /// Creates a Job, once.
    ///
    /// # Errors
    /// [`Error::Statement`] when it is invalid, or another job has its name;
    /// [`Error::Environment`] when the cluster refuses or cannot be reached.
    pub async fn create_job(&self, job: &Job) -> Result<Created> {
        let name = job.metadata.name.clone().unwrap_or_default();
        let doing = format!("create Job {name}");
        match self.jobs_api().create(&parameters(false), job).await {
            Ok(created) => Ok(Created::New(created)),
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let there = self.job(&name).await?;
                if plan_of(&there).is_some() && plan_of(&there) == plan_of(job) {
                    return Ok(Created::Already(there));
                }
                self.explain(&doing, Err(kube::Error::Api(status)))
            }
            Err(error) => self.explain(&doing, Err(error)),
        }
    }

    /// What the cluster would make of a Job, with its defaults and after its admission.
    ///
    /// # Errors
    /// As [`Cluster::create_job`].
    pub async fn dry_run(&self, job: &Job) -> Result<Job> {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let created = self.jobs_api().create(&parameters(true), job).await;
        self.explain(&format!("create Job {name}"), created)
    }

    /// A Job by name.
    ///
    /// # Errors
    /// [`Error::Statement`] when there is none.
    pub async fn job(&self, name: &str) -> Result<Job> {
        let found = self.jobs_api().get(name).await;
        self.explain(&format!("get Job {name}"), found)
    }

    /// The Jobs with these labels.
    ///
    /// # Errors
    /// [`Error::Environment`] when the cluster refuses or cannot be reached.
    pub async fn jobs(&self, selector: &str) -> Result<Vec<Job>> {
        let listed = list_all(&self.jobs_api(), ListParams::default().labels(selector)).await;
        Ok(self.explain("list Jobs", listed)?.0)
    }

    /// The pods with these labels.
    ///
    /// # Errors
    /// As [`Cluster::jobs`].
    pub async fn pods(&self, selector: &str) -> Result<Vec<Pod>> {
        let listed = list_all(&self.pods_api(), ListParams::default().labels(selector)).await;
        Ok(self.explain("list pods", listed)?.0)
    }

    /// The warnings about objects whose names begin with that of a Job: the Job and its pods.
    ///
    /// # Errors
    /// As [`Cluster::jobs`].
    pub async fn warnings(&self, job: &str) -> Result<Vec<Event>> {
        self.events(job, "type=Warning").await
    }

    /// The warnings, and what tells of pods that were stopped and are there no more.
    ///
    /// # Errors
    /// As [`Cluster::jobs`].
    pub async fn warnings_and_ends(&self, job: &str) -> Result<Vec<Event>> {
        let mut events = self.warnings(job).await?;
        // Of the many events of pods that go well only these.
        for reason in [KILLING, POD_DELETED] {
            let of_reason = |event: &Event| event.reason.as_deref() == Some(reason);
            let found = self.events(job, &format!("reason={reason}")).await?;
            events.extend(found.into_iter().filter(of_reason));
        }
        Ok(events)
    }

    /// The events with these fields about a Job and its pods.
    async fn events(&self, job: &str, fields: &str) -> Result<Vec<Event>> {
        let parameters = ListParams::default().fields(fields);
        let listed = list_all(&self.events_api(), parameters).await;
        let (events, _) = self.explain("list events", listed)?;
        let ours = |event: &Event| {
            let name = event.involved_object.name.as_deref().unwrap_or_default();
            let rest = name.strip_prefix(job);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        Ok(events.into_iter().filter(ours).collect())
    }

    /// Suspends a Job, which stops its pods, or lets it go on.
    ///
    /// # Errors
    /// As [`Cluster::job`].
    pub async fn suspend(&self, name: &str, suspend: bool) -> Result<Job> {
        let change = json!({"spec": {"suspend": suspend}});
        let doing = if suspend { "suspend" } else { "resume" };
        self.change(name, &change, &format!("{doing} Job {name}"))
            .await
    }

    /// Lets the cluster delete a Job some time after it is finished.
    ///
    /// # Errors
    /// As [`Cluster::job`].
    pub async fn set_ttl(&self, name: &str, seconds: i64) -> Result<Job> {
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let change = json!({"spec": {"ttlSecondsAfterFinished": seconds}});
        self.change(
            name,
            &change,
            &format!("set the time to live of Job {name}"),
        )
        .await
    }

    async fn change(&self, name: &str, change: &serde_json::Value, doing: &str) -> Result<Job> {
        let parameters = PatchParams::apply(FIELD_MANAGER);
        let patch = Patch::Merge(change);
        for _ in 0..CONFLICTS {
            match self.jobs_api().patch(name, &parameters, &patch).await {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                answer => return self.explain(doing, answer),
            }
        }
        Err(Error::Environment {
            message: format!("cannot {doing}: somebody else changes it all the time"),
            retryable: true,
        })
    }
}

fn parameters(dry_run: bool) -> PostParams {
    PostParams {
        dry_run,
        field_manager: Some(FIELD_MANAGER.to_string()),
    }
}

fn plan_of(job: &Job) -> Option<&String> {
    job.metadata.annotations.as_ref()?.get(PLAN_ANNOTATION)
}

/// All pages, without what nobody reads, and the version that a watch goes on from.
pub(super) async fn list_all<K>(
    api: &Api<K>,
    mut parameters: ListParams,
) -> kube::Result<(Vec<K>, String)>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    parameters.limit = Some(PAGE);
    let mut all = Vec::new();
    loop {
        let page = api.list(&parameters).await?;
        all.extend(page.items.into_iter().map(|mut object| {
            object.meta_mut().managed_fields = None;
            object
        }));
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => parameters.continue_token = Some(token),
            _ => return Ok((all, page.metadata.resource_version.unwrap_or_default())),
        }
    }
}
