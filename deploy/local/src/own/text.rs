//! The text files of a site's folder, read whatever editor wrote them; and why a file or folder cannot be read.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Reads a text; nothing where there is no such file, and what to mend where it cannot be read. Byte order marks and the
/// line ends of Windows are not part of it.
pub(super) fn read(file: &Path) -> Result<Option<String>, String> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound && !file.is_symlink() => return Ok(None),
        Err(error) => return Err(unreadable(file, &error)),
    };
    let name = file.display();
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(format!("{name}: it is written in UTF-16; save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let until = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + until.iter().filter(|byte| **byte == b'\n').count();
        format!("{name}:{line}: a letter is not written in UTF-8; save the file as UTF-8")
    })?;
    Ok(Some(text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n")))
}

/// Why a file or folder cannot be read that is there.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> String {
    let (reason, fix) = match error.kind() {
        ErrorKind::PermissionDenied if path.is_dir() => {
            ("you have no right to read this folder", "give it to yourself, with `chmod u+rx`")
        }
        ErrorKind::PermissionDenied => {
            ("you have no right to read it", "give it to yourself, with `chmod u+r`")
        }
        ErrorKind::IsADirectory => ("it is a folder", "put a file of this name in its place"),
        ErrorKind::NotADirectory => ("it is a file", "make a folder of this name, and put the file into it"),
        ErrorKind::NotFound if path.is_symlink() => {
            ("it is a link that leads nowhere", "put the file itself there")
        }
        ErrorKind::NotFound => ("it is gone", "put it there again"),
        _ => {
            return format!(
                "{}: it cannot be read ({error}); check the disk that it lies on",
                path.display()
            );
        }
    };
    format!("{}: {reason}; {fix}", path.display())
}

/// The first line that holds a text, counted from 1.
pub(super) fn line_with(text: &str, wanted: &str) -> usize {
    1 + text.lines().position(|line| line.contains(wanted)).unwrap_or(0)
}

/// Whether a text holds a name, and not as a part of a longer one.
pub(super) fn names(text: &str, name: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(|it| it.is_alphanumeric() || it == '_');
    text.match_indices(name).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        !is_part(before.chars().next_back()) && !is_part(rest.chars().nth(name.chars().count()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_whatever_editor_wrote_it_and_each_cause_has_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        let of = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            read(&file).map(Option::unwrap).map_err(|said| said.replace(&file.display().to_string(), "FILE"))
        };
        assert_eq!(of(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n").as_deref(), Ok("a = 1\nb = 2\n"));
        assert_eq!(of(b"\xff\xfea\0").unwrap_err(), "FILE: it is written in UTF-16; save it as UTF-8");
        let said = of(b"a = 1\nb = \"\xfc\"\n").unwrap_err();
        assert_eq!(said, "FILE:2: a letter is not written in UTF-8; save the file as UTF-8");

        assert_eq!(read(&folder.path().join("none")), Ok(None));
        assert!(
            read(folder.path())
                .unwrap_err()
                .ends_with("it is a folder; put a file of this name in its place")
        );
        assert!(names("SELECT cost FROM", "cost") && names("\"cost\"", "cost"));
        assert!(!names("SELECT costs, a_cost FROM", "cost"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(read(&link).unwrap_err().contains("a link that leads nowhere; put the file itself"));
        let forbidden = unreadable(&file, &ErrorKind::PermissionDenied.into());
        assert!(forbidden.ends_with("you have no right to read it; give it to yourself, with `chmod u+r`"));
        assert!(unreadable(folder.path(), &ErrorKind::PermissionDenied.into()).contains("chmod u+rx"));
        assert!(unreadable(&file, &ErrorKind::NotADirectory.into()).contains("it is a file; make a folder"));
        assert!(unreadable(&file, &ErrorKind::Other.into()).contains("check the disk"));
    }
}
