//! Withheld cells stay withheld, and are said to be, through everything that stands above them.

use crate::world::{Manner, World, small};

async fn careful(least: i64) -> World {
    let world = World::new(&small()).await;
    world.sites[2].does(Manner::Careful(least));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cell_of_which_one_site_withholds_its_part_is_withheld() {
    let world = careful(2).await;
    let reply = world.ask("SELECT sex, count(*) AS n FROM cardiac GROUP BY sex").await.unwrap();
    assert_eq!(reply.text(), ["- -!", "f -!", "m 1", "x -!"]);
    assert_eq!(reply.completeness.withheld, 3);
    let reply =
        world.ask("SELECT sex, coalesce(count(*), 0) + 1 AS n FROM cardiac GROUP BY sex").await.unwrap();
    assert_eq!(reply.text(), ["- -!", "f -!", "m 2", "x -!"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_reads_a_withheld_cell_says_that_rows_may_be_missing() {
    let world = careful(2).await;
    let reply =
        world.ask("SELECT sex, count(*) FROM cardiac GROUP BY sex HAVING count(*) > 5").await.unwrap();
    assert_eq!(reply.rows.num_rows(), 0);
    assert!(reply.completeness.rows_may_be_missing);
    let reply = world.ask("SELECT sex FROM cardiac GROUP BY sex HAVING sex = 'f'").await.unwrap();
    assert!(!reply.completeness.rows_may_be_missing);
    assert_eq!(reply.text(), ["f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_withholds_its_own_row_count_keeps_its_row() {
    let world = careful(100).await;
    let reply = world.ask("SELECT site, count(*) FROM cardiac GROUP BY site").await.unwrap();
    assert_eq!(reply.text(), ["a 4", "c -!"]);
    let reply = world.ask("SELECT avg(age) FROM cardiac").await.unwrap();
    assert_eq!(reply.text(), ["-!"]);
}
