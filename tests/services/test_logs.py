"""What services write, and what becomes of it."""

from conftest import wait_until


def test_log_has_a_size(network):
    network.up("""
services:
  loud: {run: "sh -c 'seq 10000; echo last'", log: loud.log, log-size: 8}
""")
    log = network.directory / "loud.log"
    wait_until(lambda: network.state("loud") == "ended")
    # Reeve's own line about the end may be the one that turns the log over.
    written = [p.read_text() for p in (log, log.with_suffix(".log.1"))]
    assert any("last\n" in text for text in written)
    assert log.stat().st_size <= 8192
    assert (network.directory / "loud.log.1").stat().st_size <= 8192
    assert not (network.directory / "loud.log.2").exists()


def test_log_that_cannot_be_written(network):
    """The service does its work, and whoever looks at it sees what is lost; also what comes back."""
    network.write("""
services:
  deaf: {run: sh -c 'echo heard; exec sleep inf', log: not/there.log}
""")
    result = network.run("up")
    log = network.directory / "not/there.log"
    assert result.returncode == 0
    assert result.stderr.startswith(f"reeve: {network.directory}/reeve.yaml:3:3: service 'deaf' is there, "
                                    f"but its log {log} cannot be written: No such file or directory\n")
    assert "its log cannot be written" in network.good("status")
    assert f"{log}\n         cannot be written: No such file or directory\n" in network.good("status", "deaf")
    assert network.status("deaf")["log_fault"] == "No such file or directory"
    log.parent.mkdir()
    assert network.run("up").stderr == ""
    assert network.status("deaf")["log_fault"] is None
    network.good("restart", "deaf")
    wait_until(lambda: log.read_text().endswith("\nheard\n"))
    assert " reeve: 6 bytes are lost here: No such file or directory\n" in log.read_text()
