//! Federated tables: what the sites publish to one caller, put together. A site that cannot be reached is remembered by
//! configuration, so that it shows up as missing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use liquid_node_api::NodeChannel;
use liquid_node_api::catalogue::{Catalogue, Kind, ModelTable, PublishedAgreement, PublishedTemplate};
use liquid_node_api::channel::Token;
use liquid_node_api::governance::{Governance, Heard};
use liquid_node_api::sql::SessionOptions;
use liquid_policy::id::{AgreementHash, AgreementId, SiteName, TableName};
use tokio::time::{Instant, timeout};

use crate::dispatch::{Outcome, plain};
use crate::plan::federate::QUERIES;
use crate::planner::messages::{FederatedTable, Holds, TableSite};

/// A site of the federation.
pub struct Member {
    /// The way to it.
    pub channel: Arc<dyn NodeChannel>,
    /// The tables that it is expected to hold; every table where nothing is written.
    pub tables: Option<Vec<TableName>>,
}

/// All sites, in the order of the configuration.
pub(crate) struct Federation {
    pub(crate) members: Vec<Member>,
    patience: Duration,
    cache: Mutex<HashMap<(String, SiteName), Cached>>,
}

#[derive(Clone)]
struct Cached {
    until: Instant,
    said: Said,
}

impl Cached {
    /// What was said, to somebody who did not wait for it.
    fn again(&self, now: Instant) -> Said {
        match &self.said {
            Err(Outcome::Late) => {
                let seconds = self.until.saturating_duration_since(now).as_millis().div_ceil(1000);
                Err(Outcome::Failed(format!(
                    "it did not answer a moment ago and is asked again in {seconds} s"
                )))
            }
            said => said.clone(),
        }
    }
}

/// What a site said when it was asked for its tables, or why it said nothing.
type Said = Result<Arc<Catalogue>, Outcome>;

/// What one caller sees of the federation.
pub(crate) struct View {
    /// What each site said.
    pub(crate) sites: Vec<(SiteName, Said)>,
    /// The tables that at least one of them publishes.
    pub(crate) tables: Vec<SharedTable>,
}

/// A table of the federation, as one caller sees it.
pub(crate) struct SharedTable {
    pub(crate) table: ModelTable,
    /// Every site that should hold it.
    pub(crate) holders: Vec<(SiteName, Holding)>,
}

/// How a site stands to a table that it should hold.
pub(crate) enum Holding {
    /// It publishes the table, under these agreements.
    Published(Vec<PublishedAgreement>),
    /// It does not publish it to this caller. It is asked all the same, so that it says why.
    Unpublished,
    /// Nothing usable can come from it.
    Missing(Outcome),
}

/// How long what a site said stays good.
const FRESH: Duration = Duration::from_secs(5);
/// How long a site that could not be reached is left alone.
const ABSENT: Duration = Duration::from_secs(1);
/// The same for one that hung: asking it costs every question all of [`PATIENCE`].
const HUNG: Duration = Duration::from_secs(10);
/// How long a site may take to say what tables it has.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tables, columns, codes and agreements that one site may publish.
const ENTRIES_MAX: usize = 20_000;
/// Callers × sites that are remembered.
const CACHED_MAX: usize = 10_000;

impl Federation {
    pub(crate) fn new(members: Vec<Member>) -> Self {
        Self { members, patience: PATIENCE, cache: Mutex::default() }
    }

    /// Asks all sites at once for what this caller may see.
    pub(crate) async fn view(&self, token: &Token, deadline: Instant) -> View {
        // A site that hangs must leave time for the question itself.
        let patience = self.patience.min(deadline.saturating_duration_since(Instant::now()) / 3);
        let said = join_all(self.members.iter().map(|member| self.ask(member, token, patience))).await;
        let sites: Vec<_> =
            self.members.iter().map(|member| member.channel.site().clone()).zip(said).collect();
        let tables = self.tables(&sites);
        View { sites, tables }
    }

