//! Agreements for comparing: one that says something of everything, and edits of every key of it.

use liquid_policy::file::File;
use liquid_policy::key::{Class, KEYS, Key, Support};
use liquid_policy::{Agreement, parse_beside};
use ring::digest::{SHA256, digest};
use serde::Deserialize as _;
use toml::{Table, Value};

/// Every key that is enforced; `ward` says nothing that the others hang on.
const BASE: &str = r#"
schema = "liquid/agreement/1"
[agreement]
id = "A-1"
version = "1.0.0"
purposes = ["care", "research"]
in_force = 2026-02-01
expires = 2026-11-30
review = { due = 2026-06-30, grace_days = 14 }
[[party]]
organisation = "north"
role = "controller"
[[party]]
organisation = "south"
role = "joint-controller"
[[party]]
organisation = "host"
role = "processor"
[[recipient]]
organisation = "institute"
roles = ["analyst", "lead"]
purposes = ["care"]
[[recipient]]
organisation = "bureau"
roles = ["analyst"]
purposes = ["care", "research"]
[table.person]
entity = "upi"
row_filter = "age > 1"
join = { keys = ["upi", "ward"], references = { ward = "ward.ward" }, unique = ["upi"] }
[table.person.columns]
upi = { use = ["join"] }
ward = { use = ["join"] }
age = { use = ["group", "filter"] }
income = { use = ["measure"] }
note = { use = [] }
[table.visit]
entity = "upi"
filter_from = "person"
keys_within = ["vid"]
join = { keys = ["upi", "vid"], references = { upi = "person.upi" }, unique = ["vid"] }
[table.visit.columns]
upi = { use = ["join"] }
vid = { use = ["join"] }
cost = { use = ["measure", "filter"] }
kind = { use = ["group"] }
[table.ward]
replicated = true
join = { keys = ["ward"], unique = ["ward"] }
[table.ward.columns]
ward = { use = ["join"] }
region = { use = ["group", "filter"] }
[disclosure]
minimum_contributors = 10
"#;

/// A key, and what can stand there; the first is what the base has, nothing means that the key is left out.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) path: &'static str,
    pub(crate) values: &'static [&'static str],
}

