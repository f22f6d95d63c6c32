"""Help, words the command does not know, and the statuses it ends with."""

import os
import pty
import re
import subprocess

import pytest
from conftest import COMMAND, SOURCE, assert_golden

EX_USAGE, EX_NOINPUT, EX_IOERR = 64, 66, 74
COMMANDS = ["run", "ports", "hosts", "services", "up", "status", "restart", "address", "ping", "link", "capture", "impair",
            "network", "down", "version", "help"]


def test_list_of_commands(reeve):
    result = reeve("help")
    assert result.status == 0 and result.err == ""
    assert re.findall(r"^  (\w+) +[A-Z]", result.out, re.MULTILINE) == COMMANDS
    assert reeve("--help").out == result.out == reeve("-h").out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each(reeve, command):
    result = reeve(command, "--help")
    assert result.status == 0 and result.err == ""
    assert result.out.startswith(f"Usage: reeve {command}")
    assert "\nOptions:\n" in result.out and "\nExamples:\n  reeve " in result.out
    assert reeve("help", command).out == result.out == reeve(command, "-h").out
    assert_golden(f"help_{command}.txt", result.out)


def test_lines_of_help_fit_a_screen(reeve):
    for command in COMMANDS:
        for line in reeve(command, "--help").out.splitlines():
            assert len(line) <= 100, line


def test_every_example_is_accepted(reeve):
    """Each example's words are known: it fails, if at all, for another reason. Without a place for
    its files no network can start."""
    nowhere = {"XDG_RUNTIME_DIR": "/proc/nowhere"}
    for command in COMMANDS:
        text = reeve(command, "--help").out.split("\nExamples:\n")[1]
        for line in text.splitlines():
            words = re.split(r" {2,}|\|", line.strip())[0].split()
            if words[0] != "reeve" or words[1] == "run":
                continue
            assert reeve(*words[1:], env=nowhere).status != EX_USAGE, line


@pytest.mark.parametrize("word, meant", [("prots", "ports"), ("host", "hosts"), ("runn", "run"),
                                         ("servcies", "services"), ("PING", "ping")])
def test_misspelt_command(reeve, word, meant):
    result = reeve(word)
    assert result.status == EX_USAGE and result.out == ""
    assert result.err == f"reeve: no command '{word}'; did you mean '{meant}'?\n"
    assert reeve("help", word).err == f"reeve: no command '{word}'; did you mean '{meant}'?\n"


def test_unknown_command(reeve):
    result = reeve("frobnicate")
    assert result.status == EX_USAGE
    assert result.err == "reeve: no command 'frobnicate'; 'reeve help' lists them\n"


def test_nothing_at_all(reeve):
    result = reeve()
    assert result.status == EX_USAGE
    assert result.err == "reeve: no command given; 'reeve help' lists them\n"


@pytest.mark.parametrize("arguments, message", [
    (["ports", "--jsno"], "reeve: no option '--jsno'; did you mean '--json'?"),
    (["ports", "--xyzzy"], "reeve: no option '--xyzzy'; 'reeve ports --help' lists them"),
    (["ports", "-x"], "reeve: no option '-x'; 'reeve ports --help' lists them"),
    (["ports", "-lx"], "reeve: no option '-x'; 'reeve ports --help' lists them"),
    (["ports", "--json=yes"], "reeve: --json takes no value"),
    (["ports", "a", "b"], "reeve: unexpected argument 'b'; see 'reeve ports --help'"),
    (["ports", "--network"], "reeve: --network needs a value: --network NAME"),
    (["address"], "reeve: an argument is missing; usage: reeve address ADDRESS[/LENGTH]..."),
    (["ping", "-c", "0", "x"], "reeve: --count takes 1 to 1000000, not '0'"),
    (["ping", "-c", "x", "x"], "reeve: --count takes a whole number, not 'x'"),
    (["impair", "web", "--loss", "5x"],
     "reeve: --loss takes a percentage such as 5%, or a number from 0 to 1, not '5x'"),
    (["impair", "web", "--loss", "101%"], "reeve: --loss takes at most 100% (or 1), not '101%'"),
    (["impair", "web", "--loss", "5"], "reeve: --loss takes at most 100% (or 1), not '5'"),
    (["impair", "web", "--down", "--up"],
     "reeve: --down and --up contradict each other; give one"),
    (["ping", "-i", "0", "x"], "reeve: --interval takes 1ms to 3600s, not '0'"),
    (["ping", "-W", "2h", "x"],
     "reeve: --timeout takes a time such as 20ms, 1.5s or 300us, not '2h'"),
    (["impair", "web", "--delay", "61s"], "reeve: --delay takes 0ms to 60s, not '61s'"),
    (["impair", "web", "--delay", "-1ms"],
     "reeve: --delay takes a time such as 20ms, 1.5s or 300us, not '-1ms'"),
    (["impair", "web", "--rate", "fast"],
     "reeve: --rate takes a rate such as 50mbit, 1gbit or 64kbit, not 'fast'"),
    (["impair", "web", "--clear", "--down"], "reeve: --clear goes with no other option"),
    (["hosts", "ad", "web"], "reeve: no 'reeve hosts ad'; there are add, remove and list"),
    (["hosts", "add"], "reeve: which host? reeve hosts add NAME"),
    (["hosts", "add", "web", "--ip", "198.18.0"],
     "reeve: --ip takes an address, not '198.18.0'"),
    (["hosts", "add", "web", "--well-known", "all"],
     "reeve: --well-known takes owner or granted, not 'all'"),
    (["hosts", "--ip", "198.18.0.1"], "reeve: --ip goes with 'reeve hosts add NAME'"),
    (["link", "add"], "reeve: what kind of link? reeve link add tap NAME"),
    (["link", "add", "tun", "x"], "reeve: no links of kind 'tun'; reeve link add tap NAME"),
    (["link", "add", "tap"], "reeve: what is its name? reeve link add tap NAME"),
    (["link", "add", "tap", "a" * 16], "reeve: 'aaaaaaaaaaaaaaaa' is too long: an interface's "
                                       "name has at most 15 letters"),
    (["link", "add", "tap", "x", "--mtu", "100"], "reeve: --mtu takes 576 to 65521, not '100'"),
    (["network", "--keep", "--no-keep"], "reeve: --keep and --no-keep contradict each other; give one"),
    (["network-process"], "reeve: 'network-process' is for reeve's own use"),
])
def test_bad_words(reeve, arguments, message):
    result = reeve(*arguments)
    assert result.err == message + "\n"
    assert result.status == EX_USAGE and result.out == ""


