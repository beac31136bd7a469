//! The heart federation: four hospitals, their data as each of them keeps it, one shared table, one agreement.
//!
//! Everything is in the binary. `data/heart/README.md` names source, licence, citation and changes.

use liquid_policy::id::{OrganisationName, SiteName};

use crate::blueprint::{Blueprint, Connect, Content, SitePlan, Source};

/// The shared schema.
pub const MODEL: &str = include_str!("../data/heart/model.toml");
/// The agreement that all four hospitals sign.
pub const AGREEMENT: &str = include_str!("../../../policies/examples/heart/agreement.toml");

/// The federation. Half of its nodes are dialled, the others dial.
pub fn blueprint() -> Blueprint {
    Blueprint { name: "heart".to_owned(), sites: HOSPITALS.iter().map(Hospital::plan).collect() }
}

struct Hospital {
    site: &'static str,
    organisation: &'static str,
    table: &'static str,
    file: &'static str,
    format: &'static str,
    null: Option<&'static str>,
    data: &'static [u8],
    views: &'static str,
    connect: Connect,
}

/// The node dials; its port on this machine is for those who ask it past the coordinator.
const OUTBOUND: Connect = Connect::Outbound { port: true };

const HOSPITALS: [Hospital; 4] = [
    Hospital {
        site: "cleveland",
        organisation: "cleveland",
        table: "angiography",
        file: "angiography.parquet",
        format: "parquet",
        null: None,
        data: include_bytes!("../data/heart/cleveland/angiography.parquet"),
        views: include_str!("../data/heart/cleveland/views.sql"),
        connect: Connect::Inbound,
    },
    Hospital {
        site: "budapest",
        organisation: "budapest",
        table: "betegek",
        file: "betegek.csv",
        format: "csv",
        null: Some("?"),
        data: include_bytes!("../data/heart/budapest/betegek.csv"),
        views: include_str!("../data/heart/budapest/views.sql"),
        connect: OUTBOUND,
    },
    Hospital {
        site: "zurich-basel",
        organisation: "zurich-basel",
        table: "patienten",
        file: "patienten.ndjson",
        format: "ndjson",
        null: None,
        data: include_bytes!("../data/heart/zurich-basel/patienten.ndjson"),
        views: include_str!("../data/heart/zurich-basel/views.sql"),
        connect: Connect::Inbound,
    },
    Hospital {
        site: "long-beach",
        organisation: "long-beach",
        table: "cath_lab",
        file: "cath_lab.parquet",
        format: "parquet",
        null: None,
        data: include_bytes!("../data/heart/long-beach/cath_lab.parquet"),
        views: include_str!("../data/heart/long-beach/views.sql"),
        connect: OUTBOUND,
    },
];

impl Hospital {
    fn plan(&self) -> SitePlan {
        SitePlan {
            site: SiteName::new(self.site),
            organisation: OrganisationName::new(self.organisation),
            model: MODEL.to_owned(),
            agreements: vec![AGREEMENT.to_owned()],
            beside: vec![],
            sources: vec![Source {
                name: self.table.to_owned(),
                file: self.file.to_owned(),
                format: self.format.to_owned(),
                null: self.null.map(str::to_owned),
                delimiter: None,
                content: Content::Bytes(self.data),
            }],
            views: self.views.to_owned(),
            tables: None,
            connect: self.connect,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use liquid_policy::parse::parse;
    use liquid_policy::table::{Domain, DomainValue};

    use super::*;

    /// A value outside its declared domain is NULL, so a spelling that differs would lose values in silence.
    #[test]
    fn agreement_and_model_spell_every_code_alike() {
        let agreement = parse(AGREEMENT, "agreement.toml").unwrap();
        let model: toml::Table = MODEL.parse().unwrap();
        let columns = model["table"][0]["column"].as_array().unwrap();
        let codes = |name: &str| -> BTreeSet<String> {
            let column = columns.iter().find(|column| column["name"].as_str() == Some(name)).unwrap();
            column
                .get("codes")
                .map(|codes| codes.as_table().unwrap().keys().cloned().collect())
                .unwrap_or_default()
        };
        let table = agreement.tables().values().next().unwrap();
        let rules = agreement.obligations(table).columns;
        let mut compared = 0;
        for (name, rule) in &rules {
            let Some(Domain::Values(values)) = &rule.domain else { continue };
            let declared: BTreeSet<String> = values
                .iter()
                .filter_map(|value| match value {
                    DomainValue::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect();
            if !declared.is_empty() {
                assert_eq!(declared, codes(name.as_str()), "{name}");
                compared += 1;
            }
        }
        assert_eq!(compared, 5);
        assert_eq!(rules.len(), columns.len(), "every column has a rule");
    }
}
