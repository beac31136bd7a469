//! A question over several sites, as one of them is asked it. The coordinator sends what comes of these passes; a site that must
//! know whether a cut belongs to an approved query runs the very same ones.
//!
//! 1. [`catalogue`]: the tables of a federation, with the virtual column `site`.
//! 2. [`decompose`]: aggregates become partial results that add up over sites; [`recipe`]: how they are put together again.
//! 3. [`bind_site`]: the virtual column `site` becomes the site's name, and what that decides is decided.

pub mod bind_site;
pub mod decompose;
pub mod recipe;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::LogicalPlan;
use liquid_footprint::{Catalogue, Opaque, PlanError, SiteQuery, TableKind, cut};
use liquid_node_api::catalogue::ModelTable;
use liquid_policy::footprint::column_in_cut;
use liquid_policy::id::{ColumnName, SiteName, TableName};

use bind_site::bind_site;
use decompose::decompose;

/// The virtual column that every federated table has, unless it has one of that name itself or lies whole at every site.
pub const SITE: &str = "site";

/// Whether a federated table has the virtual column.
pub fn has_virtual_site(table: &ModelTable, is_whole: bool) -> bool {
    !is_whole && table.columns.iter().all(|column| column.name.as_str() != SITE)
}

/// Federated tables as a caller may name them, each with whether it has the virtual column, and with the columns of which every
/// value stands for one entity.
pub fn catalogue<'a>(
    tables: impl IntoIterator<Item = (&'a ModelTable, bool, &'a BTreeSet<ColumnName>)>,
) -> Catalogue {
    tables.into_iter().fold(Catalogue::new(), |catalogue, (table, with_site, of_one_entity)| {
        let site = with_site.then(|| Field::new(SITE, DataType::Utf8, false));
        catalogue.with(opaque(table, table.fields().chain(site).collect(), of_one_entity))
    })
}

/// The same table as a site has it.
pub fn site_table(table: &ModelTable, of_one_entity: &BTreeSet<ColumnName>) -> Opaque {
    opaque(table, table.fields().collect(), of_one_entity)
}

fn opaque(table: &ModelTable, columns: Vec<Field>, of_one_entity: &BTreeSet<ColumnName>) -> Opaque {
    let names: Vec<_> = columns.iter().map(|field| field.name().clone()).collect();
    Opaque::new(table.name.as_str(), TableKind::Protected, Arc::new(Schema::new(columns)))
        .showing(names)
        .standing_for_one(of_one_entity.iter().map(ColumnName::as_str))
}

/// The virtual columns `site` of a cut over these tables, each with whether it has one, as the cut calls them.
pub fn site_columns(with_site: &[bool]) -> BTreeSet<String> {
    let with_one = with_site.iter().enumerate().filter(|(_, with_site)| **with_site);
    with_one.map(|(at, _)| column_in_cut(with_site.len(), at, SITE).to_string()).collect()
}

/// Every cut that a site can be asked of a federated question: its plan over [`catalogue`], and which tables have the virtual column.
///
/// # Errors
/// Where the question has no cuts that add up over sites.
pub fn cuts_at(
    site: &SiteName,
    plan: LogicalPlan,
    with_site: impl Fn(&TableName) -> bool,
) -> Result<Vec<SiteQuery>, PlanError> {
    let mut queries = Vec::new();
    for cut in cut(plan)?.cuts {
        let with_site: Vec<bool> = cut.query.tables.iter().map(&with_site).collect();
        let site_columns = site_columns(&with_site);
        let decomposed = decompose(&cut, &site_columns)?;
        let bound = bind_site(&decomposed, site, &site_columns, &cut.base)?;
        queries.extend(bound.map(|bound| bound.query));
    }
    Ok(queries)
}