def test_no_such_namespace(reeve):
    result = reeve("link", "add", "tap", "x", "--netns", "no-such-namespace")
    assert result.status == EX_NOINPUT
    assert result.err == ("reeve: no network namespace 'no-such-namespace'; 'ip netns' lists "
                          "them\n")


@pytest.mark.parametrize("arguments, message", [
    (["--jsno", "true"], "reeve: no option '--jsno'; 'reeve run --help' lists them"),
    ([], "reeve: an argument is missing; usage: reeve run [OPTION...] [--] PROGRAM [ARGUMENT...]"),
    (["--ip", "x", "true"], "reeve: --ip takes an address, not 'x'"),
    (["--allow-port", "80-", "true"],
     "reeve: --allow-port takes ports such as 80,443,8000-8100, not '80-'"),
    (["--udp", "half", "true"], "reeve: --udp takes full or lite, not 'half'"),
])
def test_run_fails_as_env_does(reeve, arguments, message):
    result = reeve("run", *arguments)
    assert result.err == message + "\n"
    assert result.status == 125 and result.out == ""


@pytest.mark.parametrize("name", ["a/b", "..", "-x", "x" * 40, "ä"])
def test_bad_network_name(reeve, name):
    for result in reeve("ports", f"--network={name}"), reeve("ports", env={"REEVE_NETWORK": name}):
        assert result.status == EX_USAGE
        assert result.err.startswith("reeve: ") and result.err.count("\n") == 1


def test_network_of_the_environment(reeve):
    result = reeve("ports", env={"REEVE_NETWORK": "lab"})
    assert result.err == "reeve: network 'lab' is not running\n"
    result = reeve("ports", "--network", "two", env={"REEVE_NETWORK": "lab"})
    assert result.err == "reeve: network 'two' is not running\n"


def test_version(reeve):
    result = reeve("version")
    assert result.status == 0 and re.fullmatch(r"reeve \d+\.\d+\.\d+\n", result.out)
    assert reeve("--version").out == result.out
    assert reeve("version", "--json").json == {"version": result.out.split()[1]}


def test_control_characters_do_not_reach_the_terminal(reeve):
    result = reeve("a\033[31mb")
    assert "\033" not in result.err and result.err.count("\n") == 1


def test_long_words_are_cut(reeve):
    result = reeve("services", "x" * 100000)
    assert result.status == EX_USAGE and len(result.err) < 1100


def test_no_colour_in_a_pipe(reeve):
    assert "\033" not in reeve("help").out


def on_a_terminal(*arguments, **env):
    """The output on a terminal of 60 columns."""
    parent, child = pty.openpty()
    os.set_blocking(parent, True)
    import fcntl
    import struct
    import termios
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 60, 0, 0))
    process = subprocess.Popen([COMMAND, *arguments], stdin=child, stdout=child, stderr=child,
                               env={"TERM": "xterm", "PATH": os.environ["PATH"], **env})
    os.close(child)
    output = b""
    while True:
        try:
            data = os.read(parent, 65536)
        except OSError:
            break
        if not data:
            break
        output += data
    process.wait()
    os.close(parent)
    return output.decode()


def test_colour_on_a_terminal():
    assert "\033[1m" in on_a_terminal("help")
    assert "\033" not in on_a_terminal("help", NO_COLOR="1")
    assert "\033" in on_a_terminal("help", NO_COLOR="")
    assert "\033" not in on_a_terminal("help", TERM="dumb")


def test_tables_fit_the_terminal(reeve):
    widest = max(map(len, reeve("services", "80-200").out.splitlines()))
    assert widest > 60
    for line in on_a_terminal("services", "80-200", NO_COLOR="1").splitlines():
        assert len(line) <= 60, line


def test_reader_that_leaves_is_no_error():
    """As in `reeve services | head -1`: the reader closes, SIGPIPE ends us without a word."""
    process = subprocess.Popen([COMMAND, "services"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.wait()
    assert process.returncode == -13
    process.stderr.close()


def test_full_disk_is_an_error(reeve):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = reeve("help", stdout=full)
    assert result.status == EX_IOERR
    assert result.err == "reeve: cannot write the output: No space left on device\n"


def options_of(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def test_man_page_has_the_options_of_help(reeve):
    """All of them, and no others."""
    page = (SOURCE / "man" / "reeve.1").read_text()
    named = set()
    for line in page.splitlines():
        if re.search(r"\bFl\b", line) and not line.startswith(".Bl"):
            named |= {"-" + word for word in re.findall(r"(?<![\w-])-[a-z][a-z-]+", line)}
    helped = set()
    for command in COMMANDS:
        text = reeve(command, "--help").out.split("\nOptions:\n")[1].split("\nExamples:\n")[0]
        helped |= options_of(text)
    assert named == helped
