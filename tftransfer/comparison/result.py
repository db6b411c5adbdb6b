"""What `compare` measured: table, plot and a plain sentence."""

import dataclasses
import itertools
import os
import pathlib
import statistics

_TITLES = {
    "scratch": "from scratch",
    "probe": "linear probe",
    "fine_tune": "fine-tuned",
}
_COLOURS = {"scratch": "#8a94a0", "probe": "#2a7f9e", "fine_tune": "#d9772b"}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Accuracies of several strategies at several training sizes.

    Attributes:
        rows: One dict per run: strategy, per_class (pictures per class, None for all),
            pictures, seed, accuracy in [0, 1], seconds.
        test_pictures: Number of pictures that every accuracy was measured on.
    """

    rows: list[dict]
    test_pictures: int

    def summary(self) -> list[dict]:
        """Return one dict per size and strategy: mean and spread over the seeds.

        `spread` is the sample standard deviation, None with one seed.
        """
        found = []
        for (per_class, strategy), group in itertools.groupby(
            self.rows, key=lambda row: (row["per_class"], row["strategy"])
        ):
            runs = list(group)
            values = [run["accuracy"] for run in runs]
            found.append(
                {
                    "strategy": strategy,
                    "per_class": per_class,
                    "pictures": runs[0]["pictures"],
                    "mean": statistics.fmean(values),
                    "spread": statistics.stdev(values) if len(values) > 1 else None,
                    "seconds": statistics.fmean(run["seconds"] for run in runs),
                }
            )
        return found

    def table(self) -> str:
        """Return a Markdown table: a row per size, a column per strategy."""
        cells = {(c["per_class"], c["strategy"]): c for c in self.summary()}
        strategies = list(dict.fromkeys(strategy for _, strategy in cells))
        sizes = list(dict.fromkeys(size for size, _ in cells))
        titles = [_TITLES.get(name, name) for name in strategies]
        lines = [
            "| pictures per class | " + " | ".join(titles) + " |",
            "|---" * (len(titles) + 1) + "|",
        ]
        counts = {c["per_class"]: c["pictures"] for c in cells.values()}
        for size in sizes:
            shown = [_percent(cells.get((size, name))) for name in strategies]
            name = f"all ({counts[size]} pictures)" if size is None else str(size)
            lines.append(f"| {name} | " + " | ".join(shown) + " |")
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """Say in one sentence per size whether transfer paid."""
        cells = self.summary()
        sizes = list(dict.fromkeys(cell["per_class"] for cell in cells))
        return " ".join(
            _verdict([cell for cell in cells if cell["per_class"] == size])
            for size in sizes
        )

    def plot(self, path: str | os.PathLike) -> pathlib.Path:
        """Draw accuracy over the number of training pictures to a PNG or SVG file.

        Each point is the mean over the seeds, the bar their standard deviation, the
        dots the single runs.
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots()
        cells = self.summary()
        for strategy in dict.fromkeys(cell["strategy"] for cell in cells):
            self._draw(axes, strategy, [c for c in cells if c["strategy"] == strategy])
        axes.set_xscale("log")
        counts = sorted({cell["pictures"] for cell in cells})
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        axes.set_xlabel("training pictures")
        axes.set_ylabel(f"accuracy on {self.test_pictures} test pictures")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(frameon=False)
        figure.savefig(path, dpi=150)
        return pathlib.Path(path)

    def _draw(self, axes, strategy: str, cells: list[dict]) -> None:
        colour = _COLOURS.get(strategy)
        axes.errorbar(
            [cell["pictures"] for cell in cells],
            [cell["mean"] for cell in cells],
            [cell["spread"] or 0 for cell in cells],
            color=colour,
            marker="o",
            capsize=3,
            label=_TITLES.get(strategy, strategy),
        )
        runs = [row for row in self.rows if row["strategy"] == strategy]
        pictures = [row["pictures"] for row in runs]
        accuracies = [row["accuracy"] for row in runs]
        axes.plot(pictures, accuracies, ".", color=colour, alpha=0.4, markersize=5)

    def to_json(self) -> dict:
        """Return all of it as a JSON-safe dict."""
        return {
            "rows": self.rows,
            "summary": self.summary(),
            "test_pictures": self.test_pictures,
            "verdict": self.verdict,
        }


def _percent(cell: dict | None) -> str:
    if cell is None:
        return "-"
    spread = "" if cell["spread"] is None else f" ± {100 * cell['spread']:.1f}"
    return f"{100 * cell['mean']:.1f}{spread} %"


def _verdict(cells: list[dict]) -> str:
    """Compare the best transfer with training from scratch at one size."""
    size = cells[0]["per_class"]
    where = "With all pictures" if size is None else f"With {size} pictures per class"
    plain = next((c for c in cells if c["strategy"] == "scratch"), None)
    others = [cell for cell in cells if cell["strategy"] != "scratch"]
    if plain is None or not others:
        best = max(cells, key=lambda cell: cell["mean"])
        return f"{where} {_TITLES[best['strategy']]} is best, {_percent(best)}."
    best = max(others, key=lambda cell: cell["mean"])
    gain = best["mean"] - plain["mean"]
    noise = sum((cell["spread"] or 0) ** 2 for cell in (best, plain)) ** 0.5
    numbers = (
        f"{_TITLES[best['strategy']]} {_percent(best)} against {_percent(plain)} from "
        "scratch"
    )
    if gain > noise:
        return f"{where} transfer paid: {numbers}."
    if gain < -noise:
        return (
            f"{where} transfer did NOT pay (negative transfer): {numbers}. Use another "
            "backbone, or train from scratch."
        )
    return f"{where} transfer made no clear difference: {numbers}."
