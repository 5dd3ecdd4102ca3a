//! Deadlines in, due keys out. The wheel knows no clock, no socket and no connection.
//!
//! One level of 1,024 slots, 64 ms each: one revolution is 65.5 s. A deadline further away is put at the far end and comes
//! up early; whoever asks is told "not yet" and arms it again. So there are no cascades, and arming, disarming and
//! expiring cost O(1). An entry is 12 bytes in a table that is indexed by the caller's slab key: nothing is allocated
//! per deadline. The fixed part is 4 KiB of slots and 128 bytes of occupancy bits, by which the next wake-up is found.

use crate::time::Time;

/// How long one slot is. Deadlines are rounded up to it, so nothing is ever due before its time.
const TICK_MS: u64 = 64;
const TICK_MICROS: u64 = TICK_MS * 1000;
/// A power of two, so that a tick's slot is its low bits.
const SLOTS: u32 = 1024;
const WORD_BITS: u32 = u64::BITS;
const NONE: u32 = u32::MAX;

/// A one-level timer wheel over small integer keys, one deadline per key.
#[derive(Debug)]
pub struct TimerWheel {
    /// The first key of each slot's list.
    heads: Vec<u32>,
    /// One bit per slot: does its list hold anything?
    occupied: Vec<u64>,
    /// By key.
    entries: Vec<Entry>,
    /// Everything up to and including this tick has been handed out.
    expired: u32,
    armed: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The tick at which this key is due, or `NONE` when it is not armed.
    tick: u32,
    previous: u32,
    next: u32,
}

const IDLE: Entry = Entry { tick: NONE, previous: NONE, next: NONE };

impl Default for TimerWheel {
    fn default() -> Self {
        Self::new()
    }
}

impl TimerWheel {
    /// An empty wheel that stands at [`Time::START`].
    pub fn new() -> Self {
        Self {
            heads: vec![NONE; SLOTS as usize],
            occupied: vec![0; (SLOTS / WORD_BITS) as usize],
            entries: Vec::new(),
            expired: 0,
            armed: 0,
        }
    }

    /// How many keys are armed.
    pub fn len(&self) -> usize {
        self.armed
    }

    /// True when nothing is armed, and so nothing will ever be due.
    pub fn is_empty(&self) -> bool {
        self.armed == 0
    }

