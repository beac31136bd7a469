//! What is planned over is what is read: a file that changes, goes or comes in between ends the question, and the next
//! one sees the new data.

use std::os::unix::fs::symlink;

use liquid_node_api::engine::Told;

use crate::site::{Front, Site, caps, lines, obligations};

const MODEL: &str = r#"
[[table]]
name = "visits"
description = "one row a visit"
column = [
    { name = "patient", type = "integer", description = "a pseudonym" },
    { name = "ward", type = "text", description = "where" },
]
"#;

const COUNT: &str = "SELECT count(*) FROM visits";

async fn folder() -> (Site, Front) {
    let site = Site::new();
    site.write("model.toml", MODEL);
    std::fs::create_dir(site.path("visits")).unwrap();
    site.write("visits/1.csv", "patient,ward\n1,A\n2,B\n");
    site.write("visits/2.csv", "patient,ward\n3,A\n");
    let front = site.open(
        "model = \"model.toml\"\nsource = [{ name = \"visits\", path = \"visits\", format = \"csv\" }]",
    );
    let front = front.await.unwrap();
    (site, front)
}

/// Plans, lets something happen to the files, runs, and asks once more.
async fn check(happens: impl FnOnce(&Site), then: &str) {
    let (site, mut front) = folder().await;
    let open = obligations("visits", "patient", None);
    let planned = front.plan(COUNT, "visits").await;
    happens(&site);
    let (told, attached) = front.try_run(planned.plan, 0, &open, caps()).await;
    let Told::Failed { error, .. } = told else { panic!("{told:?}") };
    let text = error.to_string();
    assert!(
        text.starts_with("the site's tables have changed meanwhile") && text.ends_with("ask again"),
        "{text}"
    );
    assert!(attached.is_empty());
    let (_, cells) = front.cells(COUNT, &open).await;
    assert_eq!(lines(&cells), [then]);
}

#[tokio::test]
async fn a_file_that_changes_between_planning_and_running_ends_the_question() {
    check(|site| site.write("visits/1.csv", "patient,ward\n1,A\n"), "2").await;
    check(|site| site.write("visits/3.csv", "patient,ward\n4,A\n5,A\n"), "5").await;
    check(|site| std::fs::remove_file(site.path("visits/2.csv")).unwrap(), "2").await;
    // The same length and the same time: only the entry itself knows.
    let same = |site: &Site| {
        let modified = std::fs::metadata(site.path("visits/2.csv")).unwrap().modified().unwrap();
        site.write("visits/2.csv", "patient,ward\n9,Z\n");
        let file = std::fs::File::options().write(true).open(site.path("visits/2.csv")).unwrap();
        file.set_modified(modified).unwrap();
    };
    check(same, "3").await;
    let renamed = |site: &Site| {
        site.write("new.csv", "patient,ward\n7,A\n8,A\n9,A\n");
        std::fs::rename(site.path("new.csv"), site.path("visits/1.csv")).unwrap();
    };
    check(renamed, "4").await;
}

/// A file that is exchanged for a link out of the root is not followed, however it got there.
#[tokio::test]
async fn a_link_that_is_put_in_a_files_place_is_not_followed() {
    let elsewhere = Site::new();
    elsewhere.write("2.csv", "patient,ward\n3,A\n");
    let (site, mut front) = folder().await;
    let open = obligations("visits", "patient", None);
    let planned = front.plan(COUNT, "visits").await;
    std::fs::remove_file(site.path("visits/2.csv")).unwrap();
    symlink(elsewhere.path("2.csv"), site.path("visits/2.csv")).unwrap();
    let (told, _) = front.try_run(planned.plan, 0, &open, caps()).await;
    assert!(matches!(&told, Told::Failed { error, .. } if error.to_string().contains("changed")), "{told:?}");
    let told = front.try_plan(COUNT, &[], &["visits"]).await;
    let Told::Failed { error, detail } = told else { panic!("{told:?}") };
    assert!(detail.contains("leads out of the root folder"), "{detail}");
    assert!(!error.to_string().contains("root"), "{error}");
}

