//! `liquid demo`: a whole federation on this machine, its story on the terminal, or a server until Ctrl-C.

use std::fmt::Write as _;
use std::path::Path;

use liquid_local::connection::Beacon;
use liquid_local::passing::Passing;
use liquid_local::process::this_binary;
use liquid_local::{Blueprint, Federation, Run, heart, own, tpch, wellbeing};

use crate::args::{Data, Demo};
use crate::failure::Failure;
use crate::init::word;
use crate::start::{self, End};
use crate::teller::{self, Tale};
use crate::terminal::{Paint, Progress, note, say};

/// Runs the command.
///
/// # Errors
/// Where the federation does not start, or the story does not go as it should.
pub(crate) async fn run(demo: Demo) -> Result<(), Failure> {
    let run = match demo.in_process {
        true => Run::InProcess,
        false => Run::Processes(this_binary()?),
    };
    let mut ended = start::ended();
    let prepared = tokio::select! {
        prepared = prepare(&demo) => prepared?,
        () = &mut ended => return Err(Failure::Said),
    };
    let sites = match prepared.blueprint.sites.len() {
        1 => "a site".to_owned(),
        many => format!("{many} sites"),
    };
    let progress = Progress::start(&format!("starting {sites} and a coordinator"));
    let federation = tokio::select! {
        started = Federation::start(&prepared.blueprint, run) => started?,
        () = &mut ended => return Err(Failure::Said),
    };
    progress.end();
    if demo.serve {
        return serve(federation, demo.json, ended).await;
    }
    if demo.json {
        say(&federation.connection().line());
    }
    teller::tell(federation, prepared.tale, demo.json, &staying_up(), ended).await
}

/// How much trade data there is, and over how many sites it is split, where nothing is said.
const SCALE: f64 = 0.01;
const SITES: usize = 4;

/// What is to be started.
struct Prepared {
    blueprint: Blueprint,
    tale: Tale,
    /// Where generated data lies as long as the demo runs.
    _data: Option<Passing>,
}

async fn prepare(demo: &Demo) -> Result<Prepared, Failure> {
    if let Some(folder) = &demo.from {
        let (blueprint, notes) = own::blueprint(folder).await?;
        notes.iter().for_each(|line| note(line));
        return Ok(Prepared { blueprint, tale: Tale::Tour, _data: None });
    }
    if let Some((option, of)) = misplaced(demo) {
        return Err(Failure::Usage(format!(
            "`{option}` counts for {of} alone; add that, or leave `{option}` out"
        )));
    }
    match demo.data {
        Data::Heart => Ok(Prepared { blueprint: heart::blueprint(), tale: Tale::Hearts, _data: None }),
        Data::Wellbeing => {
            let scale = demo.scale.unwrap_or(1.0);
            let people = wellbeing::people_at(scale).filter(|people| *people >= wellbeing::PEOPLE_MIN).ok_or_else(|| {
                let (least, most) = (per_scale(wellbeing::PEOPLE_MIN), per_scale(wellbeing::PEOPLE_MAX));
                Failure::Usage(format!(
                    "`--scale {scale}` does not go with `--data wellbeing`; choose one from {least} to {most}, 1 is {} people",
                    wellbeing::PEOPLE
                ))
            })?;
            let data = generated(move |folder| {
                wellbeing::generate(folder, wellbeing::SEED, people, [wellbeing::Month::NEWEST])
            })
            .await?;
            let blueprint = wellbeing::blueprint(data.path(), wellbeing::Month::NEWEST);
            Ok(Prepared { blueprint, tale: Tale::County, _data: Some(data) })
        }
        Data::Tpch => {
            let (scale, sites) = (demo.scale.unwrap_or(SCALE), demo.sites.unwrap_or(SITES));
            let data = generated(move |folder| tpch::generate(folder, scale, sites)).await?;
            let blueprint = tpch::blueprint(data.path(), sites);
            Ok(Prepared { blueprint, tale: Tale::Tour, _data: Some(data) })
        }
    }
}