const fn edit(path: &'static str, values: &'static [&'static str]) -> Edit {
    Edit { path, values }
}

/// Steps are parted by `/`, numbers are places in lists. A section comes before the keys in it.
pub(crate) const EDITS: &[Edit] = &[
    edit("agreement/id", &[r#""A-1""#, r#""A-2""#]),
    edit("agreement/title", &["", r#""Care""#, r#""Caring""#]),
    edit("agreement/version", &[r#""1.0.0""#, r#""1.1.0""#]),
    edit(
        "agreement/supersedes",
        &[
            "",
            r#""sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
            r#""sha256:0000000000000000000000000000000000000000000000000000000000000001""#,
            r#"["sha256:0000000000000000000000000000000000000000000000000000000000000000", "sha256:0000000000000000000000000000000000000000000000000000000000000001"]"#,
        ],
    ),
    edit("agreement/marking", &["", r#""OFFICIAL""#, r#""SECRET""#]),
    edit(
        "agreement/purposes",
        &[r#"["care", "research"]"#, r#"["care", "research", "audit"]"#, r#"["care"]"#, r#"["research"]"#],
    ),
    edit("agreement/purpose_text", &["", r#""To care.""#]),
    edit("agreement/benefits", &["", r#""Health.""#]),
    edit("agreement/legal_basis", &["", r#"["6-1-e"]"#, r#"["6-1-e", "9-2-h"]"#]),
    edit("agreement/dpia", &["", r#"{ reference = "D-1" }"#, r#"{ reference = "D-1", outcome = "low" }"#]),
    edit("agreement/privacy_notice", &["", r#""here""#]),
    edit("agreement/rights_procedure", &["", r#""write""#]),
    edit("agreement/breach_contact", &["", r#""call""#]),
    edit("agreement/security_controls", &["", r#""locks""#]),
    edit("agreement/termination", &["", r#""P30D""#]),
    edit("agreement/lead", &["", r#""north""#]),
    edit("agreement/contact", &["", r#""a@b.example""#]),
    edit("agreement/in_force", &["2026-02-01", "2026-01-01", "2026-03-01"]),
    edit("agreement/expires", &["2026-11-30", "2026-12-31", "2026-08-31"]),
    edit(
        "agreement/review",
        &[
            "{ due = 2026-06-30, grace_days = 14 }",
            "",
            "{ due = 2026-06-30 }",
            "{ due = 2026-07-14 }",
            "{ due = 2026-09-30, grace_days = 30 }",
        ],
    ),
    edit("agreement/retention", &["", "{}"]),
    edit("agreement/retention/results_days", &["", "30", "60"]),
    edit("agreement/retention/logs_days", &["", "30", "60"]),
    edit("agreement/onward", &["", r#""recipients""#, r#""public""#]),
    edit("party/0/role", &[r#""controller""#, r#""joint-controller""#, r#""processor""#]),
    edit("party/1", &[r#"{ organisation = "south", role = "joint-controller" }"#, ""]),
    edit("party/1/role", &[r#""joint-controller""#, r#""processor""#]),
    edit("party/1/point_of_contact", &["", r#""Ann""#, r#""Bob""#]),
    edit("party/1/deputies", &["", r#"["Bob"]"#, r#"["Bob", "Cid"]"#]),
    edit("party/1/approvers", &["", r#"["siro"]"#, r#"["siro", "guardian"]"#]),
    edit("party/2/organisation", &[r#""host""#, r#""guest""#]),
    edit("party/2/role", &[r#""processor""#, r#""controller""#]),
    edit("signoff", &["", "{}"]),
    edit("signoff/rule", &["", r#""all-controllers""#]),
    edit("signoff/roles_per_party", &["", "2", "3"]),
    edit("signoff/author_may_sign", &["", "false"]),
    edit("recipient/0/organisation", &[r#""institute""#, r#""college""#]),
    edit(
        "recipient/0/roles",
        &[r#"["analyst", "lead"]"#, r#"["analyst"]"#, r#"["lead"]"#, r#"["lead", "guest"]"#],
    ),
    edit("recipient/0/purposes", &[r#"["care"]"#, r#"["research"]"#, r#"["care", "research"]"#]),
    edit("recipient/0/residency", &["", r#"["GB"]"#, r#"["GB", "FR"]"#, r#"["FR"]"#]),
    edit(
        "recipient/1",
        &[r#"{ organisation = "bureau", roles = ["analyst"], purposes = ["care", "research"] }"#, ""],
    ),
    edit("recipient/1/purposes", &[r#"["care", "research"]"#, r#"["care"]"#]),
    edit(
        "table/extra",
        &[
            "",
            r#"{ entity = "uid", columns = { uid = { use = [] }, size = { use = ["group", "measure"] } } }"#,
            r#"{ entity = "upi", filter_from = "person", columns = { upi = { use = [] }, size = { use = ["group"] } } }"#,
            r#"{ entity = "upi", filter_from = "person", row_filter = "size > 1",
                 columns = { upi = { use = [] }, size = { use = ["group"] } } }"#,
        ],
    ),
    edit(
        "table/ward",
        &[
            r#"{ replicated = true, join = { keys = ["ward"], unique = ["ward"] },
                 columns = { ward = { use = ["join"] }, region = { use = ["group", "filter"] } } }"#,
            "",
        ],
    ),
    edit("table/visit/entity", &[r#""upi""#, r#""vid""#]),
    edit("table/ward/replicated", &["true", "false"]),
    edit("table/person/rows_per_entity_max", &["", "1", "5"]),
    edit("table/visit/keys_within", &[r#"["vid"]"#, "", r#"["vid", "kind"]"#]),
    edit("table/person/entity_counts", &["", "[1, 2]", "[1, 2, 5]", "[3]"]),
    edit("table/person/impossible", &["", "[{ age = 1 }]", "[{ age = 2 }]"]),
    edit("table/visit/entities", &["", r#""disjoint""#]),
    edit("table/person/row_filter", &[r#""age > 1""#, r#""age > 2""#, ""]),
    edit("table/visit/row_filter", &["", r#""cost > 1""#, r#""cost > 2""#]),
    edit("table/visit/filter_from", &[r#""person""#, ""]),
    edit(
        "table/person/columns/age",
        &[r#"{ use = ["group", "filter"] }"#, "", "{ use = [], required = true }", "{ use = [] }"],
    ),
    edit(
        "table/person/columns/note",
        &["{ use = [] }", "", r#"{ use = ["measure"] }"#, "{ use = [], required = true }"],
    ),
    edit("table/person/columns/more", &["", "{ use = [] }", r#"{ use = ["filter"], required = true }"#]),
    edit(
        "table/person/columns/age/use",
        &[
            r#"["group", "filter"]"#,
            r#"["group"]"#,
            r#"["filter"]"#,
            "[]",
            r#"["group", "filter", "measure"]"#,
            r#"["measure"]"#,
            r#"["group", "output"]"#,
        ],
    ),
    edit("table/person/columns/income/use", &[r#"["measure"]"#, r#"["measure", "group"]"#, "[]"]),
    edit(
        "table/visit/columns/cost/use",
        &[r#"["measure", "filter"]"#, r#"["measure"]"#, r#"["filter"]"#, r#"["group", "filter", "measure"]"#],
    ),
    edit("table/visit/columns/kind/use", &[r#"["group"]"#, r#"["group", "filter"]"#, "[]"]),
    edit("table/person/columns/age/domain", &["", "{ values = [1, 2] }"]),
    edit("table/person/columns/age/domain/values", &["", "[1, 2]", "[1, 2, 3]"]),
    edit(
        "table/person/columns/income/domain",
        &["", "{ from = 1, to = 9 }", "{ file = \"a.csv\", sha256 = \"00\" }"],
    ),
    edit("table/person/columns/income/domain/from", &["", "1", "2", r#""2024-01""#]),
    edit("table/person/columns/income/domain/to", &["", "9", "8", r#""snapshot""#]),
    edit("table/person/columns/income/domain/file", &["", r#""a.csv""#, r#""b.csv""#]),
    edit("table/person/columns/income/domain/sha256", &["", r#""00""#, r#""01""#]),
    edit("table/visit/columns/kind/grain", &["", r#""day""#, r#""month""#, r#""year""#, r#""week""#]),
    edit("table/person/columns/age/grain", &["", r#""month""#, r#""quarter""#, r#""week""#, r#""day""#]),
    edit(
        "table/person/columns/income/aggregates",
        &["", r#"["count"]"#, r#"["sum"]"#, r#"["count", "avg"]"#],
    ),
    edit("table/person/columns/income/bounds", &["", "[0, 10]", "[0, 9]"]),
    edit("table/person/columns/income/required", &["", "true"]),
    edit("table/person/columns/age/required", &["", "true"]),
    edit("table/person/columns/age/missing", &["", r#""public""#]),
    edit("table/visit/columns/cost/missing", &["", r#""public""#]),
    edit(
        "table/person/columns/income/quantiles",
        &[
            "",
            "{ probs = [0.5], round_to = 1, min_each_side = 10 }",
            "{ probs = [0.5], round_to = 1, min_each_side = 20 }",
            "{ probs = [0.25, 0.5], round_to = 1, min_each_side = 10 }",
            "{ probs = [0.5], round_to = 2, min_each_side = 10 }",
        ],
    ),
    edit("table/visit/columns/vid/transform", &["", r#""token""#]),
    edit(
        "table/person/join",
        &[
            r#"{ keys = ["upi", "ward"], references = { ward = "ward.ward" }, unique = ["upi"] }"#,
            r#"{ keys = ["upi"], unique = ["upi"] }"#,
        ],
    ),
    edit("table/visit/join/keys", &[r#"["upi", "vid"]"#, r#"["upi"]"#, r#"["vid"]"#]),
    edit("table/visit/join/references", &[r#"{ upi = "person.upi" }"#, "", r#"{ upi = "person.ward" }"#]),
    edit("table/visit/join/unique", &[r#"["vid"]"#, "", r#"["vid", "upi"]"#]),
    edit("table/visit/join/anti_join", &["", "true"]),
    edit("table/visit/join/meeting", &["", r#""office""#, r#""other""#]),
    edit("table/visit/join/send", &["", r#"["upi"]"#, r#"["upi", "vid"]"#]),
    edit("disclosure/minimum_contributors", &["10", "1", "5", "20"]),
    edit("disclosure/scope", &["", r#""joint""#]),
    edit("disclosure/combiner", &["", r#""office""#, r#""other""#]),
    edit(
        "disclosure/dominance",
        &["", "{ n = 2, share = 0.9 }", "{ n = 2, share = 0.8 }", "{ n = 3, share = 0.9 }"],
    ),
    edit("disclosure/p_ratio", &["", "0.1", "0.2"]),
    edit("disclosure/zeros", &["", r#""show""#]),
    edit("disclosure/left_out", &["", r#""released""#]),
    edit("disclosure/secondary", &["", r#""optimal""#, r#""greedy""#]),
    edit("disclosure/protection", &["", "0.1", "0.2"]),
    edit("disclosure/round_base", &["", "5", "10"]),
    edit("disclosure/perturb", &["", r#""cell-key""#]),
    edit("disclosure/degrees_of_freedom", &["", "10", "20"]),
    edit("disclosure/parameters_per_observation", &["", "0.1", "0.2"]),
    edit("disclosure/openings_per_observation", &["", "1.0", "2.0"]),
    edit("history", &["", "{}"]),
    edit("history/scope", &["", r#""table""#]),
    edit("history/snapshot", &["", r#""day""#, r#""month""#, r#""quarter""#]),
    edit("history/opt_out_days", &["", "10", "20"]),
    edit("history/window_days", &["", "100", "200"]),
    edit("history/minimum_difference", &["", "5", "10"]),
    edit("history/search", &["", "1", "2"]),
    edit("history/max_rank", &["", "100", "200"]),
    edit("history/max_atoms", &["", "100", "200"]),
    edit("history/max_share", &["", "0.1", "0.2"]),
    edit(
        "privacy",
        &["", r#"{ unit = "upi", measure = "zCDP", rho_total = 0.5, delta = 1e-8, window_days = 365 }"#],
    ),
    edit("privacy/unit", &[r#""upi""#, r#""vid""#]),
    edit("privacy/measure", &[r#""zCDP""#]),
    edit("privacy/rho_total", &["0.5", "0.4", "0.6"]),
    edit("privacy/rho_lifetime", &["", "1.0", "2.0"]),
    edit("privacy/delta", &["1e-8", "1e-9"]),
    edit("privacy/window_days", &["365", "300"]),
    edit("privacy/rho_per_caller", &["", "0.1", "0.2"]),
    edit("privacy/groups_per_entity_max", &["", "2", "4"]),
    edit("models", &["", "{ folds = 5 }"]),
    edit("models/folds", &["5", "10"]),
    edit(
        "template",
        &[
            "",
            r#"[{ name = "by-ward", sha256 = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5", roles = ["analyst"] }]"#,
            r#"[{ name = "by-ward", sha256 = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5", roles = ["analyst", "lead"] }]"#,
            r#"[{ name = "by-ward", sha256 = "ebbb5b332060a3ede7047bd7528883b0a560e729848f9feb8ff742145e909b01", roles = ["analyst"] }]"#,
            r#"[{ name = "by-ward", sha256 = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5", roles = ["analyst"], reserve = true }]"#,
            r#"[{ name = "by-ward", sha256 = "e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5", roles = ["lead"] }, { name = "by-age", sha256 = "1d6a12252ca55db7a202d76b7afdcdacb9b0c90734f73d9c88f27eba4bf67288", roles = ["analyst"] }]"#,
            r#"[{ name = "by-age", sha256 = "1d6a12252ca55db7a202d76b7afdcdacb9b0c90734f73d9c88f27eba4bf67288", roles = ["analyst"] }]"#,
        ],
    ),
    edit("template/0/name", &[r#""by-ward""#, r#""by-town""#]),
    edit(
        "template/0/sha256",
        &[
            r#""e004ebd5b5532a4b85984a62f8ad48a81aa3460c1ca07701f386135d72cdecf5""#,
            r#""ebbb5b332060a3ede7047bd7528883b0a560e729848f9feb8ff742145e909b01""#,
        ],
    ),
    edit("template/0/roles", &[r#"["analyst"]"#, r#"["analyst", "lead"]"#, r#"["lead"]"#]),
    edit("template/0/reserve", &["false", "true"]),
    edit("release", &["", "{}"]),
    edit("release/rows", &["", "true"]),
    edit("release/templates_only", &["", "true"]),
    edit("release/rows_out_max", &["", "5000", "20000"]),
    edit("release/time_class_ms", &["", "[250, 2000]", "[300]"]),
];

pub(crate) fn base() -> Table {
    BASE.parse().expect("TOML")
}

impl Edit {
    /// The key of the list in `key.rs`.
    pub(crate) fn key(&self) -> String {
        let steps: Vec<&str> = self.path.split('/').collect();
        let generic = steps.iter().enumerate().filter_map(|(at, step)| match (at, steps[0]) {
            (1, "table") => Some("*"),
            (3, "table") if steps[2] == "columns" => Some("*"),
            _ if step.parse::<usize>().is_ok() => None,
            _ => Some(*step),
        });
        generic.collect::<Vec<_>>().join(".")
    }

    /// Whether an agreement with any value there can be in force today.
    pub(crate) fn is_enforced(&self) -> bool {
        let key = self.key();
        let below: Vec<&Key> = KEYS.iter().filter(|known| known.path.starts_with(&key)).collect();
        let of: Vec<&Key> = Key::of(&key).into_iter().chain(below).collect();
        let kept = |key: &&Key| key.class != Class::Enforced || key.support == Support::Full;
        !of.is_empty() && of.iter().any(kept)
    }

    /// Writes one of the values; nothing happens where the section is not there.
    pub(crate) fn apply(&self, file: &mut Table, value: &str) {
        let value = (!value.is_empty()).then(|| {
            format!("x = {}", value.replace('\n', " ")).parse::<Table>().expect(self.path)["x"].clone()
        });
        let steps: Vec<&str> = self.path.split('/').collect();
        write(&mut Value::Table(std::mem::take(file)), &steps, value, file);
    }
}

/// Goes down to the place and writes there; the file is handed back.
fn write(whole: &mut Value, steps: &[&str], value: Option<Value>, file: &mut Table) {
    fn at(place: &mut Value, steps: &[&str], value: Option<Value>) {
        let [step, rest @ ..] = steps else { return };
        match (place, rest, value) {
            (Value::Table(table), [], Some(value)) => drop(table.insert((*step).to_owned(), value)),
            (Value::Table(table), [], None) => drop(table.remove(*step)),
            (Value::Table(table), rest, value) => {
                table.get_mut(*step).into_iter().for_each(|place| at(place, rest, value.clone()));
            }
            (Value::Array(list), rest, value) => {
                let place: usize = step.parse().expect("a place in a list");
                match (list.get_mut(place), rest, value) {
                    (Some(old), [], Some(value)) => *old = value,
                    (Some(_), [], None) => drop(list.remove(place)),
                    (Some(place), rest, value) => at(place, rest, value),
                    (None, ..) => {}
                }
            }
            _ => {}
        }
    }
    at(whole, steps, value);
    if let Value::Table(whole) = whole {
        *file = std::mem::take(whole);
    }
}

/// Reads it without the checks of an agreement; none where a key is missing or has a wrong value.
pub(crate) fn file(written: &Table) -> Option<File> {
    File::deserialize(Value::Table(written.clone())).ok()
}

/// Reads it as a node would.
pub(crate) fn agreement(written: &Table) -> Option<Agreement> {
    let text = toml::to_string(written).expect("TOML");
    parse_beside(&text, "edited.toml", &|_, sha256| {
        let texts = ["SELECT 1", "SELECT 2", "SELECT 3"];
        let is_it = |text: &&str| hex::encode(digest(&SHA256, text.as_bytes())) == sha256;
        texts
            .into_iter()
            .find(is_it)
            .map(|text| text.as_bytes().to_vec())
            .ok_or_else(|| "not there".to_owned())
    })
    .ok()
}
