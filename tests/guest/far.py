"""The two sides of a case: *near* is the case's own process, *far* is another one, driven by calls
over a socket pair of AF_UNIX (which `reeve run` leaves alone), so that both read the same.

A side is called with a function and its arguments. What far has made and can't be copied (a socket,
an epoll, whatever is Kept) stays there; near holds a Proxy, whose methods are far's and which may be
an argument of further calls. A function that is `resident` runs where its first argument lives.
"""

import functools
import pickle
import select
import signal
import socket


class Kept:
    """What stays where it was made."""


# Flags that are combined have no name by which they could be found again.
FLAGS = {socket.MsgFlag: lambda flags: (int, (int(flags),))}
KEPT = (Kept, socket.socket, select.epoll, type(select.poll()))


class Near:
    def __init__(self, address):
        self.address = address

    def __call__(self, function, *arguments, **named):
        return function(*arguments, **named)


class Proxy:
    def __init__(self, side, number):
        self.side, self.number = side, number

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Method(self, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Method:
    def __init__(self, proxy, name):
        self.proxy, self.name = proxy, name
        self.side = proxy.side

    def __call__(self, *arguments, **named):
        return self.side(self, *arguments, **named)


class Far:
    def __init__(self, address, channel):
        self.address = address
        self.file = channel.makefile("rwb")

    def begin(self, seconds):
        """Nothing is kept of what was before; the bound of what comes."""
        Method(Proxy(self, 0), "begin")(seconds)

    def __call__(self, function, *arguments, **named):
        pickler = pickle.Pickler(self.file)
        pickler.persistent_id = self.known
        pickler.dispatch_table = FLAGS
        pickler.dump((function, arguments, named))
        self.file.flush()
        unpickler = pickle.Unpickler(self.file)
        unpickler.persistent_load = lambda number: Proxy(self, number)
        well, value = unpickler.load()
        if not well:
            raise value
        return value

    @staticmethod
    def known(thing):
        if isinstance(thing, Proxy):
            return thing.number, None
        if isinstance(thing, Method):
            return thing.proxy.number, thing.name
        return None


class Server(Kept):
    """The far end."""

    def __init__(self, channel):
        self.file = channel.makefile("rwb")
        self.kept = [self]

    def begin(self, seconds):
        del self.kept[1:]
        signal.alarm(seconds)

    def keep(self, thing):
        if not isinstance(thing, KEPT):
            return None
        self.kept.append(thing)
        return len(self.kept) - 1

    def find(self, known):
        number, name = known
        return self.kept[number] if name is None else getattr(self.kept[number], name)

    def serve(self):
        while self.file.peek(1):
            unpickler = pickle.Unpickler(self.file)
            unpickler.persistent_load = self.find
            function, arguments, named = unpickler.load()
            try:
                answer = True, function(*arguments, **named)
            except Exception as e:  # it is the caller's to judge
                answer = False, e
            pickler = pickle.Pickler(self.file)
            pickler.persistent_id = self.keep
            pickler.dump(answer)
            self.file.flush()


def resident(function):
    @functools.wraps(function)
    def where_it_lives(first, *arguments, **named):
        if isinstance(first, (Proxy, Method)):
            return first.side(where_it_lives, first, *arguments, **named)
        return function(first, *arguments, **named)

    return where_it_lives
