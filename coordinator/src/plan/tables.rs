//! The tables of one cut over the federation: which sites hold them all, and whether a join there is the join over all sites.
//!
//! A join is run where the rows lie. That is the join over all sites exactly where no entity is at two of them in any of
//! the tables: rows that belong together then lie together. A table that lies whole can be joined wherever it lies, which must
//! be wherever the others have rows.

use std::collections::BTreeSet;

use liquid_engine::federated;
use liquid_footprint::{PlanError, SiteQuery};
use liquid_policy::id::{SiteName, TableName};
use liquid_policy::{Code, Refusal};

use crate::planner::messages::{FederatedTable, Holds, Question};

/// The tables of one cut, in its order.
pub(crate) struct Tables<'a> {
    pub(crate) tables: Vec<&'a FederatedTable>,
}

impl<'a> Tables<'a> {
    /// Finds the tables of a cut.
    pub(crate) fn of(question: &'a Question, query: &SiteQuery) -> Result<Self, PlanError> {
        let found = |name: &TableName| question.tables.iter().find(|table| table.table.name == *name);
        let missing = || PlanError::Bug("a cut over a table that is not in the catalogue".to_owned());
        let tables = query.tables.iter().map(|name| found(name).ok_or_else(missing));
        Ok(Self { tables: tables.collect::<Result<_, _>>()? })
    }

    /// The virtual columns `site`, as the cut calls them.
    pub(crate) fn site_columns(&self) -> BTreeSet<String> {
        let with_site: Vec<bool> = self.tables.iter().map(|table| has_virtual_site(table)).collect();
        federated::site_columns(&with_site)
    }

    /// The sites that should hold every one of the tables, in the order of the configuration. At any other a join finds
    /// nothing.
    pub(crate) fn sites(&self) -> Vec<&'a SiteName> {
        let Some((first, others)) = self.tables.split_first() else { return Vec::new() };
        let there = |table: &FederatedTable, name: &SiteName| table.sites.iter().any(|s| s.site == *name);
        let names = first.sites.iter().map(|site| &site.site);
        names.filter(|name| others.iter().all(|table| there(table, name))).collect()
    }

    /// A table of which an entity can be at two sites, as far as some sites say.
    pub(crate) fn overlapping(&self, sites: &[&SiteName]) -> Option<&'a TableName> {
        let says_so = |table: &&&FederatedTable| {
            let mut asked = table.sites.iter().filter(|site| sites.contains(&&site.site));
            asked.any(|site| site.holds == Some(Holds::Overlapping))
        };
        self.tables.iter().find(says_so).map(|table| &table.table.name)
    }

    /// Whether joining at each site is joining over all of them.
    pub(crate) fn check_join(&self) -> Result<(), PlanError> {
        let sites = self.sites();
        if self.tables.len() > 1 && sites.is_empty() {
            // Joining at no site is no empty join: rows that belong together lie apart.
            let names: Vec<String> =
                self.tables.iter().map(|table| format!("`{}`", table.table.name)).collect();
            return Err(PlanError::Refused(Refusal::new(
                Code::NotFederable,
                "liquid.joins",
                format!("no site has all of {}, and tables of several sites do not meet", names.join(", ")),
                "ask each table by itself",
            )));
        }
        if self.tables.len() < 2 {
            return Ok(());
        }
        let mixed = self.tables.iter().find(|table| {
            let says = |whole: bool| {
                table.sites.iter().filter_map(|site| site.holds).any(|holds| (holds == Holds::Whole) == whole)
            };
            says(true) && says(false)
        });
        if let Some(table) = mixed {
            return Err(PlanError::Refused(Refusal::new(
                Code::NotFederable,
                format!("table.{}.replicated", table.table.name),
                format!("`{}` lies whole at some sites and in parts at others", table.table.name),
                "ask a controller to bring the sites' agreements together",
            )));
        }
        self.check_whole()?;
        let parts: Vec<_> = self.tables.iter().filter(|table| !is_whole(table)).collect();
        let all: Vec<&SiteName> =
            parts.iter().flat_map(|table| &table.sites).map(|site| &site.site).collect();
        let one_site = all.windows(2).all(|pair| matches!(pair, [one, other] if one == other));
        match self.overlapping(&all) {
            Some(table) if parts.len() > 1 && !one_site => Err(PlanError::Refused(Refusal::new(
                Code::NotFederable,
                format!("table.{table}.entities"),
                format!(
                    "rows of an entity in `{table}` can lie at two sites, and a join at each of them would miss some"
                ),
                "ask each table by itself, or one site at its own address",
            ))),
            _ => Ok(()),
        }
    }

    /// A table that should lie whole everywhere lies wherever the others have rows: at a site without it they would drop out.
    fn check_whole(&self) -> Result<(), PlanError> {
        let (whole, parts): (Vec<&FederatedTable>, Vec<&FederatedTable>) =
            self.tables.iter().partition(|table| is_whole(table));
        let there = |table: &FederatedTable, name: &SiteName| table.sites.iter().any(|s| s.site == *name);
        let Some((first, others)) = parts.split_first() else { return Ok(()) };
        let meeting = first.sites.iter().map(|site| &site.site);
        for site in meeting.filter(|site| others.iter().all(|table| there(table, site))) {
            if let Some(table) = whole.iter().find(|table| !there(table, site)) {
                let table = &table.table.name;
                return Err(PlanError::Refused(Refusal::new(
                    Code::NotFederable,
                    format!("table.{table}.replicated"),
                    format!("`{table}` does not lie at `{site}`, so the rows of that site would be missing"),
                    "ask without that table, or ask a controller to bring it to every site",
                )));
            }
        }
        Ok(())
    }
}

/// The table lies whole at every site.
fn is_whole(table: &FederatedTable) -> bool {
    table.sites.iter().any(|site| site.holds == Some(Holds::Whole))
}

/// A federated table has a column `site`, unless it has one of that name itself or lies whole at every site.
pub(crate) fn has_virtual_site(table: &FederatedTable) -> bool {
    federated::has_virtual_site(&table.table, is_whole(table))
}
