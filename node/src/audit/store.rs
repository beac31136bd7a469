//! The file under the log, as a seam: tests put a store there that is full, slow, broken or torn.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::seal::{Salt32, SaltName};

/// Where lines go. All sizes in bytes.
pub trait Store: Send {
    /// Everything that is there.
    ///
    /// # Errors
    /// What the file system says.
    fn read_all(&mut self) -> io::Result<Vec<u8>>;

    /// Adds bytes at the end; may have written a part of them when it fails.
    ///
    /// # Errors
    /// What the file system says: a full disk, above all.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file back to a length.
    ///
    /// # Errors
    /// What the file system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Makes everything written so far durable.
    ///
    /// # Errors
    /// What the file system says. After an error it is unknown what is on the disk, and asking again may lie.
    fn sync(&mut self) -> io::Result<()>;

    /// Makes sure that whoever looks for the log finds this one, `length` bytes long. A file that was moved, deleted or
    /// cut under a running node still takes records, and nobody would ever read them.
    ///
    /// # Errors
    /// What was found instead.
    fn still_there(&mut self, _length: u64) -> io::Result<()> {
        Ok(()) // what has no name cannot be moved
    }

    /// A reader of its own of what is there from a place on. It does not move where records are written.
    ///
    /// # Errors
    /// What the file system says.
    fn reader(&self, from: u64) -> io::Result<Box<dyn io::Read + Send>>;

    /// The salt of this name, made where there is none: on disk before anything is sealed with it.
    ///
    /// # Errors
    /// What the file system says: a full disk, above all.
    fn salt(&mut self, name: &SaltName) -> io::Result<Salt32>;

    /// The salt of this name, if it is still there.
    ///
    /// # Errors
    /// What the file system says.
    fn known_salt(&self, name: &SaltName) -> io::Result<Option<Salt32>>;

    /// The names of all salts.
    ///
    /// # Errors
    /// What the file system says.
    fn salts(&self) -> io::Result<Vec<SaltName>>;

    /// Destroys a salt.
    ///
    /// # Errors
    /// What the file system says; it may still be there then.
    fn forget(&mut self, name: &SaltName) -> io::Result<()>;

    /// The head that was last noted, if any.
    ///
    /// # Errors
    /// What the file system says.
    fn head(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// Notes a head, whole or not at all. It need not be durable: it may lag behind the log, and never leads it.
    ///
    /// # Errors
    /// What the file system says.
    fn note_head(&mut self, head: &[u8]) -> io::Result<()>;
}

/// Where the head of a log is noted: beside it, with `.head` after its name.
pub fn head_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".head");
    PathBuf::from(name)
}

/// Where the salts of a log lie: in a folder beside it, with `.salts` after its name.
pub fn salts_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".salts");
    PathBuf::from(name)
}

/// A file's bytes, or none where there is no such file.
pub(super) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A real file, locked against a second node. A new one is for its owner alone to read: it says who asked what.
#[derive(Debug)]
pub struct FileStore {
    file: File,
    path: PathBuf,
    head: PathBuf,
    salts: PathBuf,
    /// The salt that was used last, so that a question can be sealed where there is no descriptor left to read it with.
    last: Option<(SaltName, Salt32)>,
}

/// Read and write for the owner.
const OWNER_ALONE: u32 = 0o600;

/// Of a folder.
const OWNER_ENTERS: u32 = 0o700;

impl FileStore {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// A sentence for the operator, with the fix.
    pub fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(OWNER_ALONE)
            .open(path)
            .map_err(|e| format!("cannot open the audit log `{shown}`: {e}; make its folder writable"))?;
        file.try_lock().map_err(|_| {
            format!("another node writes the audit log `{shown}`; stop it or choose another folder")
        })?;
        // The file's name must be as durable as its content.
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|e| format!("cannot sync the folder of the audit log `{shown}`: {e}"))?;
        }
        Ok(Self { file, path: path.to_owned(), head: head_path(path), salts: salts_path(path), last: None })
    }
}

impl Store for FileStore {
    fn read_all(&mut self) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::End(0))?;
        self.file.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn still_there(&mut self, length: u64) -> io::Result<()> {
        let (open, named) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
        if (open.dev(), open.ino()) != (named.dev(), named.ino()) {
            return Err(io::Error::other("another file lies at its path"));
        }
        if open.len() != length {
            return Err(io::Error::other("somebody else wrote to it or cut it"));
        }
        Ok(())
    }

    fn reader(&self, from: u64) -> io::Result<Box<dyn io::Read + Send>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Box::new(file))
    }

    fn salt(&mut self, name: &SaltName) -> io::Result<Salt32> {
        if let Some((_, salt)) = self.last.as_ref().filter(|(last, _)| last == name) {
            return Ok(*salt);
        }
        if let Some(salt) = self.known_salt(name)? {
            self.last = Some((name.clone(), salt));
            return Ok(salt);
        }
        let mut salt = [0; 32];
        SystemRandom::new()
            .fill(&mut salt)
            .map_err(|_| io::Error::other("the system gives no randomness"))?;
        if !self.salts.is_dir() {
            DirBuilder::new().mode(OWNER_ENTERS).create(&self.salts)?;
            File::open(self.salts.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
                .sync_all()?;
        }
        // Under another name first: half a salt is none.
        let (file, draft) = (self.salts.join(String::from(name.clone())), self.salts.join("new"));
        let mut options = OpenOptions::new();
        let mut new = options.write(true).create(true).truncate(true).mode(OWNER_ALONE).open(&draft)?;
        new.write_all(&salt)?;
        new.sync_all()?;
        std::fs::rename(&draft, &file)?;
        File::open(&self.salts)?.sync_all()?;
        self.last = Some((name.clone(), salt));
        Ok(salt)
    }

    fn known_salt(&self, name: &SaltName) -> io::Result<Option<Salt32>> {
        let bytes = read_if_there(&self.salts.join(String::from(name.clone())))?;
        bytes
            .map(|bytes| bytes.try_into().map_err(|_| io::Error::other("a salt beside the log is not whole")))
            .transpose()
    }

    fn salts(&self) -> io::Result<Vec<SaltName>> {
        let entries = match std::fs::read_dir(&self.salts) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.try_into().ok());
        Ok(names.collect())
    }

    fn forget(&mut self, name: &SaltName) -> io::Result<()> {
        self.last = None;
        let path = self.salts.join(String::from(name.clone()));
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.write_all(&[0; 32])?;
        file.sync_all()?;
        std::fs::remove_file(&path)?;
        File::open(&self.salts)?.sync_all()
    }

    fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        read_if_there(&self.head)
    }

    fn note_head(&mut self, head: &[u8]) -> io::Result<()> {
        let mut new = self.head.clone().into_os_string();
        new.push(".new");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(OWNER_ALONE).open(&new)?.write_all(head)?;
        std::fs::rename(&new, &self.head)
    }
}
