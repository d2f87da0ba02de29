//! What a person sees on stderr while it runs: a bar for each stage, or a line for each event where
//! stderr is no terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use push0_core::{Collect, Inflow, Pipeline, Stage};
use push0_dispatch::{Doing, Running};

use super::standing::Standing;
use crate::status::middle;
use crate::tell::{self, shown};

/// Where progress is shown.
pub(super) struct Screen(Option<Bars>);

/// On a terminal.
struct Bars {
    all: MultiProgress,
    stages: Vec<StageBar>,
    released: ProgressBar,
    running: ProgressBar,
    drawn: Instant,
    /// None once nothing goes on.
    pace: Option<Pace>,
    /// Of the terminal, as it was last drawn. Unit: columns.
    width: usize,
    /// Of the longest name.
    name: usize,
}

/// How fast tasks are proved in this life of the run.
#[derive(Default)]
struct Pace {
    /// When it was first looked at, and how many were proved then.
    since: Option<(Instant, u64)>,
}

struct StageBar {
    bar: ProgressBar,
    /// Whether each block is a task.
    is_each: bool,
    /// Of a tree over blocks without bounds, whose joins can be counted ahead.
    arity: Option<u64>,
}

impl Screen {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let is_drawn = std::io::stderr().is_terminal() && tell::may_draw();
        let bars = is_drawn.then(|| Bars::new(pipeline));
        tell::through(bars.as_ref().map(Bars::above));
        Self(bars)
    }

    pub(super) const fn wants_lines(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn draw(&mut self, standing: &Standing, running: &[Running]) {
        let Some(bars) = &mut self.0 else { return };
        if bars.drawn.elapsed() < FRAME {
            return;
        }
        bars.drawn = Instant::now();
        bars.draw(standing, running);
    }

    /// Draws how it ended, and leaves the screen to what comes after.
    pub(super) fn end(&mut self, standing: Option<&Standing>) {
        if let Some(bars) = &mut self.0 {
            if let Some(standing) = standing {
                bars.pace = None; // nothing goes on
                bars.draw(standing, &[]);
            }
            bars.running.finish_and_clear();
            for bar in bars.stages.iter().map(|stage| &stage.bar).chain([&bars.released]) {
                bar.abandon();
            }
            tell::through(None);
        }
    }
}

impl Bars {
    fn new(pipeline: &Pipeline) -> Self {
        let all = MultiProgress::new();
        let names = pipeline.stages.iter().map(|stage| stage.name.as_str().len());
        let name = names.max().unwrap_or_default().max("released".len());
        let width = columns();
        let bar = |of: &str| {
            let bar = all.add(ProgressBar::new(0));
            bar.set_style(style(width, name));
            bar.set_prefix(format!("{of:>name$}"));
            bar
        };
        let stages = pipeline.stages.iter().map(|stage| StageBar {
            bar: bar(stage.name.as_str()),
            is_each: stage.collect == Collect::Each && stage.split.is_none() && spans_blocks(stage),
            arity: joins(pipeline, stage),
        });
        let stages = stages.collect();
        let released = bar("released");
        let running = all.add(ProgressBar::new_spinner());
        running.set_style(ProgressStyle::with_template("{msg}").expect("the template is right"));
        let (drawn, pace) = (Instant::now(), Some(Pace::default()));
        Self { all, stages, released, running, drawn, pace, width, name }
    }

    /// Where lines go while it is drawn.
    fn above(&self) -> tell::Put {
        let all = self.all.clone();
        Box::new(move |lines| {
            // As they are, however wide: what draws must not count their lines. A terminal that is
            // gone is not missed.
            let _ = all.suspend(|| std::io::stderr().write_all(lines.as_bytes()));
        })
    }

