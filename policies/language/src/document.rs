//! The agreement as data that cannot hold nonsense: [`crate::parse`] alone makes one, from a file that passed every check.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::{Days, NaiveDate};

use crate::condition::Condition;
use crate::file::File;
pub use crate::file::{Entities, PartyRole};
use crate::id::{
    AgreementHash, AgreementId, ColumnName, OrganisationName, Purpose, RoleName, TableName, TemplateName,
};
use crate::table::{ColumnRule, Concentration, EntityFilter, Obligations, TableRules};
use crate::template::Template;

/// One version of one agreement: what the node enforces, and the whole file for readers.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    pub(crate) id: AgreementId,
    pub(crate) version: String,
    pub(crate) purposes: BTreeSet<Purpose>,
    pub(crate) in_force: RangeInclusive<NaiveDate>,
    pub(crate) review: Option<Review>,
    pub(crate) parties: BTreeMap<OrganisationName, PartyRole>,
    pub(crate) approvers: BTreeMap<OrganisationName, BTreeSet<RoleName>>,
    pub(crate) signoff: Signoff,
    pub(crate) supersedes: BTreeSet<AgreementHash>,
    pub(crate) marking: Option<String>,
    pub(crate) recipients: Vec<Recipient>,
    pub(crate) tables: BTreeMap<TableName, Table>,
    pub(crate) minimum_contributors: u32,
    pub(crate) rows_out_max: u64,
    pub(crate) templates: BTreeMap<TemplateName, Template>,
    pub(crate) templates_only: bool,
    pub(crate) file: File,
    pub(crate) canonical: Vec<u8>,
    pub(crate) hash: AgreementHash,
}

impl Agreement {
    /// Its id, for example `HRT-2026-01`.
    pub fn id(&self) -> &AgreementId {
        &self.id
    }

    /// Its version, as the board numbers it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its title, or its id where it has none.
    pub fn title(&self) -> &str {
        self.file.agreement.title.as_deref().unwrap_or(self.id.as_str())
    }

    /// The purposes that a request may name.
    pub fn purposes(&self) -> &BTreeSet<Purpose> {
        &self.purposes
    }

    /// The days on which it is in force, first and last included.
    pub fn in_force(&self) -> &RangeInclusive<NaiveDate> {
        &self.in_force
    }

    /// When it must be reviewed.
    pub fn review(&self) -> Option<Review> {
        self.review
    }

    /// The organisations whose signature it needs: every controller and joint controller.
    pub fn controllers(&self) -> impl Iterator<Item = &OrganisationName> {
        self.parties.iter().filter(|(_, role)| role.is_controller()).map(|(organisation, _)| organisation)
    }

    /// How it is signed off.
    pub fn signoff(&self) -> Signoff {
        self.signoff
    }

    /// The roles in which a party signs; none where any role will do.
    pub fn approvers(&self, party: &OrganisationName) -> Option<&BTreeSet<RoleName>> {
        self.approvers.get(party)
    }

    /// The versions that this one replaces.
    pub fn supersedes(&self) -> &BTreeSet<AgreementHash> {
        &self.supersedes
    }

    /// The protective marking.
    pub fn marking(&self) -> Option<&str> {
        self.marking.as_deref()
    }

    /// The same under a floor that the node's operator has set: no fewer contributors than that. What was written and signed
    /// stays as it is.
    ///
    /// # Errors
    /// Where the agreement switches the disclosure rules off: it was not made to be used with them.
    pub fn under_floor(self, minimum_contributors: u32) -> Result<Self, BelowFloor> {
        if self.minimum().is_none() && minimum_contributors > 1 {
            return Err(BelowFloor { floor: minimum_contributors });
        }
        Ok(Self { minimum_contributors: self.minimum_contributors.max(minimum_contributors), ..self })
    }

    /// Who may receive results, and for what.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// The tables.
    pub fn tables(&self) -> &BTreeMap<TableName, Table> {
        &self.tables
    }

