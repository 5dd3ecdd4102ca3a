//! The files that the configuration or the command line names.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Problems, one};

/// No key and no list of keys is longer; `/dev/zero` must not fill the memory.
const FILE_MAX: u64 = 64 << 20;

/// How files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// At the start.
    First,
    /// While the server runs. A pipe has nothing to say a second time, and may keep the reader waiting.
    Again,
}

impl Files {
    /// Reads a file.
    pub(crate) fn read(self, path: &Path) -> Result<Vec<u8>, Problems> {
        self.check(path)?;
        let wrong = |why: String| one(format!("{}: {why}", path.display()));
        let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        let mut content = Vec::new();
        let read = file.take(FILE_MAX + 1).read_to_end(&mut content).map_err(|error| wrong(error.to_string()))?;
        if read as u64 > FILE_MAX {
            return Err(wrong("is longer than 64 MiB".to_owned()));
        }
        Ok(content)
    }

    /// As [`Files::read`], for text.
    pub(crate) fn read_text(self, path: &Path) -> Result<String, Problems> {
        String::from_utf8(self.read(path)?).map_err(|_| one(format!("{}: is not UTF-8 text", path.display())))
    }

    /// Whether this can be read now.
    pub(crate) fn check(self, path: &Path) -> Result<(), Problems> {
        let special = self == Self::Again && path.metadata().is_ok_and(|metadata| !metadata.is_file());
        if special {
            return Err(one(format!("{}: is not a regular file and cannot be read a second time", path.display())));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_given_up_and_what_is_no_file_is_not_read_again() {
        let zero = Files::First.read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(zero, ["/dev/zero: is longer than 64 MiB"]);
        assert!(Files::First.read(Path::new("/dev/null")).unwrap().is_empty());
        let null = Files::Again.read(Path::new("/dev/null")).unwrap_err();
        assert_eq!(null, ["/dev/null: is not a regular file and cannot be read a second time"]);
        assert!(Files::Again.read(Path::new("does/not/exist")).unwrap_err()[0].starts_with("does/not/exist: "));
    }
}
