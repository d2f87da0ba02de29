//! What may happen next: what goes its way, and what goes wrong.

use push0_core::AttemptId;

use super::World;
use super::bus::Ending;
use crate::member::Member;
use crate::net::{Packet, Sent};
use crate::node::{Part, Phase, changed};
use crate::setting::{Broken, Bus, Setting};
use crate::truth::Found;

/// Something that may happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A message arrives.
    Arrives(Sent),
    /// An engine that stands by claims the log.
    Claims(usize),
    /// An engine reads what stands where its append is to be.
    Reads(usize),
    /// An engine publishes its append again.
    Again(usize),
    /// An engine waits no longer for the answer to its append: that is lost.
    Silence(usize),
    /// An engine's process starts.
    Starts(usize),
    /// A dispatcher's process starts.
    Rises(usize),
    /// A dispatcher has proved what it was granted.
    Proves(usize, AttemptId),
    /// The client submits what comes next.
    Adds,
    /// Nothing else goes on: a second passes, and everybody says that it is there.
    Second,
    /// It comes, and will come once more.
    Doubles(Sent),
    /// It never comes.
    Loses(Sent),
    /// An engine that stands by claims a log that another one leads.
    Usurps(usize),
    /// An engine takes its append for lost, though it is on its way.
    Impatience(usize),
    /// An engine's process dies.
    Crashes(usize),
    /// A dispatcher's process dies.
    Dies(usize),
    /// A dispatcher dies for good.
    Goes(usize),
    /// A prover fails.
    Fails(usize, AttemptId),
    /// A dispatcher has proved what it was granted, and its report comes twice: at once, and at any
    /// time.
    SaidTwice(usize, AttemptId),
    /// A dispatcher beats.
    Beats(usize),
}

impl Action {
    /// Whether something goes wrong by it, which need not happen.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        match self {
            Self::Arrives(_)
            | Self::Claims(_)
            | Self::Reads(_)
            | Self::Again(_)
            | Self::Silence(_)
            | Self::Starts(_)
            | Self::Rises(_)
            | Self::Proves(..)
            | Self::Adds
            | Self::Second => false,
            Self::Doubles(_)
            | Self::Loses(_)
            | Self::Usurps(_)
            | Self::Impatience(_)
            | Self::Crashes(_)
            | Self::Dies(_)
            | Self::Goes(_)
            | Self::Fails(..)
            | Self::SaidTwice(..)
            | Self::Beats(_) => true,
        }
    }
}

impl World {
    /// All that may happen now.
    pub fn may_happen(&self, setting: &Setting, actions: &mut Vec<Action>) {
        if self.found.is_some() || self.is_over(setting) {
            return;
        }
        let before = actions.len();
        self.goes_on(setting, actions);
        if actions.len() == before && self.seconds < setting.seconds {
            actions.push(Action::Second);
        }
        self.goes_wrong(actions);
    }

    /// What goes its way.
    fn goes_on(&self, setting: &Setting, actions: &mut Vec<Action>) {
        actions.extend(self.net.iter().map(Action::Arrives));
        let is_led = self.nodes.iter().any(|node| node.lead().is_some());
        for (name, node) in self.nodes.iter().enumerate() {
            match &node.part {
                Part::Down => actions.push(Action::Starts(name)),
                Part::Follows if !is_led => actions.push(Action::Claims(name)),
                Part::Follows => {}
                Part::Leads(lead) => match lead.append.as_ref().map(|flight| flight.phase) {
                    Some(Phase::Reading) => actions.push(Action::Reads(name)),
                    Some(Phase::Pause) if !setting.is(Broken::NeverAsksAgain) => {
                        actions.push(Action::Again(name));
                    }
                    Some(Phase::Answer) if !self.is_on_its_way(name) => {
                        actions.push(Action::Silence(name));
                    }
                    Some(Phase::Pause | Phase::Answer) | None => {}
                },
            }
        }
        for (who, member) in self.crew.iter().enumerate() {
            if !member.is_up && !member.is_gone {
                actions.push(Action::Rises(who));
            }
            let running = member.running.keys();
            actions.extend(running.map(|attempt| Action::Proves(who, *attempt)));
        }
        if is_led && self.client.asks(setting).is_some() {
            actions.push(Action::Adds);
        }
    }

    /// What goes wrong, as often as it may.
    fn goes_wrong(&self, actions: &mut Vec<Action>) {
        let may = &self.may;
        for sent in self.net.iter() {
            let is_bus = sent.packet.is_of_the_bus();
            let may_be_lost =
                (is_bus && may.lost > 0) || (sent.packet.is_of_an_append() && may.answer_lost > 0);
            if is_bus && may.doubled > 0 {
                actions.push(Action::Doubles(sent.clone()));
            }
            if may_be_lost {
                actions.push(Action::Loses(sent));
            }
        }
        let leading = self.nodes.iter().filter(|node| node.lead().is_some()).count();
        for (name, node) in self.nodes.iter().enumerate() {
            if may.crash > 0 && !matches!(node.part, Part::Down) {
                actions.push(Action::Crashes(name));
            }
            if may.usurp > 0 && leading > 0 && matches!(node.part, Part::Follows) {
                actions.push(Action::Usurps(name));
            }
            let append = node.lead().and_then(|lead| lead.append.as_ref());
            let waits = append.is_some_and(|flight| flight.phase == Phase::Answer);
            if may.late > 0 && waits && self.is_on_its_way(name) {
                actions.push(Action::Impatience(name));
            }
        }
        for (who, member) in self.crew.iter().enumerate().filter(|(_, member)| member.is_up) {
            if may.restart > 0 {
                actions.push(Action::Dies(who));
            }
            if may.gone > 0 {
                actions.push(Action::Goes(who));
            }
            if may.beat > 0 {
                actions.push(Action::Beats(who));
            }
            let running = || member.running.keys();
            if may.fail > 0 {
                actions.extend(running().map(|attempt| Action::Fails(who, *attempt)));
            }
            if may.doubled > 0 && self.bus != Bus::Late {
                actions.extend(running().map(|attempt| Action::SaidTwice(who, *attempt)));
            }
        }
    }

