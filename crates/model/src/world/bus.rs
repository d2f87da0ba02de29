//! What engines, dispatchers and the client say to each other, and what each makes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use push0_core::{AttemptId, Epoch, FromDispatcher, Seq};
use push0_engine::{Reign, Request};
use push0_sim::Check;

use super::{Happened, World};
use crate::ground;
use crate::member::Member;
use crate::net::{Packet, Sent};
use crate::node::{Node, Part, changed};
use crate::setting::Setting;
use crate::truth::{Found, holds};

/// The client, which submits the blocks. Its print is all that is here.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    /// So many blocks were taken.
    taken: usize,
    /// So many questions were asked.
    token: u64,
    /// From which block on the last one asked.
    from: usize,
    /// The engines that may answer the last one, each in its stay; none, if it is answered, or
    /// never will be.
    waits: BTreeSet<(usize, u64)>,
}

/// How a prover ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    Proves,
    /// Its report comes at once, and once more at any time.
    SaidTwice,
    Fails,
}

impl Client {
    /// From which block on it asks now, and for how many.
    pub(super) fn asks(&self, setting: &Setting) -> Option<(usize, usize)> {
        let mut first = 0;
        for count in setting.adds {
            if self.taken < first + count && self.waits.is_empty() {
                return Some((self.taken, first + count - self.taken));
            }
            first += count;
        }
        None
    }
}

impl World {
    /// A message arrives.
    pub(super) fn arrives(&mut self, setting: &Setting, packet: &Packet) -> Result<(), Found> {
        match packet {
            Packet::Publish { node, stay, is_awaited, id, publish, .. } => {
                self.is_published((*node, *stay, *is_awaited), id, publish)
            }
            Packet::Commit { node, stay, is_awaited, nth, .. } => {
                self.is_committed((*node, *stay, *is_awaited), *nth)
            }
            Packet::Said { node, reply, .. } => self.is_answered(setting, *node, *reply),
            Packet::Up { node, stay, said, .. } => {
                self.asked(setting, (*node, *stay), Request::Heard(said.clone()))
            }
            Packet::Add { node, stay, token, from, count } => {
                let blocks = (*from..from + count).map(ground::block).collect();
                self.asked(setting, (*node, *stay), Request::Add(blocks, *token))
            }
            Packet::Added { node, stay, token, count } => {
                self.client_hears(*node, *stay, *token, *count);
                Ok(())
            }
            Packet::Down { to, life, epoch, messages, .. } => {
                let truth = Arc::clone(&self.truth);
                let Some(member) = self.crew.get_mut(*to).filter(|one| one.life == *life) else {
                    return Ok(());
                };
                let is_late = *epoch < member.knows();
                let reports = changed::<Member>(member).hear(setting, &truth, *epoch, messages)?;
                self.says(*to, &reports);
                if is_late {
                    self.happens(Happened::IGNORED);
                }
                Ok(())
            }
            Packet::Reigns { to, reign, .. } => {
                let now = ground::SECOND * u32::from(self.seconds);
                let said = self.member(*to, |member| member.hears_of(now, reign.clone()));
                self.says(*to, &said.unwrap_or_default());
                Ok(())
            }
        }
    }

    /// Something is asked of an engine that leads.
    fn asked(
        &mut self,
        setting: &Setting,
        (node, stay): (usize, u64),
        request: Request<crate::node::Parties>,
    ) -> Result<(), Found> {
        if self.nodes.get(node).is_none_or(|one| one.stay != stay) {
            return Ok(());
        }
        let Some(lead) = self.lead(node) else { return Ok(()) };
        lead.engine.handle_request(request);
        self.drives(setting, node)
    }

    /// A dispatcher says something to whoever leads: one message.
    fn says(&mut self, from: usize, said: &[FromDispatcher]) {
        if said.is_empty() {
            return;
        }
        for (node, stay) in self.leaders() {
            self.send(Packet::Up { from, node, stay, said: said.to_vec() });
        }
    }

    /// Those that lead, or believe so, each with its stay.
    fn leaders(&self) -> Vec<(usize, u64)> {
        let nodes = self.nodes.iter().enumerate().filter(|(_, node)| node.lead().is_some());
        nodes.map(|(name, node)| (name, node.stay)).collect()
    }

