//! From a question to one query per cut and site: plan, cut, decompose, bind, print, and prove that the text reads back.

use std::collections::BTreeSet;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{Expr, LogicalPlan};
use liquid_engine::call;
use liquid_engine::federated::bind_site::{Bound, bind_site};
use liquid_engine::federated::decompose::{Decomposed, above_step, decompose};
use liquid_engine::federated::recipe::{KeySource, Recipe, Share};
use liquid_engine::federated::{self, site_table};
use liquid_engine::parameters::to_scalar;
use liquid_footprint::print::Printed;
use liquid_footprint::site_query::base_schema;
use liquid_footprint::{Catalogue, Cut, Opaque, PlanError, SiteQuery, TableKind, cut, plan, roundtrip};
use liquid_node_api::wire;
use liquid_policy::footprint::Function;
use liquid_policy::id::SiteName;
use liquid_policy::{Code, Refusal};

use super::tables::{Tables, has_virtual_site};
use crate::planner::messages::Question;
use crate::queries;

/// A question as what each site is asked, and how the answers become one.
#[derive(Debug)]
pub(crate) struct FederatedPlan {
    pub(crate) cuts: Vec<FederatedCut>,
    /// What lies above the cuts.
    pub(crate) upper: LogicalPlan,
    /// The result's columns, without marks.
    pub(crate) output: SchemaRef,
    /// It reads `system.queries`.
    pub(crate) queries: bool,
}

/// One cut over several sites.
#[derive(Debug)]
pub(crate) struct FederatedCut {
    pub(crate) query: SiteQuery,
    pub(crate) recipe: Recipe,
    pub(crate) sites: Vec<AskedSite>,
}

/// One of those sites.
#[derive(Debug)]
pub(crate) struct AskedSite {
    pub(crate) share: Share,
    pub(crate) text: Printed,
    /// The columns that its answer must have, marks included.
    pub(crate) answer: SchemaRef,
}

/// Plans a question.
pub(crate) fn federate(question: &Question) -> Result<FederatedPlan, PlanError> {
    let catalogue = federated_catalogue(question);
    let planned = match &question.call {
        Some(called) => call::plan(&question.sql, called, &catalogue)?,
        None => {
            let parameters: Vec<_> = question.parameters.iter().map(to_scalar).collect();
            plan(&question.sql, &parameters, &catalogue)?
        }
    };
    let request = cut(planned)?;
    let cuts = request.cuts.iter().map(|cut| federate_cut(question, cut)).collect::<Result<_, _>>()?;
    Ok(FederatedPlan {
        cuts,
        output: request.output(),
        queries: reads_public_table(&request.upper)?,
        upper: request.upper,
    })
}

fn federate_cut(question: &Question, cut: &Cut) -> Result<FederatedCut, PlanError> {
    let tables = Tables::of(question, &cut.query)?;
    let site_columns = tables.site_columns();
    let decomposed = decompose(cut, &site_columns)?;
    let at_site = tables
        .tables
        .iter()
        .fold(Catalogue::new(), |all, table| all.with(site_table(&table.table, &table.of_one_entity)));
    let own = tables.tables.iter().map(|table| Schema::new(table.table.fields().collect::<Vec<_>>()));
    let own = own.collect::<Vec<_>>();
    let base = base_schema(own.iter());
    let mut sites = Vec::new();
    for site in tables.sites() {
        let bound = bind_site(&decomposed, site, &site_columns, &cut.base)?;
        if let Some(bound) = bound {
            sites.push(ask(bound, &decomposed.recipe, &base, &at_site)?);
        }
    }
    tables.check_join()?;
    check_step(cut, &tables, &sites, &site_columns)?;
    check_distinct(&decomposed, &tables, &sites, &site_columns)?;
    Ok(FederatedCut { query: decomposed.query, recipe: decomposed.recipe, sites })
}

