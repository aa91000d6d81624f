//! How a task ends, as its exit code.

/// Exit codes of a task. A Job's pod failure policy acts on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskExit {
    /// The fragment's output and manifest are written.
    Done,
    /// The plan cannot be read or is of another version: no task of the job can succeed.
    BadPlan,
    /// The fragment's data are wrong: this task will not succeed, others may.
    BadData,
    /// The environment is wrong for good, such as credentials that are refused.
    BadConfiguration,
    /// Something failed that may not fail again.
    TryAgain,
    /// Memory ran out: the fragment needs more, or must be cut finer.
    OutOfMemory,
}

impl TaskExit {
    /// The code, after BSD's `sysexits.h` where that has one; 137 is what a killed task leaves.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::BadPlan => 64,
            Self::BadData => 65,
            Self::TryAgain => 75,
            Self::BadConfiguration => 78,
            Self::OutOfMemory => 137,
        }
    }

    /// What a code means; `None` for codes that no task returns by itself.
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::Done,
            Self::BadPlan,
            Self::BadData,
            Self::TryAgain,
            Self::BadConfiguration,
            Self::OutOfMemory,
        ]
        .into_iter()
        .find(|exit| exit.code() == code)
    }

    /// Whether the same task may succeed if it is run again unchanged.
    pub fn is_retryable(self) -> bool {
        self == Self::TryAgain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        for code in 0..=u8::MAX {
            if let Some(exit) = TaskExit::from_code(code) {
                assert_eq!(exit.code(), code);
            }
        }
        assert_eq!(TaskExit::from_code(64), Some(TaskExit::BadPlan));
        assert_eq!(TaskExit::from_code(1), None);
        assert!(TaskExit::TryAgain.is_retryable() && !TaskExit::BadData.is_retryable());
    }
}
