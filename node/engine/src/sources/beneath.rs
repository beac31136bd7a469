//! Paths beneath an open folder. The kernel resolves them, so neither `..` nor a link leads out of it, whoever changes what
//! meanwhile (`openat2` with `RESOLVE_BENEATH`, Linux 5.6).

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Root(File);

impl Root {
    /// Opens the folder itself, wherever it is.
    pub(crate) fn open_at(path: &Path) -> io::Result<Self> {
        Ok(Self(File::open(path)?))
    }

    /// Opens a file to read it. What was put in its place is not waited for, as a pipe would be.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        Ok(File::from(self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK)?))
    }

    /// What a path stands for, through links that stay inside.
    pub(crate) fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        File::from(self.resolve(path, OFlags::PATH)?).metadata()
    }

    /// Whether a path's last part is a link.
    pub(crate) fn is_link(&self, path: &Path) -> io::Result<bool> {
        Ok(File::from(self.resolve(path, OFlags::PATH | OFlags::NOFOLLOW)?).metadata()?.is_symlink())
    }

    /// The names in a folder.
    pub(crate) fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let folder = self.resolve(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), within) {
                // Something was renamed meanwhile, and the kernel could not be sure.
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS) => {
                    return Err(io::Error::other("this needs Linux 5.6 or later (`openat2`)"));
                }
                done => return Ok(done?),
            }
        }
        Err(Errno::AGAIN.into())
    }
}

const TRIES: usize = 32;

/// Whether a path was found to lead out of the folder.
pub(crate) fn leads_out(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::XDEV.raw_os_error())
}
