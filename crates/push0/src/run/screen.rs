//! What a person sees on stderr while it runs: a bar for each stage, or a line for each event where stderr
//! is no terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use push0_core::{Collect, Inflow, Pipeline, Stage};
use push0_dispatch::{Doing, Running};

use super::standing::Standing;
use crate::tell;

/// Where progress is shown.
pub(super) struct Screen(Option<Bars>);

/// On a terminal.
struct Bars {
    all: MultiProgress,
    stages: Vec<StageBar>,
    released: ProgressBar,
    running: ProgressBar,
    drawn: Instant,
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
    pub(super) fn end(&self, standing: Option<&Standing>) {
        if let Some(bars) = &self.0 {
            if let Some(standing) = standing {
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
        let width = names.max().unwrap_or_default().max("released".len());
        let bar = |name: &str| {
            let bar = all.add(ProgressBar::new(0));
            let template = "{prefix} [{bar:30}] {pos}/{len}  {wide_msg}";
            let style = ProgressStyle::with_template(template).expect("the template is right");
            bar.set_style(style.progress_chars("=> "));
            bar.set_prefix(format!("{name:>width$}"));
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
        Self { stages, released, running, drawn: Instant::now(), all }
    }

    /// Where lines go while it is drawn.
    fn above(&self) -> tell::Put {
        let all = self.all.clone();
        Box::new(move |lines| {
            // As they are, however wide: what draws must not count their lines. A terminal that is gone is not missed.
            let _ = all.suspend(|| std::io::stderr().write_all(lines.as_bytes()));
        })
    }

    fn draw(&self, standing: &Standing, running: &[Running]) {
        for (stage, view) in self.stages.iter().zip(&standing.stages) {
            let known = view.accepted + view.ready + view.leased + view.parked;
            let expected = match stage.arity {
                _ if stage.is_each => standing.blocks,
                Some(arity) => standing.blocks.saturating_sub(1).div_ceil(arity - 1),
                None => known,
            };
            stage.bar.set_length(expected.max(known).max(1)); // a bar of nothing is drawn full
            stage.bar.set_position(view.accepted);
            stage.bar.set_message(stage_words(view));
        }
        self.released.set_length(standing.blocks);
        self.released.set_position(standing.totals.blocks_released);
        let failed = standing.totals.failed.values().sum::<u64>() + standing.totals.rejected;
        if failed > 0 {
            let attempts = if failed == 1 { "attempt" } else { "attempts" };
            self.released.set_message(format!("{failed} {attempts} failed"));
        }
        let words = running.iter().take(RUNNING_SHOWN_MAX).map(attempt_words);
        self.running.set_message(words.collect::<Vec<_>>().join("\n"));
    }
}

fn stage_words(view: &push0_core::StageView) -> String {
    let counts = [(view.leased, "running"), (view.ready, "ready"), (view.parked, "parked")];
    let words = counts.iter().filter(|(count, _)| *count > 0);
    words.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn attempt_words(running: &Running) -> String {
    let doing = running.doing.word();
    let fraction = running.fraction.filter(|_| running.doing == Doing::Proving);
    let fraction = fraction.map_or_else(String::new, |fraction| format!(" {:.0}%", fraction * 1e2));
    let seconds = running.elapsed.as_secs_f64();
    format!("  {} {}: {doing}{fraction}, {seconds:.1} s", running.stage, running.key)
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
