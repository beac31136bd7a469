//! `liquid demo`: a whole federation on this machine, its story on the terminal, or a server until Ctrl-C.

use std::fmt::Write as _;

use liquid_local::connection::Beacon;
use liquid_local::process::this_binary;
use liquid_local::{Federation, Run, heart};

use crate::args::{Data, Demo};
use crate::failure::Failure;
use crate::terminal::{Paint, Progress, note, say};
use crate::{start, teller};

/// Runs the command.
///
/// # Errors
/// Where the federation does not start, or the story does not go as it should.
pub(crate) async fn run(demo: Demo) -> Result<(), Failure> {
    only_what_is_there(&demo)?;
    let run = match demo.in_process {
        true => Run::InProcess,
        false => Run::Processes(this_binary()?),
    };
    let blueprint = heart::blueprint();
    let progress = Progress::start("starting four hospitals and a coordinator");
    let federation = tokio::select! {
        started = Federation::start(&blueprint, run) => started?,
        () = start::ended() => return Err(Failure::Said),
    };
    progress.end();
    if demo.serve {
        return serve(federation, demo.json).await;
    }
    if demo.json {
        say(&federation.connection().line());
    }
    teller::tell(federation, demo.json, &program()).await
}

/// What the command line has room for and this version does not do is a usage error, never ignored.
fn only_what_is_there(demo: &Demo) -> Result<(), Failure> {
    let later = |what: &str| {
        Err(Failure::Usage(format!(
            "`{what}` comes later; this version has the heart data of four hospitals"
        )))
    };
    match demo.data {
        Data::Heart => {}
        Data::Wellbeing => return later("--data wellbeing"),
        Data::Tpch => return later("--data tpch"),
    }
    let options = [
        ("--scale", demo.scale.is_some()),
        ("--sites", demo.sites.is_some()),
        ("--from", demo.from.is_some()),
    ];
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => later(option),
        None => Ok(()),
    }
}

/// Stays up for clients. Who reads that it is ready can ask at once, so the file in which they find it comes first.
async fn serve(mut federation: Federation, json: bool) -> Result<(), Failure> {
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
        note(&ready(&federation, beacon.is_some(), &program(), Paint::stderr()));
    }
    start::ended().await;
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
        let _ = writeln!(text, "      {} {}", site.url, site.name);
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
    let question = "SELECT site, count(*) AS patients FROM cardiac GROUP BY site";
    let _ = writeln!(
        text,
        "\nIn another terminal:\n  {}",
        paint.code(&format!("{program} query{how} \"{question}\""))
    );
    if let Some(log) = federation.audit_logs().first() {
        let (log, folder) = (log.path.display(), log.path.parent().unwrap_or(&log.path).display());
        let _ = writeln!(
            text,
            "\nThe folders beside {folder} hold each hospital's signed agreement and its audit log. Check one:\n  {}",
            paint.code(&format!("{program} audit verify {log} --key {folder}/audit.pub"))
        );
    }
    let _ = write!(
        text,
        "\nFrom Python, DBeaver or any other Flight SQL client: the address above, the authority {ca},\nand as bearer \
         token what lies in {}\n\nCtrl-C ends every process and removes these folders.",
        tokens.display()
    );
    text
}

/// How this program was called, so that what is printed can be typed.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "liquid".to_owned())
}
