"""From the figures of all rounds to Markdown: medians, ratios, what was lost, what the generator cost."""

import statistics

from .measures import HIGHER


class Results:
    """Figures by measure and side ("roost" or "peer"), one dictionary a round, and what went wrong."""

    def __init__(self):
        self.rounds = {}
        self.files = {}
        self.failures = []

    def add(self, measure, side, figures):
        self.rounds.setdefault((measure, side), []).append(figures)

    def values(self, measure, side, key):
        found = [figures.get(key) for figures in self.rounds.get((measure, side), [])]
        return [value for value in found if value is not None]

    def median(self, measure, side, key):
        values = self.values(measure, side, key)
        return statistics.median(values) if values else None


def number(value, unit=""):
    if value is None:
        return "n/a"
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f}" + (f" {unit}" if unit and unit != "/s" else unit)


def ratio(ours, theirs):
    return f"{ours / theirs:.3g}" if ours is not None and theirs else "n/a"


def ratio_with_range(results, measure, row):
    """Of the medians, and between which ratios the single rounds lay."""
    peer_key = row.peer_key or row.key
    ours, theirs = results.values(measure, "roost", row.key), results.values(measure, "peer", peer_key)
    if not ours or not theirs:
        return "n/a"
    middle = ratio(statistics.median(ours), statistics.median(theirs))
    each = sorted(a / b for a, b in zip(ours, theirs) if b)
    return f"**{middle}** [{each[0]:.3g}-{each[-1]:.3g}]" if len(each) > 1 else f"**{middle}**"


def generator_cost(results, measure):
    """The generator's own processor time a message beside each broker; marked where it is not clearly the less."""
    parts = []
    for side in ("roost", "peer"):
        own, broker = results.median(measure, side, "load_us"), results.median(measure, side, "cpu_us")
        mark = " (!)" if own and broker and own > broker * 0.9 else ""
        parts.append("n/a" if own is None else f"{own:.2f}{mark}")
    return " / ".join(parts)


def table(results, measures, peer_name):
    lines = [
        f"| measure | Roost | {peer_name} | Roost ÷ {peer_name} | better | generator µs |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for measure in measures:
        lines.append(f"| **{measure.title}** (`{measure.name}`) | | | | | |")
        for row in measure.rows:
            ours = results.median(measure.name, "roost", row.key)
            theirs = results.median(measure.name, "peer", row.peer_key or row.key)
            closed_loop = row.key == "cpu_us"
            lines.append(
                f"| {row.title} | {number(ours, row.unit)} | {number(theirs, row.unit)} | "
                f"{ratio_with_range(results, measure.name, row)} | {row.better} | "
                f"{generator_cost(results, measure.name) if closed_loop else ''} |")
    return lines


def file_table(results, peer_name):
    """The brokers' acknowledged messages a second as a part of what a plain file takes."""
    if not results.files:
        return []
    lines = [
        "", "Against a plain file (one write and fdatasync a group of as many messages as are outstanding, same run, core "
        "and disk):", "",
        f"| outstanding | file | file, disk bytes a message | Roost ÷ file | {peer_name} ÷ file |", "|---:|---:|---:|---:|---:|",
    ]
    for group, runs in sorted(results.files.items()):
        rate = statistics.median(run["ack_rate"] for run in runs)
        disk = statistics.median(run["disk_bytes"] for run in runs)
        parts = [ratio(results.median(f"away{group}", side, "ack_rate"), rate) for side in ("roost", "peer")]
        lines.append(f"| {group} | {number(rate, '/s')} | {number(disk, 'B')} | {parts[0]} | {parts[1]} |")
    return lines


def counted(results, measures, peer_name):
    """Every message is counted; this says what did not come, or came twice, or late."""
    lines = []
    for measure in measures:
        for side, name in (("roost", "Roost"), ("peer", peer_name)):
            for figures in results.rounds.get((measure.name, side), []):
                wrong = [
                    f"{value} {key.replace('_', ' ')}" for key, value in figures.items() if value
                    and key.removeprefix("batch_").removeprefix("each_")
                    in ("lost", "duplicates", "out_of_order", "unacknowledged")
                ]
                if wrong:
                    lines.append(f"- {measure.name}, {name}: {', '.join(wrong)}")
    return lines or ["- Nothing lost, duplicated or out of order in any run."]


def document(results, measures, peer_name, heading):
    parts = [*heading, "", *table(results, measures, peer_name), *file_table(results, peer_name)]
    parts += ["", "Counted:", "", *counted(results, measures, peer_name)]
    if results.failures:
        parts += ["", "Runs that came to nothing:", "", *(f"- {failure}" for failure in results.failures)]
    return "\n".join(parts) + "\n"
