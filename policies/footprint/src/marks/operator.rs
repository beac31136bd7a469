//! One rule for each operator above the cuts.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion_common::{Column, DFSchema, JoinType, Spans};
use datafusion_expr::expr::{AggregateFunction, WindowFunction, WindowFunctionParams};
use datafusion_expr::logical_plan::TableScanBuilder;
use datafusion_expr::{
    Aggregate, Distinct, EmptyRelation, Expr, Filter, Join, Limit, LogicalPlan, Sort, SortExpr, Subquery,
    TableScan, Union, Window, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion_functions_aggregate::min_max::max_udaf;

use crate::catalogue::{Opaque, TableKind};
use crate::error::{PlanError, lift, lower};
use crate::marks::relation::{
    Cell, Marked, Order, Read, Scope, Taints, greatest_of, hidden, is_withheld, literal, or_zero, project,
};
use crate::marks::{ROWS_MAY_BE_MISSING, mark_name, with_marks};

/// Rewrites plans; keeps the taints that it finds and the names that it has given.
#[derive(Debug, Default)]
pub(crate) struct Carrier {
    taints: Vec<LogicalPlan>,
    names: usize,
}

impl Carrier {
    /// Rewrites one plan.
    #[deny(clippy::wildcard_enum_match_arm)] // a new variant must not compile unseen
    pub(crate) fn carry(&mut self, plan: &LogicalPlan) -> Result<Marked, PlanError> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => self.projection(&projection.expr, &projection.input),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::SubqueryAlias(alias) => self.carry(&alias.input),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => self.distinct(input),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => self.unmarked(plan.clone()),
            LogicalPlan::Distinct(Distinct::On(_))
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => {
                Err(PlanError::bug(format!("no marks through {}", plan.display())))
            }
        }
    }

    /// A cell's whole mark, taints included; none where it can only be 0.
    pub(crate) fn mark(&self, cell: &Cell) -> Result<Option<Expr>, PlanError> {
        let mut marks: Vec<_> = cell.mark.iter().cloned().map(Expr::Column).collect();
        for taint in &cell.taints {
            marks.push(self.taint_value(*taint)?);
        }
        Ok(greatest_of(marks))
    }

    /// One row: whether any of these taints holds.
    pub(crate) fn any(&self, taints: &Taints) -> Result<LogicalPlan, PlanError> {
        let all = taints.iter().map(|t| self.taint_value(*t)).collect::<Result<Vec<_>, _>>()?;
        let any = match greatest_of(all) {
            Some(mark) => or_zero(mark).not_eq(literal(0)),
            None => crate::expression::boolean(false),
        };
        let one_row = EmptyRelation { produce_one_row: true, schema: Arc::new(DFSchema::empty()) };
        project(LogicalPlan::EmptyRelation(one_row), vec![any.alias(ROWS_MAY_BE_MISSING)])
    }

    fn taint_value(&self, taint: usize) -> Result<Expr, PlanError> {
        let plan = self.taints.get(taint).ok_or_else(|| PlanError::bug("a lost taint"))?;
        Ok(scalar(plan.clone()))
    }

    /// Registers that an operator over `plan` read something with these marks; the taints are what its output is subject to.
    fn taint(&mut self, plan: &LogicalPlan, read: &Read) -> Result<Taints, PlanError> {
        let mut taints: Taints = read.taints.union(&read.relation).copied().collect();
        if let Some(mark) = read.mark() {
            let most = self.name("t");
            let greatest = max(mark).alias(&most.name);
            let plan = aggregated(plan.clone(), Vec::new(), vec![greatest])?;
            let held =
                datafusion_expr::when(is_withheld(Expr::Column(most)), literal(1)).otherwise(literal(0));
            let held = held.map_err(PlanError::bug)?.alias(self.name("t").name);
            self.taints.push(project(plan, vec![held])?);
            taints.insert(self.taints.len() - 1);
        }
        Ok(taints)
    }

    fn name(&mut self, letter: &str) -> Column {
        self.names += 1;
        Column::new_unqualified(format!("{letter}{}", self.names))
    }

    /// Rewrites an expression, and says what it reads.
    fn read(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<(Expr, Read), PlanError> {
        let mut read = Read::default();
        let rewritten = expr.clone().unalias_nested().data.transform_up(|e| match e {
            Expr::Column(column) => {
                let cell = scope.find(&column).map_err(lift)?;
                read.marks.extend(cell.mark.clone());
                read.taints.extend(&cell.taints);
                Ok(Transformed::yes(Expr::Column(cell.value.clone())))
            }
            Expr::ScalarSubquery(subquery) => {
                self.subquery(&subquery, &mut read).map(Transformed::yes).map_err(lift)
            }
            other => Ok(Transformed::no(other)),
        });
        Ok((rewritten.data().map_err(lower)?, read))
    }

    fn subquery(&mut self, subquery: &Subquery, read: &mut Read) -> Result<Expr, PlanError> {
        let marked = self.carry(&subquery.subquery)?;
        let [cell] = marked.cells.as_slice() else {
            return Err(PlanError::bug("a scalar subquery of several columns"));
        };
        if let Some(mark) = &cell.mark {
            let mark = project(marked.plan.clone(), vec![Expr::Column(mark.clone())])?;
            read.subqueries.push(or_zero(scalar(mark)));
        }
        read.taints.extend(&cell.taints);
        read.relation.extend(&marked.taints);
        Ok(scalar(project(marked.plan, vec![Expr::Column(cell.value.clone())])?))
    }

    fn scan(&mut self, scan: &TableScan) -> Result<Marked, PlanError> {
        let Some(table) = Opaque::of(&scan.source) else {
            return Err(PlanError::bug("a source of no catalogue"));
        };
        match table.kind() {
            TableKind::Protected => Err(PlanError::bug("a protected table above the cuts")),
            TableKind::Public => self.unmarked(LogicalPlan::TableScan(scan.clone())),
            TableKind::Released => {
                let columns = with_marks(table.columns());
                let source = Arc::new(Opaque::new(table.name(), TableKind::Released, columns));
                let both =
                    TableScanBuilder::new(scan.table_name.clone(), source).build().map_err(PlanError::bug)?;
                let of = |name: &str| Expr::Column(Column::new(Some(scan.table_name.clone()), name));
                let mut columns = Vec::new();
                let cells = table.columns().fields().iter().map(|field| {
                    let (value, mark) = (self.name("v"), self.name("m"));
                    columns.push(of(field.name()).alias(&value.name));
                    columns.push(or_zero(of(&mark_name(field.name()))).alias(&mark.name));
                    Cell { value, mark: Some(mark), taints: Taints::new() }
                });
                let cells = cells.collect();
                let plan = project(LogicalPlan::TableScan(both), columns)?;
                Ok(Marked { plan, cells, taints: Taints::new(), order: None })
            }
        }
    }

    /// A relation that holds nothing withheld.
    fn unmarked(&mut self, plan: LogicalPlan) -> Result<Marked, PlanError> {
        let columns = plan.schema().columns();
        let cells: Vec<_> = columns
            .iter()
            .map(|_| Cell { value: self.name("v"), mark: None, taints: Taints::new() })
            .collect();
        let named = columns.into_iter().zip(&cells).map(|(c, cell)| Expr::Column(c).alias(&cell.value.name));
        let named: Vec<_> = named.collect();
        let plan = if named.is_empty() { plan } else { project(plan, named)? };
        Ok(Marked { plan, cells, taints: Taints::new(), order: None })
    }

    fn projection(&mut self, exprs: &[Expr], input: &LogicalPlan) -> Result<Marked, PlanError> {
        let Marked { plan, cells: below, mut taints, order } = self.carry(input)?;
        let scope = Scope(vec![(input.schema(), &below)]);
        let (mut columns, mut cells) = (Vec::new(), Vec::new());
        for expr in exprs {
            let (value, read) = self.read(expr, &scope)?;
            let cell = self.computed(value, &read, &mut columns)?;
            taints.extend(&read.relation);
            cells.push(cell);
        }
        Ok(Marked { plan: project(plan, columns)?, cells, taints, order })
    }

    /// A computed column: its value and, if it reads any, its mark.
    fn computed(&mut self, value: Expr, read: &Read, columns: &mut Vec<Expr>) -> Result<Cell, PlanError> {
        let name = self.name("v");
        let value = match read.mark() {
            Some(mark) if !matches!(value, Expr::Column(_)) => hidden(value, mark)?,
            _ => value,
        };
        columns.push(value.alias(&name.name));
        let mark = read.mark().map(|mark| {
            let name = self.name("m");
            columns.push(mark.alias(&name.name));
            name
        });
        Ok(Cell { value: name, mark, taints: read.taints.union(&read.relation).copied().collect() })
    }

    fn filter(&mut self, filter: &Filter) -> Result<Marked, PlanError> {
        let input = self.carry(&filter.input)?;
        let scope = Scope(vec![(filter.input.schema(), &input.cells)]);
        let (predicate, read) = self.read(&filter.predicate, &scope)?;
        let taints = self.taint(&input.plan, &read)?;
        let filtered = Filter::try_new(predicate, Arc::new(input.plan.clone())).map_err(PlanError::bug)?;
        Ok(Marked { plan: LogicalPlan::Filter(filtered), ..input }.tainted(&taints))
    }

    /// Withheld cells sort last, in whatever direction: NULL is not their value.
    fn sort(&mut self, sort: &Sort) -> Result<Marked, PlanError> {
        if sort.fetch.is_some() {
            return Err(PlanError::bug("an optimised sort"));
        }
        let input = self.carry(&sort.input)?;
        let scope = Scope(vec![(sort.input.schema(), &input.cells)]);
        let (mut keys, mut all) = (Vec::new(), Read::default());
        for key in &sort.expr {
            let (value, read) = self.read(&key.expr, &scope)?;
            keys.extend(read.mark().map(|mark| is_withheld(mark).sort(true, false)));
            keys.push(SortExpr::new(value, key.asc, key.nulls_first));
            all.join(read);
        }
        let order = Some(Order { plan: input.plan.clone(), read: all });
        let plan = LogicalPlan::Sort(Sort { expr: keys, input: Arc::new(input.plan), fetch: None });
        Ok(Marked { plan, cells: input.cells, taints: input.taints, order })
    }

    fn limit(&mut self, limit: &Limit) -> Result<Marked, PlanError> {
        let input = self.carry(&limit.input)?;
        let taints = match &input.order {
            Some(order) => self.taint(&order.plan, &order.read)?,
            None => Taints::new(),
        };
        let (skip, fetch, below) = (limit.skip.clone(), limit.fetch.clone(), Arc::new(input.plan.clone()));
        let plan = LogicalPlan::Limit(Limit { skip, fetch, input: below });
        Ok(Marked { plan, ..input }.tainted(&taints))
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Marked, PlanError> {
        let input = self.carry(&aggregate.input)?;
        let scope = Scope(vec![(aggregate.input.schema(), &input.cells)]);
        // First every key and every mark becomes a column, so that the aggregate itself reads columns alone.
        let mut columns: Vec<_> = input.plan.schema().columns().into_iter().map(Expr::Column).collect();
        let (mut keys, mut keys_read) = (Vec::new(), Read::default());
        for key in &aggregate.group_expr {
            let (value, read) = self.read(key, &scope)?;
            keys.push(self.computed(value, &read, &mut columns)?);
            keys_read.join(read);
        }
        let (mut results, mut taints) = (Vec::new(), self.taint(&input.plan, &keys_read)?);
        for result in &aggregate.aggr_expr {
            let (value, read) = self.read(result, &scope)?;
            let mark = read.mark().map(|mark| {
                let name = self.name("m");
                columns.push(mark.alias(&name.name));
                name
            });
            let cell_taints: Taints = read.taints.union(&read.relation).copied().collect();
            taints.extend(&read.relation);
            results.push((value, Cell { value: self.name("v"), mark, taints: cell_taints }));
        }
        // Whatever is missing from the input may be missing from every group and every result.
        taints.extend(&input.taints);
        let groups = keys.iter().map(|k| Expr::Column(k.value.clone())).collect();
        let mut aggregates: Vec<_> =
            results.iter().map(|(e, cell)| e.clone().alias(&cell.value.name)).collect();
        let mut outputs = Vec::new();
        let mut cells = Vec::new();
        for cell in keys.into_iter().chain(results.into_iter().map(|(_, cell)| cell)) {
            let value = Expr::Column(cell.value.clone());
            let Some(mark) = cell.mark else {
                outputs.push(value);
                cells.push(Cell { mark: None, ..cell });
                continue;
            };
            let (most, name) = (self.name("m"), self.name("m"));
            aggregates.push(max(Expr::Column(mark)).alias(&most.name));
            outputs.push(hidden(value, Expr::Column(most.clone()))?.alias(&cell.value.name));
            outputs.push(or_zero(Expr::Column(most)).alias(&name.name));
            cells.push(Cell { mark: Some(name), ..cell });
        }
        let plan = aggregated(project(input.plan, columns)?, groups, aggregates)?;
        let relation = Marked { plan: project(plan, outputs)?, cells, taints: Taints::new(), order: None };
        Ok(relation.tainted(&taints))
    }

    fn distinct(&mut self, input: &LogicalPlan) -> Result<Marked, PlanError> {
        let input = self.carry(input)?;
        let read = Read { marks: input.marks(), ..Read::default() };
        let taints = self.taint(&input.plan, &read)?;
        let groups = input.cells.iter().map(|c| Expr::Column(c.value.clone())).collect();
        let mut marks = Vec::new();
        let cells = input.cells.into_iter().map(|cell| {
            let mark = cell.mark.map(|mark| {
                let name = self.name("m");
                marks.push(max(Expr::Column(mark)).alias(&name.name));
                name
            });
            Cell { mark, ..cell }
        });
        let cells = cells.collect();
        let plan = aggregated(input.plan, groups, marks)?;
        Ok(Marked { plan, cells, taints: input.taints, order: None }.tainted(&taints))
    }

    fn window(&mut self, window: &Window) -> Result<Marked, PlanError> {
        let input = self.carry(&window.input)?;
        let scope = Scope(vec![(window.input.schema(), &input.cells)]);
        let (mut functions, mut marks, mut cells, mut all) =
            (Vec::new(), Vec::new(), Vec::new(), Read::default());
        for expr in &window.window_expr {
            let (value, read) = self.read(expr, &scope)?;
            let Expr::WindowFunction(function) = &value else {
                return Err(PlanError::bug("a window that is none"));
            };
            let arguments = self.arguments(expr, &scope)?;
            let name = self.name("v");
            let mark =
                arguments.mark().map(|mark| (window_mark(function, mark), self.name("m"), self.name("m")));
            functions.push(value.alias(&name.name));
            cells.push(Cell {
                value: name,
                mark: mark.as_ref().map(|(.., name)| name.clone()),
                taints: read.taints.clone(),
            });
            marks.push(mark);
            all.join(read);
        }
        let mut taints = self.taint(&input.plan, &all)?;
        taints.extend(&input.taints);
        let mut columns: Vec<_> = input.plan.schema().columns().into_iter().map(Expr::Column).collect();
        for (cell, mark) in cells.iter().zip(marks) {
            let value = Expr::Column(cell.value.clone());
            let Some((function, most, name)) = mark else {
                columns.push(value);
                continue;
            };
            functions.push(function.alias(&most.name));
            columns.push(hidden(value, Expr::Column(most.clone()))?.alias(&cell.value.name));
            columns.push(or_zero(Expr::Column(most)).alias(&name.name));
        }
        let windowed = Window::try_new(functions, Arc::new(input.plan)).map_err(PlanError::bug)?;
        let plan = project(LogicalPlan::Window(windowed), columns)?;
        let cells = input.cells.into_iter().chain(cells).collect();
        Ok(Marked { plan, cells, taints: Taints::new(), order: None }.tainted(&taints))
    }

    /// What a window function reads besides its partition and order.
    fn arguments(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Read, PlanError> {
        let Expr::WindowFunction(function) = expr.clone().unalias_nested().data else {
            return Err(PlanError::bug("a window that is none"));
        };
        let mut all = Read::default();
        for argument in function.params.args.iter().chain(function.params.filter.as_deref()) {
            all.join(self.read(argument, scope)?.1);
        }
        Ok(all)
    }

    fn join(&mut self, join: &Join) -> Result<Marked, PlanError> {
        let (left, right) = (self.carry(&join.left)?, self.carry(&join.right)?);
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let left_scope = Scope(vec![(left_schema, &left.cells)]);
        let right_scope = Scope(vec![(right_schema, &right.cells)]);
        let both = Scope(vec![(left_schema, &left.cells), (right_schema, &right.cells)]);
        let (mut on, mut read) = (Vec::new(), Read::default());
        for (l, r) in &join.on {
            let ((l, l_read), (r, r_read)) = (self.read(l, &left_scope)?, self.read(r, &right_scope)?);
            on.push((l, r));
            read.join(l_read);
            read.join(r_read);
        }
        let filter = match &join.filter {
            Some(filter) => {
                let (filter, filter_read) = self.read(filter, &both)?;
                read.join(filter_read);
                Some(filter)
            }
            None => None,
        };
        // Each side is judged by its own rows: the join may drop exactly those that matter.
        let of = |side: &Marked| Read {
            marks: read.marks.intersection(&side.marks()).cloned().collect(),
            ..read.clone()
        };
        let (of_left, of_right) = (of(&left), of(&right));
        let mut taints = self.taint(&left.plan, &of_left)?;
        taints.extend(self.taint(&right.plan, &of_right)?);
        taints.extend(left.taints.union(&right.taints));
        let only_left = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti);
        let cells = if only_left { left.cells } else { left.cells.into_iter().chain(right.cells).collect() };
        let joined = Join::try_new(
            Arc::new(left.plan),
            Arc::new(right.plan),
            on,
            filter,
            join.join_type,
            join.join_constraint,
            join.null_equality,
            join.null_aware,
        );
        let joined = LogicalPlan::Join(joined.map_err(PlanError::bug)?);
        let (plan, cells) = self.refreshed(joined, cells)?;
        Ok(Marked { plan, cells, taints: Taints::new(), order: None }.tainted(&taints))
    }

    /// Gives the cells of a relation new names; a mark that an outer join left NULL becomes 0.
    fn refreshed(
        &mut self,
        plan: LogicalPlan,
        cells: Vec<Cell>,
    ) -> Result<(LogicalPlan, Vec<Cell>), PlanError> {
        let mut columns = Vec::new();
        let cells = cells.into_iter().map(|cell| {
            let value = self.name("v");
            columns.push(Expr::Column(cell.value).alias(&value.name));
            let mark = cell.mark.map(|mark| {
                let name = self.name("m");
                columns.push(or_zero(Expr::Column(mark)).alias(&name.name));
                name
            });
            Cell { value, mark, taints: cell.taints }
        });
        let cells: Vec<_> = cells.collect();
        let plan = if columns.is_empty() { plan } else { project(plan, columns)? };
        Ok((plan, cells))
    }

    fn union(&mut self, union: &Union) -> Result<Marked, PlanError> {
        let inputs = union.inputs.iter().map(|i| self.carry(i)).collect::<Result<Vec<_>, _>>()?;
        let mut cells: Vec<Cell> = Vec::new();
        for index in 0..union.schema.fields().len() {
            let parts: Vec<_> = inputs.iter().filter_map(|i| i.cells.get(index)).collect();
            let marked = parts.iter().any(|c| c.mark.is_some());
            let taints = parts.iter().flat_map(|c| c.taints.iter().copied()).collect();
            cells.push(Cell { value: self.name("v"), mark: marked.then(|| self.name("m")), taints });
        }
        let taints = inputs.iter().flat_map(|i| i.taints.iter().copied()).collect();
        let branches = inputs.into_iter().map(|input| {
            let mut columns = Vec::new();
            for (from, to) in input.cells.into_iter().zip(&cells) {
                columns.push(Expr::Column(from.value).alias(&to.value.name));
                if let Some(mark) = &to.mark {
                    let from = from.mark.map_or_else(|| literal(0), Expr::Column);
                    columns.push(from.alias(&mark.name));
                }
            }
            project(input.plan, columns).map(Arc::new)
        });
        let branches = branches.collect::<Result<Vec<_>, _>>()?;
        let plan = Union::try_new(branches).map(LogicalPlan::Union).map_err(PlanError::bug)?;
        Ok(Marked { plan, cells, taints, order: None })
    }
}

fn scalar(plan: LogicalPlan) -> Expr {
    Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    })
}

