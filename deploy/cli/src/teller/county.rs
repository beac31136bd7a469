//! The county's story: what each organisation says of the same people, a question that is refused, cells that stay.

use super::{Teller, who_asks};
use crate::failure::Failure;
use crate::story::{self, county};

impl Teller {
    /// Asks what [`county`] has to ask.
    pub(super) async fn county(&mut self, staying_up: &str) -> Result<(), Failure> {
        let agreement = self.federation.folder().agreements().next().cloned();
        let agreement = agreement.ok_or_else(|| Failure::here("the demo has no agreement", "try again"))?;
        self.prose(&who_asks(&agreement));
        self.line("");
        self.title(1, "What the NHS trust tells the council's analyst");
        let outcome = self.ask(county::BY_WARD, &[]).await?;
        self.check(
            county::by_ward(&outcome),
            "Counts left the trust, no row did. Who has opted out there is not among them.",
        );

        self.title(2, "What the schools tell");
        let outcome = self.ask(county::ABSENCE, &[]).await?;
        self.check(
            county::absence(&outcome),
            "Half-days missed, of a hundred that there were. The school trust released two sums for each ward; the share was \
             computed from them.",
        );

        self.title(3, "Four organisations, one answer");
        let outcome = self.ask(county::REGISTERS, &[]).await?;
        self.check(
            county::registers(&outcome),
            "The same county on four registers, each under numbers of its own. Names, days of birth and NHS numbers \
             are there too, and stand in no question: whoever names them is told that there is no such column.",
        );

        self.title(4, "A question that the agreement refuses");
        let outcome = self.ask(county::DEAR, &[]).await?;
        self.check(
            county::refused(&outcome),
            "Costs may be added up and averaged, and not searched by: whoever could ask for stays above an amount could \
             close in on a single one. Nothing was computed to find that out.",
        );

        self.title(5, "Cells that stay at the trust");
        let outcome = self.ask(county::SMALL, &[]).await?;
        self.check(
            story::withheld(&outcome),
            &format!(
                "A hamlet beside a town centre. Behind WITHHELD stand fewer than {} patients, or none, or so few were left out \
                 that a subtraction would show them; it is the agreement's clause disclosure.minimum_contributors.",
                agreement.minimum_contributors()
            ),
        );

        self.title(6, "What was recorded");
        self.verify_logs();
        self.line(&format!("Now ask your own: {}\n", self.paint().code(staying_up)));
        Ok(())
    }
}
