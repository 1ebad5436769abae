"""From results to pages: tables, aims, what Rescind loses to, and plots.

docs/benchmarks.md is written by hand, but for what stands between two comments: `<!-- bench: NAME -->` and
`<!-- bench: end -->`. NAME is that of a part, `losses`, or `machine`."""

import os, re, statistics
from dataclasses import dataclass
from typing import Callable


@dataclass
class Column:
    """One figure of each round; `of` makes one of those of all rounds."""
    key: str
    title: str
    shown: Callable
    better: str = ""            # "more" or "less", if it is one to win or lose by
    of: Callable = statistics.median


@dataclass
class Plot:
    file: str
    key: str
    title: str
    scale: float = 1
    log: bool = False


@dataclass
class Aim:
    text: str
    measured: Callable          # the rounds' values, from the figures of all rows
    at_least: float = None
    at_most: float = None
    shown: Callable = lambda value: f"{value:.2f}"
    of: Callable = statistics.median

    def is_measured(self, rows):
        """A small run has not all rows."""
        try:
            return bool(self.measured(rows))
        except KeyError:
            return False

    def row(self, rows):
        values = self.measured(rows)
        value = self.of(values)
        if self.at_least is None and self.at_most is None:
            return [self.text, "", spread(values, self.shown, self.of), ""]
        met = value >= self.at_least if self.at_least is not None else value <= self.at_most
        aim = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        return [self.text, aim, spread(values, self.shown, self.of), "met" if met else "**missed**"]


def ratio(key, ours, theirs, times=1):
    """Round by round: the two were measured one after the other."""
    return lambda rows: [times * our / their for our, their in zip(rows[ours][key], rows[theirs][key])]


def thousands(value):
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def micros(seconds):
    if seconds < 1e-6:
        return f"{1e9 * seconds:.0f} ns"
    if seconds < 1e-3:
        return f"{1e6 * seconds:.{0 if seconds >= 1e-4 else 1}f} µs"
    return f"{1e3 * seconds:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def lateness(seconds):
    return micros(seconds) if seconds else "never"


def megabytes(size):
    return f"{size / 1e6:.0f} MB"


def spread(values, shown, of=statistics.median):
    low, high = shown(min(values)), shown(max(values))
    return shown(of(values)) + (f" ({low} – {high})" if low != high else "")


def pages(results, parts, page, plots):
    """Writes what there is of these parts into the page, and their plots into a folder."""
    os.makedirs(plots, exist_ok=True)
    lost = []
    for name, part in parts.items():
        if name not in results["parts"]:
            continue
        of_part = results["parts"][name]
        rows = {row["name"]: row["figures"] for row in of_part["rows"]}
        judged = [aim.row(rows) for aim in part.AIMS if aim.is_measured(rows)]
        for plot in part.PLOTS:
            drawn(plot, rows, next(column for column in part.COLUMNS if column.key == plot.key), plots)
        fill(page, name, "\n\n".join(filter(None, [
            f"{run_of(of_part)}",
            table(["", *(column.title for column in part.COLUMNS)], [[row, *cells(figures, part.COLUMNS)] for row, figures in rows.items()]),
            table(["Aim", "", "Measured", ""], judged) if judged else "",
            *(f"![{part.TITLE}: {plot.title}]({os.path.basename(plots)}/{plot.file}.svg)" for plot in part.PLOTS),
            set_up(of_part["rows"]),
        ])))
        lost += losses(rows, part)
    fill(page, "losses", "\n".join(f"- {line}" for line in lost) or "Nowhere, of what was measured.")
    fill(page, "machine", machine(results))


def set_up(rows):
    lines = [f"- {row['name']}: {row['settings']}." for row in rows if row["settings"]]
    return "\n".join(["How each was set up:", "", *lines]) if lines else ""


def run_of(part):
    settings = part["settings"]
    return (f"On {part['date']}: {settings['rounds']} round{'s' * (settings['rounds'] > 1)} over all cases, {settings['seconds']:g} s for each and load;"
            f" median (least – most), at commit {part['commit']}.")


def cells(figures, columns):
    return [spread(figures[column.key], column.shown, column.of) if column.key in figures else "" for column in columns]


def losses(rows, part):
    """Each figure by which a row of Rescind's is worse than one that it is set beside."""
    found = []
    for ours, rivals in part.RIVALS.items():
        for theirs in rivals:
            for column in (column for column in part.COLUMNS if column.better):
                if column.key not in rows.get(ours, {}) or column.key not in rows.get(theirs, {}):
                    continue
                our, their = (column.of(rows[name][column.key]) for name in (ours, theirs))
                if (our < their) if column.better == "more" else (our > their):
                    times = f", {our / their:.2f} ×" if their else ""
                    found.append(f"{ours}, {column.title}: {column.shown(our)}, against {column.shown(their)} of {theirs}{times}")
    return found


def machine(results):
    lines = [f"- {what}: {value}" for what, value in results["machine"].items()]
    return "\n".join(lines + ["- " + ", ".join(f"{name} {version}" for name, version in results["versions"].items())])


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(("| " + " | ".join(line) + " |").replace("|  |", "| |") for line in lines)


def fill(page, name, text):
    with open(page) as file:
        before = file.read()
    begin, end = f"<!-- bench: {name} -->\n", "<!-- bench: end -->"
    after, count = re.subn(f"(?s)({re.escape(begin)}).*?({re.escape(end)})", lambda found: f"{found[1]}\n{text}\n\n{found[2]}", before)
    if count != 1:
        raise SystemExit(f"{page} has {count} places for {name}")
    with open(page, "w") as file:
        file.write(after)


def drawn(plot, rows, column, folder):
    """One line for each row, with least and most of the rounds: bars from 0, or dots where the scale has no 0."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "rescind", "svg.fonttype": "none", "font.family": "sans-serif"}
    from matplotlib import pyplot
    rows = {name: figures[plot.key] for name, figures in reversed(rows.items()) if plot.key in figures}
    names, places = [name.replace("`", "") for name in rows], range(len(rows))
    middles, lows, highs = ([plot.scale * of(values) for values in rows.values()] for of in (column.of, min, max))
    errors = [[middle - low for middle, low in zip(middles, lows)], [high - middle for middle, high in zip(middles, highs)]]
    colours = ["#1f4e79" if "Rescind" in name else "#98a2ad" for name in names]
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(names) + 1.1))
    if plot.log:
        axes.set_xscale("log")
        axes.grid(axis="x", color="#e3e6e9")
        axes.scatter(middles, places, color=colours, zorder=3)
    else:
        axes.barh(places, middles, color=colours)
    axes.errorbar(middles, places, xerr=errors, fmt="none", ecolor="#333333", capsize=3)
    for place, high, values in zip(places, highs, rows.values()):
        axes.annotate(column.shown(column.of(values)), (high, place), (7, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(places, names)
    axes.set_xlabel(plot.title)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    for kind in ("svg", "png"):
        figure.savefig(os.path.join(folder, f"{plot.file}.{kind}"), dpi=120, metadata={"Date": None} if kind == "svg" else {"Software": None})
    pyplot.close(figure)
