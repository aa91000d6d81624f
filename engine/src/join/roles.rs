//! What a join type asks of the build side and of the probe side.

use datafusion::common::{JoinSide, JoinType};

/// What becomes of the rows of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Rows appear in pairs alone.
    Paired,
    /// Rows appear in pairs, and once padded with NULL where they have no partner.
    Preserved,
    /// Rows with a partner appear, once.
    Semi,
    /// Rows without a partner appear.
    Anti,
    /// Every row appears once, with a flag that says whether it has a partner.
    Mark,
    /// Rows serve as partners and never appear.
    Unseen,
}

impl Role {
    /// Whether it is enough to know that a partner exists.
    pub(super) fn wants_existence(self) -> bool {
        matches!(self, Role::Semi | Role::Anti | Role::Mark)
    }

    /// Whether rows without a partner appear.
    pub(super) fn shows_unmatched(self) -> bool {
        matches!(self, Role::Preserved | Role::Anti | Role::Mark)
    }

    /// Whether it must be recorded which rows have a partner.
    pub(super) fn needs_matches(self) -> bool {
        self == Role::Preserved || self.wants_existence()
    }
}

/// The roles of the two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Roles {
    /// Of the side that is collected and indexed.
    pub build: Role,
    /// Of the side that streams.
    pub probe: Role,
}

impl Roles {
    /// The roles under a join type, if `build_side` is collected.
    pub(super) fn new(join_type: JoinType, build_side: JoinSide) -> Self {
        use Role::{Anti, Mark, Paired, Preserved, Semi, Unseen};
        let (left, right) = match join_type {
            JoinType::Inner => (Paired, Paired),
            JoinType::Left => (Preserved, Paired),
            JoinType::Right => (Paired, Preserved),
            JoinType::Full => (Preserved, Preserved),
            JoinType::LeftSemi => (Semi, Unseen),
            JoinType::LeftAnti => (Anti, Unseen),
            JoinType::LeftMark => (Mark, Unseen),
            JoinType::RightSemi => (Unseen, Semi),
            JoinType::RightAnti => (Unseen, Anti),
            JoinType::RightMark => (Unseen, Mark),
        };
        match build_side {
            JoinSide::Left => Self {
                build: left,
                probe: right,
            },
            _ => Self {
                build: right,
                probe: left,
            },
        }
    }

    /// Whether pairs are put out as they are found.
    pub(super) fn emits_pairs(self) -> bool {
        matches!(self.probe, Role::Paired | Role::Preserved)
    }

    /// Whether a build side without geometries makes the probe side irrelevant.
    pub(super) fn needs_build_rows(self) -> bool {
        !self.probe.shows_unmatched()
    }
}
