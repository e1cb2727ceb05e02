"""The wire: requests out as prepared bytes, replies in, on sockets that one epoll watches.

Job:   carry an exchange to an allowed target and its reply, or the name of what went wrong, back.
In:    Flights (bytes to send, by when).    Out: heads and bodies.
Never: know customers or scenarios, wait for anything, judge a reply.
"""

from gameday.swarm.wire.heads import BadReply, Head

__all__ = ["BadReply", "Head"]