    pub(super) fn beats(&mut self, who: usize) {
        let said = self.crew.get(who).filter(|one| one.is_up).map(|one| one.beat());
        self.says(who, &said.unwrap_or_default());
    }

    pub(super) fn proves(
        &mut self,
        setting: &Setting,
        who: usize,
        attempt: AttemptId,
        ending: Ending,
    ) -> Result<(), Found> {
        let truth = Arc::clone(&self.truth);
        let Some(member) = self.crew.get_mut(who) else { return Ok(()) };
        let fails = ending == Ending::Fails;
        let said = changed::<Member>(member).goes(setting, &truth, attempt, fails)?;
        self.says(who, &said);
        if ending == Ending::SaidTwice {
            for (node, stay) in self.leaders() {
                self.net.send(Packet::Up { from: who, node, stay, said: said.clone() });
            }
        }
        Ok(())
    }

    /// An engine leads, by its log's word: it says so to everybody who does not know it. What it
    /// says again and again is how far its log is; that changes nothing.
    pub(super) fn reigns(&mut self, node: usize, epoch: Epoch, last: Seq) {
        let Some(history) = self.lead(node).map(|lead| lead.history.clone()) else { return };
        for (other, one) in self.nodes.iter_mut().enumerate() {
            if other != node && matches!(one.part, Part::Follows) {
                changed::<Node>(one).seen = Some((epoch, last));
            }
        }
        let is_new = |(_, member): &(usize, &Arc<Member>)| member.is_up && member.reign < epoch;
        let unaware: Vec<_> =
            self.crew.iter().enumerate().filter(is_new).map(|(to, _)| to).collect();
        for to in unaware {
            let reign = Reign { epoch, last, log: "log".to_owned(), history: history.clone() };
            self.send(Packet::Reigns { node, to, reign });
        }
    }

    /// A second passes in which nothing else goes on.
    pub(super) fn second(&mut self, setting: &Setting) -> Result<(), Found> {
        self.seconds += 1;
        for (node, stay) in self.leaders() {
            self.asked(setting, (node, stay), Request::Probe(()))?;
        }
        (0..self.crew.len()).for_each(|who| self.beats(who));
        Ok(())
    }

    /// A message is lost; who waits for it is not told.
    pub(super) fn loses(&mut self, sent: &Sent) {
        self.net.remove(sent.print);
        if let Packet::Add { node, stay, .. } | Packet::Added { node, stay, .. } = &*sent.packet {
            self.client.waits.remove(&(*node, *stay));
        }
    }

    /// The client submits what comes next, to whoever leads.
    pub(super) fn adds(&mut self, setting: &Setting) {
        let Some((from, count)) = self.client.asks(setting) else { return };
        self.client.token += 1;
        self.client.from = from;
        let token = self.client.token;
        for (node, stay) in self.leaders() {
            self.client.waits.insert((node, stay));
            self.send(Packet::Add { node, stay, token, from, count });
        }
    }

    fn client_hears(&mut self, node: usize, stay: u64, token: u64, count: usize) {
        if token == self.client.token && self.client.waits.contains(&(node, stay)) {
            self.client.waits.clear();
            self.client.taken += count;
        }
    }

    /// An engine begins another part: it answers nobody any more, but for what is on its way.
    pub(super) fn client_waits_less(&mut self, node: usize) {
        let Self { client, net, .. } = self;
        let token = client.token;
        let comes = |of: usize, stay: u64| {
            net.any(|packet| {
                matches!(packet, Packet::Added { node, stay: its, token: to, .. }
                    if *node == of && *its == stay && *to == token)
            })
        };
        client.waits.retain(|(of, stay)| *of != node || comes(*of, *stay));
    }

    /// The blocks that an engine says it took are in the log.
    pub(super) fn check_added(&self, token: u64, count: usize) -> Result<(), Found> {
        if token != self.client.token {
            return Ok(()); // of an earlier question, whose blocks are not known here any more
        }
        let from = self.client.from;
        let mut said = (from..from + count).map(ground::block);
        let chain = self.truth.scheduler.chain();
        let missing = said.find(|block| chain.block(&block.hash).is_none());
        holds(Check::DurableFirst, missing.is_none(), || {
            format!("{missing:?} was said to be taken, and is not in the log")
        })
    }
}