    /// Carries what somebody says of agreements to every site, and brings back what each one answers.
    pub(crate) async fn governance(&self, token: &Token, message: &Governance) -> Vec<Heard> {
        let asked = self.members.iter().map(|member| async move {
            let site = member.channel.site().clone();
            let answer = match timeout(self.patience, member.channel.governance(token, message)).await {
                Err(_) => Err("it did not answer in time; say it again".to_owned()),
                Ok(answer) => answer.map_err(|error| plain(&error.to_string())),
            };
            // What it publishes may be another thing now.
            self.forget(token, &site);
            Heard { site, answer }
        });
        join_all(asked).await
    }

    /// Forgets what a site said to this caller, since it has changed.
    pub(crate) fn forget(&self, token: &Token, site: &SiteName) {
        self.cache().remove(&(token.secret().to_owned(), site.clone()));
    }

    async fn ask(&self, member: &Member, token: &Token, patience: Duration) -> Said {
        let key = (token.secret().to_owned(), member.channel.site().clone());
        let now = Instant::now();
        if let Some(cached) = self.cache().get(&key).filter(|cached| cached.until > now) {
            return cached.again(now);
        }
        let said = match timeout(patience, member.channel.catalogue(token)).await {
            Err(_) => Err(Outcome::Late),
            Ok(Err(error)) => Err(Outcome::of(error)),
            Ok(Ok(catalogue)) if catalogue.site != *member.channel.site() => {
                Err(Outcome::Failed("another site answers in its place".to_owned()))
            }
            Ok(Ok(catalogue)) if entries(&catalogue) > ENTRIES_MAX => {
                Err(Outcome::Failed("it publishes more than is read here".to_owned()))
            }
            Ok(Ok(catalogue)) => Ok(Arc::new(catalogue)),
        };
        let now = Instant::now();
        let until = now
            + match &said {
                Ok(_) => FRESH,
                // A caller in a hurry has found out nothing.
                Err(Outcome::Late) if patience < self.patience => return said,
                Err(Outcome::Late) => HUNG,
                Err(_) => ABSENT,
            };
        self.keep(key, Cached { until, said: said.clone() }, now);
        said
    }

    /// Keeps what a site said, and nothing that is no longer good: sites choose how much they say.
    fn keep(&self, key: (String, SiteName), cached: Cached, now: Instant) {
        let mut cache = self.cache();
        cache.retain(|_, cached| cached.until > now);
        if cache.len() < CACHED_MAX {
            cache.insert(key, cached);
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<(String, SiteName), Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tables(&self, sites: &[(SiteName, Said)]) -> Vec<SharedTable> {
        let published: Vec<&ModelTable> =
            sites.iter().filter_map(|(_, said)| said.as_ref().ok()).flat_map(|said| &said.tables).collect();
        // No site takes the place of the coordinator's own table.
        let published: Vec<_> =
            published.into_iter().filter(|table| table.name.as_str() != QUERIES).collect();
        let mut tables: Vec<SharedTable> = Vec::new();
        for table in &published {
            if tables.iter().any(|known| known.table.name == table.name) {
                continue;
            }
            let table = most_common(&published, &table.name).unwrap_or(table);
            let holders = self
                .members
                .iter()
                .zip(sites)
                .filter(|(member, _)| {
                    member.tables.as_ref().is_none_or(|tables| tables.contains(&table.name))
                })
                .map(|(_, (site, said))| (site.clone(), holding(table, said)))
                .collect();
            tables.push(SharedTable { table: table.clone(), holders });
        }
        tables
    }
}

fn entries(catalogue: &Catalogue) -> usize {
    let table =
        |table: &ModelTable| 1 + table.columns.iter().map(|column| 1 + column.codes.len()).sum::<usize>();
    let agreement = |it: &PublishedAgreement| {
        let template = |it: &PublishedTemplate| 1 + it.parameters.len() + it.columns.len();
        let lists = [it.purposes.len(), it.tables.len(), it.disjoint.len(), it.replicated.len()];
        1 + lists.into_iter().sum::<usize>()
            + it.templates.iter().map(template).sum::<usize>()
            + it.of_one_entity.values().map(|columns| 1 + columns.len()).sum::<usize>()
    };
    catalogue.tables.iter().map(table).sum::<usize>()
        + catalogue.agreements.iter().map(agreement).sum::<usize>()
}

/// The shape that most sites publish; of equals the first.
fn most_common<'a>(published: &[&'a ModelTable], name: &TableName) -> Option<&'a ModelTable> {
    let named = || published.iter().filter(|table| table.name == *name);
    let alike = |table: &ModelTable| named().filter(|other| shape(other) == shape(table)).count();
    // Of equal maxima `max_by_key` takes the last.
    named().rev().max_by_key(|table| alike(table)).copied()
}

