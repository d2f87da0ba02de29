//! Plots of results, as SVG.
//!
//! Plain SVG, written by hand: lines, ticks, a legend at the side. The same results give the same
//! bytes.

use std::fmt::Write as _;

/// A plot, until it is drawn.
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// What is along an edge.
pub(crate) struct Axis {
    /// With its unit.
    pub(crate) title: String,
    pub(crate) is_log: bool,
    /// Begins here, if not at the lowest value.
    pub(crate) from: Option<f64>,
}

/// Points that belong together, in order.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Dashed, and of the colour of the series before it, which it is to be read with.
    pub(crate) is_dashed: bool,
}

/// A range of values, and where it is drawn.
struct Scale {
    is_log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Plot {
    /// The picture.
    pub(crate) fn draw(&self) -> String {
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let x = Scale::of(&self.x, points().map(|point| point.0), (LEFT, WIDTH - RIGHT));
        let y = Scale::of(&self.y, points().map(|point| point.1), (HEIGHT - BOTTOM, TOP));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(&mut svg, (middle, 24.0), "middle", &self.title, " font-size=\"16\"");
        self.draw_axes(&mut svg, &x, &y);
        for (number, (series, (colour, dash))) in self.series.iter().zip(self.strokes()).enumerate()
        {
            let path: Vec<_> = series
                .points
                .iter()
                .map(|(at, value)| format!("{:.1},{:.1}", x.place(*at), y.place(*value)))
                .collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>",
                path.join(" ")
            );
            if series.points.len() < DOTS_MAX && !series.is_dashed {
                for (at, value) in &series.points {
                    let (at, value) = (x.place(*at), y.place(*value));
                    let _ = writeln!(
                        svg,
                        "<circle cx=\"{at:.1}\" cy=\"{value:.1}\" r=\"3\" fill=\"{colour}\"/>"
                    );
                }
            }
            let (at, line) = (WIDTH - RIGHT + 16.0, TOP + 10.0 + 22.0 * number as f64);
            let _ = writeln!(
                svg,
                "<line x1=\"{at}\" y1=\"{line}\" x2=\"{}\" y2=\"{line}\" stroke=\"{colour}\" stroke-width=\"2\"{dash}/>",
                at + 24.0
            );
            text(&mut svg, (at + 30.0, line + 4.0), "start", &series.name, "");
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// A colour and a dash for each series, no two the same while there are at most 16 and their
    /// companions.
    fn strokes(&self) -> Vec<(&'static str, &'static str)> {
        let mut solid = 0_usize;
        let stroke = |series: &Series| {
            if !series.is_dashed {
                solid += 1;
            }
            let number = solid.saturating_sub(1);
            let colour = COLOURS.get(number % COLOURS.len()).copied().unwrap_or("black");
            let dash = match (series.is_dashed, number < COLOURS.len()) {
                (false, true) => "",
                (false, false) => " stroke-dasharray=\"2 3\"",
                (true, true) => " stroke-dasharray=\"7 4\"",
                (true, false) => " stroke-dasharray=\"12 4\"",
            };
            (colour, dash)
        };
        self.series.iter().map(stroke).collect()
    }

    fn draw_axes(&self, svg: &mut String, x: &Scale, y: &Scale) {
        for tick in x.ticks() {
            let at = x.place(tick);
            grid(svg, (at, TOP), (at, HEIGHT - BOTTOM));
            text(svg, (at, HEIGHT - BOTTOM + 18.0), "middle", &shown(tick), "");
        }
        for tick in y.ticks() {
            let at = y.place(tick);
            grid(svg, (LEFT, at), (WIDTH - RIGHT, at));
            text(svg, (LEFT - 8.0, at + 4.0), "end", &shown(tick), "");
        }
        let middle = (LEFT + WIDTH - RIGHT) / 2.0;
        text(svg, (middle, HEIGHT - 12.0), "middle", &self.x.title, "");
        let (at, middle) = (18.0, (TOP + HEIGHT - BOTTOM) / 2.0);
        let turn = format!(" transform=\"rotate(-90 {at} {middle})\"");
        text(svg, (at, middle), "middle", &self.y.title, &turn);
    }
}

impl Scale {
    fn of(axis: &Axis, values: impl Iterator<Item = f64>, (from, to): (f64, f64)) -> Self {
        let values: Vec<_> = values.filter(|value| !axis.is_log || *value > 0.0).collect();
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut low = axis.from.unwrap_or(lowest);
        let mut high = highest.max(low);
        if !low.is_finite() || !high.is_finite() || low >= high {
            (low, high) = if low.is_finite() { (low, low + 1.0) } else { (1.0, 2.0) };
        }
        if axis.is_log {
            // From one of 1, 2, 5 to one of them.
            (low, high) = (nice(low, false), nice(high, true));
        } else {
            let step = step(low, high);
            (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        }
        Self { is_log: axis.is_log, low, high, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = match self.is_log {
            true => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            false => (value - self.low) / (self.high - self.low),
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        if self.is_log {
            let mut tick = self.low;
            while tick <= self.high * 1.001 && ticks.len() < 40 {
                ticks.push(tick);
                tick = nice(tick * 1.5, true);
            }
            return ticks;
        }
        let step = step(self.low, self.high);
        let mut tick = (self.low / step).ceil() * step;
        while tick <= self.high + step * 1e-6 && ticks.len() < 40 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

/// Between the ticks of an axis that is not logarithmic.
fn step(low: f64, high: f64) -> f64 {
    nice((high - low) / STEPS_MAX, true)
}

/// The nearest of 1, 2, 5 by a power of ten that is not above, or not below.
fn nice(value: f64, is_up: bool) -> f64 {
    let ten = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * ten);
    let fits =
        |step: &&f64| if is_up { **step >= value * 0.9999 } else { **step <= value * 1.0001 };
    let mut steps = steps.iter();
    let found = if is_up { steps.find(fits) } else { steps.rfind(fits) };
    found.copied().unwrap_or(ten)
}

fn shown(tick: f64) -> String {
    if tick.abs() >= 1_000.0 {
        let kilo = tick / 1_000.0;
        return format!("{}k", (kilo * 100.0).round() / 100.0);
    }
    format!("{}", (tick * 1e4).round() / 1e4)
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str, more: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{more}>{words}</text>"
    );
}

fn grid(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>",
        from.0, from.1, to.0, to.1
    );
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 210.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;

/// An axis is cut into at most so many before its ends go to round values.
const STEPS_MAX: f64 = 6.0;

/// A line of fewer points has a dot at each.
const DOTS_MAX: usize = 20;

/// Okabe and Ito's, which most people can tell apart.
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis { title: String::new(), is_log: true, from: None };
        let scale = Scale::of(&axis, [0.3, 40.0].into_iter(), (0.0, 100.0));
        assert_eq!(scale.ticks(), [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!((scale.place(0.2), scale.place(50.0)), (0.0, 100.0));
        let axis = Axis { title: String::new(), is_log: false, from: Some(0.0) };
        let scale = Scale::of(&axis, [3.0, 9.0].into_iter(), (0.0, 90.0));
        assert_eq!(scale.ticks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!((scale.place(5.0), scale.place(10.0)), (45.0, 90.0));
        let axis = Axis { title: String::new(), is_log: false, from: None };
        let scale = Scale::of(&axis, [94.7, 99.9].into_iter(), (0.0, 60.0));
        assert_eq!(scale.ticks(), [94.0, 95.0, 96.0, 97.0, 98.0, 99.0, 100.0]);
    }

    #[test]
    fn each_series_is_drawn_and_named() {
        let axis = || Axis { title: "ms".to_owned(), is_log: false, from: None };
        let one = |name: &str| Series {
            name: name.to_owned(),
            points: vec![(1.0, 2.0), (3.0, 4.0)],
            is_dashed: false,
        };
        let plot = Plot {
            title: "a < b".to_owned(),
            x: axis(),
            y: axis(),
            series: vec![one("p"), one("q")],
        };
        let svg = plot.draw();
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains(">p</text>") && svg.contains(">q</text>") && svg.contains("a &lt; b"));
    }

    #[test]
    fn no_two_series_are_drawn_the_same() {
        let series = |is_dashed| Series { name: String::new(), points: Vec::new(), is_dashed };
        let axis = || Axis { title: String::new(), is_log: false, from: None };
        let series: Vec<_> = (0..32).map(|number| series(number % 2 == 1)).collect();
        let plot = Plot { title: String::new(), x: axis(), y: axis(), series };
        let strokes = plot.strokes();
        let distinct: std::collections::BTreeSet<_> = strokes.iter().collect();
        assert_eq!(distinct.len(), 32);
        assert!(
            strokes.chunks(2).all(|pair| pair.first().map(|it| it.0) == pair.last().map(|it| it.0))
        );
    }
}
