"""An independent answer to 'when are these hours open?', by brute force.

Reads one JSON object from standard input, writes one to standard output. Every UTC minute of a
stretch is asked of Python's zoneinfo, on the same TZif files, what clocks read then. A window's edge
is then looked up among those readings: the first minute at which a clock read its start, the last
at which it read its end, and, where no clock ever read it, the first minute that read more. A closed
date closes each minute that read it. What comes out is a bit a minute, and where the bits change.
Nothing here computes a transition or converts a civil time to an instant.
"""

import json
import re
import sys
from datetime import date, datetime

if sys.version_info < (3, 9):
    sys.exit("needs python 3.9 or newer, for zoneinfo")
import zoneinfo

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY = 24 * 60
# Readings of the first and last days of a stretch are too few to find every edge of their windows.
MARGIN = 3 * DAY


class Clocks:
    """What the clocks of a zone read at each minute of a stretch."""

    def __init__(self, zone, base, minutes):
        tz = zoneinfo.ZoneInfo(zone)
        self.reads = []
        for stamp in range(base, base + minutes * 60, 60):
            t = datetime.fromtimestamp(stamp, tz)
            if t.second:
                sys.exit(f"{zone} has an offset with seconds at {stamp}: choose a later stretch")
            self.reads.append(t.toordinal() * DAY + t.hour * 60 + t.minute)
        self.first, self.last, self.skipped, self.days = {}, {}, {}, {}
        before = self.reads[0]
        for i, read in enumerate(self.reads):
            self.first.setdefault(read, i)
            self.last[read] = i
            for never_read in range(before + 1, read):
                self.skipped.setdefault(never_read, i)
            self.days.setdefault(read // DAY, []).append(i)
            before = read

    # None where it isn't within the stretch.
    def start(self, read):
        return self.first.get(read, self.skipped.get(read))

    def end(self, read):
        return self.last.get(read, self.skipped.get(read))


def days_of(text):
    text = text.strip().lower()
    named = {"": "mon-sun", "daily": "mon-sun", "weekdays": "mon-fri", "weekends": "sat-sun"}
    found = set()
    for item in named.get(text, text).split(","):
        ends = [DAYS.index(name.strip()[:3]) for name in item.split("-")]
        day = ends[0]
        found.add(day)
        while day != ends[-1]:
            day = (day + 1) % 7
            found.add(day)
    return found


def paint(clocks, entries):
    """A byte a minute: whether one of the entries holds it."""
    bits = bytearray(len(clocks.reads))
    calendar = range(min(clocks.days) - 2, max(clocks.days) + 3)
    for entry in entries:
        if entry == "always":
            return bytearray(b"\x01" * len(bits))
        dates = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?", entry)
        if dates:
            first, last = (date.fromisoformat(d or dates[1]).toordinal() for d in dates.groups())
            for day, minutes in clocks.days.items():
                if first <= day <= last:
                    for i in minutes:
                        bits[i] = 1
            continue
        days, *clock = re.fullmatch(r"(.*?)\s*(\d\d):(\d\d)-(\d\d):(\d\d)", entry).groups()
        hour, minute, to_hour, to_minute = map(int, clock)
        begin, finish = hour * 60 + minute, to_hour * 60 + to_minute
        if finish <= begin:
            finish += DAY
        wanted = days_of(days)
        for day in calendar:
            if date.fromordinal(day).weekday() in wanted:
                start, end = clocks.start(day * DAY + begin), clocks.end(day * DAY + finish)
                if start is not None and end is not None and start < end:
                    bits[start:end] = b"\x01" * (end - start)
    return bits


def solve(stretch, case, clocks):
    size = stretch["minutes"]
    held = 0
    ones = int.from_bytes(b"\x01" * size, "big")
    for part in case["parts"]:
        opens = int.from_bytes(paint(clocks[part["zone"]], part["open"]), "big")
        shut = int.from_bytes(paint(clocks[part["zone"]], part["closed"]), "big")
        held |= opens & (ones ^ shut)
    held &= ones ^ int.from_bytes(paint(clocks[case["zone"]], case["closed"]), "big")
    bits = held.to_bytes(size, "big")

    low, high = MARGIN, size - MARGIN
    edges, at = [], low
    while True:
        at = bits.find(b"\x00" if bits[at] else b"\x01", at, high)
        if at < 0:
            break
        edges.append(stretch["base"] + at * 60)
    return {
        "low": stretch["base"] + low * 60,
        "high": stretch["base"] + high * 60,
        "open_at_low": bool(bits[low]),
        "edges": edges,
    }


def main():
    asked = json.load(sys.stdin)
    zoneinfo.reset_tzpath([asked["folder"]])
    answers = []
    for stretch in asked["stretches"]:
        clocks = {zone: Clocks(zone, stretch["base"], stretch["minutes"]) for zone in stretch["zones"]}
        answers.append([solve(stretch, case, clocks) for case in stretch["cases"]])
    json.dump({"version": sys.version.split()[0], "answers": answers}, sys.stdout)


main()
