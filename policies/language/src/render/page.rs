//! A page in plain English, before it is put on paper or on a screen: headings, clauses with who keeps them, lists, tables.

use crate::key::{Class, Fixed, Key, Support};

/// A document for readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: Text,
    /// What stands before the first heading.
    pub lead: Vec<Block>,
    /// The rest, in order.
    pub sections: Vec<Section>,
}

impl Page {
    /// Every clause, in order.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        let blocks = self.lead.iter().chain(self.sections.iter().flat_map(|section| &section.blocks));
        blocks.flat_map(|block| match block {
            Block::Clause(clause) => std::slice::from_ref(clause),
            Block::Entry { clauses, .. } => clauses.as_slice(),
            Block::Paragraph(_) | Block::Notice(_) | Block::List { .. } | Block::Table { .. } => &[],
        })
    }

    /// Clauses that this version does not keep: with any of them a site does not take the agreement.
    pub fn not_kept_yet(&self) -> usize {
        self.clauses().filter(|clause| clause.kept == Kept::NotYet).count()
    }
}

/// A part of a page under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// 1 for a main heading, 2 and 3 below it.
    pub level: u8,
    /// What a link to it says.
    pub anchor: String,
    /// The heading.
    pub heading: Text,
    /// What stands under it.
    pub blocks: Vec<Block>,
}

/// One thing under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Sentences that explain.
    Paragraph(Text),
    /// Sentences that nobody may overlook.
    Notice(Text),
    /// What the agreement says.
    Clause(Clause),
    /// What it says of one thing, such as a column.
    Entry {
        /// The thing.
        name: Text,
        /// What is said of it.
        clauses: Vec<Clause>,
    },
    /// Points under a sentence.
    List {
        /// The sentence.
        intro: Text,
        /// The points.
        items: Vec<Text>,
    },
    /// Rows and columns.
    Table {
        /// What each column holds.
        header: Vec<&'static str>,
        /// The rows.
        rows: Vec<Vec<Text>>,
    },
}

/// What the agreement says under some of its keys, in sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// The keys, as [`crate::key::KEYS`] has them: for programs, never shown.
    pub keys: Vec<&'static str>,
    /// Who keeps it.
    pub kept: Kept,
    /// The sentences.
    pub text: Text,
}

impl Clause {
    /// Sentences for one key; what the key says does not matter for who keeps it.
    pub(super) fn new(key: &'static str, text: impl Into<String>) -> Self {
        Self { keys: vec![key], kept: Kept::by(key, None), text: Text::new(text) }
    }

    /// Sentences for a key that this version may keep for one value alone.
    pub(super) fn saying(key: &'static str, value: &impl serde::Serialize, text: impl Into<String>) -> Self {
        let value = serde_json::to_value(value).unwrap_or_default();
        Self { kept: Kept::by(key, Some(&value)), ..Self::new(key, text) }
    }

    /// What the agreement does not say under a key.
    pub(super) fn open(key: &'static str, text: impl Into<String>) -> Self {
        Self { kept: Kept::LeftOpen, ..Self::new(key, text) }
    }

    /// What is written under a key, or what it means that nothing is.
    pub(super) fn or_open<T>(
        key: &'static str,
        written: Option<&T>,
        text: impl Fn(&T) -> String,
        open: &str,
    ) -> Self {
        match written {
            Some(written) => Self::new(key, text(written)),
            None => Self::open(key, open),
        }
    }

    /// The same sentences speak of another key too.
    pub(super) fn and(mut self, key: &'static str) -> Self {
        self.keys.push(key);
        self.kept = self.kept.max(Kept::by(key, None));
        self
    }

    /// This version does not keep it, whatever the list of keys says.
    pub(super) fn not_yet_if(mut self, refused: bool) -> Self {
        if refused {
            self.kept = Kept::NotYet;
        }
        self
    }
}

/// Neighbours that the same one keeps, together: the words beside them are said once.
pub(super) fn runs(clauses: &[Clause]) -> Vec<(Kept, Vec<Text>)> {
    let mut runs: Vec<(Kept, Vec<Text>)> = Vec::new();
    for clause in clauses {
        match runs.last_mut() {
            Some((kept, texts)) if *kept == clause.kept => texts.push(clause.text.clone()),
            _ => runs.push((clause.kept, vec![clause.text.clone()])),
        }
    }
    for (kept, texts) in &mut runs {
        if *kept == Kept::NotYet {
            texts.push(Text::new(NOT_YET));
        }
    }
    runs
}

/// Who keeps a clause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kept {
    /// The agreement does not say.
    LeftOpen,
    /// It is written for the record.
    ForTheRecord,
    /// The recipient promises it.
    ByTheRecipient,
    /// The site's computer refuses what breaks it.
    ByTheSite,
    /// This version does not keep it yet.
    NotYet,
}