    /// Whether an engine's append may be answered yet.
    fn is_on_its_way(&self, name: usize) -> bool {
        self.net.any(|packet| match packet {
            Packet::Publish { node, is_awaited, .. } | Packet::Commit { node, is_awaited, .. } => {
                *node == name && *is_awaited
            }
            Packet::Said { node, .. } => *node == name,
            Packet::Up { .. }
            | Packet::Down { .. }
            | Packet::Reigns { .. }
            | Packet::Add { .. }
            | Packet::Added { .. } => false,
        })
    }

    /// It happens.
    pub(super) fn act(&mut self, setting: &Setting, action: &Action) -> Result<(), Found> {
        match action {
            Action::Arrives(sent) => {
                self.net.remove(sent.print);
                self.arrives(setting, &sent.packet)
            }
            Action::Claims(name) => self.claims(setting, *name),
            Action::Reads(name) => self.reads(setting, *name),
            Action::Again(name) => {
                self.publishes(*name);
                Ok(())
            }
            Action::Silence(name) => self.is_silent(setting, *name),
            Action::Starts(name) => {
                self.plays(*name, Part::Follows);
                Ok(())
            }
            Action::Rises(who) => {
                self.member(*who, Member::start);
                Ok(())
            }
            Action::Proves(who, attempt) => self.proves(setting, *who, *attempt, Ending::Proves),
            Action::Adds => {
                self.adds(setting);
                Ok(())
            }
            Action::Second => self.second(setting),
            Action::Doubles(_)
            | Action::Loses(_)
            | Action::Usurps(_)
            | Action::Impatience(_)
            | Action::Crashes(_)
            | Action::Dies(_)
            | Action::Goes(_)
            | Action::Fails(..)
            | Action::SaidTwice(..)
            | Action::Beats(_) => self.goes_awry(setting, action),
        }
    }

    /// It goes wrong, and may do so once less.
    fn goes_awry(&mut self, setting: &Setting, action: &Action) -> Result<(), Found> {
        let may = &mut self.may;
        let left = match action {
            Action::Doubles(_) | Action::SaidTwice(..) => &mut may.doubled,
            Action::Loses(sent) if sent.packet.is_of_an_append() => &mut may.answer_lost,
            Action::Loses(_) => &mut may.lost,
            Action::Usurps(_) => &mut may.usurp,
            Action::Impatience(_) => &mut may.late,
            Action::Crashes(_) => &mut may.crash,
            Action::Dies(_) => &mut may.restart,
            Action::Goes(_) => &mut may.gone,
            Action::Fails(..) => &mut may.fail,
            Action::Beats(_) => &mut may.beat,
            Action::Arrives(_)
            | Action::Claims(_)
            | Action::Reads(_)
            | Action::Again(_)
            | Action::Silence(_)
            | Action::Starts(_)
            | Action::Rises(_)
            | Action::Proves(..)
            | Action::Adds
            | Action::Second => return Ok(()),
        };
        *left = left.saturating_sub(1);
        match action {
            Action::Doubles(sent) => self.arrives(setting, &sent.packet),
            Action::Loses(sent) => {
                self.loses(sent);
                Ok(())
            }
            Action::Usurps(name) => self.claims(setting, *name),
            Action::Impatience(name) => self.is_silent(setting, *name),
            Action::Crashes(name) => {
                self.plays(*name, Part::Down);
                Ok(())
            }
            Action::Dies(who) | Action::Goes(who) => {
                let is_gone = matches!(action, Action::Goes(_));
                self.dies(*who, is_gone);
                Ok(())
            }
            Action::Fails(who, attempt) => self.proves(setting, *who, *attempt, Ending::Fails),
            Action::SaidTwice(who, attempt) => {
                self.proves(setting, *who, *attempt, Ending::SaidTwice)
            }
            Action::Beats(who) => {
                self.beats(*who);
                Ok(())
            }
            Action::Arrives(_)
            | Action::Claims(_)
            | Action::Reads(_)
            | Action::Again(_)
            | Action::Silence(_)
            | Action::Starts(_)
            | Action::Rises(_)
            | Action::Proves(..)
            | Action::Adds
            | Action::Second => Ok(()),
        }
    }

    /// Has a dispatcher do something.
    pub(super) fn member<T: Default>(
        &mut self,
        who: usize,
        does: impl FnOnce(&mut Member) -> T,
    ) -> T {
        self.crew.get_mut(who).map(|member| does(changed::<Member>(member))).unwrap_or_default()
    }

    fn dies(&mut self, who: usize, is_gone: bool) {
        self.member(who, |member| {
            member.die();
            member.is_gone = is_gone;
        });
        // What is for one life of it is for no other.
        self.net.drop_all(|packet| match packet {
            Packet::Down { to, .. } | Packet::Reigns { to, .. } => *to == who,
            Packet::Publish { .. }
            | Packet::Commit { .. }
            | Packet::Said { .. }
            | Packet::Up { .. }
            | Packet::Add { .. }
            | Packet::Added { .. } => false,
        });
    }
}
