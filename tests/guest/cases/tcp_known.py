"""Where every call in every state differs from the kernel, by lines of docs/differences.md: the states,
the calls (*: all), and the rows.
"""

UNCONNECTED = ("fresh bound bound_to_any listening listening_queued listener_shut listener_shut_queued "
               "refused disconnected")
RESET = "reset_by_peer data_and_reset reset_by_unread reset_while_queued"
ENDED = f"{RESET} reset_after_end reset_said ended refused_unsaid refused_said"
SENDS = "send send_waiting send_quietly send_nothing write send_file"
RECEIVES = "recv recv_waiting recv_peek recv_all recv_urgent read"
CONNECTED = "connected connected_unsaid accepted data_waits shut_write shut_read shut_both lingering"
POLLED = "poll then|poll at last|poll|poll for nothing|level, first|level, second|edge, first"
SENT = "send|send again|write|writev|sendfile|signals|signals then"
RECEIVED = "recv|recv again|recv once more|read|read again"
AFTERWARDS = "poll then|recvmsg then|SO_ERROR then"

KNOWN = (
    ("unconnected-send", UNCONNECTED, SENDS, SENT),
    ("unconnected-send", "connecting", "send_nothing", "send"),
    ("unconnected-receive", UNCONNECTED, RECEIVES, RECEIVED),
    ("error-of-send", f"{RESET} reset_after_end refused_unsaid", SENDS, f"{SENT}|{AFTERWARDS}"),
    ("error-of-receive", "refused_unsaid", RECEIVES, RECEIVED),
    ("error-of-disconnect", f"connecting connected connected_unsaid accepted data_waits peer_shut_write "
     f"data_and_end peer_closed shut_write shut_read shut_both lingering {ENDED}", "connect_unspecified",
     "poll then"),
    ("error-of-disconnect", "connecting", "shutdown_read shutdown_write shutdown_both", "poll then"),
    ("name-after-end", "refused refused_unsaid refused_said disconnected listener_shut listener_shut_queued", "names",
     "getsockname"),
    ("bind-after-end", ENDED, "bind", "bind"),
    ("reset-after-end", "reset_after_end peer_closed", "*", POLLED),
    ("reset-after-end", f"listening_queued {CONNECTED}", "*", "peer's poll then"),
    ("reset-after-end", "shut_write shut_both", "abort connect_unspecified", "peer's poll"),
    ("error-of-send", "peer_closed", SENDS, "SO_ERROR then"),
    ("error-behind-data", "data_and_reset", "recv_all", "poll then|recvmsg then"),
    ("mark-of-listener", "listening_queued", "ioctls", "SIOCATMARK"),
)
