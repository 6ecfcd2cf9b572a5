//! Joins the integers of a composite key to one number, which takes less memory than a hash and is counted faster.

use super::value_key::ValueKey;

/// The bounds of the parts of a key.
///
/// An example is the key (order, line) with the orders 1 to 1000 and the lines 1 to 7: the 7000 possible keys become the
/// numbers from 0 to 6999.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Packing {
    /// The least integer of each part, and the number of integers up to its greatest.
    parts: Vec<(i64, u64)>,
    range: u64,
}

impl Packing {
    /// Makes a packing from the least and the greatest integer of each part; `None` if there are too many possible keys.
    pub fn of(bounds: &[(i64, i64)]) -> Option<Packing> {
        let mut packing = Packing { parts: Vec::new(), range: 1 };
        for &(least, greatest) in bounds {
            let number = greatest.abs_diff(least).checked_add(1)?;
            packing.range = packing.range.checked_mul(number).filter(|range| i64::try_from(*range).is_ok())?;
            packing.parts.push((least, number));
        }
        Some(packing)
    }

    /// Returns the number of possible keys.
    pub fn range(&self) -> u64 {
        self.range
    }

    /// Returns the number of a key. Different keys have different numbers. `None` if a part is outside of its bounds, so that no
    /// key of the bounds equals this one.
    #[inline]
    pub fn packed(&self, keys: &[ValueKey]) -> Option<i64> {
        let mut packed = 0;
        for (key, &(least, number)) in keys.iter().zip(&self.parts) {
            let ValueKey::Integer(integer) = *key else { return None };
            let offset = integer.wrapping_sub(least).cast_unsigned();
            if integer < least || offset >= number {
                return None;
            }
            packed = packed * number + offset;
        }
        Some(packed.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(packing: &Packing, numbers: &[i64]) -> Option<i64> {
        let keys: Vec<ValueKey> = numbers.iter().map(|&number| ValueKey::Integer(number)).collect();
        packing.packed(&keys)
    }

    #[test]
    fn each_key_of_the_bounds_has_a_number_of_its_own() {
        let packing = Packing::of(&[(-3, 4), (10, 14), (0, 0)]).unwrap();
        let mut numbers: Vec<i64> = (-3..=4)
            .flat_map(|first| (10..=14).map(move |second| [first, second, 0]))
            .map(|key| packed(&packing, &key).unwrap())
            .collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..40) && packing.range() == 40);
        for outside in
            [[-4, 10, 0], [5, 10, 0], [0, 9, 0], [0, 15, 0], [0, 10, 1], [i64::MIN, 10, 0], [i64::MAX, 10, 0]]
        {
            assert_eq!(packed(&packing, &outside), None, "{outside:?}");
        }
        assert_eq!(packing.packed(&[ValueKey::Integer(0), ValueKey::Hash(10), ValueKey::Integer(0)]), None);
    }

    #[test]
    fn bounds_with_too_many_keys_have_no_packing() {
        assert_eq!(Packing::of(&[(i64::MIN, i64::MAX)]), None);
        assert_eq!(Packing::of(&[(0, 1 << 32), (0, 1 << 32)]), None);
        let widest = Packing::of(&[(i64::MIN, -2), (7, 7)]).unwrap();
        assert_eq!(packed(&widest, &[i64::MIN, 7]), Some(0));
        assert_eq!(packed(&widest, &[-2, 7]), Some(i64::MAX - 1));
        assert_eq!(packed(&widest, &[-1, 7]), None);
    }
}
