//! What a board is told of a draft before anybody signs it: the site's past questions, held against it. Asked at the owner's own
//! node, by a person of the owner's organisation, with a signature; a coordinator knows no such action.

use chrono::{DateTime, NaiveDate, Utc};
use liquid_policy::id::{AgreementHash, AgreementId, SiteName};
use liquid_policy::statement::Statement;
use liquid_policy::{Code, Direction};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::governance::FileBeside;

/// The action; its body is a [`PreviewRequest`] in JSON, its answer a [`Preview`].
pub const PREVIEW_ACTION: &str = "liquid.preview";

/// The longest period.
pub const DAYS_MAX: u32 = 366;

/// What somebody asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// The draft's text.
    pub text: String,
    /// The files that it names beside it.
    pub files: Vec<FileBeside>,
    /// Who asks: [`liquid_policy::statement::Act::Preview`], signed.
    pub asked: Statement,
}

/// What the site answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The site.
    pub site: SiteName,
    /// The agreement.
    pub agreement: AgreementId,
    /// The version that stands.
    pub standing: Version,
    /// The draft.
    pub draft: Version,
    /// Which way the draft goes against the version that stands.
    pub direction: Direction,
    /// The beginning of the period.
    pub since: DateTime<Utc>,
    /// Its end.
    pub until: DateTime<Utc>,
    /// The day on which the draft is taken to stand: today, or its first day where that is later.
    pub judged_on: NaiveDate,
    /// Every number here is rounded down to a multiple of this, none and few alike; none where numbers are exact.
    pub rounded_to: Option<u32>,
    /// How the questions fare.
    pub questions: Questions,
    /// Those that would newly be refused, by what refuses them.
    pub newly_refused: Vec<Reason>,
    /// Those that would newly be permitted, by what refuses them today.
    pub newly_permitted: Vec<Reason>,
    /// What the draft does to answers.
    pub cells: Cells,
}

/// A version of an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number, as the board writes it.
    pub version: String,
    /// Its hash.
    pub hash: AgreementHash,
}

/// How past questions fare under the version that stands and under the draft.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Questions {
    /// All that were asked under the agreement, as they came to the site.
    pub asked: u64,
    /// People and programs that asked them.
    pub callers: u64,
    /// Permitted by both.
    pub still_permitted: u64,
    /// Permitted by the version that stands alone.
    pub newly_refused: u64,
    /// Permitted by the draft alone.
    pub newly_permitted: u64,
    /// Refused by both.
    pub still_refused: u64,
    /// Never planned, or recorded by an earlier version: nothing is known of them that a draft could be held against.
    pub unknown: u64,
}

/// Questions to which the same is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The refusal's code.
    pub code: Code,
    /// The clause.
    pub clause: String,
    /// The same in words, lower case, no full stop.
    pub message: String,
    /// How many questions.
    pub questions: u64,
    /// Some of them as the site recorded them: `?` in the place of each literal.
    pub examples: Vec<String>,
}

/// What a draft does to answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Cells {
    /// The draft only tightens: questions that both permit were run on today's data, under both.
    ByQuestion {
        /// What came of each.
        answers: Vec<AnswerCells>,
        /// Different questions of which the answer has more rows than the draft lets out.
        too_long: u64,
        /// Different questions that were not run: too many, too long, or not permitted to their callers any more.
        not_run: u64,
        /// Different questions of which the draft changes more than how many people must stand behind a cell.
        not_counted: u64,
    },
    /// The draft does more than to tighten, so no data was looked at: what the answers of the period withheld, in total.
    Totals {
        /// Answers.
        answers: u64,
        /// Cells that were withheld in them.
        withheld: u64,
    },
    /// Nothing changes.
    Same,
}

/// What a draft that tightens does to the answer of one question, on today's data. Never a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCells {
    /// The question as the site recorded it: `?` in the place of each literal.
    pub question: String,
    /// How often it was asked in the period, by the same organisation for the same purpose.
    pub asked: u64,
    /// Under the version that stands.
    pub standing: Shown,
    /// Under the draft.
    pub draft: Shown,
    /// Cells that the draft withholds and the version that stands does not.
    pub newly_withheld: u64,
    /// Groups that stand in the answer today and would not under the draft.
    pub groups_gone: u64,
}

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its rows.
    pub rows: u64,
    /// Its cells that are withheld.
    pub withheld: u64,
}

/// Reads what somebody asks.
///
/// # Errors
/// [`Error::Invalid`] where it is nothing that this version understands.
pub fn read(body: &[u8]) -> Result<PreviewRequest, Error> {
    let strange =
        || Error::invalid("this is no request for a preview", "run the same version of liquid at both ends");
    let request: PreviewRequest = serde_json::from_slice(body).map_err(|_| strange())?;
    // It is recorded, whoever sends it: nobody fills the disk with it.
    let signed = serde_json::to_vec(&request.asked).map_err(|_| strange())?;
    if signed.len() > SIGNED_BYTES_MAX { Err(strange()) } else { Ok(request) }
}

/// The longest signed request.
const SIGNED_BYTES_MAX: usize = 2 << 10;

#[cfg(test)]
mod tests {
    use liquid_policy::SigningKey;
    use liquid_policy::statement::{Act, Signer};

    use super::*;

    #[test]
    fn a_request_is_short() {
        let body = |nonce: String| {
            let act = Act::Preview { draft: "00".into(), site: "north".into(), days: 1, nonce };
            let signer = Signer {
                organisation: "north".into(),
                role: "siro".into(),
                key_id: "k".into(),
                time: DateTime::UNIX_EPOCH,
            };
            let asked = SigningKey::from_seed(&[1; 32]).unwrap().say(act, signer);
            serde_json::to_vec(&PreviewRequest { text: "x".repeat(10_000), files: vec![], asked }).unwrap()
        };
        assert!(read(&body("1".to_owned())).is_ok());
        assert!(read(&body("1".repeat(2_000))).is_err());
        assert!(read(b"{}").is_err());
    }
}