fn max(mark: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(max_udaf(), vec![mark], false, None, Vec::new(), None))
}

fn aggregated(plan: LogicalPlan, groups: Vec<Expr>, aggregates: Vec<Expr>) -> Result<LogicalPlan, PlanError> {
    let aggregate = Aggregate::try_new(Arc::new(plan), groups, aggregates).map_err(PlanError::bug)?;
    Ok(LogicalPlan::Aggregate(aggregate))
}

/// The mark of a window function: the greatest mark of the rows that its value can depend on. For an aggregate that is
/// the frame; a function that picks rows by position may reach any row of the partition.
fn window_mark(function: &WindowFunction, mark: Expr) -> Expr {
    let window_frame = match function.fun {
        WindowFunctionDefinition::AggregateUDF(_) => function.params.window_frame.clone(),
        WindowFunctionDefinition::WindowUDF(_) => WindowFrame::new_bounds(
            WindowFrameUnits::Rows,
            WindowFrameBound::Preceding(datafusion_common::ScalarValue::UInt64(None)),
            WindowFrameBound::Following(datafusion_common::ScalarValue::UInt64(None)),
        ),
    };
    let params = WindowFunctionParams {
        args: vec![mark],
        partition_by: function.params.partition_by.clone(),
        order_by: function.params.order_by.clone(),
        window_frame,
        filter: None,
        null_treatment: None,
        distinct: false,
    };
    let fun = WindowFunctionDefinition::AggregateUDF(max_udaf());
    Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
}
