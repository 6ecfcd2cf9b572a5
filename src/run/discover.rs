//! `discover`: finds the relations that nobody declared.

use std::hash::BuildHasher;

use super::DEFAULT_MEMORY;
use super::Environment;
use super::Outcome;
use super::RunError;
use super::command_setup::CommandSetup;
use super::database;
use crate::cli;
use crate::discover;
use crate::discover::DiscoverOptions;
use crate::discover::pairs::Pruning;
use crate::discover::tolerance::Tolerance;
use crate::exit::Exit;
use crate::model::discovery::Candidate;
use crate::model::discovery::Discovery;
use crate::model::discovery::Tier;
use crate::report;

/// The largest number of columns of a key.
const MAX_ARITY: usize = 4;

pub fn discover(
    typed: &cli::DiscoverArgs,
    global: &cli::GlobalArgs,
    environment: &Environment,
) -> Result<Outcome, RunError> {
    let setup = CommandSetup::new(&typed.database, &typed.answer, global, environment)?;
    let mut database = database::open(&setup.source, &setup.wait_limits, environment)?;
    let schema = setup.file.resolve(database.as_mut(), environment)?;
    let mut session = database.session()?;
    let random = std::collections::hash_map::RandomState::new();
    let options = DiscoverOptions {
        tolerance: Tolerance::default(),
        pruning: Pruning::ALL,
        max_arity: MAX_ARITY,
        memory: typed.memory.unwrap_or(DEFAULT_MEMORY),
        threads: typed.jobs.unwrap_or(environment.cores),
        samples: setup.samples,
        seed: (random.hash_one(0), random.hash_one(1)),
        is_wanted: &|_| true,
        has_strong_name: &|_, _| false,
    };
    let facts = discover::facts(&schema, session.as_mut(), &options)?;
    let possible = |pair| Candidate { pair, tier: Tier::Possible, score: 0.0, reason: None, evidence: Vec::new() };
    let discovery = Discovery {
        database: schema.database.clone(),
        keys: facts.keys,
        candidates: facts.pairs.into_iter().map(possible).collect(),
        near: facts.near,
        parents_missing: Vec::new(),
        not_observed: facts.not_observed,
    };
    Ok(setup.outcome(Exit::Clean, environment, |_, _| report::discovery(&schema, &discovery)))
}
