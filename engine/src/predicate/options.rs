//! When geometries are prepared, and how far.

/// When an index that only saves time is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Build {
    /// Once enough pairs have asked for it to pay.
    #[default]
    Auto,
    /// At the first pair.
    Always,
    /// Not at all.
    Never,
}

impl Build {
    /// Whether it is to be built now.
    pub(crate) fn is_due(self, pays: impl FnOnce() -> bool) -> bool {
        match self {
            Self::Auto => pays(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// How a [`PreparedSet`](super::PreparedSet) prepares. The answers do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrepareOptions {
    /// The grid of inside and outside cells of a polygon.
    pub raster: Build,
    /// The edge index.
    pub stripes: Build,
    /// Bytes of prepared forms (see [`PreparedSet::prepared_bytes`](super::PreparedSet::prepared_bytes))
    /// above which nothing more is kept: geometries are then decoded whenever their row changes.
    pub max_bytes: usize,
}

impl Default for PrepareOptions {
    fn default() -> Self {
        Self {
            raster: Build::Auto,
            stripes: Build::Auto,
            max_bytes: usize::MAX,
        }
    }
}
