//! Bijections that distribute keys evenly, so that their first bits tell where they are in a set.

/// Distributes integers evenly over 64 bits. The function is a bijection.
#[inline(always)]
pub(in crate::engine) fn spread(number: i64) -> u64 {
    let mut bits = number.cast_unsigned();
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits = (bits ^ (bits >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ (bits >> 32)
}

/// Returns the number of which [`spread`] made these bits.
pub(in crate::engine) fn gathered(spread: u64) -> i64 {
    // The factor of `spread` times this number is one.
    const INVERSE: u64 = 0xcfee_444d_8b59_a89b;
    let mut bits = spread ^ (spread >> 32);
    bits = bits.wrapping_mul(INVERSE);
    bits = (bits ^ (bits >> 32)).wrapping_mul(INVERSE);
    (bits ^ (bits >> 32)).cast_signed()
}

/// Distributes 128-bit keys evenly. The function is a bijection: each half in turn changes the other.
#[inline(always)]
pub(in crate::engine) fn mixed(key: u128) -> u128 {
    let (mut high, mut low) = ((key >> 64) as u64, key as u64);
    high ^= spread(low.cast_signed());
    low ^= spread(high.wrapping_add(0x9e37_79b9_7f4a_7c15).cast_signed());
    high ^= spread(low.wrapping_add(0x7f4a_7c15_9e37_79b9).cast_signed());
    u128::from(high) << 64 | u128::from(low)
}

/// Returns the key of which [`mixed`] made this one.
pub(in crate::engine) fn unmixed(mixed: u128) -> u128 {
    let (mut high, mut low) = ((mixed >> 64) as u64, mixed as u64);
    high ^= spread(low.wrapping_add(0x7f4a_7c15_9e37_79b9).cast_signed());
    low ^= spread(high.wrapping_add(0x9e37_79b9_7f4a_7c15).cast_signed());
    high ^= spread(low.cast_signed());
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::keyset::joined;

    #[test]
    fn keys_are_recovered_from_their_slots() {
        let numbers = [i64::MIN, -1, 0, 1, 5, 1 << 40, i64::MAX];
        for number in numbers.into_iter().chain((0..1_000).map(|i: i64| i.wrapping_mul(0x0123_4567_89ab_cdef))) {
            assert_eq!(gathered(spread(number)), number);
            assert_eq!(unmixed(mixed(joined(number, !number / 3))), joined(number, !number / 3));
        }
    }
}