/// Prints what a site is asked, and computes the columns that its answer must have.
fn ask(bound: Bound, recipe: &Recipe, base: &Schema, at_site: &Catalogue) -> Result<AskedSite, PlanError> {
    let (text, _) = roundtrip(&bound.query, at_site).map_err(|error| unwritable(error, &bound.share.site))?;
    let values = bound.query.output(base)?;
    for (key, wanted) in bound.share.keys.iter().zip(&recipe.keys) {
        let kind = match key {
            KeySource::Constant(value) => Some(value.data_type()),
            KeySource::Sent(column) => values.fields().get(*column).map(|field| field.data_type().clone()),
        };
        if kind.as_ref() != Some(wanted) {
            return Err(PlanError::Bug(format!("a group key is {kind:?} at one site and {wanted} over all")));
        }
    }
    Ok(AskedSite { share: bound.share, text, answer: wire::schema(&values, true) })
}

/// The question was in order as the caller wrote it; what is wrong with it as one site would be asked is not theirs.
fn unwritable(error: PlanError, site: &SiteName) -> PlanError {
    match error {
        PlanError::Invalid { .. } => PlanError::Refused(Refusal::new(
            Code::NotFederable,
            "liquid.dialect",
            format!("the question cannot be written for site `{site}`"),
            "ask in parts, or with fewer conditions on `site`",
        )),
        other => other,
    }
}

/// What is computed for each entity at a site is all there is of that entity only where nobody is at two of them, or where it is
/// asked for each site.
fn check_step(
    cut: &Cut,
    tables: &Tables<'_>,
    sites: &[AskedSite],
    site_columns: &BTreeSet<String>,
) -> Result<(), PlanError> {
    let Some(step) = &cut.query.step else { return Ok(()) };
    let is_site = |key: &Expr| key.try_as_col().is_some_and(|column| site_columns.contains(&column.name));
    let asked: Vec<_> = sites.iter().map(|site| &site.share.site).collect();
    if asked.len() < 2 || step.keys.iter().any(is_site) {
        return Ok(());
    }
    match tables.overlapping(&asked) {
        None => Ok(()),
        Some(table) => Err(PlanError::Refused(Refusal::new(
            Code::NotFederable,
            format!("table.{table}.entities"),
            format!(
                "an entity of `{table}` can be at two sites, and neither knows what there is of it at the other"
            ),
            "add `site` to the GROUP BY of the aggregate by entity, or ask one site with `WHERE site = 'a'`",
        ))),
    }
}

/// Distinct counts add up only where no entity can be in two of the parts.
fn check_distinct(
    cut: &Decomposed,
    tables: &Tables<'_>,
    sites: &[AskedSite],
    site_columns: &BTreeSet<String>,
) -> Result<(), PlanError> {
    let site_keys = above_step(&cut.query, site_columns)?;
    let is_site = |key: &Expr| key.try_as_col().is_some_and(|column| site_keys.contains(&column.name));
    if cut.query.groups.iter().any(is_site) {
        return Ok(());
    }
    for (number, partial) in cut.query.aggregates.iter().enumerate() {
        if partial.function != Function::CountDistinct {
            continue;
        }
        let contributes = |site: &&AskedSite| site.share.partials.get(number).is_some_and(Option::is_some);
        let contributing: Vec<_> = sites.iter().filter(contributes).map(|site| &site.share.site).collect();
        if let Some(table) = tables.overlapping(&contributing)
            && contributing.len() > 1
        {
            return Err(PlanError::Refused(Refusal::new(
                Code::NotFederable,
                format!("table.{table}.entities"),
                "distinct counts do not add up over sites where one entity can be at two of them",
                "count within each site: add `site` to GROUP BY, or ask one site with `WHERE site = 'a'`",
            )));
        }
    }
    Ok(())
}

/// What a caller may name.
fn federated_catalogue(question: &Question) -> Catalogue {
    let public = Opaque::new(QUERIES, TableKind::Public, queries::schema());
    let names: Vec<_> = queries::COLUMNS.into_iter().map(|(name, _, _)| name).collect();
    let tables = question.tables.iter();
    let tables = tables.map(|table| (&table.table, has_virtual_site(table), &table.of_one_entity));
    federated::catalogue(tables).with(public.showing(names))
}

