"""The servers: each is written its configuration into a directory, and has a command.

None of them needs a privilege here: what they would give up as root, they are told to keep.
"""

import getpass
import grp
import os
import random
import textwrap

import stopping

WHOIS_LINES = 200
PAGE_BYTES = 10_000_000
PASSIVE_PORTS = range(40000, 40100)
ZONE = "reeve.example"
NOBODY = 65534


class Server:
    def __init__(self, ports, *command, **environment):
        self.ports = ports  # of TCP
        self.command = [str(c) for c in command]
        self.environment = environment


class Site:
    """A directory of everything that the host's servers serve, and their configurations."""

    def __init__(self, directory, host, seed):
        self.directory = directory
        self.host = host
        self.random = random.Random(seed)
        self.user = getpass.getuser()
        self.is_root = os.getuid() == 0
        # Dovecot never reads root's mail.
        self.reader = NOBODY if self.is_root else os.getuid()

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        path.chmod(mode)
        return path

    def folder(self, name):
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def servers(self):
        return [getattr(self, name)() for name in (
            "ftp", "telnet", "smtp", "domain", "whois", "whoispp", "gopher", "finger", "http",
            "pop3", "nntp")]

    def under_tcpserver(self, port, *command, options=(), **environment):
        """The program has the connection as its descriptors 0 and 1, as inetd gives it."""
        return Server([port], "tcpserver", "-RHl", self.host, *options, "0", port, *command,
                      **environment)

    def ftp(self):
        root = self.folder("ftp")
        self.write("ftp/pub/text", "".join(f"line {i}\n" for i in range(1000)))
        self.write("ftp/pub/binary", self.random.randbytes(300_000))
        with self.write("ftp/pub/huge", b"").open("wb") as huge:
            huge.truncate(1_000_000_000)
        self.folder("ftp/pub/incoming")
        configuration = self.write("vsftpd.conf", f"""\
            listen=YES
            background=NO
            run_as_launching_user=YES
            one_process_model=YES
            seccomp_sandbox=NO
            isolate_network=NO
            anonymous_enable=YES
            no_anon_password=YES
            ftp_username={self.user}
            anon_root={root}
            allow_writeable_chroot=YES
            write_enable=YES
            anon_upload_enable=YES
            anon_umask=022
            async_abor_enable=YES
            pasv_min_port={PASSIVE_PORTS[0]}
            pasv_max_port={PASSIVE_PORTS[-1]}
            xferlog_enable=NO
            """, 0o600)
        return Server([21], "vsftpd", configuration)

    def telnet(self):
        shell = self.write("shell", "#!/bin/sh\nENV= PS1='ready> ' exec /bin/sh -i\n", 0o755)
        return self.under_tcpserver(23, "telnetd", "-h", "-E", shell)

    def smtp(self):
        """Each mail becomes a file of a maildir; POP3 serves it."""
        for name in "tmp", "new", "cur", ".":
            self.folder(f"mail/{name}")
            os.chown(self.directory / "mail" / name, self.reader, -1)
        deliver = self.write("deliver", f"""\
            #!/bin/sh
            cd {self.directory}/mail && cat >tmp/$$ && mv tmp/$$ new/$$.{self.host}
            """, 0o755)
        return Server([25], "msmtpd", "--interface=0.0.0.0", "--port=25", "--log=none",
                      f"--command={deliver}")

    def domain(self):
        """A name whose answer is too long for a datagram, and enough others to transfer."""
        long = "\n".join(f'long TXT "{i:03} {"x" * 200}"' for i in range(20))
        many = "\n".join(f"h{i} A 192.0.2.{i}" for i in range(1, 201))
        self.write("zone", f"$ORIGIN {ZONE}.\n$TTL 60\n@ SOA ns.{ZONE}. root.{ZONE}. 1 60 60 60 60\n"
                           f"@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.80\n{long}\n{many}\n")
        configuration = self.write("nsd.conf", f"""\
            server:
                ip-address: 0.0.0.0
                port: 53
                server-count: 2
                username: ""
                chroot: ""
                pidfile: ""
                database: ""
                zonesdir: "{self.directory}"
                zonelistfile: "{self.directory}/nsd.zones"
                xfrdfile: "{self.directory}/nsd.xfrd"
                xfrdir: "{self.directory}"
                logfile: "{self.directory}/nsd.log"
            remote-control:
                control-enable: no
            zone:
                name: "{ZONE}"
                zonefile: "zone"
                provide-xfr: 0.0.0.0/0 NOKEY
            """)
        return Server([53], "nsd", "-d", "-c", configuration)

    def whois(self, port=43):
        """RFC 3912: a line in, the answer out, and the connection is closed."""
        responder = self.write("whois", f"""\
            #!/bin/sh
            IFS= read -r query
            query=${{query%?}}
            i=0
            while [ $((i += 1)) -le {WHOIS_LINES} ]; do
                printf '%s: line %d\\r\\n' "$query" $i
            done
            """, 0o755)
        return self.under_tcpserver(port, responder)

    def whoispp(self):
        return self.whois(63)

    def gopher(self):
        root = self.folder("gopher")
        options = ["-u", NOBODY, "-g", NOBODY] if self.is_root else []  # it refuses to be root
        self.write("gopher/gophermap", "Welcome\n0A text\t/text.txt\n9Bytes\t/bytes.bin\n")
        self.write("gopher/text.txt", "".join(f"gopher line {i}\n" for i in range(500)))
        self.write("gopher/bytes.bin", self.random.randbytes(200_000))
        return self.under_tcpserver(70, "gophernicus", "-h", self.host, "-p", "70", "-r", root,
                                    "-nv", "-nf", "-nu", options=options)

    def finger(self):
        return self.under_tcpserver(79, "in.fingerd", "-p", "/usr/bin/finger")

    def http(self):
        self.write("pages/index.html", f"<p>Hello from {self.host}, port 80.</p>\n")
        self.write("pages/file", self.random.randbytes(PAGE_BYTES))
        temporary = "\n".join(f"{name}_temp_path {self.directory}/{name};" for name in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        configuration = self.write("nginx.conf", f"""\
            daemon off;
            {"user root;" if self.is_root else ""}
            worker_processes 2;
            pid {self.directory}/nginx.pid;
            error_log stderr warn;
            events {{ }}
            http {{
                access_log off;
                {temporary}
                server {{
                    listen 80;
                    root {self.directory}/pages;
                }}
            }}
            """)
        return Server([80], "nginx", "-e", "stderr", "-c", configuration)

    def pop3(self):
        group = grp.getgrgid(os.getgid()).gr_name
        mine = "" if self.is_root else f"""
            default_internal_user = {self.user}
            default_internal_group = {group}
            default_login_user = {self.user}"""
        users = self.write("passwd", f"reader:{{PLAIN}}secret:{self.reader}:{self.reader}::"
                                     f"{self.directory}::\n")
        configuration = self.write("dovecot.conf", f"""\
            protocols = pop3
            listen = *
            base_dir = {self.directory}/dovecot
            state_dir = {self.directory}/dovecot
            log_path = /dev/stderr
            ssl = no
            disable_plaintext_auth = no{mine}
            first_valid_uid = 0
            first_valid_gid = 0
            mail_location = maildir:{self.directory}/mail
            passdb {{
                driver = passwd-file
                args = {users}
            }}
            userdb {{
                driver = passwd-file
                args = {users}
            }}
            service anvil {{
                chroot =
            }}
            service stats {{
                chroot =
            }}
            service pop3-login {{
                chroot =
                inet_listener pop3 {{
                    port = 110
                }}
                inet_listener pop3s {{
                    port = 0
                }}
            }}
            """)
        return Server([110], "dovecot", "-F", "-c", configuration)

    def nntp(self):
        root = self.folder("news")
        environment = {"SNROOT": str(root), "POSTING_OK": "1"}
        made = stopping.run(["snnewgroup", "local.test"], env={**os.environ, **environment})
        if made.returncode:
            raise RuntimeError(f"snnewgroup: {made.stderr.strip()}")
        return self.under_tcpserver(119, "snntpd.bin", "-t", "60", **environment)
