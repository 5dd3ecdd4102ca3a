//! The files that the configuration or the command line names.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::{Problems, one};

/// No key and no list of keys is longer; `/dev/zero` must not fill the memory.
const FILE_MAX: u64 = 64 << 20;

/// A path that begins so is the name of a credential, which systemd hands to the service (`LoadCredential=` in
/// `systemd.exec(5)`) as a file that only it can read.
const CREDENTIAL: &str = "credential:";

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
        let file = File::open(locate(path)?).map_err(|error| wrong(error.to_string()))?;
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
        let special = self == Self::Again && locate(path)?.metadata().is_ok_and(|metadata| !metadata.is_file());
        if special {
            return Err(one(format!("{}: is not a regular file and cannot be read a second time", path.display())));
        }
        Ok(())
    }
}

/// Whether a file is a copy that was made at the start, so that another one in its place changes nothing.
pub(crate) fn is_credential(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with(CREDENTIAL))
}

/// Where the file is.
fn locate(path: &Path) -> Result<Cow<'_, Path>, Problems> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY");
    locate_in(directory.as_deref(), path).map_err(|why| one(format!("{}: {why}", path.display())))
}

fn locate_in<'p>(directory: Option<&OsStr>, path: &'p Path) -> Result<Cow<'p, Path>, String> {
    let Some(name) = path.to_str().and_then(|path| path.strip_prefix(CREDENTIAL)) else {
        return Ok(Cow::Borrowed(path));
    };
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err("a credential has a name without slashes, as in credential:jwt".to_owned());
    }
    let directory = directory.ok_or_else(|| {
        format!("there is no CREDENTIALS_DIRECTORY; systemd sets it for a unit with LoadCredential={name}:FILE")
    })?;
    Ok(Cow::Owned(Path::new(directory).join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_where_systemd_puts_them() {
        let directory = Some(OsStr::new("/run/credentials/hollerd.service"));
        let locate = |path| locate_in(directory, Path::new(path)).map(Cow::into_owned);
        assert_eq!(locate("credential:jwt").unwrap(), Path::new("/run/credentials/hollerd.service/jwt"));
        assert_eq!(locate("/etc/credential:jwt").unwrap(), Path::new("/etc/credential:jwt"));
        for wrong in ["credential:", "credential:../jwt", "credential:..", "credential:/etc/passwd"] {
            assert!(locate(wrong).is_err(), "{wrong}");
        }
        let without = locate_in(None, Path::new("credential:jwt")).unwrap_err();
        assert!(without.contains("LoadCredential=jwt:FILE"), "{without}");
    }

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
