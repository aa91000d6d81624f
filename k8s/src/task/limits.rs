//! How much memory and how many cores a process was given, by its control group.

use std::path::{Path, PathBuf};

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Bytes of memory; `None` without a limit.
    pub memory: Option<u64>,
    /// Cores, as a share of time; `None` without a limit.
    pub cores: Option<f64>,
}

/// Limits above this are those of version 1 for "none".
const UNLIMITED: u64 = 1 << 60;

impl Limits {
    /// The limits of this process, of control groups version 2 or 1; none on other systems.
    pub fn of_this_process() -> Self {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::read(Path::new("/sys/fs/cgroup"), &groups)
    }

    /// The limits below `root`, for a process in the `groups` of its `/proc/self/cgroup`. A group may use no
    /// more than those above it, so the least counts.
    fn read(root: &Path, groups: &str) -> Self {
        let mut limits = Self {
            memory: None,
            cores: None,
        };
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) =
                (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if controllers.is_empty() {
                for folder in up(root, path) {
                    limits.least_memory(number(&folder.join("memory.max")));
                    limits.least_cores(cores_v2(&folder.join("cpu.max")));
                }
            }
            for controller in controllers.split(',') {
                for folder in up(&root.join(controller), path) {
                    match controller {
                        "memory" => {
                            limits.least_memory(number(&folder.join("memory.limit_in_bytes")));
                        }
                        "cpu" => limits.least_cores(cores_v1(&folder)),
                        _ => {}
                    }
                }
            }
        }
        limits
    }

    fn least_memory(&mut self, bytes: Option<u64>) {
        let bytes = bytes.filter(|bytes| *bytes < UNLIMITED && *bytes > 0);
        self.memory = match (self.memory, bytes) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    fn least_cores(&mut self, cores: Option<f64>) {
        let cores = cores.filter(|cores| *cores > 0.0);
        self.cores = match (self.cores, cores) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// Threads worth running: no more than cores of the machine, at least one.
    pub fn threads(&self) -> usize {
        let machine = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        match self.cores {
            Some(cores) => (cores.ceil() as usize).clamp(1, machine),
            None => machine,
        }
    }
}

/// A group's folder and those above it. In a container the path may be that outside of it, which is not
/// there; then the root is the container's own.
fn up(root: &Path, path: &str) -> Vec<PathBuf> {
    let full = root.join(path.trim_start_matches('/'));
    full.ancestors()
        .take_while(|folder| folder.starts_with(root))
        .map(Path::to_path_buf)
        .collect()
}

fn number(file: &Path) -> Option<u64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn cores_v2(file: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let mut words = text.split_whitespace();
    let quota: f64 = words.next()?.parse().ok()?;
    let period: f64 = words.next()?.parse().ok()?;
    Some(quota / period)
}

fn cores_v1(folder: &Path) -> Option<f64> {
    let quota: f64 = std::fs::read_to_string(folder.join("cpu.cfs_quota_us"))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let period = number(&folder.join("cpu.cfs_period_us"))? as f64;
    Some(quota / period)
}

/// Bytes of memory that a process has, and the most that it had; `None` where the system does not say.
pub fn process_memory(pid: Option<u32>) -> Option<(u64, u64)> {
    let file = match pid {
        Some(pid) => format!("/proc/{pid}/status"),
        None => "/proc/self/status".into(),
    };
    let status = std::fs::read_to_string(file).ok()?;
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kilobytes * 1024)
    };
    Some((of("VmRSS:")?, of("VmHWM:")?))
}

/// Counts the most memory that this process has had from now on, where the system can.
pub(super) fn forget_peak() {
    // What has run here before keeps its peak otherwise, which is no less true.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn version_2_takes_the_least_on_the_way_up() {
        let dir = tree(&[
            ("pods/a/memory.max", "max\n"),
            ("pods/memory.max", "4294967296\n"),
            ("memory.max", "8589934592\n"),
            ("pods/a/cpu.max", "150000 100000\n"),
            ("pods/cpu.max", "max 100000\n"),
        ]);
        let limits = Limits::read(dir.path(), "0::/pods/a\n");
        assert_eq!(limits.memory, Some(4 << 30));
        assert_eq!(limits.cores, Some(1.5));
        // As a container sees it: its own group is the root.
        let limits = Limits::read(dir.path(), "0::/outside/of/it\n");
        assert_eq!(limits.memory, Some(8 << 30));
    }

    #[test]
    fn version_1_has_a_folder_for_each_controller() {
        let dir = tree(&[
            ("memory/a/memory.limit_in_bytes", "1073741824\n"),
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("cpu/a/cpu.cfs_quota_us", "200000\n"),
            ("cpu/a/cpu.cfs_period_us", "100000\n"),
            ("cpu/cpu.cfs_quota_us", "-1\n"),
            ("cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        let limits = Limits::read(dir.path(), "4:memory:/a\n3:cpu,cpuacct:/a\n");
        assert_eq!(limits.memory, Some(1 << 30));
        assert_eq!(limits.cores, Some(2.0));
    }

    #[test]
    fn without_groups_there_is_no_limit() {
        let dir = tree(&[("memory.max", "max\n")]);
        let limits = Limits::read(dir.path(), "0::/\n");
        assert_eq!((limits.memory, limits.cores), (None, None));
        assert!(limits.threads() >= 1);
        assert!(process_memory(None).is_some_and(|(now, peak)| now > 0 && peak >= now));
    }
}
