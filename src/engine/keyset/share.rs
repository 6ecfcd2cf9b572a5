//! Parts of the key space. A set that is too large for memory is processed one part at a time.

use super::Key;
use super::mix::mixed;
use super::mix::spread;

/// A part of the key space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum KeyShare {
    /// All integers of this range, both ends included.
    Between(i64, i64),
    /// Part `number` of `of` equal parts, chosen by the key's mixed bits.
    Part { number: u32, of: u32 },
}

impl KeyShare {
    pub(in crate::engine) const ALL: KeyShare = KeyShare::Part { number: 0, of: 1 };

    #[inline(always)]
    pub(in crate::engine) fn has(self, key: Key) -> bool {
        match (self, key) {
            (KeyShare::Part { of: 1, .. }, _) => true,
            (KeyShare::Between(from, to), Key::Integer(number)) => (from..=to).contains(&number),
            (KeyShare::Between(..), Key::Wide(_)) => false,
            (KeyShare::Part { number, of }, Key::Integer(key)) => part(spread(key), of) == number,
            (KeyShare::Part { number, of }, Key::Wide(key)) => part((mixed(key) >> 64) as u64, of) == number,
            // Keys that no set holds belong to the first share.
            (share, Key::Null | Key::Outside) => share.is_first(),
        }
    }

    pub(in crate::engine) fn is_first(self) -> bool {
        match self {
            KeyShare::Between(from, _) => from == i64::MIN,
            KeyShare::Part { number, .. } => number == 0,
        }
    }
}

fn part(spread: u64, of: u32) -> u32 {
    ((u128::from(spread) * u128::from(of)) >> 64) as u32
}

/// Divides the shares of all parents into rounds. `needs` has the bytes for each parent, and its shares. A round has at most
/// one share of a parent.
pub(in crate::engine) fn shares_of_rounds(
    needs: impl Iterator<Item = (u64, Vec<KeyShare>)>,
    memory: u64,
) -> Vec<Vec<(usize, KeyShare)>> {
    let mut rounds: Vec<Vec<(usize, KeyShare)>> = Vec::new();
    let mut available = 0;
    for (position, (needed, shares)) in needs.enumerate() {
        let each = needed / shares.len() as u64;
        for (number, share) in shares.into_iter().enumerate() {
            if rounds.is_empty() || each > available || number > 0 {
                rounds.push(Vec::new());
                available = memory;
            }
            available = available.saturating_sub(each);
            if let Some(round) = rounds.last_mut() {
                round.push((position, share));
            }
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_belongs_to_exactly_one_share() {
        for number in [i64::MIN, -1, 0, 1, 12_345, i64::MAX] {
            let keys = [Key::Integer(number), Key::Wide(number.cast_unsigned().into()), Key::Outside, Key::Null];
            for key in keys {
                let shares = (0..7).filter(|&part| KeyShare::Part { number: part, of: 7 }.has(key)).count();
                assert_eq!(shares, 1, "{key:?}");
            }
            let ranges = [(i64::MIN, -1), (0, 12_344), (12_345, i64::MAX)];
            for key in [Key::Integer(number), Key::Outside, Key::Null] {
                let shares = ranges.iter().filter(|&&(from, to)| KeyShare::Between(from, to).has(key)).count();
                assert_eq!(shares, 1, "{key:?}");
            }
        }
    }

    #[test]
    fn round_has_one_share_of_a_parent() {
        let parts = |of| (0..of).map(|number| KeyShare::Part { number, of }).collect::<Vec<_>>();
        // Two shares of the second parent have exactly as many bytes as fit.
        let needs = [(10, parts(1)), (101, parts(2)), (20, parts(1))];
        let rounds = shares_of_rounds(needs.into_iter(), 100);
        let share = |number, of| KeyShare::Part { number, of };
        assert_eq!(rounds, [vec![(0, share(0, 1)), (1, share(0, 2))], vec![(1, share(1, 2)), (2, share(0, 1))]]);
        let rounds = shares_of_rounds([(101, parts(2))].into_iter(), 100);
        assert_eq!(rounds, [vec![(0, share(0, 2))], vec![(0, share(1, 2))]]);
    }
}
