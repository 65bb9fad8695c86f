"""What Roost wants to reach, and whether this run did."""

import dataclasses


@dataclasses.dataclass
class Target:
    what: str
    wanted: str             # as text
    measured: float         # None: not measured here
    limit: float
    at_most: bool = False
    note: str = ""

    @property
    def is_met(self):
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit


@dataclasses.dataclass
class Section:
    """A part of the report with its own tables."""

    lines: list
    targets: list = dataclasses.field(default_factory=list)


def table(targets):
    lines = ["| target | wanted | measured | |", "|---|---:|---:|---|"]
    for target in targets:
        if target.measured is None:
            lines.append(f"| {target.what} | {target.wanted} | not measured | {target.note} |")
        else:
            verdict = "met" if target.is_met else "**missed**"
            lines.append(f"| {target.what} | {target.wanted} | {target.measured:.3g} | {verdict} {target.note}".rstrip() + " |")
    return lines
