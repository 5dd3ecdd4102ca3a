//! A file for one test.

use std::path::{Path, PathBuf};

/// A file in the target directory; removed when dropped.
pub(crate) struct TempFile {
    path: PathBuf,
}

impl TempFile {
    /// Tests run side by side, so each file gets a name of its own.
    pub(crate) fn new(extension: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("hollerd-{}-{:016x}.{extension}", std::process::id(), fastrand::u64(..));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, content).expect("a file in the target directory");
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path as it stands in an argument or, as it is plain ASCII without quotes, in a configuration file.
    pub(crate) fn name(&self) -> &str {
        self.path.to_str().expect("the target directory has a plain name")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A file that is gone already is as good as removed.
        let _removed = std::fs::remove_file(&self.path);
    }
}
