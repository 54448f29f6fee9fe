//! Dead letters that left for want of room (rule 14). What is applied is pure and only counts them:
//! each replica tells of them when it looks at the count.

use tracing::error;

/// How many had left at the last look.
#[derive(Debug, Default)]
pub(super) struct DroppedLetters {
    seen: Option<u64>,
}

impl DroppedLetters {
    /// Takes the present count, and tells of those that left since the last look.
    pub fn look(&mut self, dropped: u64) {
        let letters = self.since_last_look(dropped);
        if letters > 0 {
            error!(letters, "the oldest dead letters left at dlq.max_entries, unreplayed");
        }
    }

    /// Those of before the first look were another process's to tell of.
    fn since_last_look(&mut self, dropped: u64) -> u64 {
        let seen = self.seen.replace(dropped).unwrap_or(dropped);
        dropped.saturating_sub(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_14_letters_that_left_are_told_of_once_and_not_again_by_the_next_process() {
        let mut letters = DroppedLetters::default();
        assert_eq!(letters.since_last_look(7), 0);
        assert_eq!(letters.since_last_look(9), 2);
        assert_eq!(letters.since_last_look(9), 0);
        assert_eq!(letters.since_last_look(10), 1);
    }
}
