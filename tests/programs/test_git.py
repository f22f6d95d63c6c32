"""git: git daemon.

Run: git daemon with a bare repository; pushed to, cloned by eight at once on two hosts, fetched
from after another push, and asked over git:// for what is not there.
Must come out: every clone has the same commit and the same files, with a checked object store.
Limits: none known.
"""

PACKAGES = ["git"]
VERSION = ["git", "--version"]
HOSTS = 3

IDENTITY = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false",
            "-c", "safe.directory=*", "-c", "init.defaultBranch=main"]


def test_push_clone_fetch(site, need, data, same):
    need("git")
    site.reeve.env.update(HOME=str(site.scratch), GIT_CONFIG_NOSYSTEM="1",
                          GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory",
                          GIT_CONFIG_VALUE_0="*")
    base, work = site.scratch / "base", site.scratch / "work"

    def git(*arguments, host="c", **settings):
        return site.client(host, "git", *IDENTITY, *arguments, **settings)

    def commit(name, size):
        (work / name).write_bytes(data(size))
        git("-C", work, "add", ".")
        git("-C", work, "commit", "-q", "-m", name)
        git("-C", work, "push", "-q", "git://s/r.git", "HEAD:main")

    git("init", "-q", "--bare", base / "r.git")
    site.serve("s", "git", "daemon", "--reuseaddr", "--export-all", "--enable=receive-pack",
               f"--base-path={base}", "--verbose", base, ports=[9418])
    git("init", "-q", work)
    commit("first", 3_000_000)
    clones = [site.scratch / f"clone{i}" for i in range(8)]
    site.together(*((f"c{i % 2}", "git", "clone", "-q", "git://s/r.git", path)
                    for i, path in enumerate(clones)))
    commit("second", 1_000)
    site.together(*(("c", "git", *IDENTITY, "-C", path, "pull", "-q", "--ff-only")
                    for path in clones))
    for path in clones:
        for name in "first", "second":
            same(work / name, path / name)
    git("-C", clones[0], "fsck", "--strict")
    head = git("ls-remote", "git://s/r.git", "main").split()[0]
    assert git("-C", clones[7], "rev-parse", "HEAD").strip() == head
    git("clone", "-q", "git://s/none.git", site.scratch / "none", status=128)