fn reads_public_table(upper: &LogicalPlan) -> Result<bool, PlanError> {
    let mut found = false;
    upper
        .apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                found |= Opaque::of(&scan.source).is_some_and(|table| table.kind() == TableKind::Public);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map_err(|error| PlanError::Bug(error.to_string()))?;
    Ok(found)
}

/// The one public table.
pub(crate) const QUERIES: &str = "system.queries";

#[cfg(test)]
mod tests {
    use liquid_node_api::catalogue::{Kind, ModelColumn, ModelTable};

    use super::*;
    use crate::planner::messages::{FederatedTable, Holds, TableSite};

    fn question(sql: &str) -> Question {
        let column = |name: &str, kind| ModelColumn {
            name: name.into(),
            kind,
            description: String::new(),
            unit: None,
            codes: Default::default(),
        };
        let columns =
            vec![column("sex", Kind::Text), column("age", Kind::Integer), column("chol", Kind::Float)];
        let table = ModelTable { name: "cardiac".into(), description: String::new(), columns };
        let sites = ["a", "b"].map(|site| TableSite { site: site.into(), holds: Some(Holds::Disjoint) });
        let of_one_entity = ["patient".into()].into();
        let tables = vec![FederatedTable { table, sites: sites.into(), of_one_entity }];
        Question { sql: sql.to_owned(), parameters: Vec::new(), call: None, tables }
    }

    /// What each site is asked for the one cut of a question.
    #[track_caller]
    fn check(sql: &str, expected: &[(&str, &str)]) {
        let plan = federate(&question(sql)).unwrap();
        let [cut] = plan.cuts.as_slice() else { panic!("{} cuts", plan.cuts.len()) };
        let asked: Vec<_> =
            cut.sites.iter().map(|site| (site.share.site.as_str(), site.text.sql.as_str())).collect();
        assert_eq!(asked, expected);
    }

    #[test]
    fn an_average_is_a_sum_and_a_count_that_is_asked_for_once() {
        let text = "SELECT sum(CAST(\"age\" AS DOUBLE)) AS \"a0\", count(\"age\") AS \"a1\" FROM \"cardiac\"";
        check("SELECT avg(age), count(age) FROM cardiac", &[("a", text), ("b", text)]);
        // The whole-number sum serves both: plans cannot tell it from the sum of widened numbers by its name.
        let text = "SELECT sum(\"age\") AS \"a0\", count(\"age\") AS \"a1\" FROM \"cardiac\"";
        check("SELECT avg(age), sum(age) FROM cardiac", &[("a", text), ("b", text)]);
    }

    #[test]
    fn conditions_on_site_are_decided_before_anyone_is_asked() {
        let text = "SELECT count(*) AS \"a0\" FROM \"cardiac\" WHERE (\"age\" > $1)";
        check("SELECT count(*) FROM cardiac WHERE site = 'b' AND age > 50", &[("b", text)]);
        let all = "SELECT count(*) AS \"a0\" FROM \"cardiac\"";
        check("SELECT count(*) FROM cardiac WHERE site = 'a' OR age > 50", &[("a", all), ("b", text)]);
        check("SELECT count(*) FROM cardiac WHERE site > 'z'", &[]);
        let text = "SELECT count(*) AS \"a0\" FROM \"cardiac\" WHERE (\"sex\" NOT IN ($1, $2))";
        check("SELECT count(*) FROM cardiac WHERE NOT (sex IN ('f', 'm') OR site = 'b')", &[("a", text)]);
    }

