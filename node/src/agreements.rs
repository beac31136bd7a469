//! The agreements that a node holds: read from its folder when it starts, each with what its signatures prove.
//!
//! A file that cannot be read is no agreement, so whoever relied on it is refused; the operator's log says what is wrong
//! with it and where. One bad file does not stop the others, and a node remembers that there was one: who is refused
//! since no agreement names them is told that the reason may lie here and not with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use liquid_policy::admit::{Admitted, Caller, Named, admit, names};
use liquid_policy::parse::{ParseError, parse};
use liquid_policy::signature::{SignatureFile, Signed, TrustedKey};
use liquid_policy::{Code, Refusal};

/// What a folder of agreements holds.
#[derive(Debug, Clone, Default)]
pub struct Agreements {
    /// Those that can be read, signed or not.
    pub signed: Vec<Signed>,
    /// Files that cannot, each with what is wrong, for the operator.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Agreements {
    /// Admits a caller, or says why not.
    ///
    /// # Errors
    /// As [`admit`]; a caller whom no readable agreement names is refused as [`Code::Unsigned`] where a file is unreadable.
    pub fn admit(&self, caller: &Caller, named: Named<'_>, today: NaiveDate) -> Result<Admitted, Refusal> {
        admit(&self.signed, caller, named, today).map_err(|refusal| {
            // The same code is given where several apply.
            let is_named = self.signed.iter().any(|signed| names(signed.agreement(), caller, named));
            if refusal.code != Code::Recipient || is_named || self.unreadable.is_empty() {
                return refusal;
            }
            Refusal::new(
                Code::Unsigned,
                "agreement",
                "this site cannot read one of its agreements, and no other one names you as a recipient",
                "ask the site's operator to restore the signed file; the node's log says what is wrong with it",
            )
        })
    }
}

/// Reads a folder.
///
/// # Errors
/// A sentence for the operator where the folder itself cannot be read.
pub fn read(folder: &Path, trusted: &[TrustedKey]) -> Result<Agreements, String> {
    let cannot = |e: std::io::Error| {
        format!("cannot read the agreements in `{}`: {e}; set `agreements` in `[node]`", folder.display())
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(cannot)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(cannot)?;
    files.retain(|file| {
        file.extension().is_some_and(|e| e == "toml")
            && file.file_stem().is_some_and(|s| !s.to_string_lossy().ends_with(".sig"))
    });
    files.sort();
    let mut agreements = Agreements::default();
    for file in files {
        match read_one(&file, trusted) {
            Ok(signed) => {
                let agreement = signed.agreement();
                if signed.is_complete() {
                    tracing::info!(agreement = %agreement.id(), hash = %agreement.hash(), "agreement read");
                } else {
                    let missing: Vec<_> = signed.missing().iter().map(ToString::to_string).collect();
                    tracing::warn!(agreement = %agreement.id(), missing = missing.join(", "), "agreement not signed");
                }
                agreements.signed.push(signed);
            }
            Err(problem) => {
                tracing::error!(file = %file.display(), problem, "agreement not readable");
                agreements.unreadable.push((file, problem));
            }
        }
    }
    Ok(agreements)
}

fn read_one(file: &Path, trusted: &[TrustedKey]) -> Result<Signed, String> {
    let name = file.to_string_lossy();
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let agreement = parse(&text, &name).map_err(|e| said(&e, &text))?;
    let beside = file.with_extension("sig.toml");
    let signatures = match std::fs::read_to_string(&beside) {
        Ok(text) => SignatureFile::parse(&text, &beside.to_string_lossy()).map_err(|e| said(&e, &text))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => SignatureFile::default(),
        Err(e) => return Err(format!("its signatures: {e}")),
    };
    Ok(Signed::verify(Arc::new(agreement), &signatures, trusted))
}

/// Every problem with its line and what to write instead.
fn said(error: &ParseError, text: &str) -> String {
    let line = |at: usize| text.get(..at).map_or(0, |before| before.matches('\n').count() + 1);
    let problems =
        error.problems().map(|p| format!("line {}: {}; {}", line(p.span().start), p.message(), p.help()));
    problems.collect::<Vec<_>>().join("; ")
}
