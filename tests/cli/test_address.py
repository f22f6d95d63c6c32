"""`reeve address` against Python's ipaddress, and back from every form that it prints."""

import ipaddress
import random

import pytest
from conftest import assert_golden

EX_DATAERR = 65
SEED = 20
SAMPLES = ["198.51.100.130/20", "192.0.2.1/32", "203.0.113.9/0", "127.0.0.1", "0.0.0.0",
           "255.255.255.255", "198.18.7.9/15", "192.0.2.77/31", "2001:db8::1/48", "::1", "::/0",
           "2001:db8:1:2:3:4:5:6/127", "2001:db8::ff/128"]
FORMS = ["address", "decimal", "hexadecimal", "octal", "binary"]


def facts(reeve, *arguments):
    result = reeve("address", *arguments, "--json")
    assert result.status == 0 and result.err == "", result
    return result.json


def check(got, interface):
    address, network = interface.ip, interface.network
    assert got["address"] == str(address) and got["family"] == address.version
    assert int(got["decimal"]) == int(got["hexadecimal"], 16) == int(got["octal"], 8) == int(address)
    assert int(got["binary"].replace(".", "").replace(":", ""), 2) == int(address)
    assert got["prefix_length"] == network.prefixlen
    assert got["network"] == got["first"] == str(network[0])
    assert got["last"] == str(network[-1])
    assert int(got["count"]) == network.num_addresses
    assert got["netmask"] == str(network.netmask)
    assert int(got["host_part"]) == int(address) & int(network.hostmask)


@pytest.mark.parametrize("text", [s for s in SAMPLES if "/" in s])
def test_samples(reeve, text):
    check(facts(reeve, text)[0], ipaddress.ip_interface(text))


def test_random_addresses(reeve):
    print("seed", SEED)
    source = random.Random(SEED)
    texts = []
    for _ in range(200):
        v4 = ipaddress.IPv4Address(source.getrandbits(32))
        v6 = ipaddress.IPv6Address(source.getrandbits(128))
        texts += [f"{v4}/{source.randrange(33)}", f"{v6}/{source.randrange(129)}"]
    for text, got in zip(texts, facts(reeve, *texts)):
        check(got, ipaddress.ip_interface(text))


def test_back_from_every_form(reeve):
    for text in SAMPLES:
        first = facts(reeve, text)[0]
        six = ["-6"] if first["family"] == 6 else []
        length = f"/{first['prefix_length']}"
        forms = [first[form] + length for form in FORMS]
        for again in facts(reeve, *six, *forms):
            again["prefix_length_from"] = first["prefix_length_from"]
            assert again == first


def test_class_is_the_network_without_a_length(reeve):
    wanted = [(0x7f000001, "A", 8), (0x80000000, "B", 16), (0xc0000201, "C", 24),
              (0xe0000001, "D", 32), (0xf0000001, "E", 32), (0xbfffffff, "B", 16)]
    for got, (_, name, length) in zip(facts(reeve, *[str(n) for n, _, _ in wanted]), wanted):
        assert (got["class"], got["prefix_length"]) == (name, length)
        assert got["prefix_length_from"] == "class"


def test_netmask_for_a_length(reeve):
    got = facts(reeve, "198.51.100.130/255.255.240.0", "198.51.100.130/0.0.0.0")
    assert [g["prefix_length"] for g in got] == [20, 0]


def test_special_blocks_are_those_of_python(reeve):
    """Python's is_private follows the same registries: what is not globally reachable there is not
    global here (its list may be older, so only blocks of long standing are asked for)."""
    source = random.Random(SEED)
    numbers = [source.getrandbits(32) for _ in range(400)]
    for net in [0x0a000000, 0xac100000, 0xac1fffff, 0xac200000, 0xa9fe0000, 0x7f000001, 0x64400000,
                0xc0a80000, 0xc0a8ffff, 0xc0a90000, 0xc6120000, 0xc6140000, 0xc0000200, 0xcb007100]:
        numbers.append(net)
    for number, got in zip(numbers, facts(reeve, *map(str, numbers))):
        address = ipaddress.IPv4Address(number)
        answers = [b["global"] for b in got["blocks"] if "ulticast" not in b["name"]]
        if not address.is_multicast and number >> 8 not in (0xc00000, 0xc05863):
            assert (False in answers) == (not address.is_global), got


def test_blocks(reeve):
    got = facts(reeve, "192.0.2.1")[0]["blocks"]
    assert got == [{"prefix": "192.0.2.0/24", "name": "Documentation (TEST-NET-1)",
                    "reference": "RFC 5737", "source": False, "destination": False,
                    "forwardable": False, "global": False, "reserved": False}]
    assert [b["prefix"] for b in facts(reeve, "0.0.0.0")[0]["blocks"]] == ["0.0.0.0/32", "0.0.0.0/8"]
    assert [b["name"] for b in facts(reeve, "2001:db8::")[0]["blocks"]] == ["Documentation"]


def test_text(reeve):
    assert_golden("address.txt", reeve("address", "198.18.240.130/20", "198.51.100.130",
                                       "127.0.0.1/32", "0xe0000001", "203.0.113.9/0",
                                       "2001:db8::1/48").out)


def test_no_block(reeve):
    """Whose address it is does not matter, so chance says which."""
    source = random.Random(SEED)
    address = next(a for a in iter(lambda: ipaddress.IPv4Address(source.getrandbits(32)), None)
                   if a.is_global and not a.is_multicast)
    last = reeve("address", str(address)).out.splitlines()[-1]
    assert last.split(maxsplit=1) == ["Block", "no special purpose: global unicast (RFC 6890)"]


@pytest.mark.parametrize("text, reason", [
    ("x", "'x': it is neither an address nor a number"),
    ("1.2.3", "'1.2.3': it is neither an address nor a number"),
    ("0xg", "'0xg': after 0x come hexadecimal digits, 0 to 9 and a to f"),
    ("089", "'089': a leading 0 means octal, with digits 0 to 7"),
    ("0b12", "'0b12': binary digits are 0 and 1"),
    ("0x7f.0.0.1", "'0x7f.0.0.1': with separators, all digits of 32 or 128 bits must be there"),
    (str(2 ** 128), f"'{2 ** 128}': it has more than 128 bits"),
    ("192.0.2.1/33", "'192.0.2.1/33': after the slash comes 0 to 32, or a netmask"),
    ("192.0.2.1/", "'192.0.2.1/': after the slash comes 0 to 32, or a netmask"),
    ("192.0.2.1/255.0.255.0", "'192.0.2.1/255.0.255.0': after the slash comes 0 to 32, or a netmask"),
    ("2001:db8::/129", "'2001:db8::/129': after the slash comes 0 to 128"),
    ("", "'': it is neither an address nor a number"),
])
def test_bad_words(reeve, text, reason):
    result = reeve("address", "--", text)
    assert result.status == EX_DATAERR and result.out == ""
    assert result.err == f"reeve: {reason}\n"


def test_long_words(reeve):
    result = reeve("address", "1" * 5000)
    assert result.status == EX_DATAERR and result.err.count("\n") == 1


def test_one_bad_word_does_not_hide_the_others(reeve):
    result = reeve("address", "x", "192.0.2.1", "--json")
    assert result.status == EX_DATAERR and len(result.json) == 1