    /// Makes `key` due at `at`, instead of whenever it was due before. [`Time::NEVER`] disarms.
    pub fn arm(&mut self, key: u32, at: Time) {
        self.disarm(key);
        if at == Time::NEVER {
            return;
        }
        let index = key as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, IDLE);
        }
        let tick = self.tick_for(at);
        let slot = (tick % SLOTS) as usize;
        let Some(head) = self.heads.get_mut(slot) else { return };
        let next = std::mem::replace(head, key);
        if let Some(follower) = self.entries.get_mut(next as usize) {
            follower.previous = key;
        }
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = Entry { tick, previous: NONE, next };
        }
        self.mark(slot, true);
        self.armed += 1;
    }

    /// Takes `key` out; nothing happens if it is not armed.
    pub fn disarm(&mut self, key: u32) {
        let Some(entry) = self.entries.get_mut(key as usize) else { return };
        if entry.tick == NONE {
            return;
        }
        let Entry { tick, previous, next } = std::mem::replace(entry, IDLE);
        if let Some(follower) = self.entries.get_mut(next as usize) {
            follower.previous = previous;
        }
        let slot = (tick % SLOTS) as usize;
        if let Some(leader) = self.entries.get_mut(previous as usize) {
            leader.next = next;
        } else if let Some(head) = self.heads.get_mut(slot) {
            *head = next;
            if next == NONE {
                self.mark(slot, false);
            }
        }
        self.armed -= 1;
    }

    /// When `key` will come up, if it is armed: at its deadline rounded up to a tick, or earlier if that is further
    /// away than one revolution.
    pub fn armed_for(&self, key: u32) -> Option<Time> {
        let entry = self.entries.get(key as usize)?;
        (entry.tick != NONE).then(|| Time::from_micros(u64::from(entry.tick) * TICK_MICROS))
    }

    /// Moves on to `now` and appends the keys that came due to `due`, `most` at the most; the rest comes with the next
    /// call. The keys handed out are no longer armed.
    pub fn expire(&mut self, now: Time, most: usize, due: &mut Vec<u32>) {
        let target = u32::try_from(now.as_micros() / TICK_MICROS).unwrap_or(NONE - 1);
        let end = due.len().saturating_add(most);
        if self.armed == 0 {
            self.expired = self.expired.max(target);
            return;
        }
        // After a pause of more than one revolution every slot is visited once, not once per missed revolution.
        if target.saturating_sub(self.expired) > SLOTS {
            self.expired = target - SLOTS;
        }
        while self.expired < target {
            let tick = self.expired + 1;
            let slot = (tick % SLOTS) as usize;
            while let Some(key) = self.heads.get(slot).copied().filter(|&key| key != NONE) {
                if due.len() >= end {
                    return;
                }
                self.disarm(key);
                due.push(key);
            }
            self.expired = tick;
        }
    }

    /// When [`TimerWheel::expire`] has something to do next, or `None` when nothing is armed: sleep without a timeout.
    pub fn next_wake(&self) -> Option<Time> {
        if self.armed == 0 {
            return None;
        }
        let first = (self.expired + 1) % SLOTS;
        let words = SLOTS / WORD_BITS;
        // One word more than there are: the first word is looked at from its middle, and last up to there.
        for step in 0..=words {
            let word = (first / WORD_BITS + step) % words;
            let mut bits = self.occupied.get(word as usize).copied().unwrap_or(0);
            if step == 0 {
                bits &= u64::MAX << (first % WORD_BITS);
            }
            if bits != 0 {
                let slot = word * WORD_BITS + bits.trailing_zeros();
                let distance = (slot + SLOTS - first) % SLOTS;
                return Some(Time::from_micros(u64::from(self.expired + 1 + distance) * TICK_MICROS));
            }
        }
        None
    }

    /// Walks the whole wheel and says whether every entry sits in the slot that may hold it. For tests and debug builds.
    pub fn is_consistent(&self) -> bool {
        let mut seen = 0;
        for (slot, &head) in self.heads.iter().enumerate() {
            let mut previous = NONE;
            let mut key = head;
            while let Some(entry) = self.entries.get(key as usize) {
                // After a long pause and a small budget there are overdue entries whose slots are still to be visited.
                let in_window = entry.tick <= self.expired + SLOTS;
                if (entry.tick % SLOTS) as usize != slot || entry.previous != previous || !in_window {
                    return false;
                }
                seen += 1;
                previous = key;
                key = entry.next;
            }
            let marked = self.occupied.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1);
            if marked != (head != NONE) {
                return false;
            }
        }
        seen == self.armed
    }

    /// Rounded up, never in the past, never more than a revolution ahead.
    fn tick_for(&self, at: Time) -> u32 {
        let tick = u32::try_from(at.as_micros().saturating_add(TICK_MICROS - 1) / TICK_MICROS).unwrap_or(NONE - 1);
        tick.clamp(self.expired + 1, self.expired + SLOTS)
    }

    fn mark(&mut self, slot: usize, occupied: bool) {
        if let Some(word) = self.occupied.get_mut(slot / 64) {
            let bit = 1 << (slot % 64);
            *word = if occupied { *word | bit } else { *word & !bit };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn expire(wheel: &mut TimerWheel, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(at(now), usize::MAX, &mut due);
        due.sort_unstable();
        due
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut wheel = TimerWheel::new();
        wheel.arm(3, at(1000));
        assert!(expire(&mut wheel, 999).is_empty());
        assert_eq!(expire(&mut wheel, 1000 + TICK_MS), [3]);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_wake(), None);
    }

    #[test]
    fn the_next_wake_up_is_at_the_earliest_deadline() {
        let mut wheel = TimerWheel::new();
        wheel.arm(0, at(5000));
        wheel.arm(1, at(640));
        assert_eq!(wheel.next_wake(), Some(at(640)));
        wheel.disarm(1);
        assert_eq!(wheel.next_wake(), Some(at(5056)));
        assert_eq!(expire(&mut wheel, 5056), [0]);
    }

    #[test]
    fn a_far_deadline_comes_up_early_to_be_asked_again() {
        let mut wheel = TimerWheel::new();
        let day = at(86_400_000);
        wheel.arm(7, day);
        let wake = wheel.next_wake().unwrap();
        assert!(wake <= at(TICK_MS * u64::from(SLOTS)));
        assert_eq!(expire(&mut wheel, wake.as_millis()), [7]);
    }

    #[test]
    fn a_budget_leaves_the_rest_for_the_next_call() {
        let mut wheel = TimerWheel::new();
        for key in 0..10 {
            wheel.arm(key, at(100));
        }
        let mut due = Vec::new();
        wheel.expire(at(1000), 4, &mut due);
        assert_eq!(due.len(), 4);
        assert!(wheel.next_wake().unwrap() <= at(1000), "what is left is due at once");
        wheel.expire(at(1000), 100, &mut due);
        due.sort_unstable();
        assert_eq!(due, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn arming_again_moves_a_deadline_and_never_disarms() {
        let mut wheel = TimerWheel::new();
        wheel.arm(0, at(100));
        wheel.arm(0, at(9000));
        assert_eq!(wheel.len(), 1);
        assert!(expire(&mut wheel, 8000).is_empty());
        assert_eq!(expire(&mut wheel, 9100), [0]);
        wheel.arm(0, Time::NEVER);
        assert!(wheel.is_empty());
    }

    #[test]
    fn after_a_long_pause_a_small_budget_loses_nobody() {
        let mut wheel = TimerWheel::new();
        for key in 0..10 {
            wheel.arm(key, at(1000));
        }
        let mut due = Vec::new();
        wheel.expire(at(600_000), 4, &mut due);
        assert!(wheel.is_consistent());
        wheel.expire(at(600_000), 100, &mut due);
        assert_eq!(due.len(), 10);
    }

    /// The wheel against a sorted map, over seeded random steps that include long pauses.
    #[test]
    fn it_agrees_with_a_model() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut wheel = TimerWheel::new();
            let mut model: BTreeMap<u32, u64> = BTreeMap::new();
            let mut now = 0;
            for _ in 0..2000 {
                let key = random.u32(..50);
                match random.u8(..10) {
                    0..=4 => {
                        let deadline = now + random.u64(..200_000);
                        wheel.arm(key, at(deadline));
                        model.insert(key, deadline);
                    }
                    5..=6 => {
                        wheel.disarm(key);
                        model.remove(&key);
                    }
                    _ => {
                        now += if random.u8(..20) == 0 { random.u64(..300_000) } else { random.u64(..500) };
                        step(&mut wheel, &mut model, now, seed);
                    }
                }
                assert!(wheel.is_consistent(), "seed {seed}");
                assert_eq!(wheel.len(), model.len(), "seed {seed}");
            }
        }
    }

    /// Keys that come up early are armed again, as the engine does it; those that are due leave the model too.
    fn step(wheel: &mut TimerWheel, model: &mut BTreeMap<u32, u64>, now: u64, seed: u64) {
        for key in expire(wheel, now) {
            let deadline = model[&key];
            if deadline <= now {
                model.remove(&key);
            } else {
                wheel.arm(key, at(deadline));
            }
        }
        let overdue = model.values().filter(|&&deadline| deadline + TICK_MS <= now).count();
        assert_eq!(overdue, 0, "seed {seed}: something is overdue by more than a tick");
    }
}