    /// The least number of distinct entities behind a cell and behind what its plan leaves out; 1 switches it off.
    pub fn minimum_contributors(&self) -> u32 {
        self.minimum_contributors
    }

    /// Rows that an answer may have.
    pub fn rows_out_max(&self) -> u64 {
        self.rows_out_max
    }

    /// The approved queries.
    pub fn templates(&self) -> &BTreeMap<TemplateName, Template> {
        &self.templates
    }

    /// Whether nothing else may be asked.
    pub fn templates_only(&self) -> bool {
        self.templates_only
    }

    /// What the engine must know and check of one of the tables; what a cut obliges it to is for the decision to say.
    pub fn obligations(&self, table: &Table) -> Obligations {
        Obligations::of_table(table.rules(), self.minimum(), self.concentration())
    }

    /// The columns of a table of which each value stands for one entity: the entity and the keys within it. Rows grouped by one of
    /// them are that entity's own, so what is computed for each group is no result yet. Without a minimum, those by which
    /// groups may be released are not among them.
    pub fn stand_for_one_entity(&self, table: &Table) -> BTreeSet<ColumnName> {
        let grouped = |name: &ColumnName| {
            table.columns.get(name).is_some_and(|column| column.uses.contains(&Use::Group))
        };
        let own = table.entity.iter().chain(&table.keys_within);
        own.filter(|name| self.minimum().is_some() || !grouped(name)).cloned().collect()
    }

    /// The minimum, unless it is switched off.
    pub fn minimum(&self) -> Option<u32> {
        (self.minimum_contributors > 1).then_some(self.minimum_contributors)
    }

    /// How much of a cell few may make up.
    pub fn concentration(&self) -> Concentration {
        let rules = &self.file.disclosure;
        let dominance = rules.dominance.as_ref().map(|dominance| (dominance.n, dominance.share));
        Concentration { dominance, p_ratio: rules.p_ratio }
    }

    /// The whole file as it was written, keys for the record and promises included.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The canonical form (RFC 8785) that signatures are made over. Comments, order and spacing are not in it.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The SHA-256 of the canonical form, in hex: the name of this version.
    pub fn hash(&self) -> &AgreementHash {
        &self.hash
    }
}

/// How an agreement is signed off: by every controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signoff {
    /// In how many roles each of them signs, at least one.
    pub roles_per_party: usize,
    /// Whether who wrote the agreement may sign it.
    pub author_may_sign: bool,
}

/// An agreement without a minimum, where the site's operator demands one for its marking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has no minimum of contributors, and this site demands {floor} for its marking")]
pub struct BelowFloor {
    floor: u32,
}

/// When an agreement must be reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Review {
    /// The day on which the review is due.
    pub due: NaiveDate,
    /// Days after it for which the agreement still stands.
    pub grace_days: u32,
}

impl Review {
    /// The last day on which the agreement stands without a review.
    pub fn last_day(&self) -> NaiveDate {
        self.due.checked_add_days(Days::new(self.grace_days.into())).unwrap_or(NaiveDate::MAX)
    }
}

/// An organisation that may receive results, in some roles, for some purposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The organisation.
    pub organisation: OrganisationName,
    /// The roles within it, at least one.
    pub roles: BTreeSet<RoleName>,
    /// The purposes, at least one, all of them purposes of the agreement.
    pub purposes: BTreeSet<Purpose>,
}

/// What the agreement says of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub(crate) name: TableName,
    pub(crate) entity: Option<ColumnName>,
    pub(crate) entities: Entities,
    pub(crate) keys_within: BTreeSet<ColumnName>,
    pub(crate) rows_per_entity_max: Option<u32>,
    pub(crate) entity_counts: Vec<u32>,
    pub(crate) join_keys: BTreeSet<ColumnName>,
    pub(crate) references: BTreeMap<ColumnName, (TableName, ColumnName)>,
    pub(crate) unique: BTreeSet<ColumnName>,
    pub(crate) row_filter: Option<Condition>,
    pub(crate) filters: Vec<EntityFilter>,
    pub(crate) columns: BTreeMap<ColumnName, Column>,
}

