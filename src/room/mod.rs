//! Many peers that hear each other. A room has a name and counts what is said in it; who reads the same encoding of that
//! is one audience, with a log of its own.

pub mod audience;
pub mod log;

/// One of the ways in which an application writes down what is said in a room, such as lines of text or JSON. Each has a
/// log of its own, made when somebody first needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoding(pub u8);

/// An application has at most so many encodings; one beyond it counts as the last.
pub const ENCODINGS_MAX: usize = 2;

impl Encoding {
    /// Its place in an array of [`ENCODINGS_MAX`].
    pub fn index(self) -> usize {
        usize::from(self.0).min(ENCODINGS_MAX - 1)
    }
}

/// A room.
#[derive(Debug)]
pub struct Room {
    /// Its name, as in the path `/ws/NAME`.
    pub name: Box<str>,
    /// Tells this room from one that had the same name before: the numbers of messages begin anew with each.
    pub epoch: u64,
    /// How many messages were said in it; the newest one has this number.
    pub said: u64,
    /// How many members can hear and talk, and are not on their way out.
    pub open: usize,
    /// The keys of its audiences, by encoding.
    pub audiences: [Option<u32>; ENCODINGS_MAX],
    /// How much memory its logs take, counted when its last member left, which is so while this is `Some`.
    pub empty: Option<u64>,
    /// It is on the list of rooms that will be looked at because they were empty.
    pub listed: bool,
}

impl Room {
    /// A room in which nothing was said yet.
    pub fn new(name: &str, epoch: u64) -> Self {
        Self {
            name: name.into(),
            epoch,
            said: 0,
            open: 0,
            audiences: [None; ENCODINGS_MAX],
            empty: None,
            listed: false,
        }
    }
}
