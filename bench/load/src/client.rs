//! A small HTTP/1.1 client that costs less than the servers it asks: one thread, many connections, requests
//! whose bytes stand ready, and of each response only what is needed to judge it.

mod connection;
mod crowd;
mod jar;
mod request;
mod response;

pub(crate) use crowd::{Crowd, HUNG, Tally, Until};
pub(crate) use request::{Answer, Ask, Request, Visitor};

#[cfg(test)]
mod tests;
