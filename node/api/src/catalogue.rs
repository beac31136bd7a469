//! The tables that a site shows to one caller: names, types and meaning; never a row, a count or a statistic.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, Field};
use liquid_policy::id::{AgreementHash, AgreementId, ColumnName, Purpose, SiteName, TableName, TemplateName};
use serde::{Deserialize, Serialize};

/// The shared schema of a federation, as `model.toml` writes it and as sites publish it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The tables.
    #[serde(default, rename = "table")]
    pub tables: Vec<ModelTable>,
}

/// One table of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelTable {
    /// Its name.
    pub name: TableName,
    /// What one row is.
    pub description: String,
    /// Its columns, in order.
    #[serde(rename = "column")]
    pub columns: Vec<ModelColumn>,
}

impl ModelTable {
    /// Its columns as Arrow has them: every one may be NULL, whatever a site's files say.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.columns.iter().map(|column| Field::new(column.name.as_str(), column.kind.arrow_type(), true))
    }
}

/// One column of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelColumn {
    /// Its name.
    pub name: ColumnName,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it says.
    pub description: String,
    /// The unit of a measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The codes that it can hold, with their meaning.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub codes: std::collections::BTreeMap<String, String>,
}

/// The types of the shared model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A 64-bit whole number.
    Integer,
    /// A 64-bit float.
    Float,
    /// A text.
    Text,
    /// A day.
    Date,
}

impl Kind {
    /// Its values in Arrow.
    pub fn arrow_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
        }
    }

    /// Its name in SQL.
    pub fn sql_name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::Integer => "BIGINT",
            Self::Float => "DOUBLE",
            Self::Text => "VARCHAR",
            Self::Date => "DATE",
        }
    }
}

/// What a site shows to one caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The site.
    pub site: SiteName,
    /// The agreements under which this caller may ask something here.
    pub agreements: Vec<PublishedAgreement>,
    /// The tables of those agreements, with the columns that have any use at all.
    pub tables: Vec<ModelTable>,
}

/// An agreement under which a caller may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedAgreement {
    /// Its id.
    pub id: AgreementId,
    /// Its version, as a hash over the canonical form.
    pub hash: AgreementHash,
    /// The purposes that this caller may name.
    pub purposes: Vec<Purpose>,
    /// The tables that it opens.
    pub tables: Vec<TableName>,
    /// Of those, the tables that protect nobody and lie whole at every site.
    #[serde(default)]
    pub replicated: Vec<TableName>,
    /// Of those, the tables in which no entity is at two sites, so that distinct counts add up.
    pub disjoint: Vec<TableName>,
    /// Of each of those, the columns of which every value stands for one entity, as far as the caller sees them.
    #[serde(default)]
    pub of_one_entity: BTreeMap<TableName, BTreeSet<ColumnName>>,
    /// The approved queries that this caller may call.
    #[serde(default)]
    pub templates: Vec<PublishedTemplate>,
    /// Nothing else may be asked.
    #[serde(default)]
    pub templates_only: bool,
}

/// An approved query, as a caller who may call it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedTemplate {
    /// Its name.
    pub name: TemplateName,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// What it says of itself.
    pub description: String,
    /// The query.
    pub text: String,
    /// Its parameters, in the order in which they may be given.
    pub parameters: Vec<TemplateParameter>,
    /// Its columns.
    pub columns: Vec<TemplateColumn>,
}

/// An approved query with where it can be called, as clients list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTemplate {
    /// The agreement that approves it.
    pub agreement: AgreementId,
    /// The purposes that this caller may name.
    pub purposes: Vec<Purpose>,
    /// The sites that hold it.
    pub sites: Vec<SiteName>,
    /// The query.
    pub template: PublishedTemplate,
}

impl Catalogue {
    /// The approved queries that this caller may call here.
    pub fn templates(&self) -> impl Iterator<Item = OpenTemplate> + '_ {
        self.agreements.iter().flat_map(|agreement| {
            agreement.templates.iter().map(|template| OpenTemplate {
                agreement: agreement.id.clone(),
                purposes: agreement.purposes.clone(),
                sites: vec![self.site.clone()],
                template: template.clone(),
            })
        })
    }
}

/// A parameter of an approved query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateParameter {
    /// Its name, without the `$`.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: Kind,
}

/// A column of an approved query's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
}
