//! geoflow k8s