/// An option that says nothing about the data that is asked for, and for which it does.
fn misplaced(demo: &Demo) -> Option<(&'static str, &'static str)> {
    if demo.sites.is_some() && demo.data != Data::Tpch {
        return Some(("--sites", "`--data tpch`"));
    }
    (demo.scale.is_some() && demo.data == Data::Heart)
        .then_some(("--scale", "`--data tpch` and `--data wellbeing`"))
}

fn per_scale(people: u64) -> f64 {
    people as f64 / wellbeing::PEOPLE as f64
}

/// A passing folder with data that is generated into it.
async fn generated(
    generate: impl FnOnce(&Path) -> Result<(), liquid_local::Error> + Send + 'static,
) -> Result<Passing, Failure> {
    let data = Passing::make()?;
    let progress = Progress::start("generating the data");
    let folder = data.path().to_owned();
    let generated = tokio::task::spawn_blocking(move || generate(&folder)).await;
    generated
        .map_err(|error| Failure::here(format!("the data cannot be generated: {error}"), "try again"))??;
    progress.end();
    Ok(data)
}

/// Stays up for clients. Who reads that it is ready can ask at once, so the file in which they find it comes first.
async fn serve(mut federation: Federation, json: bool, ended: End) -> Result<(), Failure> {
    let beacon = match Beacon::path() {
        Some(path) => Beacon::light(&path, federation.connection())
            .map_err(|error| {
                note(&format!(
                    "`liquid query` cannot find this demo by itself: `{}` cannot be written: {error}",
                    path.display()
                ));
            })
            .ok(),
        None => None,
    };
    if json {
        say(&federation.connection().line());
    } else {
        note(&ready(&federation, beacon.is_some(), &start::program(), Paint::stderr()));
    }
    ended.await;
    drop(beacon);
    federation.stop().await;
    Ok(())
}

/// What can be done with a demo that stays up.
fn ready(federation: &Federation, is_found: bool, program: &str, paint: Paint) -> String {
    let connection = federation.connection();
    let (ca, tokens) = (connection.ca.display(), federation.folder().token_folder());
    let mut text = format!("\n{} {}\n", paint.good("ready"), connection.coordinator);
    for site in &connection.sites {
        let url = site.url.as_deref().unwrap_or("dials the coordinator");
        let _ = writeln!(text, "      {url} {}", site.name);
    }
    let role = connection.tokens.first().map_or("", |(role, _)| role);
    let how = match is_found {
        true => String::new(),
        false => format!(
            " --url {} --ca {ca} --token-file {}",
            connection.coordinator,
            federation.folder().token_file(role).display()
        ),
    };
    let table = federation
        .folder()
        .agreements()
        .next()
        .and_then(|agreement| agreement.tables().keys().next().cloned());
    let table = table.map_or_else(|| "a_table".to_owned(), |table| table.to_string());
    let question = format!("SELECT site, count(*) FROM {table} GROUP BY site");
    let _ = writeln!(
        text,
        "\nIn another terminal:\n  {}",
        paint.code(&format!("{program} query{how} \"{question}\""))
    );
    if let Some(log) = federation.audit_logs().first() {
        let (log, folder) = (log.path.display(), log.path.parent().unwrap_or(&log.path).display());
        let _ = writeln!(
            text,
            "\nThe folders beside {folder} hold each site's signed agreement and its audit log. Check one:\n  {}",
            paint.code(&format!("{program} audit verify {log} --key {folder}/audit.pub"))
        );
    }
    let _ = write!(
        text,
        "\nFrom Python, DBeaver or any other Flight SQL client: the address above, the authority {ca},\nand as bearer \
         token what lies in {}\n\nThe agreements: `liquid policy status`. Keys to sign new versions with, and to suspend with: {}\n\nCtrl-C ends every process and removes these folders.",
        tokens.display(),
        tokens.with_file_name("keys").display()
    );
    text
}

/// This very demo, to stay up.
fn staying_up() -> String {
    let arguments: Vec<String> = std::env::args().map(|argument| word(&argument)).collect();
    format!("{} --serve", arguments.join(" "))
}