/// What must be the same at every site: names and types, in whatever order.
fn shape(table: &ModelTable) -> Vec<(&str, Kind)> {
    let mut shape: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    shape.sort_unstable_by_key(|(name, _)| *name);
    shape
}

fn holding(table: &ModelTable, said: &Said) -> Holding {
    let said = match said {
        Ok(said) => said,
        Err(outcome) => return Holding::Missing(outcome.clone()),
    };
    match said.tables.iter().find(|other| other.name == table.name) {
        None => Holding::Unpublished,
        Some(other) if shape(other) != shape(table) => Holding::Missing(Outcome::Failed(format!(
            "its table `{}` has other columns than at most sites",
            table.name
        ))),
        Some(_) => Holding::Published(
            said.agreements
                .iter()
                .filter(|agreement| agreement.tables.contains(&table.name))
                .cloned()
                .collect(),
        ),
    }
}

impl SharedTable {
    /// The table as the planner needs it.
    pub(crate) fn federated(&self, options: &SessionOptions) -> FederatedTable {
        let holds = |holding: &Holding| match holding {
            Holding::Published(agreements) => {
                let applying: Vec<_> = applying(agreements, options).collect();
                let all = |list: fn(&PublishedAgreement) -> &Vec<TableName>| {
                    applying.iter().all(|it| list(it).contains(&self.table.name))
                };
                Some(match (all(|it| &it.replicated), all(|it| &it.disjoint)) {
                    // It refuses the question under whatever was named, and says why.
                    _ if applying.is_empty() => Holds::Disjoint,
                    (true, _) => Holds::Whole,
                    (false, true) => Holds::Disjoint,
                    (false, false) => Holds::Overlapping,
                })
            }
            Holding::Unpublished | Holding::Missing(_) => None,
        };
        let sites = self
            .holders
            .iter()
            .map(|(site, holding)| TableSite { site: site.clone(), holds: holds(holding) })
            .collect();
        let published = self.holders.iter().filter_map(|(_, holding)| match holding {
            Holding::Published(agreements) => Some(applying(agreements, options)),
            Holding::Unpublished | Holding::Missing(_) => None,
        });
        let of_one_entity = published
            .flatten()
            .filter_map(|agreement| agreement.of_one_entity.get(&self.table.name))
            .flatten()
            .cloned()
            .collect();
        FederatedTable { table: self.table.clone(), sites, of_one_entity }
    }

    /// How a site stands to this table.
    pub(crate) fn holding(&self, site: &SiteName) -> Option<&Holding> {
        self.holders.iter().find(|(holder, _)| holder == site).map(|(_, holding)| holding)
    }
}

impl Holding {
    /// The version that a site holds of the one agreement that can apply; none where several can.
    pub(crate) fn version<'a>(&'a self, options: &'a SessionOptions) -> Option<&'a PublishedAgreement> {
        let Self::Published(agreements) = self else { return None };
        let mut applying = applying(agreements, options);
        applying.next().filter(|_| applying.next().is_none())
    }
}

