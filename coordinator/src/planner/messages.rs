//! The messages between a coordinator's front process and its planner, over [`liquid_node_api::worker::Worker`].

use std::collections::BTreeSet;

use liquid_node_api::Error;
use liquid_node_api::call::Call;
use liquid_node_api::catalogue::ModelTable;
use liquid_node_api::engine::Caps;
use liquid_node_api::parameter::Parameter;
use liquid_policy::id::{ColumnName, SiteName, TableName};
use serde::{Deserialize, Serialize};

/// What a planner is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Turn a question into one query per cut and site. The answer is [`Told::Planned`].
    Plan(Question),
    /// Put sites' answers together and run what lies above the cuts. The answer is [`Told::Combined`], with the rows, or
    /// [`Told::Unusable`].
    Combine {
        /// The question, planned anew: the same text gives the same plan.
        question: Question,
        /// What is attached, in this order: one Arrow IPC stream each. Sites that are not there are left out.
        answers: Vec<AnswerOf>,
        /// One more stream is attached at the end: `system.queries`.
        queries: bool,
        /// Caps on each answer and on the result.
        caps: Caps,
    },
}

/// A question with all that its plan depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The query.
    pub sql: String,
    /// Values for its placeholders.
    pub parameters: Vec<Parameter>,
    /// The query is an approved one, called with these values.
    pub call: Option<Call>,
    /// The tables that the caller may name.
    pub tables: Vec<FederatedTable>,
}

/// A table that lies at several sites, each with rows of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedTable {
    /// Name and columns, without `site`.
    pub table: ModelTable,
    /// Every site that should hold it, reachable or not, in the order of the configuration.
    pub sites: Vec<TableSite>,
    /// The columns of which every value stands for one entity, as the sites' agreements say.
    pub of_one_entity: BTreeSet<ColumnName>,
}

/// One of the sites of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSite {
    /// Which.
    pub site: SiteName,
    /// Whose rows its agreement says that it has there; none where the site has not said anything.
    pub holds: Option<Holds>,
}

/// Whose rows a site has of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Those of entities that are at no other site.
    Disjoint,
    /// Those of entities that can be at other sites, too.
    Overlapping,
    /// All rows, as every other site does: the table protects nobody.
    Whole,
}

/// Which answer an attached stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerOf {
    /// The cut.
    pub cut: usize,
    /// The site.
    pub site: SiteName,
}

/// What a planner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Told {
    /// What to ask the sites. An empty table with the result's columns, marks apart, lies in the attachment.
    Planned {
        /// The cuts.
        cuts: Vec<PlannedCut>,
        /// The question reads `system.queries`.
        queries: bool,
    },
    /// The rows lie in the attachment: the query's columns, then one mark column each.
    Combined {
        /// Cells that are withheld.
        withheld: u64,
        /// An operator that drops or mixes rows read a withheld cell.
        rows_may_be_missing: bool,
    },
    /// These sites' answers cannot be used; the others are in order.
    Unusable {
        /// Each with a fixed text.
        sites: Vec<UnusableSite>,
    },
    /// It did not work.
    Failed {
        /// For the caller.
        error: Error,
        /// For the operator's log alone.
        detail: String,
    },
}

/// One cut, as each site is asked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCut {
    /// The tables.
    pub tables: Vec<TableName>,
    /// The sites that it concerns; the question's own conditions leave the others out.
    pub sites: Vec<SiteText>,
}

/// What one site is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteText {
    /// The site.
    pub site: SiteName,
    /// The text, in the dialect.
    pub sql: String,
    /// Its bound values.
    pub parameters: Vec<Parameter>,
}

/// A site whose answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableSite {
    /// Which.
    pub site: SiteName,
    /// Why: a fixed text.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    /// Messages cross a pipe as JSON.
    #[track_caller]
    fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(message: T) {
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), message, "{text}");
    }

    #[test]
    fn messages_survive_the_pipe() {
        let table = ModelTable { name: "cardiac".into(), description: String::new(), columns: Vec::new() };
        let sites = vec![TableSite { site: "a".into(), holds: None }];
        let parameters =
            vec![Parameter::Float64(Some(f64::NAN.to_bits())), Parameter::Int64(None), Parameter::Null];
        let question = Question {
            sql: "SELECT 1".into(),
            parameters: parameters.clone(),
            call: None,
            tables: vec![FederatedTable { table, sites, of_one_entity: ["patient".into()].into() }],
        };
        check(Ask::Plan(question.clone()));
        let answers = vec![AnswerOf { cut: 1, site: "a".into() }];
        let caps = Caps { memory_bytes: u64::MAX, rows: 1 };
        check(Ask::Combine { question, answers, queries: true, caps });
        let sites = vec![SiteText { site: "a".into(), sql: "SELECT $1".into(), parameters }];
        check(Told::Planned {
            cuts: vec![PlannedCut { tables: vec!["cardiac".into()], sites }],
            queries: false,
        });
        check(Told::Combined { withheld: 3, rows_may_be_missing: true });
        check(Told::Unusable { sites: vec![UnusableSite { site: "a".into(), message: "why".into() }] });
        check(Told::Failed { error: Error::invalid("what", "fix"), detail: "detail".into() });
    }
}
