"""From the figures of all rounds to Markdown: medians, ratios, what was lost, what the generator cost."""

import statistics

from .processes import Failed


class Results:
    """Figures by measure and side ("roost", "peer" or "file"), one dictionary a round, and what went wrong."""

    def __init__(self):
        self.rounds = {}
        self.failures = []

    def attempt(self, measure, side, name, run):
        """Keeps what `run` returns. A run that came to nothing leaves its round empty, so that rounds stay paired, and
        is not tried again in the next."""
        rounds = self.rounds.setdefault((measure, side), [])
        if {} in rounds:
            return rounds.append({})
        try:
            rounds.append(run())
        except Failed as failure:
            rounds.append({})
            self.failures.append(f"{measure}, {name}: {failure}")

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
    middle = ratio(results.median(measure, "roost", row.key), results.median(measure, "peer", peer_key))
    pairs = zip(results.rounds.get((measure, "roost"), []), results.rounds.get((measure, "peer"), []))
    each = sorted(a[row.key] / b[peer_key] for a, b in pairs if a.get(row.key) is not None and b.get(peer_key))
    if middle == "n/a":
        return middle
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


def file_table(results, measures, peer_name):
    """The brokers' acknowledged messages a second as a part of what a plain file takes."""
    lines = [
        "", "Against a plain file: one write and fdatasync a group of as many messages as are outstanding; same run, core "
        "and disk.", "",
        f"| measure | file | file, disk bytes a message | Roost ÷ file | {peer_name} ÷ file |", "|---|---:|---:|---:|---:|",
    ]
    compared = [measure.name for measure in measures if measure.baseline]
    for name in compared:
        rate, disk = results.median(name, "file", "ack_rate"), results.median(name, "file", "disk_bytes")
        parts = [ratio(results.median(name, side, "ack_rate"), rate) for side in ("roost", "peer")]
        lines.append(f"| {name} | {number(rate, '/s')} | {number(disk, 'B')} | {parts[0]} | {parts[1]} |")
    return lines if compared else []


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
    parts = [*heading, "", *table(results, measures, peer_name), *file_table(results, measures, peer_name)]
    parts += ["", "Counted:", "", *counted(results, measures, peer_name)]
    if results.failures:
        parts += ["", "Runs that came to nothing:", "", *(f"- {failure}" for failure in results.failures)]
    return "\n".join(parts) + "\n"
