//! Approved queries over a real federation of hospitals: nothing else is answered where an agreement says so, whoever asks and
//! whatever a coordinator sends; and a call answers what the same SQL does.

use std::sync::Arc;
use std::time::Duration;

use arrow::util::pretty::pretty_format_batches;
use arrow_flight::flight_service_client::FlightServiceClient;
use liquid_local::blueprint::Beside;
use liquid_local::client::Client;
use liquid_local::{Federation, Run, heart};
use liquid_node::agreements::hash;
use liquid_node_api::Error;
use liquid_node_api::call::{Argument, Call};
use liquid_node_api::channel::Token;
use liquid_node_api::envelope::{AnswerCaps, Issuer};
use liquid_node_api::parameter::Parameter;
use liquid_node_api::request::{DIALECT, SiteRequest};
use liquid_node_api::sql::{request_id, site_ticket};
use liquid_node_api::tls::{Certificates, Target, connect};
use liquid_policy::Code;
use tonic::Request;

use crate::byzantine::files;

/// Name, text, a call of it, and the same with the values written into the text.
const APPROVED: [(&str, &str, &str, &str); 6] = [
    (
        "by-sex",
        "-- Patients by sex.\nSELECT sex, count(*) AS n, avg(disease) AS mean FROM cardiac WHERE age >= $least GROUP BY sex ORDER BY sex",
        "EXECUTE \"by-sex\"(50)",
        "SELECT sex, count(*) AS n, avg(disease) AS mean FROM cardiac WHERE age >= 50 GROUP BY sex ORDER BY sex",
    ),
    (
        "by-site",
        "SELECT site, count(*) AS n FROM cardiac WHERE site <> $not AND sex = $sex GROUP BY site ORDER BY site",
        "EXECUTE \"by-site\"(sex => 'M', not => 'budapest')",
        "SELECT site, count(*) AS n FROM cardiac WHERE site <> 'budapest' AND sex = 'M' GROUP BY site ORDER BY site",
    ),
    (
        "share",
        "SELECT avg(CASE WHEN exercise_angina = $angina THEN 1.0 ELSE 0.0 END) AS share, count(DISTINCT patient) AS n \
         FROM cardiac WHERE sex IN ($a, $b)",
        "EXECUTE share(angina => TRUE, a => 'F', b => 'M')",
        "SELECT avg(CASE WHEN exercise_angina = TRUE THEN 1.0 ELSE 0.0 END) AS share, count(DISTINCT patient) AS n \
         FROM cardiac WHERE sex IN ('F', 'M')",
    ),
    (
        "two-cuts",
        "SELECT a.sex, a.n, b.mean FROM (SELECT sex, count(*) AS n FROM cardiac WHERE age > $age GROUP BY sex) a \
         JOIN (SELECT sex, avg(cholesterol) AS mean FROM cardiac GROUP BY sex) b ON a.sex = b.sex ORDER BY a.sex",
        "EXECUTE \"two-cuts\"('40')",
        "SELECT a.sex, a.n, b.mean FROM (SELECT sex, count(*) AS n FROM cardiac WHERE age > 40 GROUP BY sex) a \
         JOIN (SELECT sex, avg(cholesterol) AS mean FROM cardiac GROUP BY sex) b ON a.sex = b.sex ORDER BY a.sex",
    ),
    (
        "no-values",
        "SELECT chest_pain, count(*) AS n FROM cardiac GROUP BY chest_pain HAVING count(*) > 20 ORDER BY n DESC LIMIT 3",
        "SELECT * FROM template.\"no-values\"",
        "SELECT chest_pain, count(*) AS n FROM cardiac GROUP BY chest_pain HAVING count(*) > 20 ORDER BY n DESC LIMIT 3",
    ),
    (
        // Approved, and refused all the same: approval adds no right.
        "too-much",
        "SELECT count(*) AS n FROM cardiac WHERE cholesterol > $least",
        "EXECUTE \"too-much\"(500)",
        "SELECT count(*) AS n FROM cardiac WHERE cholesterol > 500",
    ),
];

async fn federation(only: bool) -> Federation {
    let mut blueprint = heart::blueprint();
    let templates: String = APPROVED
        .iter()
        .map(|(name, text, ..)| {
            let hash = hash(text.as_bytes());
            format!("[[template]]\nname = \"{name}\"\nsha256 = \"{hash}\"\nroles = [\"analyst\"]\n")
        })
        .collect();
    blueprint.edit_agreements(|text| {
        text.replace("[release]\n", &format!("{templates}[release]\ntemplates_only = {only}\n"))
    });
    for site in &mut blueprint.sites {
        site.beside = APPROVED
            .iter()
            .map(|(name, text, ..)| Beside { name: format!("{name}.sql"), text: (*text).to_owned() })
            .collect();
    }
    Federation::start(&blueprint, Run::InProcess).await.unwrap()
}

async fn rows(client: &mut Client, sql: &str) -> Result<String, Error> {
    let answer = client.ask(sql).await?;
    Ok(pretty_format_batches(answer.batches()).unwrap().to_string())
}

