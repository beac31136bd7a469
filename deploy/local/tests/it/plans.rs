//! The random agreements and questions of `node/engine/tests/it/plans.rs`, here for a node with data.

#[path = "../../../../node/engine/tests/it/plans/below.rs"]
pub(crate) mod below;
#[path = "../../../../node/engine/tests/it/plans/conditions.rs"]
pub(crate) mod conditions;
#[path = "../../../../node/engine/tests/it/plans/dice.rs"]
pub(crate) mod dice;
#[path = "../../../../node/engine/tests/it/plans/generate.rs"]
pub(crate) mod generate;
#[expect(dead_code, reason = "the rest is for the checker over there")]
#[path = "../../../../node/engine/tests/it/plans/language.rs"]
pub(crate) mod language;
#[expect(dead_code, reason = "the rest is for the checker over there")]
#[path = "../../../../node/engine/tests/it/plans/world.rs"]
pub(crate) mod world;
