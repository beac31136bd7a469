//! Text and bound values become an analysed plan over opaque tables; DataFusion's optimiser never runs.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion_common::config::ConfigOptions;
use datafusion_common::metadata::ScalarAndMetadata;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_common::{DataFusionError, ParamValues, ScalarValue, TableReference};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion_functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_functions_window::planner::WindowFunctionPlanner;
use datafusion_optimizer::Analyzer;
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use liquid_policy::Code;

use crate::catalogue::Catalogue;
use crate::error::{PlanError, lift, lower};
use crate::explain::explain;
use crate::expression::refused;
use crate::functions::FUNCTIONS;
use crate::statement::{self, Parsed};

/// The stack that a plan of the greatest depth [`crate::gate`] lets through is sure to fit in, in a debug build too.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Plans one query: caps ([`crate::gate`]), parse, resolve against the catalogue, bind `$1`, `$2`, … (or `?` in order),
/// analyse. It runs on a thread of its own with a big stack, so it may be called from anywhere, and a panic inside
/// becomes a [`PlanError::Bug`].
///
/// `parameters` are Boolean, Int64, Float64, Utf8, Date32 (or typed NULLs of these) or `Null`; others are refused.
///
/// # Errors
/// A refusal for what may not be asked at all, [`PlanError::Invalid`] for what is wrong in itself.
pub fn plan(sql: &str, parameters: &[ScalarValue], catalogue: &Catalogue) -> Result<LogicalPlan, PlanError> {
    on_big_stack(|| plan_here(sql, parameters, catalogue))?
}

/// Runs `work` on a thread with a big stack. Plans may be some hundred nodes deep, and DataFusion's visitors recurse:
/// use it for whatever walks a plan (cut, marks, optimiser, physical planning) outside [`plan`].
///
/// # Errors
/// [`PlanError::Bug`] where no thread can be had or `work` panicked.
pub fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, PlanError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("planner".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, work).map_err(PlanError::bug)?;
        thread.join().map_err(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
            PlanError::bug(format!("planning panicked: {text}"))
        })
    })
}

fn plan_here(sql: &str, parameters: &[ScalarValue], catalogue: &Catalogue) -> Result<LogicalPlan, PlanError> {
    let parsed = statement::parse(sql)?;
    check_parameters(statement::parameters(sql)?, parameters)?;
    bind(&parsed, sql, parameters, catalogue)
}

/// Resolves a parsed query, binds its values and analyses it.
pub(crate) fn bind(
    parsed: &Parsed,
    sql: &str,
    parameters: &[ScalarValue],
    catalogue: &Catalogue,
) -> Result<LogicalPlan, PlanError> {
    let tables = Tables::new(catalogue);
    let told = |error: &DataFusionError| match &parsed.bare_function {
        Some(function) => statement::unlisted(function),
        None => explain(error, sql, catalogue),
    };
    let fields = parameters.iter().enumerate();
    let fields =
        fields.map(|(i, v)| Some(Arc::new(Field::new(format!("${}", i + 1), v.data_type(), true)))).collect();
    let mut context = PlannerContext::new().with_prepare_param_data_types(fields);
    let planner = SqlToRel::new_with_options(&tables, parser_options());
    let plan = planner
        .sql_statement_to_plan_with_context(parsed.statement.clone(), &mut context)
        .map_err(|e| told(&e))?;
    // Values are bound before analysis: a bound value is judged, and coerced, exactly like a written literal.
    let values = parameters.iter().cloned().map(ScalarAndMetadata::from).collect();
    let plan = plan.replace_params_with_values(&ParamValues::List(values)).map_err(|e| told(&e))?;
    no_correlation(&plan)?;
    Analyzer::new().execute_and_check(plan, &tables.options, |_, _| ()).map_err(|e| told(&e))
}