fn code(error: &Error) -> Option<Code> {
    match error {
        Error::Refused { refusal } => Some(refusal.code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_answers_what_its_text_would_everywhere() {
    let (open, closed) = (federation(false).await, federation(true).await);
    let mut ways = vec![(open.client(None).unwrap(), closed.client(None).unwrap(), true)];
    for site in ["cleveland", "budapest"] {
        let clients = (open.site_client(site, None).unwrap(), closed.site_client(site, None).unwrap());
        ways.push((clients.0, clients.1, false));
    }
    for (open, closed, federated) in &mut ways {
        for (name, text, call, written) in APPROVED {
            if name == "by-site" && !*federated {
                let error = rows(closed, call).await.unwrap_err();
                assert!(error.to_string().contains("site"), "a node has no column `site`: {error}");
                continue;
            }
            let freely = rows(open, written).await;
            let called = rows(closed, call).await;
            assert_eq!(freely.is_ok(), name != "too-much", "{written}: {freely:?}");
            match (freely, called) {
                (Ok(freely), Ok(called)) => assert_eq!(called, freely, "{name}"),
                (Err(freely), Err(called)) => assert_eq!(code(&called), code(&freely), "{name}: {called}"),
                (freely, called) => panic!("{name}: {freely:?} and {called:?}"),
            }
            // Its own text, its own text with a value, and with another one: none of them is asked by name.
            for sql in [text, written, &written.replace("50", "51")] {
                let error = rows(closed, sql).await.unwrap_err();
                let is_no_query = text.contains('$') && sql == text;
                assert!(is_no_query || code(&error) == Some(Code::TemplateOnly), "{sql}: {error}");
            }
        }
        for (call, says) in [
            ("EXECUTE \"by-sex\"", "needs a value for `least`"),
            ("EXECUTE \"by-sex\"('50 OR 1=1')", "takes a whole number"),
            ("EXECUTE \"by-sex\"(50, 51)", "takes 1 values, and 2 are given"),
            ("EXECUTE \"by-age\"(50)", "no approved query of this name"),
            ("EXECUTE \"by-sex\"(50); SELECT 1", "goes on where it should end"),
        ] {
            let error = rows(closed, call).await.unwrap_err().to_string();
            assert!(error.contains(says), "{call}: {error}");
        }
        assert_eq!(rows(closed, "EXECUTE \"by-sex\"(NULL)").await.unwrap().matches('F').count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_listed_with_what_it_takes_and_gives() {
    let federation = federation(true).await;
    let mut client = federation.client(None).unwrap();
    let open = client.templates().await.unwrap();
    let by_sex = open.iter().find(|it| it.template.name.as_str() == "by-sex").unwrap();
    assert_eq!(by_sex.template.description, "Patients by sex.");
    assert_eq!(by_sex.sites.len(), 4);
    let takes: Vec<_> =
        by_sex.template.parameters.iter().map(|it| (it.name.as_str(), it.kind.sql_name())).collect();
    assert_eq!(takes, [("least", "BIGINT")]);
    let gives: Vec<_> =
        by_sex.template.columns.iter().map(|it| (it.name.as_str(), it.kind.sql_name())).collect();
    assert_eq!(gives, [("sex", "VARCHAR"), ("n", "BIGINT"), ("mean", "DOUBLE")]);
    assert!(
        open.iter().any(|it| it.template.name.as_str() == "by-site"),
        "also what only a federation can answer"
    );
}

/// A coordinator with a good certificate that says what it likes of approved queries.
struct Liar {
    issuer: Arc<Issuer>,
    channel: tonic::transport::Channel,
    token: Token,
}

impl Liar {
    async fn present(
        &self,
        sql: &str,
        parameters: Vec<Parameter>,
        call: Option<Call>,
    ) -> Result<usize, Error> {
        let request = SiteRequest {
            dialect: DIALECT,
            id: format!("{}-0", request_id()).as_str().into(),
            sql: sql.to_owned(),
            parameters,
            call,
            purpose: None,
            agreement: None,
            pinned: None,
            deadline_ms: 20_000,
            marks: true,
        };
        let envelope = self.issuer.seal(&self.token, &"cleveland".into(), request).unwrap();
        let mut request = Request::new(site_ticket(&envelope));
        let bearer = format!("Bearer {}", self.token.secret()).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        let typed = |status: tonic::Status| Error::from_status(&status).unwrap_or_else(|| panic!("{status}"));
        let mut client = FlightServiceClient::new(self.channel.clone());
        let mut stream = client.do_get(request).await.map_err(typed)?.into_inner();
        let mut messages = 0;
        while stream.message().await.map_err(typed)?.is_some() {
            messages += 1;
        }
        Ok(messages)
    }
}

fn call(name: &str, values: &[Parameter]) -> Option<Call> {
    let argument = |value: &Parameter| Argument { name: None, value: value.clone() };
    Some(Call { name: name.into(), arguments: values.iter().map(argument).collect() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_gets_no_other_cut_than_those_of_the_approved_text_with_its_values() {
    let federation = federation(true).await;
    let certificates = Certificates::open(&files(&federation.root().join("coordinator"))).unwrap();
    let caps = AnswerCaps { rows: 1_000_000, bytes: 1 << 30 };
    let issuer = Issuer::new(certificates.clone(), Arc::new(chrono::Utc::now), caps).unwrap();
    let site = federation.connection().sites.iter().find(|site| site.name == "cleveland").unwrap();
    let target = Target { url: site.url.clone().unwrap(), ..Target::default() };
    let channel = connect(&target, certificates.client().unwrap()).unwrap();
    let token = Token::new(federation.connection().tokens.first().unwrap().1);
    let liar = Liar { issuer, channel, token };

    let number = |number| Parameter::Int64(Some(number));
    // What an honest coordinator sends for `by-sex`(50).
    let honest = "SELECT \"sex\" AS \"g0\", count(*) AS \"a0\", sum(CAST(\"disease\" AS DOUBLE)) AS \"a1\", \
                  count(\"disease\") AS \"a2\" FROM \"cardiac\" WHERE (\"age\" >= $1) GROUP BY \"sex\"";
    let named = |values: &[Parameter]| call("by-sex", values);
    liar.present(honest, vec![number(50)], named(&[number(50)])).await.unwrap();
    // The same in other words is the same cut.
    let same = "SELECT sex AS g0, count(*) AS a0, sum(CAST(disease AS DOUBLE)) AS a1, count(disease) AS a2 FROM cardiac \
                WHERE age >= 50 GROUP BY sex";
    liar.present(same, vec![], named(&[number(50)])).await.unwrap();

    let forged: [(&str, &str, Vec<Parameter>, Option<Call>); 14] = [
        ("without a name", honest, vec![number(50)], None),
        ("with other values than it says", honest, vec![number(51)], named(&[number(50)])),
        ("under another name", honest, vec![number(50)], call("no-values", &[])),
        (
            "with a group more",
            &same.replace("sex AS g0", "sex AS g0, slope AS g1").replace("BY sex", "BY sex, slope"),
            vec![],
            named(&[number(50)]),
        ),
        (
            "with a group less",
            "SELECT count(*) AS a0, sum(CAST(disease AS DOUBLE)) AS a1, count(disease) AS a2 FROM cardiac WHERE age >= 50",
            vec![],
            named(&[number(50)]),
        ),
        (
            "with another aggregate",
            &same.replace("count(disease) AS a2", "count(cholesterol) AS a2"),
            vec![],
            named(&[number(50)]),
        ),
        ("with an aggregate less", &same.replace(", count(disease) AS a2", ""), vec![], named(&[number(50)])),
        (
            "with a condition more",
            &same.replace("age >= 50", "age >= 50 AND slope = 'flat'"),
            vec![],
            named(&[number(50)]),
        ),
        (
            "with a FILTER",
            &same.replace("count(*)", "count(*) FILTER (WHERE slope = 'flat')"),
            vec![],
            named(&[number(50)]),
        ),
        ("without its condition", &same.replace("WHERE age >= 50", ""), vec![], named(&[number(50)])),
        (
            "two cuts in one",
            &format!("SELECT * FROM ({same}) x, (SELECT count(*) FROM cardiac) y"),
            vec![],
            named(&[number(50)]),
        ),
        (
            "what lies above it",
            "SELECT sex, count(*) AS n, avg(disease) AS mean FROM cardiac WHERE age >= 50 GROUP BY sex ORDER BY sex",
            vec![],
            named(&[number(50)]),
        ),
        ("nothing of a table", "SELECT 1", vec![], named(&[number(50)])),
        ("its own text as a value", same, vec![], named(&[Parameter::Utf8(Some("49".into()))])),
    ];
    for (what, sql, parameters, call) in forged {
        let error = liar.present(sql, parameters, call).await.expect_err(what);
        assert_eq!(code(&error), Some(Code::TemplateOnly), "{what}: {error}");
    }
    // A call by name inside an envelope is the node's own text, as for whoever asks it directly.
    liar.present("EXECUTE \"by-sex\"(50)", vec![], None).await.unwrap();
    assert!(liar.present("EXECUTE \"by-sex\"(50)", vec![], named(&[number(50)])).await.is_err());
    // What the agreement refuses is refused as a cut too.
    let too_much = "SELECT count(*) AS a0 FROM cardiac WHERE cholesterol > 500";
    let error = liar.present(too_much, vec![], call("too-much", &[number(500)])).await.unwrap_err();
    assert_eq!(code(&error), Some(Code::LiteralCompare), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_questions_away_does_so_within_a_second() {
    let federation = federation(false).await;
    let mut client = federation.site_client("cleveland", None).unwrap();
    let written = APPROVED[0].3;
    rows(&mut client, written).await.unwrap();
    let folder = federation.root().join("sites/cleveland/agreements");
    // A file beside the agreement that changes changes nothing: what was agreed on stays in force.
    std::fs::write(folder.join("by-sex.sql"), "SELECT patient, count(*) FROM cardiac GROUP BY patient")
        .unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(rows(&mut client, APPROVED[0].2).await.unwrap().contains("mean"));
    rows(&mut client, written).await.unwrap();
}