    #[test]
    fn a_filter_on_site_is_no_filter_at_that_site_and_no_aggregate_at_the_others() {
        let sql = "SELECT sex, sum(chol) FILTER (WHERE site = 'a'), count(*) FILTER (WHERE site = 'a') FROM cardiac GROUP BY sex";
        let a = "SELECT \"sex\" AS \"g0\", sum(\"chol\") AS \"a0\", count(*) AS \"a1\" FROM \"cardiac\" GROUP BY \"sex\"";
        check(sql, &[("a", a), ("b", "SELECT \"sex\" AS \"g0\" FROM \"cardiac\" GROUP BY \"sex\"")]);
        let sql = "SELECT sum(age) FILTER (WHERE site = 'a'), avg(age) FROM cardiac";
        let a = "SELECT sum(\"age\") AS \"a0\", count(\"age\") AS \"a1\" FROM \"cardiac\"";
        let b = "SELECT sum(CAST(\"age\" AS DOUBLE)) AS \"a0\", count(\"age\") AS \"a1\" FROM \"cardiac\"";
        check(sql, &[("a", a), ("b", b)]);
    }

    #[test]
    fn group_keys_over_site_alone_are_filled_in_here() {
        let text = "SELECT sum(\"age\") AS \"a0\", count(*) AS \"a1\" FROM \"cardiac\"";
        check("SELECT site, sum(age) FROM cardiac GROUP BY site", &[("a", text), ("b", text)]);
        let text = "SELECT count(*) AS \"a0\" FROM \"cardiac\"";
        check("SELECT DISTINCT upper(site) FROM cardiac", &[("a", text), ("b", text)]);
        let a = "SELECT \"sex\" AS \"g0\" FROM \"cardiac\" GROUP BY \"sex\"";
        check("SELECT DISTINCT sex, CASE WHEN site = 'a' THEN sex END FROM cardiac", &[("a", a), ("b", a)]);
    }

    #[test]
    fn a_table_with_its_own_site_column_has_no_virtual_one() {
        let mut own = question("SELECT site, count(site) FROM cardiac GROUP BY site");
        own.tables[0].table.columns[0].name = "site".into();
        let plan = federate(&own).unwrap();
        let text = "SELECT \"site\" AS \"g0\", count(\"site\") AS \"a0\" FROM \"cardiac\" GROUP BY \"site\"";
        assert_eq!(plan.cuts[0].sites[1].text.sql, text);
    }

    /// Who is computed at each of two sites is two people.
    #[test]
    fn what_is_computed_for_each_entity_is_asked_where_nobody_is_at_two_sites() {
        let asked = |sql: &str, holds| {
            let mut asked = question(sql);
            let patient = ModelColumn { name: "patient".into(), ..asked.tables[0].table.columns[0].clone() };
            asked.tables[0].table.columns.push(patient);
            asked.tables[0].sites.iter_mut().for_each(|site| site.holds = Some(holds));
            federate(&asked)
        };
        let each = |keys: &str, filter: &str| {
            format!("SELECT avg(n) FROM (SELECT {keys}, count(*) n FROM cardiac {filter} GROUP BY {keys}) p")
        };
        let plan = asked(&each("patient", "WHERE age > 50"), Holds::Disjoint).unwrap();
        let text = "SELECT sum(CAST(\"v0\" AS DOUBLE)) AS \"a0\", count(\"v0\") AS \"a1\" FROM (SELECT \"patient\" AS \"k0\", \
                    count(*) AS \"v0\" FROM \"cardiac\" WHERE (\"age\" > $1) GROUP BY \"patient\") AS \"s\"";
        assert_eq!(plan.cuts[0].sites[1].text.sql, text);

        let Err(PlanError::Refused(refusal)) = asked(&each("patient", ""), Holds::Overlapping) else {
            panic!("it is planned")
        };
        assert_eq!(refusal.code, Code::NotFederable);
        assert_eq!(refusal.clause, "table.cardiac.entities");
        // For each site by itself, or at one of them.
        for sql in [each("patient, site", ""), each("site, patient", ""), each("patient", "WHERE site = 'b'")]
        {
            let plan = asked(&sql, Holds::Overlapping).unwrap();
            let text = &plan.cuts[0].sites[0].text.sql;
            assert!(
                text.contains("(SELECT \"patient\" AS \"k0\", count(*) AS \"v0\" FROM \"cardiac\" GROUP BY"),
                "{text}"
            );
            assert!(!text.contains("site"), "{text}");
        }
        let by_site = "SELECT site, count(DISTINCT patient) FROM (SELECT patient, site FROM cardiac GROUP BY 1, 2) p GROUP BY site";
        assert!(asked(by_site, Holds::Overlapping).is_ok());
        let all = "SELECT count(DISTINCT patient) FROM (SELECT patient, site FROM cardiac GROUP BY 1, 2) p";
        assert!(matches!(asked(all, Holds::Overlapping), Err(PlanError::Refused(_))));
    }