    fn draw(&mut self, standing: &Standing, running: &[Running]) {
        self.fit(columns());
        let (mut proved, mut all) = (0, 0);
        for (stage, view) in self.stages.iter().zip(&standing.stages) {
            let known = view.accepted + view.ready + view.leased + view.parked;
            let expected = match stage.arity {
                _ if stage.is_each => standing.blocks,
                Some(arity) => standing.blocks.saturating_sub(1).div_ceil(arity - 1),
                None => known,
            };
            stage.bar.set_length(expected.max(known).max(1)); // a bar of nothing is drawn full
            stage.bar.set_position(view.accepted);
            (proved, all) = (proved + view.accepted, all + expected.max(known));
            let room = self.room(&stage.bar);
            stage.bar.set_message(whole_parts(&stage_words(view), room));
        }
        self.released.set_length(standing.blocks);
        self.released.set_position(standing.totals.blocks_released);
        let failed = standing.totals.failed.values().sum::<u64>() + standing.totals.rejected;
        let failed = (failed > 0).then(|| format!("{} failed", tell::counted(failed, "attempt")));
        let pace = self.pace.as_mut().and_then(|pace| pace.words(Instant::now(), proved, all));
        let words: Vec<_> = pace.into_iter().chain(failed).collect();
        let room = self.room(&self.released);
        self.released.set_message(whole_parts(&words.join(", "), room));
        self.running.set_message(running_lines(running, self.width).join("\n"));
    }

    /// What is left of a line beside its bar. Unit: columns.
    fn room(&self, bar: &ProgressBar) -> usize {
        let counts = format!("{}/{}", bar.position(), bar.length().unwrap_or_default());
        let beside = self.name + " [] ".len() + bar_width(self.width, self.name) + "  ".len();
        self.width.saturating_sub(beside + counts.len())
    }

    /// Draws for a terminal that is so wide from here on.
    fn fit(&mut self, width: usize) {
        if std::mem::replace(&mut self.width, width) != width {
            let bars = self.stages.iter().map(|stage| &stage.bar).chain([&self.released]);
            bars.for_each(|bar| bar.set_style(style(width, self.name)));
        }
    }
}

impl Pace {
    /// The rate, and about how long the rest takes at it; nothing before some were proved.
    fn words(&mut self, now: Instant, proved: u64, all: u64) -> Option<String> {
        let (since, before) = *self.since.get_or_insert((now, proved));
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        let done = u32::try_from(proved.saturating_sub(before)).unwrap_or(u32::MAX);
        if done == 0 || seconds < PACE_MIN.as_secs_f64() {
            return None;
        }
        let a_second = f64::from(done) / seconds;
        let (rate, unit) = match a_second {
            rate if rate >= 1.0 => (rate, "s"),
            rate if rate >= 1.0 / 60.0 => (rate * 60.0, "min"),
            rate => (rate * 3_600.0, "h"),
        };
        let rest = u32::try_from(all.saturating_sub(proved)).unwrap_or(u32::MAX);
        let left = Duration::try_from_secs_f64((f64::from(rest) / a_second).ceil());
        let left = left.ok().filter(|left| !left.is_zero());
        let left = left.map_or_else(String::new, |left| format!(", about {} left", shown(left)));
        Some(format!("{rate:.1} tasks/{unit}{left}"))
    }
}

/// A bar that leaves room for its words, however narrow the terminal is.
fn style(width: usize, name: usize) -> ProgressStyle {
    let bar = bar_width(width, name);
    let template = format!("{{prefix}} [{{bar:{bar}}}] {{pos}}/{{len}}  {{wide_msg}}");
    let style = ProgressStyle::with_template(&template).expect("the template is right");
    style.progress_chars("=> ")
}

fn bar_width(width: usize, name: usize) -> usize {
    width.saturating_sub(name + WORDS_MIN).clamp(BAR_MIN, BAR_MAX)
}

/// As many of the parts of a text, from the first on, as there is room for: no word is cut.
fn whole_parts(text: &str, room: usize) -> String {
    let ends = text.match_indices(", ").map(|(at, _)| at).chain([text.len()]);
    let parts = ends.filter_map(|end| text.get(..end));
    let fits = parts.filter(|part| part.chars().count() <= room);
    fits.last().unwrap_or_default().to_owned()
}

