"""`reeve services` against IANA's file, read here by other means."""

import csv
import re

import pytest
from conftest import SOURCE, assert_golden

EX_USAGE, EX_DATAERR = 64, 65
CSV = SOURCE / "data" / "service-names-port-numbers.csv"
ORDER = {None: 0, "tcp": 1, "udp": 2, "sctp": 3, "dccp": 4}


def folded(text):
    return re.sub(r"\s+", " ", text).strip()


def range_of(port):
    return ("well-known" if port < 1024 else "registered" if port < 49152 else "dynamic")


def expected_rows():
    rows = []
    with open(CSV, newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            ports = [int(p) for p in row["Port Number"].split("-") if p]
            protocol = row["Transport Protocol"] or None
            rows.append(((not ports, ports[0] if ports else 0, ORDER[protocol], number), {
                "service": row["Service Name"] or None,
                "first": ports[0] if ports else None,
                "last": ports[-1] if ports else None,
                "range": range_of(ports[0]) if ports else None,
                "protocol": protocol,
                "description": folded(row["Description"]),
                "reference": folded(row["Reference"]),
                "notes": folded(row["Assignment Notes"]),
            }))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def test_every_row(reeve):
    expected, printed = expected_rows(), reeve("services", "--json").json
    assert len(expected) == len(printed) > 14000
    for wanted, got in zip(expected, printed):
        status = got.pop("status")
        assert got == wanted
        # Named rows are assigned; of the nameless ones IANA says what they are.
        text = wanted["description"].lower()
        if wanted["service"] or text.startswith("any private"):
            assert status == "assigned"
        elif "unassigned" in text:
            assert status == "unassigned", wanted
        else:
            assert status == "reserved", wanted


def rows(reeve, *query):
    result = reeve("services", *query, "--json")
    assert result.status == 0, result
    return [(r["service"], r["first"], r["last"], r["protocol"], r["status"]) for r in result.json]


def test_by_number(reeve):
    assert rows(reeve, "110") == [("pop3", 110, 110, "tcp", "assigned"),
                                  ("pop3", 110, 110, "udp", "assigned")]
    assert rows(reeve, "0080/tcp")[0][:2] == ("http", 80)
    assert rows(reeve, "6010/tcp") == [("x11", 6000, 6063, "tcp", "assigned")]
    assert rows(reeve, "4/udp") == [(None, 4, 4, "udp", "unassigned")]
    assert rows(reeve, "0/tcp") == [(None, 0, 0, "tcp", "reserved")]


def test_ports_without_a_row(reeve):
    assert rows(reeve, "50000") == [(None, 50000, 50000, None, "unassigned")]
    assert rows(reeve, "65535/tcp") == [(None, 65535, 65535, None, "unassigned")]
    assert rows(reeve, "49152-65535") == [(None, 49152, 65535, None, "unassigned")]
    assert rows(reeve, "49150-50000")[-1] == (None, 49152, 50000, None, "unassigned")


def test_by_name(reeve):
    assert {r[1] for r in rows(reeve, "http")} == {80}
    assert rows(reeve, "HTTP/sctp") == [("http", 80, 80, "sctp", "assigned")]
    assert rows(reeve, "914c/g")[0][1] == 211  # a name with a slash


def test_whois_is_found_at_both_ports(reeve):
    assert rows(reeve, "whois/tcp") == [("nicname", 43, 43, "tcp", "assigned"),
                                        ("whoispp", 63, 63, "tcp", "assigned")]


@pytest.mark.parametrize("alias, name", [("dns", "domain"), ("mail", "smtp"), ("rdp", "rdp"), ("rdp", "ms-wbt-server")])
def test_aliases(reeve, alias, name):
    assert name in [row[0] for row in rows(reeve, alias)]


def test_range(reeve):
    expected = [r for r in expected_rows() if r["first"] is not None and r["last"] >= 8000
                and r["first"] <= 8100 and r["protocol"] in (None, "tcp")]
    assert [r[1] for r in rows(reeve, "8000-8100/tcp")] == [r["first"] for r in expected]


def test_text(reeve):
    assert_golden("services.txt", reeve("services", "80/tcp", "whois", "6010", "4", "50000").out)


def test_slip_of_the_keyboard(reeve):
    result = reeve("services", "htpp")
    assert result.status == EX_DATAERR and result.out == ""
    assert result.err == "reeve: no service 'htpp'; did you mean 'http'?\n"


def test_one_bad_word_does_not_hide_the_others(reeve):
    result = reeve("services", "qqqqqqqqqq", "ssh/tcp")
    assert result.status == EX_DATAERR and "ssh" in result.out
    assert result.err == "reeve: no service 'qqqqqqqqqq' in the IANA registry\n"


@pytest.mark.parametrize("word", ["65536", "1-65536", "8100-8000", "80/foo", "1-2-3", "-", "80-",
                                  "99999999999999999999", "80/", "/tcp", ""])
def test_bad_words(reeve, word):
    result = reeve("services", "--", word)
    assert result.status in (EX_USAGE, EX_DATAERR) and result.out == ""
    assert result.err.count("\n") == 1 and result.err.startswith("reeve: ")


def test_service_not_of_that_protocol(reeve):
    result = reeve("services", "finger/sctp")
    assert result.status == EX_DATAERR
    assert "is not registered for that protocol" in result.err
