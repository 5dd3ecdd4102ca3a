//! Those in a room who read the same encoding: a shared log, the members, and the pass that brings everybody up to date.
//!
//! A pass visits every member once. It may be cut into slices over many turns, while members come and go: who comes is
//! put at the end, and who leaves is replaced in a way that keeps the visited ones in front, so that nobody is skipped.

use super::Encoding;
use super::log::{Log, Retention};
use crate::time::Time;

/// The readers of one encoding in one room.
#[derive(Debug)]
pub struct Audience {
    /// The room's key.
    pub room: u32,
    /// What they read.
    pub encoding: Encoding,
    /// What was said.
    pub log: Log,
    /// How many members have not been sent everything yet.
    pub behind: usize,
    /// How many members get what is said: those who listen and are not on their way out.
    pub hearing: usize,
    /// It is on the list of audiences with a pass under way.
    pub queued: bool,
    /// Slab indices of the members' connections, those on their way out included until their last byte is sent.
    members: Vec<u32>,
    pass: Option<Pass>,
    /// When the oldest message was said for which no round has begun; never if there is none.
    unheard_since: Time,
}

/// One round through the members.
#[derive(Debug, Clone, Copy)]
struct Pass {
    /// The next member to visit.
    position: usize,
    /// The end of the log when the round began: everybody is brought at least to here.
    target: u64,
    /// The smallest cursor of those who were visited.
    lowest: u64,
    /// When the oldest message was said that this round brings to everybody; never if there is none.
    since: Time,
}

/// A member's new place, because somebody else left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The member's slab index.
    pub member: u32,
    /// Its new place in the list.
    pub to: u32,
}

impl Audience {
    /// Nobody, in a room in which `number` messages were said before.
    pub fn new(room: u32, encoding: Encoding, number: u64) -> Self {
        Self {
            room,
            encoding,
            log: Log::beginning_after(number),
            hearing: 0,
            behind: 0,
            queued: false,
            members: Vec::new(),
            pass: None,
            unheard_since: Time::NEVER,
        }
    }

    /// Slab indices of all members.
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// Adds a member and returns its place. A pass under way will still come to it.
    pub fn join(&mut self, member: u32) -> u32 {
        self.members.push(member);
        u32::try_from(self.members.len() - 1).unwrap_or(u32::MAX)
    }

    /// Removes the member at `place`, in O(1), and returns who changed places because of that (at most two).
    pub fn leave(&mut self, place: u32) -> [Option<Moved>; 2] {
        let place = place as usize;
        let visited = self.pass.map_or(0, |pass| pass.position);
        if place >= visited {
            self.members.swap_remove(place);
            return [self.moved(place), None];
        }
        // The gap is moved to the end of the visited part first, so that the last member, who was not visited yet,
        // comes to stand where the pass goes on.
        let gap = visited - 1;
        self.members.swap(place, gap);
        self.members.swap_remove(gap);
        if let Some(pass) = &mut self.pass {
            pass.position = gap;
        }
        let first = if place == gap { None } else { self.moved(place) };
        [first, self.moved(gap)]
    }

    fn moved(&self, place: usize) -> Option<Moved> {
        let member = self.members.get(place).copied()?;
        Some(Moved { member, to: u32::try_from(place).unwrap_or(u32::MAX) })
    }

    /// Starts a round if none is under way.
    pub fn begin_pass(&mut self) {
        if self.pass.is_none() {
            let since = std::mem::replace(&mut self.unheard_since, Time::NEVER);
            self.pass = Some(Pass { position: 0, target: self.log.end(), lowest: self.log.end(), since });
        }
    }

    /// Takes note that something was said.
    pub fn note_said(&mut self, now: Time) {
        self.unheard_since = self.unheard_since.min(now);
    }

    /// If the round under way has come to everybody: when the oldest message was said that it brought.
    pub fn came_through(&self) -> Option<Time> {
        let pass = self.pass.filter(|pass| pass.position >= self.members.len())?;
        (pass.since != Time::NEVER).then_some(pass.since)
    }

    /// Moves the round on by up to `most` members and returns the part of the list that is to be visited now.
    pub fn advance_pass(&mut self, most: usize) -> std::ops::Range<usize> {
        let Some(pass) = &mut self.pass else { return 0..0 };
        let from = pass.position;
        let to = self.members.len().min(from.saturating_add(most));
        pass.position = to;
        from..to
    }

    /// Takes note of where a member is after its visit, or where it got to since.
    pub fn note_cursor(&mut self, cursor: u64) {
        if let Some(pass) = &mut self.pass {
            pass.lowest = pass.lowest.min(cursor);
        }
    }