impl View {
    /// The version of an agreement that a question is asked under at every site: the one that most of them hold; of equals that
    /// of the first. A site that holds another one refuses, and the answer says so.
    pub(crate) fn pinned(&self, id: &AgreementId) -> Option<&AgreementHash> {
        let held: Vec<&AgreementHash> = self
            .sites
            .iter()
            .filter_map(|(_, said)| said.as_ref().ok())
            .filter_map(|said| said.agreements.iter().find(|agreement| agreement.id == *id))
            .map(|agreement| &agreement.hash)
            .collect();
        let alike = |hash: &AgreementHash| held.iter().filter(|other| **other == hash).count();
        // Of equal maxima `max_by_key` takes the last.
        held.iter().rev().max_by_key(|hash| alike(hash)).copied()
    }
}

/// The agreements under which these options can ask.
pub(crate) fn applying<'a>(
    agreements: &'a [PublishedAgreement],
    options: &'a SessionOptions,
) -> impl Iterator<Item = &'a PublishedAgreement> {
    agreements.iter().filter(|agreement| {
        options.agreement.as_ref().is_none_or(|named| *named == agreement.id)
            && options.purpose.as_ref().is_none_or(|purpose| agreement.purposes.contains(purpose))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use async_trait::async_trait;
    use liquid_node_api::Error;
    use liquid_node_api::channel::SiteAnswer;
    use liquid_node_api::governance::SiteGovernance;
    use liquid_node_api::request::SiteRequest;

    use super::*;

    /// A site that says what tables it has, or nothing at all.
    struct Sleepy(SiteName, AtomicBool);

    #[async_trait]
    impl NodeChannel for Sleepy {
        fn site(&self) -> &SiteName {
            &self.0
        }

        async fn catalogue(&self, _: &Token) -> Result<Catalogue, Error> {
            if !self.1.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            Ok(Catalogue { site: self.0.clone(), agreements: Vec::new(), tables: Vec::new() })
        }

        async fn governance(&self, _: &Token, _: &Governance) -> Result<SiteGovernance, Error> {
            Err(Error::invalid("not asked here", "ask for tables"))
        }

        async fn ask(&self, _: &Token, _: SiteRequest) -> Result<SiteAnswer, Error> {
            Err(Error::invalid("not asked here", "ask for tables"))
        }
    }

    /// What two callers with the same token find, the first of whom waits this long, when the site wakes up between them.
    async fn found(first: Duration) -> [Said; 2] {
        let site = Arc::new(Sleepy("a".into(), AtomicBool::new(false)));
        let member = Member { channel: site.clone(), tables: None };
        let federation = Federation { patience: Duration::from_millis(100), ..Federation::new(vec![member]) };
        let view = async |left| {
            let view = federation.view(&Token::new("ann"), Instant::now() + left).await;
            view.sites.into_iter().next().unwrap().1
        };
        let before = view(first).await;
        site.1.store(true, Ordering::SeqCst);
        [before, view(Duration::from_secs(60)).await]
    }

    #[test]
    fn what_is_no_longer_good_is_not_kept() {
        let (federation, now) = (Federation::new(Vec::new()), Instant::now());
        for second in 0..100 {
            let now = now + Duration::from_secs(second);
            let cached = Cached { until: now + FRESH, said: Err(Outcome::Late) };
            federation.keep((format!("token {second}"), "a".into()), cached, now);
        }
        assert_eq!(federation.cache().len(), 5, "those of the last five seconds");
    }

    #[tokio::test]
    async fn a_caller_in_a_hurry_does_not_speak_for_the_next() {
        let [hurried, next] = found(Duration::from_millis(30)).await;
        assert!(matches!(hurried, Err(Outcome::Late)));
        assert!(next.is_ok(), "the site is asked again at once");
    }

    #[tokio::test]
    async fn a_site_that_hangs_is_left_alone_for_a_while_and_it_is_said() {
        let [patient, next] = found(Duration::from_secs(60)).await;
        assert!(matches!(patient, Err(Outcome::Late)));
        let Err(Outcome::Failed(why)) = next else { panic!("it was asked again, or nobody waited") };
        assert_eq!(why, "it did not answer a moment ago and is asked again in 10 s");
    }
}
