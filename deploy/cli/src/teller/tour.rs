//! A look around a federation over data that we do not know: who may ask what, and how many rows each site answers for.

use liquid_node_api::Error;
use liquid_policy::document::Agreement;

use super::{Teller, who_asks};
use crate::failure::Failure;

impl Teller {
    /// One question for each table of each agreement, then the audit logs.
    pub(super) async fn tour(&mut self, staying_up: &str) -> Result<(), Failure> {
        let agreements: Vec<Agreement> = self.federation.folder().agreements().cloned().collect();
        for agreement in &agreements {
            self.prose(&who_asks(agreement));
            self.line("");
            // What lies whole at every site protects nobody, and is not asked about by itself.
            for table in agreement.tables().values().filter(|table| table.entity().is_some()) {
                self.count(agreement, table.name().as_str()).await?;
            }
        }
        self.verify_logs();
        self.line(&format!("Now ask your own: {}\n", self.paint().code(staying_up)));
        Ok(())
    }

    /// How many rows of one table there are, under one agreement. A refusal is the agreement's answer, not a failure.
    async fn count(&mut self, agreement: &Agreement, table: &str) -> Result<(), Failure> {
        let Some(recipient) = agreement.recipients().first() else { return Ok(()) };
        let (Some(role), Some(purpose)) = (recipient.roles.first(), recipient.purposes.first()) else {
            return Ok(());
        };
        let sql = format!(
            "SELECT site, count(*) AS \"rows\" FROM \"{}\" GROUP BY site ORDER BY site",
            table.replace('"', "\"\"")
        );
        self.line(&format!("  {}\n", self.paint().code(&sql)));
        let who = format!("{}/{role}", recipient.organisation);
        let options = [("liquid.agreement", agreement.id().as_str()), ("liquid.purpose", purpose.as_str())];
        let outcome = self.ask_as(Some(&who), &sql, &options).await?;
        self.went_well &= matches!(outcome, Ok(_) | Err(Error::Refused { .. }));
        Ok(())
    }
}
