"""What programs see of their sockets is what the kernel's TCP and UDP would show them (kit.py)."""

import concurrent.futures
import os

import places
import pytest

EVERYWHERE = {p.name: p for p in (places.KERNEL, *places.PLACES)}
MEETINGS = [(name, p.name) for name, case in places.CASES.items() for p in places.PLACES if p.takes(case)]


@pytest.fixture(scope="module")
def rows():
    with concurrent.futures.ThreadPoolExecutor() as pool:
        run = {name: pool.submit(p.run, places.CASES) for name, p in EVERYWHERE.items()}
    return {name: r.result() for name, r in run.items()}


@pytest.mark.parametrize("name,place", MEETINGS)
def test_as_on_the_kernel(rows, name, place):
    if places.CASES[name].root and os.geteuid():
        pytest.skip("the kernel lets only root do this")
    kernel = rows["kernel"][name]
    assert kernel and "failed" not in dict(kernel), "the case itself fails"
    assert len(dict(kernel)) == len(kernel), "two rows have one name"
    known = places.CASES[name].differs
    assert [d for d in places.differing(kernel, rows[place][name]) if d[0] not in known] == []


LINES = {line for case in places.CASES.values() for line in case.differs.values()}


@pytest.mark.parametrize("line", sorted(LINES))
def test_known_difference_is_there(rows, line):
    """In the document, and in some row of the cases that name it: a line that is no longer true goes."""
    assert line in places.documented()
    if os.geteuid() and all(c.root for c in places.CASES.values() if line in c.differs.values()):
        pytest.skip("the kernel lets only root see this")
    assert any(case.differs.get(d[0]) == line
               for name, case in places.CASES.items() for p in places.PLACES if p.takes(case)
               for d in places.differing(rows["kernel"][name], rows[p.name][name]))


# What it would take to show the line, and no case has.
UNSHOWN = {
    "bound-device": "two interfaces, of the same names everywhere",
    "before-receipt": "to be faster than the supervisor by microseconds",
    "bind-across-trees": "two of `reeve run` on one host",
    "closed-listener": "a station of a link, or an impaired one",
    "half-closed-reset": "an urgent byte that is on its way just then",
    "native-delivery": "to be faster than the network process by microseconds",
    "two-stages": "amounts, of which each kernel has its own",
}
LACKING = {"tcp-upper"}  # is shown where the kernel has what it speaks of


def test_every_line_is_shown_or_is_said_not_to_be():
    assert places.documented() - LINES - LACKING == set(UNSHOWN)
    assert places.unshown() == set(UNSHOWN)


def test_a_difference_is_found():
    kernel = [["poll", "OUT"], ["recv", "EAGAIN"]]
    assert places.differing(kernel, kernel) == []
    assert places.differing(kernel, [["poll", "OUT|HUP"], ["recv", "EAGAIN"]]) == [["poll", "OUT", "OUT|HUP"]]
    assert places.differing(kernel, [["poll", "OUT"]]) == [["recv", "EAGAIN", "no such row"]]
    assert places.differing(kernel, [*kernel, ["failed", "x"]]) == [["failed", "no such row", "x"]]
