//! The keys of the rules that hold for every table: disclosure, history, privacy, models, templates, release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ColumnName, OrganisationName, RoleName};

/// What may be seen of a table, cell by cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Disclosure {
    /// Distinct entities behind every cell and behind what its plan leaves out; 1 switches the disclosure rules off.
    #[schemars(range(min = 1))]
    pub minimum_contributors: u32,
    /// Where contributors are counted.
    #[serde(default)]
    pub scope: Scope,
    /// The node that opens joint answers. Omitted: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combiner: Option<OrganisationName>,
    /// No few entities may hold most of a sum. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dominance: Option<Dominance>,
    /// The largest entity must not be estimable this closely by the second largest. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub p_ratio: Option<f64>,
    /// Whether zero is exempt from the minimum.
    #[serde(default)]
    pub zeros: Zeros,
    /// Against what the left-out entities are judged.
    #[serde(default)]
    pub left_out: LeftOut,
    /// Whether further cells are withheld so that margins do not give the withheld ones away. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<Secondary>,
    /// A withheld sum stays possible this share of its value to either side. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub protection: Option<f64>,
    /// The step to which counts are rounded. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub round_base: Option<u32>,
    /// Whether counts are perturbed.
    #[serde(default)]
    pub perturb: Perturb,
    /// Observations that a model must have beyond its parameters. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub degrees_of_freedom: Option<u32>,
    /// Parameters that a model may have for each observation. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub parameters_per_observation: Option<f64>,
    /// Rounds times parameters of all models over one population, for each observation. Omitted: off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub openings_per_observation: Option<f64>,
}

/// Where contributors are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"site\"` or `\"joint\"`")]
pub enum Scope {
    /// At each site for itself.
    #[default]
    Site,
    /// Over all sites, by secure sums.
    Joint,
}

/// No `n` entities may hold more than `share` of a sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Dominance {
    /// How many of the largest.
    #[schemars(range(min = 1))]
    pub n: u32,
    /// Their share.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub share: f64,
}

/// Whether zero is exempt from the minimum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"suppress\"` or `\"show\"`")]
pub enum Zeros {
    /// None and few look alike.
    #[default]
    Suppress,
    /// Zero is shown.
    Show,
}

/// Against what the left-out entities are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"always\"` or `\"released\"`")]
pub enum LeftOut {
    /// Always.
    #[default]
    Always,
    /// Only against cells and margins that were released.
    Released,
}

/// How further cells are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"optimal\"` or `\"greedy\"`")]
pub enum Secondary {
    /// As few as possible.
    Optimal,
    /// Fast.
    Greedy,
}

/// Whether counts are perturbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"none\"` or `\"cell-key\"`")]
pub enum Perturb {
    /// They are not.
    #[default]
    None,
    /// By the cell-key method.
    CellKey,
}

/// What earlier answers mean for later ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct History {
    /// Over what history is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<HistoryScope>,
    /// The rhythm on which copies are frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotRhythm>,
    /// Days until an opt-out takes effect at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub opt_out_days: Option<u32>,
    /// Days for which releases are remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub window_days: Option<u32>,
    /// Entities by which two releases must differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub minimum_difference: Option<u32>,
    /// Rows combined when looking for forbidden combinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub search: Option<u32>,
    /// The largest rank of a connected component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_rank: Option<u32>,
    /// The most atoms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_atoms: Option<u32>,
    /// The share of the rank that one caller may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub max_share: Option<f64>,
}

/// Over what history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"table\"`")]
pub enum HistoryScope {
    /// Every purpose, agreement, version and caller of a table.
    Table,
}

/// The rhythm on which copies are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", expecting = "`\"day\"`, `\"month\"` or `\"quarter\"`")]
pub enum SnapshotRhythm {
    /// Every day.
    Day,
    /// Every month.
    Month,
    /// Every quarter.
    Quarter,
}

/// Differential privacy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Privacy {
    /// The protected unit.
    pub unit: ColumnName,
    /// The measure of loss.
    pub measure: PrivacyMeasure,
    /// The budget of a window.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub rho_total: f64,
    /// The budget of all windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub rho_lifetime: Option<f64>,
    /// The chance that the guarantee fails.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub delta: f64,
    /// Days of a window.
    #[schemars(range(min = 1))]
    pub window_days: u32,
    /// The budget of one caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub rho_per_caller: Option<f64>,
    /// Groups to which one entity may contribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub groups_per_entity_max: Option<u32>,
}

/// How loss of privacy is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "`\"zCDP\"`")]
pub enum PrivacyMeasure {
    /// Zero-concentrated differential privacy.
    #[serde(rename = "zCDP")]
    Zcdp,
}

/// Rules for trained models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Models {
    /// Folds of a cross-validation.
    #[schemars(range(min = 2, max = 10))]
    pub folds: u32,
}

/// An approved query with parameters, such as `$ward`. Its text lies beside the agreement, in `NAME.sql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table of keys")]
pub struct Template {
    /// Its name: small letters, digits, `-` and `_`. Callers name it, and its file is called so.
    pub name: String,
    /// The SHA-256 of its file.
    pub sha256: String,
    /// The recipients' roles in which it may be called, at least one.
    #[serde(default)]
    pub roles: Vec<RoleName>,
    /// Counts as released from the start of each snapshot.
    #[serde(default)]
    pub reserve: bool,
}

/// The form of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of keys")]
pub struct Release {
    /// Whether rows may leave.
    pub rows: bool,
    /// Whether only approved templates may be run.
    pub templates_only: bool,
    /// Rows that an answer may have.
    #[schemars(range(min = 1))]
    pub rows_out_max: u64,
    /// Classes of time at whose end answers leave; empty: off.
    pub time_class_ms: Vec<u64>,
}

impl Default for Release {
    fn default() -> Self {
        Self { rows: false, templates_only: false, rows_out_max: 10_000, time_class_ms: Vec::new() }
    }
}