/// How wide the terminal is.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0).unwrap_or(COLUMNS)
}

/// A line for each of the first attempts, and one for the others.
fn running_lines(running: &[Running], width: usize) -> Vec<String> {
    let lines = running.iter().take(RUNNING_SHOWN_MAX).map(|it| attempt_words(it, width));
    let more = running.len().saturating_sub(RUNNING_SHOWN_MAX);
    lines.chain((more > 0).then(|| format!("  and {more} more"))).collect()
}

fn stage_words(view: &push0_core::StageView) -> String {
    let counts = [(view.leased, "running"), (view.ready, "ready"), (view.parked, "parked")];
    let words = counts.iter().filter(|(count, _)| *count > 0);
    words.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn attempt_words(running: &Running, width: usize) -> String {
    let doing = running.doing.word();
    let fraction = running.fraction.filter(|_| running.doing == Doing::Proving);
    let fraction = fraction.map_or_else(String::new, |fraction| format!(" {:.0}%", fraction * 1e2));
    let seconds = running.elapsed.as_secs_f64();
    let does = format!("{doing}{fraction}, {seconds:.1} s");
    let (what, beside) = (format!("{} {}", running.stage, running.key), "  : ".len());
    // Both ends of a long name tell it apart; what is done is whole.
    let room = width.saturating_sub(beside + does.chars().count()).max(NAME_MIN);
    let line = format!("  {}: {does}", middle(&what, room));
    whole_parts(&line, width)
}

fn spans_blocks(stage: &Stage) -> bool {
    stage.spans == Inflow::Blocks
}

/// The arity of a tree that joins everything there is, block by block.
fn joins(pipeline: &Pipeline, stage: &Stage) -> Option<u64> {
    let Collect::Tree(arity, bounds) = &stage.collect else { return None };
    let over_blocks = match stage.input {
        Inflow::Blocks => true,
        Inflow::Stage(input) => spans_blocks(pipeline.stage(input)),
    };
    let is_one_group = bounds.max == push0_core::Weights::default() && bounds.age.is_none();
    (over_blocks && is_one_group).then(|| u64::from(arity.get()))
}

/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// Attempts that have a line of their own.
const RUNNING_SHOWN_MAX: usize = 8;

/// A rate over less says little.
const PACE_MIN: Duration = Duration::from_secs(2);

/// Of a terminal that does not say how wide it is.
const COLUMNS: usize = 80;

/// How wide bars are. Unit: columns.
const BAR_MIN: usize = 5;
const BAR_MAX: usize = 30;

/// What is shown of an attempt's name where there is no room. Unit: columns.
const NAME_MIN: usize = 8;

/// What is kept beside a bar for counts and words. Unit: columns.
const WORDS_MIN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_told_once_something_was_proved_with_what_is_left_at_it() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        let mut after =
            |seconds, proved, all| pace.words(begin + Duration::from_secs(seconds), proved, all);
        assert_eq!(after(0, 5, 20), None);
        assert_eq!(after(60, 5, 20), None, "what an earlier life proved is no pace");
        assert_eq!(after(60, 15, 20).as_deref(), Some("10.0 tasks/min, about 30s left"));
        assert_eq!(after(60, 20, 20).as_deref(), Some("15.0 tasks/min"));
        assert_eq!(after(7_200, 6, 7).as_deref(), Some("0.5 tasks/h, about 2h left"));
        assert_eq!(after(10, 105, 205).as_deref(), Some("10.0 tasks/s, about 10s left"));
    }

    #[test]
    fn a_narrow_terminal_is_shown_fewer_parts_and_no_word_is_cut() {
        let text = "10.0 tasks/s, about 30s left, 2 attempts failed";
        assert_eq!(whole_parts(text, 80), text);
        assert_eq!(whole_parts(text, 46), "10.0 tasks/s, about 30s left");
        assert_eq!(whole_parts(text, 27), "10.0 tasks/s");
        assert_eq!(whole_parts(text, 5), "");
    }
}
