//! What one rule says on a simple day, where a property would be clumsy.
//!
//! Not here: what is true whatever happens (`properties`).

mod aside;
mod batches;
mod behind;
mod budgets;
mod chain;
mod claims;
mod crew;
mod day;
mod fleet;
mod heads;
mod inputs;
mod keys;
mod offers;
mod operator;
mod probes;
mod results;
mod review;
mod rounds;
mod rules;
mod taken_back;
mod words;
