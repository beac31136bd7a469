//! A site's data as it stands open: tables that fit the model, and the state of the files that they were read from.

use std::collections::BTreeMap;
use std::path::Path;

use liquid_node_api::catalogue::Model;
use liquid_node_api::engine::Caps;
use liquid_policy::id::TableName;
use ring::digest::{Context, SHA256};

use crate::checks::Checked;
use crate::config::EngineConfig;
use crate::error::OpenError;
use crate::names::RESERVED;
use crate::sources::{self, Pinned, Stores};
use crate::tables::{self, Source, Table};
use crate::{session, views};

/// What [`open`] found.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The shared model.
    pub(crate) model: Model,
    /// Its tables at this site.
    pub(crate) tables: BTreeMap<TableName, Table>,
    /// Changes whenever model, views or sources do; not when data does.
    pub(crate) catalogue: String,
    /// The files at that moment.
    pub(crate) files: Pinned,
    /// Whether every row of every text file was looked at.
    pub(crate) complete: bool,
    /// What was found true of these files.
    pub(crate) checked: Checked,
}

/// What opening a site's files may take; questions bring caps of their own.
pub(crate) const OPENING: Caps = Caps { memory_bytes: 1 << 30, rows: 1_000_000 };

/// Reads model and views, registers the sources, and holds all of them against each other.
pub(crate) async fn open(config: &EngineConfig, stores: &Stores) -> Result<Opened, OpenError> {
    let files = Pinned::list(config, stores).await?;
    let model_text = read("model", &config.model)?;
    let model = parse_model(&model_text, &config.model)?;
    let session = session::session_over(&files, config.threads, &OPENING)
        .map_err(|error| OpenError::Start(error.to_string()))?;
    let mut found = Vec::new();
    for (at, source) in config.sources.iter().enumerate() {
        let looked = sources::register(&session, source, &files, at).await?;
        found.push(Source { config: source, files: files.files(at), looked });
    }
    let complete = found.iter().all(|source| source.looked.complete);
    let views_text = match &config.views {
        Some(path) => {
            let text = read("views", path)?;
            views::create(&session, &text, path).await?;
            text
        }
        None => String::new(),
    };
    let tables = tables::fit(&session, &model, &found).await?;
    let catalogue = version(config, &model_text, &views_text);
    drop(found);
    Ok(Opened { model, tables, catalogue, files, complete, checked: Checked::default() })
}

fn read(setting: &'static str, path: &Path) -> Result<String, OpenError> {
    std::fs::read_to_string(path).map_err(|reason| OpenError::Read { setting, path: path.to_owned(), reason })
}

fn parse_model(text: &str, path: &Path) -> Result<Model, OpenError> {
    let wrong = |reason: String| OpenError::Model { path: path.to_owned(), reason };
    let model: Model = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if model.tables.is_empty() {
        return Err(wrong("it has no table; write a [[table]] with its [[table.column]] entries".to_owned()));
    }
    for (at, table) in model.tables.iter().enumerate() {
        if model.tables.iter().skip(at + 1).any(|other| other.name == table.name) {
            return Err(wrong(format!("table `{}` stands there twice; drop one", table.name)));
        }
        for (at, column) in table.columns.iter().enumerate() {
            if column.name.as_str().starts_with(RESERVED) {
                return Err(wrong(format!("`{}` begins with `{RESERVED}`; rename this column", column.name)));
            }
            if table.columns.iter().skip(at + 1).any(|other| other.name == column.name) {
                let (table, column) = (&table.name, &column.name);
                return Err(wrong(format!(
                    "column `{column}` of table `{table}` stands there twice; drop one"
                )));
            }
        }
    }
    Ok(model)
}

/// One hash over everything that a plan's meaning hangs on.
fn version(config: &EngineConfig, model: &str, views: &str) -> String {
    let mut hash = Context::new(&SHA256);
    let mut add = |part: &str| {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    };
    add(model);
    add(views);
    for source in &config.sources {
        add(&format!("{source:?}"));
    }
    hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