/// Opens a site with one source, and answers with its rows, or the operator's error.
async fn open(site: &Site, more: &str, path: &str) -> Result<String, String> {
    site.write("model.toml", MODEL);
    let config = format!(
        "model = \"model.toml\"\n{more}\nsource = [{{ name = \"visits\", path = '{path}', format = \"csv\" }}]"
    );
    let mut front = site.open(&config).await.map_err(|error| error.to_string())?;
    let (_, cells) = front.cells(COUNT, &obligations("visits", "patient", None)).await;
    Ok(lines(&cells).join(" "))
}

#[tokio::test]
async fn no_path_leads_out_of_the_root() {
    const DATA: &str = "patient,ward\n1,A\n2,B\n";
    let (outside, site) = (Site::new(), Site::new());
    outside.write("visits.csv", DATA);
    site.write("visits.csv", DATA);
    std::fs::create_dir(site.path("data")).unwrap();
    site.write("data/visits.csv", DATA);
    symlink(outside.path("visits.csv"), site.path("out.csv")).unwrap();
    symlink(outside.folder(), site.path("out")).unwrap();
    symlink("visits.csv", site.path("in.csv")).unwrap();
    symlink("data", site.path("in")).unwrap();
    let above = format!("../{}/visits.csv", outside.folder().file_name().unwrap().to_str().unwrap());

    // What lies inside is read, through links too.
    for path in ["visits.csv", "in.csv", "in/visits.csv", "in", "data", "data/../visits.csv", "./visits.csv"]
    {
        assert_eq!(open(&site, "", path).await.as_deref(), Ok("2"), "{path}");
    }
    for path in ["out.csv", "out/visits.csv", "out", above.as_str(), "..", "data/../../.."] {
        let error = open(&site, "", path).await.unwrap_err();
        assert!(error.contains("its path leads out of"), "{path}: {error}");
        assert!(error.contains("set `root` in the [engine] table"), "{path}: {error}");
    }
    // An escaped path is a strange name and nothing else.
    let error = open(&site, "", &above.replace("..", "%2e%2e")).await.unwrap_err();
    assert!(error.contains("No such file"), "{error}");

    // With a root of its own, paths begin there, and one that is written out must lie beneath.
    let root = format!("root = '{}'", outside.folder().display());
    assert_eq!(open(&site, &root, "visits.csv").await.as_deref(), Ok("2"));
    let absolute = outside.path("visits.csv").display().to_string();
    assert_eq!(open(&site, &root, &absolute).await.as_deref(), Ok("2"));
    let error = open(&site, &root, &site.path("visits.csv").display().to_string()).await.unwrap_err();
    assert!(error.contains("lies outside of") && error.contains("beneath `root`"), "{error}");
    // Without one, a path from the top is what the operator wrote, and a link at its end is still none.
    assert_eq!(open(&site, "", &absolute).await.as_deref(), Ok("2"));
    let error = open(&outside, "", &site.path("out.csv").display().to_string()).await.unwrap_err();
    assert!(error.contains("its path leads out of"), "{error}");
}

#[tokio::test]
async fn a_folder_is_read_whole_and_nothing_in_it_twice() {
    let site = Site::new();
    std::fs::create_dir_all(site.path("data/2025/spring")).unwrap();
    site.write("data/1.csv", "patient,ward\n1,A\n");
    site.write("data/2025/spring/2.csv", "patient,ward\n2,A\n");
    site.write("data/.hidden.csv", "no such columns\n");
    site.write("data/_SUCCESS", "");
    assert_eq!(open(&site, "", "data").await.as_deref(), Ok("2"));
    symlink(".", site.path("data/again")).unwrap();
    let error = open(&site, "", "data").await.unwrap_err();
    assert!(error.contains("a link to a folder, which is not followed here"), "{error}");
    std::fs::remove_file(site.path("data/again")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(site.path("data/pipe")).status().unwrap();
    assert!(made.success());
    let error = open(&site, "", "data").await.unwrap_err();
    assert!(error.contains("neither a file nor a folder"), "{error}");
}
