//! Rule 22: the feature level rises when all members speak it, and never falls.

use super::*;

fn raise(core: &mut Core, level: u32) {
    let answer = core.apply(Command::RaiseLevel { level: FeatureLevel(level) });
    assert_eq!(answer, Applied::Done);
}

#[test]
fn rule_22_a_cluster_starts_at_the_first_level_which_this_build_speaks() {
    let state = StateMachine::default();
    assert_eq!(state.feature_level(), FeatureLevel::FIRST);
    assert!(state.feature_level().is_spoken() && FEATURE_LEVEL.is_spoken());
    assert!(!FeatureLevel(FEATURE_LEVEL.0 + 1).is_spoken() && !FeatureLevel(0).is_spoken());
}

#[test]
fn rule_22_the_level_rises_and_never_falls() {
    let mut core = Core::new();
    raise(&mut core, 3);
    assert_eq!(core.state.feature_level(), FeatureLevel(3));
    for lower in [0, 1, 2] {
        raise(&mut core, lower);
        assert_eq!(core.state.feature_level(), FeatureLevel(3));
    }
}

#[test]
fn rule_17_a_level_raised_twice_changes_nothing() {
    let mut core = Core::new();
    raise(&mut core, 2);
    let before = core.text();
    raise(&mut core, 2);
    assert_eq!(core.text(), before);
}