impl Table {
    /// Its name.
    pub fn name(&self) -> &TableName {
        &self.name
    }

    /// The column whose distinct values are the protected entities, always one of [`Self::columns`]; none where the table
    /// protects nobody and lies whole at every site.
    pub fn entity(&self) -> Option<&ColumnName> {
        self.entity.as_ref()
    }

    /// Columns of which each value belongs to one entity.
    pub fn keys_within(&self) -> &BTreeSet<ColumnName> {
        &self.keys_within
    }

    /// The numbers at which bins of counts for each entity begin, ascending; none where nothing may be grouped or filtered by such
    /// a count.
    pub fn entity_counts(&self) -> &[u32] {
        &self.entity_counts
    }

    /// The columns on which the table may be joined.
    pub fn join_keys(&self) -> &BTreeSet<ColumnName> {
        &self.join_keys
    }

    /// Keys of which every value stands in a column of another table at the same site.
    pub fn references(&self) -> &BTreeMap<ColumnName, (TableName, ColumnName)> {
        &self.references
    }

    /// Keys of which no value stands in two rows of the table.
    pub fn unique(&self) -> &BTreeSet<ColumnName> {
        &self.unique
    }

    /// Its own condition: an entity with any row that does not meet it is out altogether.
    pub fn row_filter(&self) -> Option<&Condition> {
        self.row_filter.as_ref()
    }

    /// Every filter that rules for the table: its own, and those of the other tables of its entity.
    pub fn filters(&self) -> &[EntityFilter] {
        &self.filters
    }

    /// What the engine must know of the table.
    pub fn rules(&self) -> TableRules {
        TableRules {
            table: self.name.clone(),
            entity: self.entity.clone(),
            columns: self.columns.iter().map(|(name, column)| (name.clone(), column.rule.clone())).collect(),
            keys_within: self.keys_within.clone(),
            rows_per_entity_max: self.rows_per_entity_max,
            references: self.references.clone(),
            unique: self.unique.clone(),
            filters: self.filters.clone(),
        }
    }

    /// Whether an entity can be at two sites.
    pub fn entities(&self) -> Entities {
        self.entities
    }

    /// The columns that the agreement lists, with what each may be used for.
    pub fn columns(&self) -> &BTreeMap<ColumnName, Column> {
        &self.columns
    }

    /// The columns that a recipient may see in a catalogue: those with any use, and the entity, which may be counted.
    pub fn visible_columns(&self) -> impl Iterator<Item = &ColumnName> {
        self.columns
            .iter()
            .filter(|(name, column)| !column.uses.is_empty() || Some(*name) == self.entity.as_ref())
            .map(|(name, _)| name)
    }
}

/// What one column may be used for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// The positions in which it may stand.
    pub uses: BTreeSet<Use>,
    /// The aggregates that may be computed over it; empty where it is no measure.
    pub aggregates: BTreeSet<Aggregate>,
    /// What is public about its values.
    pub rule: ColumnRule,
}

/// A position in which a column may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// In a group key.
    Group,
    /// In a condition: WHERE, FILTER, CASE.
    Filter,
    /// Inside an aggregate.
    Measure,
    /// In the condition of a join.
    Join,
}

impl Use {
    /// The word that stands for it in an agreement.
    pub fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Filter => "filter",
            Self::Measure => "measure",
            Self::Join => "join",
        }
    }
}

/// An aggregate that an agreement can grant over a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Aggregate {
    /// How many values there are.
    Count,
    /// Their total.
    Sum,
    /// Their mean.
    Avg,
}

impl Aggregate {
    /// The word that stands for it in an agreement.
    pub fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
        }
    }
}
