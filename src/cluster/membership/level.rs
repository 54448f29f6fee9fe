//! When the feature level rises: once all members can apply a higher one, and have been able to for
//! so long that a return to the old binary is no longer expected (rule 22). Pure.

use crate::state_machine::{FeatureLevel, NodeId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long all members must be able to apply a level before it is in force. Until then the old
/// binary may return.
pub const SETTLED_AFTER: Duration = Duration::from_mins(10);

/// The newest level that each member can apply, voter or not. `None` if it is unknown now.
pub type Levels = BTreeMap<NodeId, Option<FeatureLevel>>;

/// The newest level that all members can apply; `None` if that of one is unknown.
#[must_use]
pub fn common(levels: &Levels) -> Option<FeatureLevel> {
    levels.values().copied().collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// Members that block a level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    pub level: FeatureLevel,
    pub members: Levels,
}

/// The newest level that any member can apply, if all of them can. If it is not above `active`,
/// there is nothing to raise.
///
/// # Errors
/// Some cannot, or it is unknown whether they can.
pub fn reachable(active: FeatureLevel, levels: &Levels) -> Result<FeatureLevel, Short> {
    let level = levels.values().flatten().copied().fold(active, FeatureLevel::max);
    let is_short = |known: &Option<FeatureLevel>| known.is_none_or(|known| known < level);
    let members: Levels =
        levels.iter().filter(|(_, known)| is_short(known)).map(|(n, l)| (*n, *l)).collect();
    // A silent member may be of any build, but nothing is required of it.
    if level == active || members.is_empty() { Ok(level) } else { Err(Short { level, members }) }
}

/// Since when all members can apply a level above the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lasting {
    level: FeatureLevel,
    since: Duration,
}

/// What a leader remembers between two rounds. A new leader starts from zero.
#[derive(Clone, Debug, Default)]
pub struct Settling(Option<Lasting>);