/// Resolves a parsed query without any value: its parameters have the types that their places give them, where they give one.
pub(crate) fn resolve(parsed: &Parsed, sql: &str, catalogue: &Catalogue) -> Result<LogicalPlan, PlanError> {
    let tables = Tables::new(catalogue);
    let planner = SqlToRel::new_with_options(&tables, parser_options());
    planner.sql_statement_to_plan(parsed.statement.clone()).map_err(|error| match &parsed.bare_function {
        Some(function) => statement::unlisted(function),
        None => explain(&error, sql, catalogue),
    })
}

/// Correlated subqueries have no place on either side of a cut; the analyser would call some of them wrong instead.
fn no_correlation(plan: &LogicalPlan) -> Result<(), PlanError> {
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|e| match e {
                Expr::OuterReferenceColumn(..) => Err(lift(refused(
                    "a correlated subquery",
                    "aggregate each part by itself and join the results by a condition",
                ))),
                _ => Ok(TreeNodeRecursion::Continue),
            })
        })
    });
    walked.map(|_| ()).map_err(lower)
}

pub(crate) fn check_parameters(needed: usize, given: &[ScalarValue]) -> Result<(), PlanError> {
    if needed != given.len() {
        let message = format!("the query has {needed} parameters and {} bound values", given.len());
        return Err(PlanError::invalid(message, "bind one value to each parameter"));
    }
    match given.iter().find(|v| !is_wire_type(&v.data_type())) {
        None => Ok(()),
        Some(value) => Err(PlanError::invalid(
            format!("a bound value of type {} cannot be sent", value.data_type()),
            "bind booleans, 64-bit integers, 64-bit floats, texts or dates",
        )),
    }
}

/// The types that values have on the wire between coordinators and sites.
pub(crate) fn is_wire_type(data_type: &DataType) -> bool {
    use DataType::{Boolean, Date32, Float64, Int64, Null, Utf8};
    matches!(data_type, Null | Boolean | Int64 | Float64 | Utf8 | Date32)
}

fn parser_options() -> ParserOptions {
    // One text type everywhere, so that sites, coordinator and shared model agree on types.
    ParserOptions::new().with_map_string_types_to_utf8view(false)
}

/// What the SQL planner can see: the catalogue's tables and the listed functions.
struct Tables<'a> {
    catalogue: &'a Catalogue,
    options: ConfigOptions,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl<'a> Tables<'a> {
    fn new(catalogue: &'a Catalogue) -> Self {
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(DatetimeFunctionPlanner),
            Arc::new(UnicodeFunctionPlanner),
            Arc::new(AggregateFunctionPlanner),
            Arc::new(WindowFunctionPlanner),
        ];
        Self { catalogue, options: ConfigOptions::new(), planners }
    }
}

impl ContextProvider for Tables<'_> {
    fn get_table_source(&self, name: TableReference) -> datafusion_common::Result<Arc<dyn TableSource>> {
        if let Some(table) = self.catalogue.resolve(&name) {
            let source: Arc<dyn TableSource> = Arc::<crate::catalogue::Opaque>::clone(table);
            return Ok(source);
        }
        let known: Vec<_> = self.catalogue.tables().map(|t| format!("`{}`", t.name())).collect();
        let fix = if known.is_empty() {
            "no table is open to you here".to_owned()
        } else {
            format!("the tables open to you are {}", known.join(", "))
        };
        // The planner also asks for names of common table expressions, and then goes on without us.
        Err(lift(PlanError::invalid(format!("table `{name}` is not known"), fix)))
    }

    fn get_table_function_source(
        &self,
        name: &str,
        _args: Vec<Expr>,
    ) -> datafusion_common::Result<Arc<dyn TableSource>> {
        let message = format!("table function `{name}` is not on the list");
        Err(lift(PlanError::refused(Code::Function, "functions", message, "leave it out")))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        FUNCTIONS.scalars.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        FUNCTIONS.aggregates.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        FUNCTIONS.windows.get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        FUNCTIONS.scalars.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        FUNCTIONS.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        FUNCTIONS.windows.keys().cloned().collect()
    }
}
