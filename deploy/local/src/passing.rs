//! Folders that are there as long as the process that made them. A process that is killed leaves its own behind, with keys
//! and tokens in it: the next one that makes such a folder removes it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::Error;

/// What all names begin with.
const PREFIX: &str = "liquid-";
/// Locked by the process that made the folder, as long as it lives. A folder without it is kept.
const LOCK: &str = ".in-use";

/// A folder that goes when this is dropped.
#[derive(Debug)]
pub struct Passing {
    folder: TempDir,
    _lock: File,
}

impl Passing {
    /// Makes one, and removes those of this user whose processes are gone.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make() -> Result<Self, Error> {
        let above = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(Error::writing(&above))?;
        let lock = locked(folder.path()).map_err(Error::writing(folder.path()))?;
        sweep(&above, folder.path());
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps it for somebody to look at, now and for good.
    pub fn keep(&mut self) {
        self.folder.disable_cleanup(true);
        let _unlocked = fs::remove_file(self.path().join(LOCK));
    }
}

/// The lock is seen only once it is held, so that nobody takes a new folder for one that was left behind.
fn locked(folder: &Path) -> io::Result<File> {
    let draft = folder.join(".in-use.new");
    let lock = File::create(&draft)?;
    lock.lock()?;
    fs::rename(draft, folder.join(LOCK))?;
    Ok(lock)
}

/// Removes what was left behind beside `own`. What cannot be looked at or removed is somebody else's.
fn sweep(above: &Path, own: &Path) {
    let Ok(user) = fs::metadata(own).map(|about| about.uid()) else { return };
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && fs::symlink_metadata(&path).is_ok_and(|about| about.is_dir() && about.uid() == user);
        let Some(lock) = is_ours.then(|| File::open(path.join(LOCK)).ok()).flatten() else { continue };
        if lock.try_lock().is_ok() {
            let _others_too = fs::remove_dir_all(&path);
        }
    }
}
