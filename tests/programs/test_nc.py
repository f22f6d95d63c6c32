"""nc: a conversation, a scan of ports, and bash's own /dev/tcp."""


def test_conversation_and_scan(reeve, need, until_open):
    need("nc")
    server = reeve.start("--host", "s", "nc", "-l", "-k", "-p", "4000")
    until_open("s", 4000)
    r = reeve.run("--host", "c", "nc", "-z", "-w", "5", "s", "4000")
    assert r.returncode == 0, r.stderr
    r = reeve.run("--host", "c", "nc", "-z", "-w", "5", "s", "4001")
    assert r.returncode == 1
    r = reeve.run("--host", "c", "bash", "-c", "exec 3<>/dev/tcp/s/4000; echo from bash >&3")
    assert r.returncode == 0, r.stderr
    assert "from bash" in reeve.wait_for_text(server, "from bash\n")