    /// To be called, for an audience that is queued, when the writes of the last slice are done. Ends the round if it has come
    /// through, and forgets what everybody has and the history does not keep. True if another round is needed because more
    /// was said meanwhile.
    pub fn settle_pass(&mut self, retention: Retention, now: Time) -> bool {
        // A round that is still to begin, or has not come through, is still needed.
        let Some(pass) = self.pass.filter(|pass| pass.position >= self.members.len()) else { return true };
        self.pass = None;
        if self.log.end() > pass.target {
            self.log.trim(pass.lowest.min(self.log.kept_from(retention, now)));
            return true;
        }
        self.trim_to(pass.lowest, retention, now);
        false
    }

    /// To be called when a member that was behind has caught up or left: nobody may need the log any more. While a pass
    /// is under way or due, its end does this, because not everybody was looked at.
    pub fn release_log(&mut self, retention: Retention, now: Time) {
        if self.pass.is_none() && !self.queued {
            self.trim_to(self.log.start(), retention, now);
        }
    }

    fn trim_to(&mut self, lowest: u64, retention: Retention, now: Time) {
        let position = if self.behind == 0 { self.log.end() } else { lowest };
        self.log.trim(position.min(self.log.kept_from(retention, now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::Message;
    use std::collections::BTreeSet;

    fn audience() -> Audience {
        Audience::new(0, Encoding(0), 0)
    }

    /// The rules of the list: who is told a new place really stands there.
    fn leave(room: &mut Audience, member: u32) {
        let place = room.members().iter().position(|&other| other == member).unwrap();
        for moved in room.leave(u32::try_from(place).unwrap()).into_iter().flatten() {
            assert_eq!(room.members()[moved.to as usize], moved.member);
        }
    }

    #[test]
    fn nobody_who_stays_is_skipped_when_others_leave_during_a_pass() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut room = audience();
            let mut present: BTreeSet<u32> = (0..random.u32(1..30)).collect();
            for &member in &present {
                room.join(member);
            }
            let mut next = 100;
            let mut missing = present.clone();
            room.log.append(Message::Text("hi"), 0, 0, Time::START);
            room.begin_pass();
            while room.pass.is_some() {
                for place in room.advance_pass(random.usize(1..4)) {
                    missing.remove(&room.members()[place]);
                }
                match random.u8(..3) {
                    0 => {
                        room.join(next);
                        present.insert(next);
                        next += 1;
                    }
                    1 if !present.is_empty() => {
                        let leaver = *present.iter().nth(random.usize(..present.len())).unwrap();
                        leave(&mut room, leaver);
                        present.remove(&leaver);
                        missing.remove(&leaver);
                    }
                    _ => {}
                }
                room.settle_pass(Retention::NONE, Time::START);
            }
            assert!(missing.is_empty(), "seed {seed}: {missing:?} were skipped");
            assert_eq!(room.members().iter().copied().collect::<BTreeSet<_>>(), present);
        }
    }

    #[test]
    fn the_log_is_forgotten_up_to_the_slowest_reader() {
        let mut room = audience();
        room.join(0);
        room.join(1);
        let first = room.log.append(Message::Text("one"), 9, 0, Time::START);
        let second = room.log.append(Message::Text("two"), 9, 0, Time::START);
        room.begin_pass();
        assert_eq!(room.advance_pass(10), 0..2);
        room.note_cursor(second);
        room.note_cursor(first);
        room.behind = 1;
        assert!(!room.settle_pass(Retention::NONE, Time::START));
        assert_eq!((room.log.start(), room.log.end()), (first, second));
        room.behind = 0;
        room.release_log(Retention::NONE, Time::START);
        assert_eq!(room.log.bytes(), 0);
    }

    #[test]
    fn a_pass_that_has_not_begun_is_still_needed() {
        let mut room = audience();
        room.join(0);
        room.log.append(Message::Text("said after this turn's broadcast"), 9, 0, Time::START);
        assert!(room.settle_pass(Retention::NONE, Time::START));
        assert!(room.log.bytes() > 0);
    }

    #[test]
    fn what_is_said_during_a_pass_makes_another_one() {
        let mut room = audience();
        room.join(0);
        room.log.append(Message::Text("one"), 9, 0, Time::START);
        room.begin_pass();
        room.advance_pass(10);
        room.note_cursor(room.log.end());
        room.log.append(Message::Text("late"), 9, 0, Time::START);
        assert!(room.settle_pass(Retention::NONE, Time::START));
        assert!(room.log.bytes() > 0);
    }
}
