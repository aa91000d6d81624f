//! Finds the cluster: the kubeconfig, or the service account of the pod that this runs in.

use geoflow_engine::{Error, Result};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::config::KubeConfigOptions;
use kube::{Api, Client, Config};

/// A namespace of a cluster, and the right to speak with its API server.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
    /// What a person calls the API server.
    server: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("namespace", &self.namespace)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Reads the configuration; nothing is asked of the cluster yet.
    ///
    /// `context` is one of the kubeconfig's, else its current one; without a kubeconfig the service
    /// account of this pod is used. `namespace` is else that of the context.
    ///
    /// # Errors
    /// [`Error::Environment`] when there is no configuration, or it cannot be used.
    pub async fn connect(context: Option<&str>, namespace: Option<&str>) -> Result<Cluster> {
        let config = match context {
            None => Config::infer()
                .await
                .map_err(|error| no_cluster(&error.to_string())),
            Some(context) => Config::from_kubeconfig(&KubeConfigOptions {
                context: Some(context.to_string()),
                ..KubeConfigOptions::default()
            })
            .await
            .map_err(|error| no_cluster(&format!("context \"{context}\": {error}"))),
        }?;
        let server = config.cluster_url.to_string();
        let namespace = namespace
            .unwrap_or(&config.default_namespace)
            .trim()
            .to_string();
        let client = Client::try_from(config).map_err(|error| no_cluster(&error.to_string()))?;
        Ok(Cluster {
            client,
            namespace,
            server,
        })
    }

    /// A cluster behind a client that exists already.
    pub fn with_client(client: Client, namespace: &str) -> Cluster {
        Cluster {
            client,
            namespace: namespace.to_string(),
            server: "the API server".to_string(),
        }
    }

    /// The namespace that everything here is about.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// What a person calls the API server.
    pub fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn jobs_api(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn pods_api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn events_api(&self) -> Api<Event> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

fn no_cluster(why: &str) -> Error {
    Error::Environment {
        message: format!(
            "no Kubernetes cluster can be found: {why}. Set KUBECONFIG, give --context, or run in a pod with a \
             service account; `kubectl cluster-info` should answer"
        ),
        retryable: false,
    }
}