    /// Each at a site of its own: a join at no site would come back as none at all.
    #[test]
    fn tables_that_no_site_has_together_are_not_joined() {
        let sql = "SELECT count(*) FROM cardiac c JOIN stroke s ON c.sex = s.sex";
        let mut apart = question(sql);
        let mut other = question(sql).tables.remove(0);
        other.table.name = "stroke".into();
        other.sites.remove(0);
        apart.tables.push(other);
        assert!(federate(&apart).is_ok(), "one site has both");
        apart.tables[0].sites.pop();
        let Err(PlanError::Refused(refusal)) = federate(&apart) else { panic!("it is planned") };
        assert_eq!((refusal.code, refusal.clause.as_str()), (Code::NotFederable, "liquid.joins"));
        assert!(refusal.message.contains("no site has all of `cardiac`, `stroke`"), "{}", refusal.message);
    }

    /// What would be missing is refused, not left out: rows at a site that lacks a table, and rows of one entity at two sites.
    #[test]
    fn a_join_that_would_miss_rows_is_refused() {
        let sql = "SELECT count(*) FROM cardiac c JOIN stroke s ON c.sex = s.sex";
        let joined = |cardiac: &[(&str, Holds)], stroke: &[(&str, Holds)]| {
            let mut both = question(sql);
            let mut other = question(sql).tables.remove(0);
            other.table.name = "stroke".into();
            let at = |sites: &[(&str, Holds)]| {
                sites
                    .iter()
                    .map(|(site, holds)| TableSite { site: (*site).into(), holds: Some(*holds) })
                    .collect()
            };
            (both.tables[0].sites, other.sites) = (at(cardiac), at(stroke));
            both.tables.push(other);
            match federate(&both) {
                Ok(plan) => Ok(plan.cuts[0].sites.len()),
                Err(PlanError::Refused(refusal)) => Err(refusal.clause),
                Err(other) => panic!("{other}"),
            }
        };
        use Holds::{Disjoint, Overlapping, Whole};
        let entities = |table: &str| Err(format!("table.{table}.entities"));
        assert_eq!(joined(&[("a", Disjoint), ("b", Disjoint)], &[("a", Disjoint), ("b", Disjoint)]), Ok(2));
        assert_eq!(joined(&[("a", Disjoint), ("b", Disjoint)], &[("a", Whole), ("b", Whole)]), Ok(2));
        assert_eq!(joined(&[("a", Overlapping)], &[("a", Overlapping)]), Ok(1), "nobody is anywhere else");
        assert_eq!(joined(&[("a", Overlapping), ("b", Overlapping)], &[("a", Whole), ("b", Whole)]), Ok(2));
        assert_eq!(
            joined(&[("a", Disjoint)], &[("a", Whole), ("b", Whole)]),
            Ok(1),
            "more of a whole is no more"
        );
        assert_eq!(
            joined(&[("a", Overlapping)], &[("a", Overlapping), ("b", Overlapping)]),
            entities("cardiac")
        );
        assert_eq!(joined(&[("a", Disjoint)], &[("a", Overlapping), ("b", Overlapping)]), entities("stroke"));
        let partly = joined(&[("a", Disjoint), ("b", Disjoint)], &[("a", Whole)]);
        assert_eq!(partly, Err("table.stroke.replicated".to_owned()), "the rows at b would drop out");
    }

    #[test]
    fn system_queries_is_seen_in_subqueries_too() {
        assert!(federate(&question("SELECT (SELECT count(*) FROM system.queries)")).unwrap().queries);
        assert!(!federate(&question("SELECT count(*) FROM cardiac")).unwrap().queries);
    }
}
