//! One query planned twice: by DataFusion alone, and by us up to the decision, over the same empty tables, taking turns.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::optimizer::Analyzer;
use datafusion::prelude::SessionContext;
use liquid_footprint::{Catalogue, Opaque, PlanError, TableKind, cut, footprint, plan};
use liquid_policy::verdict::Verdict;
use liquid_policy::{Agreement, parse};

use crate::times::Times;

/// TPC-H's queries, 1 to 22.
pub(crate) fn queries() -> impl Iterator<Item = &'static str> {
    include_str!("tpch.sql").split(';').map(str::trim)
}

/// What planning one query takes.
pub(crate) struct Measured {
    /// DataFusion's parser, planner and analyser.
    pub(crate) theirs: Times,
    /// Everything from the text to the decision.
    pub(crate) ours: Times,
    /// What of it stands behind the analysed plan: cuts, footprints, decision. Nothing where the question is refused before.
    pub(crate) deciding: Option<Times>,
    /// `permit`, or the refusal's code.
    pub(crate) said: String,
}

/// The example's tables, without rows, and its agreement.
pub(crate) struct Bench {
    session: SessionContext,
    catalogue: Catalogue,
    agreement: Agreement,
}

impl Bench {
    pub(crate) async fn open() -> Result<Self, Box<dyn Error>> {
        let session = SessionContext::new();
        for statement in include_str!("../../policies/examples/open/schema.sql").split(';') {
            if !statement.trim().is_empty() {
                session.sql(statement).await?.collect().await?;
            }
        }
        let agreement = parse(include_str!("../../policies/examples/open/agreement.toml"), "agreement.toml")?;
        let mut catalogue = Catalogue::new();
        for name in agreement.tables().keys() {
            let table = session.table_provider(name.as_str()).await?;
            let fields: Vec<Field> = table
                .schema()
                .fields()
                .iter()
                .map(|field| {
                    let kind = if field.data_type().is_string() {
                        DataType::Utf8
                    } else {
                        field.data_type().clone()
                    };
                    Field::new(field.name(), kind, true)
                })
                .collect();
            let opaque = Opaque::new(name.as_str(), TableKind::Protected, Arc::new(Schema::new(fields)));
            catalogue = catalogue.with(opaque);
        }
        Ok(Self { session, catalogue, agreement })
    }

    /// Plans a query so many times in each way.
    pub(crate) fn measure(&self, sql: &str, runs: usize) -> Result<Measured, Box<dyn Error>> {
        let said = match self.decide(sql) {
            Ok(verdict) => verdict.code().map_or_else(|| "permit".to_owned(), |code| code.to_string()),
            Err(error) => return Err(format!("{sql}: {error:?}").into()),
        };
        let planned = plan(sql, &[], &self.catalogue).ok();
        let (mut theirs, mut ours, mut deciding) = (Times::default(), Times::default(), Times::default());
        for _ in 0..runs {
            let start = Instant::now();
            self.analyse(sql)?;
            theirs.add(start);
            let start = Instant::now();
            self.decide(sql).map(drop).map_err(|error| format!("{error:?}"))?;
            ours.add(start);
            if let Some(plan) = planned.clone() {
                let start = Instant::now();
                let _ = self.judge(plan);
                deciding.add(start);
            }
        }
        Ok(Measured { theirs, ours, deciding: planned.map(|_| deciding), said })
    }

    /// As DataFusion does it, with the big stack that deep plans need and without anything of ours.
    fn analyse(&self, sql: &str) -> Result<(), Box<dyn Error>> {
        let state = self.session.state();
        let statement = state.sql_to_statement(sql, &datafusion::config::Dialect::Generic)?;
        let plan = futures::executor::block_on(state.statement_to_plan(statement))?;
        Analyzer::new().execute_and_check(plan, state.config_options(), |_, _| ())?;
        Ok(())
    }

    fn decide(&self, sql: &str) -> Result<Verdict, PlanError> {
        match plan(sql, &[], &self.catalogue).and_then(|plan| self.judge(plan)) {
            Ok(verdict) => Ok(verdict),
            Err(PlanError::Refused(refusal)) => Ok(refusal.into()),
            Err(other) => Err(other),
        }
    }

    fn judge(&self, plan: datafusion::logical_expr::LogicalPlan) -> Result<Verdict, PlanError> {
        let request = cut(plan)?;
        let cuts: Vec<_> = request.cuts.iter().map(|cut| footprint(&cut.query)).collect();
        Ok(Verdict::over(&self.agreement, &cuts))
    }
}
