//! What a measured message begins with: when it was sent, by whom, and which of that sender's messages it is. Sixteen
//! characters of six bits each, because chat messages must be text, and cheap to read, because it happens per delivery.

/// Bytes of a stamp.
pub(crate) const STAMP_BYTES: usize = 16;

/// The digit for zero; the 64 digits follow each other.
const ZERO: u64 = 0x3030_3030_3030_3030;
const SEQUENCE_BITS: u32 = 30;
const SEQUENCE_MAX: u64 = (1 << SEQUENCE_BITS) - 1;

/// Who said what when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds, 48 bits of them.
    pub(crate) at: u64,
    /// The sender's place in the crowd, 18 bits.
    pub(crate) sender: u32,
    /// Counts the sender's messages from 0, 30 bits.
    pub(crate) sequence: u32,
}

impl Stamp {
    pub(crate) fn encode(self) -> [u8; STAMP_BYTES] {
        let mut text = [0; STAMP_BYTES];
        let (when, who) = text.split_at_mut(8);
        when.copy_from_slice(&digits(self.at));
        who.copy_from_slice(&digits(u64::from(self.sender) << SEQUENCE_BITS | u64::from(self.sequence) & SEQUENCE_MAX));
        text
    }

    /// `None` for anything that is not a stamp.
    #[inline]
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        let at = number(text.get(..8)?)?;
        let who = number(text.get(8..STAMP_BYTES)?)?;
        let sender = u32::try_from(who >> SEQUENCE_BITS).ok()?;
        let sequence = u32::try_from(who & SEQUENCE_MAX).ok()?;
        Some(Self { at, sender, sequence })
    }
}

/// The lowest 48 bits, most significant digit first.
fn digits(number: u64) -> [u8; 8] {
    let mut spread = 0;
    for digit in 0..8 {
        spread |= (number >> (6 * digit) & 0x3f) << (8 * digit);
    }
    (spread + ZERO).to_be_bytes()
}

/// Eight digits at once: neighbours are joined in three steps, as in a fast population count.
#[inline]
fn number(text: &[u8]) -> Option<u64> {
    let spread = u64::from_be_bytes(text.try_into().ok()?).wrapping_sub(ZERO);
    if spread & 0xc0c0_c0c0_c0c0_c0c0 != 0 {
        return None;
    }
    let pairs = spread & 0x003f_003f_003f_003f | (spread & 0x3f00_3f00_3f00_3f00) >> 2;
    let fours = pairs & 0x0000_0fff_0000_0fff | (pairs & 0x0fff_0000_0fff_0000) >> 4;
    Some(fours & 0x00ff_ffff | fours >> 32 << 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_as_it_was() {
        for (at, sender, sequence) in
            [(0, 0, 0), ((1 << 48) - 1, (1 << 18) - 1, (1 << 30) - 1), (1_234_567_890, 17_999, 42)]
        {
            let stamp = Stamp { at, sender, sequence };
            let text = stamp.encode();
            assert!(text.iter().all(u8::is_ascii_graphic), "{text:?}");
            assert_eq!(Stamp::decode(&text), Some(stamp));
        }
    }

    #[test]
    fn other_text_is_no_stamp() {
        for text in ["", "0000000", "000000000000000", "00000000 0000000", "0000000000000\u{e9}0", "0000000~00000000"] {
            assert_eq!(Stamp::decode(text.as_bytes()), None, "{text}");
        }
    }
}