impl Kept {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ByTheSite, Self::ByTheRecipient, Self::ForTheRecord, Self::LeftOpen, Self::NotYet];

    /// The words beside a clause.
    pub fn words(self) -> &'static str {
        match self {
            Self::ByTheSite => "Kept by the site's computer",
            Self::ByTheRecipient => "Promised by the recipient",
            Self::ForTheRecord => "For the record",
            Self::LeftOpen => "Left open",
            Self::NotYet => "Not kept yet",
        }
    }

    /// What the words mean.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::ByTheSite => "The computer at each site refuses what breaks this rule.",
            Self::ByTheRecipient => "Those who get results give their word. No computer can check it.",
            Self::ForTheRecord => "It is written down, so that each party can hold the others to it.",
            Self::LeftOpen => "The agreement does not say, and so no one has to keep anything.",
            Self::NotYet => NOT_YET,
        }
    }

    fn by(key: &str, value: Option<&serde_json::Value>) -> Self {
        let Some(key) = Key::of(key) else { return Self::NotYet };
        match (key.class, key.support, value) {
            (Class::Promised, ..) => Self::ByTheRecipient,
            (Class::Recorded, ..) => Self::ForTheRecord,
            (Class::Enforced, Support::Full, _) => Self::ByTheSite,
            (Class::Enforced, Support::Only(fixed), Some(value)) if is(fixed, value) => Self::ByTheSite,
            (Class::Enforced, Support::Only(_) | Support::None, _) => Self::NotYet,
        }
    }
}

/// What is said beside a rule that this version does not keep.
const NOT_YET: &str = "This version does not yet keep this rule, and so a site will not take the agreement.";

fn is(fixed: Fixed, value: &serde_json::Value) -> bool {
    match fixed {
        Fixed::Word(word) => value.as_str() == Some(word),
        Fixed::Flag(flag) => value.as_bool() == Some(flag),
        Fixed::Whole(number) => value.as_i64() == Some(number),
        Fixed::EmptyList => value.as_array().is_some_and(Vec::is_empty),
    }
}

/// Text in which the words of the agreement's authors can be told from ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// The pieces, in order.
    pub spans: Vec<Span>,
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Our words.
    Ours(String),
    /// The authors' words: a name, a value, a sentence.
    Theirs(String),
    /// Our words, which lead to a section of the page.
    Link {
        /// The section's anchor.
        to: String,
        /// The words, with the authors' marked in them.
        text: Box<Text>,
    },
}

/// Stands before the authors' words in a text that is being put together, and after them. They are the characters that
/// keep text of another direction apart, so no reader misses them; [`super::words::said`] takes them out of what authors
/// wrote, so that nobody's words can pass for ours.
pub(super) const MARKS: [char; 2] = ['\u{2068}', '\u{2069}'];

impl Text {
    /// Tells the authors' words by their marks.
    pub(super) fn new(marked: impl Into<String>) -> Self {
        let [open, close] = MARKS;
        let mut spans = Vec::new();
        for piece in marked.into().split(open) {
            let (theirs, ours) = match piece.split_once(close) {
                Some((theirs, ours)) => (Some(theirs), ours),
                None => (None, piece),
            };
            spans.extend(theirs.map(|theirs| Span::Theirs(theirs.to_owned())));
            if !ours.is_empty() {
                spans.push(Span::Ours(ours.to_owned()));
            }
        }
        Self { spans }
    }

    /// Words that lead to a section.
    pub(super) fn link(to: impl Into<String>, marked: impl Into<String>) -> Self {
        Self { spans: vec![Span::Link { to: to.into(), text: Box::new(Self::new(marked)) }] }
    }

    /// The words alone, for where nothing of ours stands beside them.
    pub fn bare(&self) -> String {
        let bare = |span: &Span| match span {
            Span::Ours(text) | Span::Theirs(text) => text.clone(),
            Span::Link { text, .. } => text.bare(),
        };
        self.spans.iter().map(bare).collect()
    }

    /// The words. What authors wrote stands in quotation marks, unless it is a plain name.
    pub fn plain(&self) -> String {
        let plain = |span: &Span| match span {
            Span::Ours(text) => text.clone(),
            Span::Theirs(text) => quoted(text),
            Span::Link { text, .. } => text.plain(),
        };
        self.spans.iter().map(plain).collect()
    }
}

/// Authors' words as a reader sees them. Only a plain name goes without quotation marks: nothing else can be taken for a
/// sentence of ours.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.@/:+%".contains(c);
    let ends = text.chars().next_back().is_some_and(|last| last.is_alphanumeric());
    if ends && text.chars().all(plain) { text.to_owned() } else { format!("“{text}”") }
}
