//! The figures of docs/growth.md: its table, and its plots. `just growth` runs this.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use super::figures::{Fault, Figures};
use super::{Delays, Setup};

/// Revocations in one run: fewer where each is millions of messages.
const REVOCATIONS: u64 = 100;
const REVOCATIONS_OF_MANY: u64 = 20;
const MANY: usize = 1_000;

/// The table stands between these lines.
const BEGINS: &str = "<!-- from here: just growth -->\n";
const ENDS: &str = "<!-- to here -->\n";

struct Series {
    name: &'static str,
    /// Of how many tiers, and what goes wrong.
    runs: Vec<Figures>,
    stopped: Vec<Figures>,
    late: Vec<Figures>,
}

#[test]
#[ignore = "takes two minutes, and writes to docs"]
fn growth_is_measured() {
    let flat: Vec<_> = [3, 10, 30, 100, 300, 1_000].map(|nodes| vec![nodes]).into();
    let two: Vec<_> = [1, 3, 10, 30, 100].map(|edges| vec![10, edges]).into();
    let three: Vec<_> = [2, 3, 5, 7, 10].map(|each| vec![each; 3]).into();
    let all = [("flat", flat), ("two tiers", two), ("three tiers", three)];
    let all = all.map(|(name, shapes)| Series {
        name,
        runs: shapes.iter().map(|tiers| run(tiers, Delays::EVEN, Fault::None)).collect(),
        stopped: shapes.iter().map(|tiers| run(tiers, Delays::EVEN, Fault::OneStopped)).collect(),
        late: shapes.iter().map(|tiers| run(tiers, Delays::SOME_LATE, Fault::None)).collect(),
    });
    let table = table(&all);
    println!("{table}");
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = docs.join("growth.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGINS).unwrap();
    let (_, after) = rest.split_once(ENDS).unwrap();
    std::fs::write(&page, format!("{before}{BEGINS}\n{table}\n{ENDS}{after}")).unwrap();
    draw_all(&docs.join("growth"), &all);
}

fn run(tiers: &[usize], delays: Delays, fault: Fault) -> Figures {
    let setup = Setup { delays, ..Setup::of(tiers) };
    let few = tiers == [MANY] || fault == Fault::OneStopped;
    Figures::of(&setup, fault, if few { REVOCATIONS_OF_MANY } else { REVOCATIONS })
}

fn table(all: &[Series]) -> String {
    let mut text = String::from(
        "| nodes × edges × … | p50, p99, longest | some late: p50, p99 | one stopped: longest \
         | renewals/s, as many log reads | rows read/s to watch | log reads | rows read | rows \
         written | notified | direct | to and from edges |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for series in all {
        for (at, it) in series.runs.iter().enumerate() {
            let tiers: Vec<_> = it.tiers.iter().map(usize::to_string).collect();
            let (late, stopped) = (&series.late[at], &series.stopped[at]);
            let [renewals, watched, log_reads, read, written, notified, direct, edge] = [
                it.renewals,
                it.rows_watched,
                it.rung_log_reads,
                it.rows_read,
                it.rows_written,
                it.notified,
                it.direct,
                it.edge,
            ]
            .map(in_short);
            writeln!(
                text,
                "| {} | {:.1}, {:.1}, {:.1} ms | {:.1}, {:.1} ms | {:.1} s | {renewals} | {watched} \
                 | {log_reads} | {read} | {written} | {notified} | {direct} | {edge} |",
                tiers.join(" × "),
                it.at_most(50),
                it.at_most(99),
                it.longest(),
                late.at_most(50),
                late.at_most(99),
                stopped.longest() / 1_000.0,
            )
            .unwrap();
        }
    }
    text
}

/// Two digits that count.
fn in_short(number: f64) -> String {
    match number {
        0.0..10.0 => format!("{}", (number * 10.0).round() / 10.0),
        10.0..1_000.0 => format!("{number:.0}"),
        1_000.0..1_000_000.0 => format!("{:.0} k", number / 1_000.0),
        _ => format!("{:.1} M", number / 1_000_000.0),
    }
}

/// What is drawn of a run.
type Of = fn(&Figures) -> f64;

struct Plot<'a> {
    title: &'a str,
    highest: f64,
    lowest: f64,
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

fn draw_all(folder: &Path, all: &[Series]) {
    std::fs::create_dir_all(folder).unwrap();
    let line = |name: String, runs: &[Figures], of: Of| {
        (name, runs.iter().map(|it| (it.leaves() as f64, of(it))).collect())
    };
    let lines = |of: Of| -> Vec<_> {
        all.iter().map(|series| line(series.name.to_owned(), &series.runs, of)).collect()
    };
    let mut time = lines(|it| it.at_most(50));
    for series in all {
        let name = format!("{}, some messages late", series.name);
        time.push(line(name, &series.late, |it| it.at_most(50)));
    }
    let title = "A revocation, p50, in milliseconds";
    let plot = Plot { title, lowest: 1.0, highest: 100.0, lines: time };
    draw(&folder.join("time.svg"), &plot);
    let of = |it: &Figures| it.direct + it.edge + it.notified;
    let title = "Messages of one revocation, notifications among them";
    let plot = Plot { title, lowest: 1.0, highest: 3_000_000.0, lines: lines(of) };
    draw(&folder.join("messages.svg"), &plot);
    let of = |it: &Figures| it.renewals + it.log_reads;
    let title = "Renewals and readings of the log in a second at PostgreSQL, nothing revoked";
    let plot = Plot { title, lowest: 0.3, highest: 1_000.0, lines: lines(of) };
    draw(&folder.join("renewals.svg"), &plot);
    let of = |it: &Figures| it.rows_watched;
    let title = "Member rows read in a second, nothing revoked";
    let plot = Plot { title, lowest: 0.3, highest: 1_000_000.0, lines: lines(of) };
    draw(&folder.join("rows.svg"), &plot);
}

const SIZE: (u32, u32) = (800, 480);

fn draw(file: &PathBuf, plot: &Plot<'_>) {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let mut chart = ChartBuilder::on(&area)
        .caption(plot.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d((2.0..1_500.0).log_scale(), (plot.lowest..plot.highest).log_scale())
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("nodes or outermost edges")
        .x_label_formatter(&|number| format!("{number}"))
        .y_label_formatter(&|number| format!("{number}"))
        .light_line_style(WHITE)
        .draw()
        .unwrap();
    for (number, (name, points)) in plot.lines.iter().enumerate() {
        let color = Palette99::pick(number).to_rgba();
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color);
        chart
            .draw_series(
                LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(3),
            )
            .unwrap()
            .label(name)
            .legend(legend);
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
        .unwrap();
    area.present().unwrap();
}
