//! The messages between a node's front process and its engine; [`crate::worker::Worker`] is the seam between them.
//!
//! A front keeps tokens, agreements, decisions, disclosure and the audit log; an engine keeps DataFusion and the data.
//! The engine lives in a child process for real and in the same process for tests; one request at a time either way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use liquid_disclosure::Layout;
use liquid_policy::footprint::Footprint;
use liquid_policy::id::{ColumnName, SiteName, TableName};
use liquid_policy::table::Obligations;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::catalogue::{Model, ModelTable, TemplateColumn, TemplateParameter};
use crate::error::Error;
use crate::parameter::Parameter;

/// A question to an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Parse, bind, analyse and cut; touches no data. The answer is [`Told::Planned`].
    Plan {
        /// The query.
        sql: String,
        /// Its bound values.
        parameters: Vec<Parameter>,
        /// The tables that this caller may name, the opaque sources of the plan, each with the columns of which every value stands
        /// for one entity ([`liquid_policy::document::Agreement::stand_for_one_entity`]).
        tables: BTreeMap<TableName, BTreeSet<ColumnName>>,
        /// The version of the catalogue that the front decided on; an engine with another refuses.
        catalogue: String,
    },
    /// Plan an approved query with the values of a call, or a cut that a coordinator says is one of it; touches no data. The answer
    /// is [`Told::Planned`].
    Call {
        /// The query, as the agreement has it.
        text: String,
        /// The call.
        call: Call,
        /// The tables that this caller may name, as for `Plan`.
        tables: BTreeMap<TableName, BTreeSet<ColumnName>>,
        /// As for `Plan`.
        catalogue: String,
        /// The cut to plan in the query's place, if it is one of it.
        cut: Option<CutOf>,
    },
    /// What an approved query takes and gives; touches no data. The answer is [`Told::Template`].
    Template {
        /// The query.
        text: String,
        /// The tables, as the agreement shows them.
        tables: Vec<SharedTable>,
    },
    /// Run one cut of a planned query, with what the permit demands. The answer is [`Told::Ran`], with Arrow IPC.
    Run {
        /// Which plan.
        plan: u64,
        /// Which of its cuts.
        cut: usize,
        /// What to compute beside it.
        obligations: Obligations,
        /// Where its cells are judged beside all that were released before: the key of the hashes by which people are known again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        known_by: Option<HashKey>,
        /// Caps on the work.
        caps: Caps,
    },
    /// Run what lies above the cuts over released tables alone, sent along as one Arrow IPC stream a cut. The answer
    /// is [`Told::Finished`], with Arrow IPC: the query's columns, then one mark column each.
    Finish {
        /// Which plan.
        plan: u64,
        /// Caps on the work.
        caps: Caps,
    },
    /// What tables there are. The answer is [`Told::Opened`].
    Open,
}

/// What a coordinator sends of an approved query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOf {
    /// The query that it sends.
    pub sql: String,
    /// Its bound values.
    pub parameters: Vec<Parameter>,
    /// This site.
    pub site: SiteName,
    /// The tables, as a federation shows them.
    pub tables: Vec<SharedTable>,
}

/// A table as a federation shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTable {
    /// Name and columns.
    pub table: ModelTable,
    /// It lies whole at every site.
    pub is_whole: bool,
    /// The columns of which every value stands for one entity.
    #[serde(default)]
    pub of_one_entity: BTreeSet<ColumnName>,
}

/// The key of a site's hashes of people and values: it stays the same for as long as what was released is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashKey(pub [u8; 16]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// Caps on one piece of an engine's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// Memory that large operators may take, in bytes.
    pub memory_bytes: u64,
    /// Rows that a result may have.
    pub rows: u64,
}

/// An engine's answer. Errors carry text that is safe for the caller; the detail goes to the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// The tables, as the site's views make them.
    Opened {
        /// Tables and columns, checked against the shared model.
        model: Model,
        /// Changes whenever sources, views or model do.
        catalogue: String,
    },
    /// A plan, kept by the engine until the next `Plan`.
    Planned {
        /// Its number.
        plan: u64,
        /// Its cuts, in the order in which they must run.
        cuts: Vec<Footprint>,
        /// The query is one bare cut: nothing lies above it.
        bare: bool,
        /// The result's schema as an Arrow IPC schema message.
        schema: Vec<u8>,
    },
    /// What an approved query takes and gives.
    Template {
        /// Its parameters, in the order in which they may be given.
        parameters: Vec<TemplateParameter>,
        /// Its columns.
        columns: Vec<TemplateColumn>,
        /// What its cuts touch, with values of the right types that say nothing.
        cuts: Vec<Footprint>,
        /// It can be asked of this site alone: it does not read the column `site`.
        alone: bool,
    },
    /// A cut's result; the rows lie in the attachment.
    Ran {
        /// What its columns mean.
        layout: Layout,
    },
    /// The final rows lie in the attachment.
    Finished {
        /// An operator that drops or mixes rows read a withheld cell.
        rows_may_be_missing: bool,
    },
    /// It did not work.
    Failed {
        /// For the caller.
        error: Error,
        /// For the operator's log alone.
        detail: String,
    },
}
