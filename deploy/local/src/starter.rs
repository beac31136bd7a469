//! What `liquid init` writes: one site with invented visits, a coordinator, an agreement; made to be edited.

use liquid_policy::id::{OrganisationName, SiteName};

use crate::blueprint::{Blueprint, Connect, Content, SitePlan, Source};

/// Its name.
pub const NAME: &str = "starter";

/// The federation.
pub fn blueprint() -> Blueprint {
    Blueprint {
        name: NAME.to_owned(),
        sites: vec![SitePlan {
            site: SiteName::new("first"),
            organisation: OrganisationName::new("own"),
            model: include_str!("../data/starter/model.toml").to_owned(),
            agreements: vec![include_str!("../data/starter/agreement.toml").to_owned()],
            beside: vec![],
            sources: vec![Source {
                name: "raw_visits".to_owned(),
                file: "visits.csv".to_owned(),
                format: "csv".to_owned(),
                null: None,
                delimiter: None,
                content: Content::Bytes(include_bytes!("../data/starter/visits.csv")),
            }],
            views: include_str!("../data/starter/views.sql").to_owned(),
            tables: None,
            connect: Connect::Inbound,
        }],
    }
}
