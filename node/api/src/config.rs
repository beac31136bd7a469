//! Reading a configuration file: TOML into a type of ours, with errors that name the file and the way out.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct Unusable {
    path: PathBuf,
    problem: String,
}

impl Unusable {
    /// Says what is wrong with a file that was read, and what to write instead.
    pub fn new(path: &Path, problem: impl Display) -> Self {
        Self { path: path.to_owned(), problem: problem.to_string() }
    }
}

/// Reads a file.
///
/// # Errors
/// Where it cannot be read, is not TOML, lacks a setting or has one that does not exist.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Unusable> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Unusable::new(
            path,
            format!("cannot be read: {error}; correct the path, or make the file readable for this user"),
        )
    })?;
    toml::from_str(&text).map_err(|error| {
        let said = error.to_string();
        Unusable::new(
            path,
            format!("{}; correct the file there, or leave the setting out for its default", said.trim_end()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its presence counts")]
        listen: String,
    }

    #[test]
    fn what_is_wrong_names_the_file_the_place_and_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sample.toml");
        let missing = read::<Sample>(&file).unwrap_err().to_string();
        assert!(missing.contains("sample.toml") && missing.contains("correct the path"), "{missing}");
        for (text, part) in [("listenn = 'a'", "listenn"), ("", "listen"), ("listen = ", "line 1")] {
            std::fs::write(&file, text).unwrap();
            let wrong = read::<Sample>(&file).unwrap_err().to_string();
            assert!(wrong.contains(part) && wrong.contains("correct the file"), "{wrong}");
        }
        std::fs::write(&file, "listen = 'here'").unwrap();
        read::<Sample>(&file).unwrap();
    }
}
