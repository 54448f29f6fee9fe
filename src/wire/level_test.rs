//! The fixed meaning of the first feature level: a log of release 0.1.0 leads to the states of
//! release 0.1.0. A half-upgraded cluster applies one log with both builds, and its members stop
//! when their digests differ.

use super::{decode_entry, digest};
use crate::state_machine::{FeatureLevel, StateMachine};

/// Entries, each after its length in four little-endian bytes. See `tests/levels/README.md`.
const LOG: &[u8] = include_bytes!("../../tests/levels/first.log.zst");

/// More than the size of the unpacked log.
const LOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Digests of release 0.1.0, with the number of log entries before each.
const DIGESTS: &[(usize, u128)] = &[
    (1, 0x7080_9544_0246_6fe7_373f_4dc4_247b_3023),
    (10, 0x367f_27fd_6f63_9746_6453_50ed_b8fc_c903),
    (30, 0x0386_ec9b_a59b_6f40_86d5_ed2c_96ee_5472),
    (100, 0xf68a_b1ec_238f_49ec_61fc_77e5_f790_3472),
    (300, 0xaa00_78a1_8049_43ae_7872_6cd2_8a42_40cf),
    (600, 0x57b2_5287_7b47_c70c_ecc0_cb00_5494_d548),
    (1000, 0x387f_45e6_cbec_d936_d299_f2de_dbe9_bdfa),
    (1500, 0x9285_b06e_b090_dd52_cd58_87c7_13ce_b077),
    (2000, 0xbf3c_a3a4_2e2f_93e4_51a8_6018_0ec3_a28c),
    (2500, 0xfd3b_3707_89ad_d9b7_06d8_9fa8_253a_8e0f),
    (3000, 0x9401_d604_2339_0fd6_21b7_b782_2ac9_6824),
    (3500, 0xc811_1fdd_e040_f7d7_bf70_e141_7189_5c28),
    (5466, 0xeb32_1c54_d4c8_6c52_6c36_91a7_6758_03fb),
];

pub(super) fn entries() -> Vec<Vec<u8>> {
    let log = zstd::bulk::decompress(LOG, LOG_BYTES_MAX).unwrap();
    let mut rest = log.as_slice();
    let mut entries = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
        let (entry, after) = after.split_at(length);
        entries.push(entry.to_vec());
        rest = after;
    }
    entries
}

#[test]
fn rule_22_the_first_level_applies_a_log_as_release_0_1_0_did() {
    let entries = entries();
    assert_eq!(DIGESTS.last().map(|(count, _)| *count), Some(entries.len()));
    let mut state = StateMachine::default();
    let mut applied = 0;
    for (count, expected) in DIGESTS {
        for bytes in &entries[applied..*count] {
            state.apply(decode_entry(bytes).unwrap());
        }
        applied = *count;
        assert_eq!(digest(&state), *expected, "after {count} entries");
    }
    assert_eq!(state.feature_level(), FeatureLevel::FIRST);
}

#[test]
fn the_log_of_the_first_level_fills_every_part_of_the_state() {
    let mut state = StateMachine::default();
    let mut empty: Vec<_> =
        super::state::filled(&state).into_iter().map(|(name, _)| name).collect();
    for bytes in entries() {
        state.apply(decode_entry(&bytes).unwrap());
        let full = super::state::filled(&state);
        empty.retain(|name| !full.contains(&(*name, true)));
    }
    assert_eq!(empty, Vec::<&str>::new());
}