impl Settling {
    /// Evaluates one round at `now`, by a monotonic clock; returns the level to raise to, if it is
    /// time.
    pub fn look(
        &mut self,
        active: FeatureLevel,
        levels: &Levels,
        now: Duration,
    ) -> Option<FeatureLevel> {
        let Some(level) = common(levels).filter(|level| *level > active) else {
            self.0 = None;
            return None;
        };
        let lasting = match self.0 {
            // A member that can apply a level can apply lower ones.
            Some(before) if before.level > active => {
                Lasting { level: before.level.min(level), ..before }
            }
            Some(_) | None => Lasting { level, since: now },
        };
        self.0 = Some(lasting);
        let is_settled = now.saturating_sub(lasting.since) >= SETTLED_AFTER;
        is_settled.then_some(lasting.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVE: FeatureLevel = FeatureLevel(1);
    const START: Duration = Duration::from_secs(77);
    const ALMOST: Duration = Duration::from_millis(10 * 60 * 1000 - 1);

    fn levels<const N: usize>(levels: [Option<u32>; N]) -> Levels {
        (1..).map(NodeId).zip(levels.map(|level| level.map(FeatureLevel))).collect()
    }

    /// The result of the last of some rounds, each at this time after the start.
    fn looks(looks: &[(Duration, Levels)]) -> Option<u32> {
        let mut settling = Settling::default();
        let mut last = None;
        for (after, levels) in looks {
            last = settling.look(ACTIVE, levels, START + *after);
        }
        last.map(|level| level.0)
    }

    const AT_FIRST: Duration = Duration::ZERO;

    #[test]
    fn rule_22_the_level_rises_ten_minutes_after_all_members_have_it() {
        let all = || levels([Some(2), Some(2), Some(2)]);
        assert_eq!(looks(&[(AT_FIRST, all())]), None);
        assert_eq!(looks(&[(AT_FIRST, all()), (ALMOST, all())]), None);
        assert_eq!(looks(&[(AT_FIRST, all()), (SETTLED_AFTER, all())]), Some(2));
    }

    #[test]
    fn rule_22_it_does_not_rise_while_one_member_lacks_it() {
        for short in [Some(1), None] {
            let some = || levels([Some(2), Some(2), short]);
            assert_eq!(looks(&[(AT_FIRST, some()), (SETTLED_AFTER, some())]), None);
        }
        // Nothing to raise, however long it lasts.
        let all = || levels([Some(1), Some(1)]);
        assert_eq!(looks(&[(AT_FIRST, all()), (SETTLED_AFTER, all())]), None);
        assert_eq!(looks(&[(AT_FIRST, levels([])), (SETTLED_AFTER, levels([]))]), None);
    }

    #[test]
    fn rule_22_a_member_that_is_unknown_or_old_for_one_look_starts_the_time_anew() {
        let all = || levels([Some(2), Some(2)]);
        for gap in [levels([Some(2), None]), levels([Some(1), Some(2)])] {
            let before = [(AT_FIRST, all()), (ALMOST, gap)];
            let back = ALMOST + Duration::from_millis(1);
            let rows = [before.to_vec(), vec![(back, all()), (back + ALMOST, all())]].concat();
            assert_eq!(looks(&rows), None);
            let rows = [rows, vec![(back + SETTLED_AFTER, all())]].concat();
            assert_eq!(looks(&rows), Some(2));
        }
    }

    #[test]
    fn rule_22_a_member_that_comes_in_below_the_level_starts_the_time_anew() {
        let (two, three) = (levels([Some(2), Some(2)]), levels([Some(2), Some(2), Some(1)]));
        assert_eq!(looks(&[(AT_FIRST, two), (SETTLED_AFTER, three)]), None);
    }

    #[test]
    fn rule_22_of_two_levels_that_which_all_had_for_the_whole_time_is_taken() {
        let (second, third) = (|| levels([Some(2), Some(3)]), || levels([Some(3), Some(3)]));
        let rose = [(AT_FIRST, second()), (ALMOST, third()), (SETTLED_AFTER, third())];
        assert_eq!(looks(&rose), Some(2));
        let fell = [(AT_FIRST, third()), (ALMOST, second()), (SETTLED_AFTER, third())];
        assert_eq!(looks(&fell), Some(2));
    }

    #[test]
    fn rule_22_after_a_rise_the_next_level_has_its_own_ten_minutes() {
        let mut settling = Settling::default();
        let (low, high) = (levels([Some(2)]), levels([Some(3)]));
        assert_eq!(settling.look(ACTIVE, &low, START), None);
        let then = START + SETTLED_AFTER;
        assert_eq!(settling.look(ACTIVE, &high, then), Some(FeatureLevel(2)));
        // Not confirmed yet: it is requested again.
        assert_eq!(settling.look(ACTIVE, &high, then), Some(FeatureLevel(2)));
        assert_eq!(settling.look(FeatureLevel(2), &high, then), None);
        let later = then + SETTLED_AFTER;
        assert_eq!(settling.look(FeatureLevel(2), &high, later), Some(FeatureLevel(3)));
    }

    #[test]
    fn rule_22_an_order_reaches_the_newest_level_that_all_have_without_a_wait() {
        assert_eq!(reachable(ACTIVE, &levels([Some(3), Some(3)])), Ok(FeatureLevel(3)));
        assert_eq!(reachable(ACTIVE, &levels([Some(1), None])), Ok(ACTIVE));
        assert_eq!(reachable(FeatureLevel(3), &levels([Some(3)])), Ok(FeatureLevel(3)));
    }

    #[test]
    fn rule_22_an_order_is_refused_with_all_members_that_lack_the_level() {
        let short = reachable(ACTIVE, &levels([Some(1), Some(3), None, Some(2)])).unwrap_err();
        let members = [
            (NodeId(1), Some(FeatureLevel(1))),
            (NodeId(3), None),
            (NodeId(4), Some(FeatureLevel(2))),
        ];
        assert_eq!(short, Short { level: FeatureLevel(3), members: members.into() });
    }
}
