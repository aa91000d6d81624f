//! geoflow sql
